"""The same calls on a bare App with threads, as Slack documents it: no policy, no checks, no retries."""

import os
import threading

import httpx
from slack_bolt import Ack, App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient


def main() -> None:
    """Run until the process is ended."""
    app = App(client=WebClient(os.environ["SLACK_BOT_TOKEN"], os.environ["SLACK_API_URL"]))
    with httpx.Client(base_url=os.environ["WECHAT_API_URL"]) as wechat:

        @app.command("/share-env")
        def share_env(ack: Ack, command: dict[str, str], client: WebClient) -> None:
            ack()
            appid, env = command["text"].split()
            channel = command["channel_id"]
            parent = client.chat_postMessage(channel=channel, text=f"Sharing {env} with {appid}.")
            response = wechat.post(
                "/tcb/shareenv",
                params={"access_token": os.environ["WECHAT_AUTHORIZER_ACCESS_TOKEN"]},
                json={"appid": appid, "env": env},
            )
            answer = f"{appid}: {response.json()['errmsg']}"
            client.chat_postMessage(channel=channel, text=answer, thread_ts=parent["ts"])
            client.chat_update(channel=channel, ts=parent["ts"], text=f"Shared {env} with {appid}.")

        handler = SocketModeHandler(app, os.environ["SLACK_APP_TOKEN"])
        handler.connect()  # type: ignore[no-untyped-call]  # Bolt's
        print("ready", flush=True)  # noqa: T201  # what the benchmark waits for
        threading.Event().wait()


if __name__ == "__main__":
    main()
