"""The same calls on a bare AsyncApp, as Slack documents it: no policy, no checks, no retries."""

import asyncio
import os

import httpx
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_sdk.web.async_client import AsyncWebClient


async def main() -> None:
    """Run until the process is ended."""
    client = AsyncWebClient(os.environ["SLACK_BOT_TOKEN"], os.environ["SLACK_API_URL"])
    app = AsyncApp(client=client)
    async with httpx.AsyncClient(base_url=os.environ["WECHAT_API_URL"]) as wechat:

        @app.command("/share-env")
        async def share_env(ack: AsyncAck, command: dict[str, str], client: AsyncWebClient) -> None:
            await ack()
            appid, env = command["text"].split()
            channel = command["channel_id"]
            parent = await client.chat_postMessage(
                channel=channel, text=f"Sharing {env} with {appid}."
            )
            response = await wechat.post(
                "/tcb/shareenv",
                params={"access_token": os.environ["WECHAT_AUTHORIZER_ACCESS_TOKEN"]},
                json={"appid": appid, "env": env},
            )
            answer = f"{appid}: {response.json()['errmsg']}"
            await client.chat_postMessage(channel=channel, text=answer, thread_ts=parent["ts"])
            await client.chat_update(
                channel=channel, ts=parent["ts"], text=f"Shared {env} with {appid}."
            )

        handler = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"])
        await handler.connect_async()  # type: ignore[no-untyped-call]  # Bolt's
        print("ready", flush=True)  # noqa: T201  # what the benchmark waits for
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
