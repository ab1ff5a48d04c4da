"""Socket Mode: passes each envelope to the app, and sends the ack."""

import logging
import time
from copy import copy
from functools import partial
from http import HTTPStatus

from slack_bolt.response import BoltResponse

from bot.runtime.clock import sleep
from bot.runtime.fast_json import encode
from bot.runtime.observers import Acked, Observers
from bot.slack.api import SlackApi
from bot.slack.listeners import App
from bot.slack.socket_client import Envelope, Pace, Send, SocketClient

TOO_MANY_CONNECTIONS = "Slack has too many connections of this app: it allows ten"

_log = logging.getLogger(__name__)


def socket_mode(
    app: App,
    app_token: str,
    url: str | None,
    observers: Observers = Observers(),  # noqa: B008  # frozen
    pace: Pace = Pace(),  # noqa: B008  # frozen
) -> SocketClient:
    """Return the client that passes envelopes to the app; `url` is the preflight's, for the first attempt."""
    client = copy(app.client)  # the same way to Slack, with the other token
    client.token = app_token
    api = SlackApi(client, sleep, observers.called_slack)
    return SocketClient(api, url, partial(_take, app, observers.acked), observers, pace)


async def _take(app: App, acked: Acked, envelope: Envelope, send: Send) -> None:
    """Send the ack of an envelope."""
    began, payload = time.monotonic(), envelope.get("payload")
    body = payload if isinstance(payload, dict) else {}
    response = await app.answer(body)
    if response.status == HTTPStatus.OK:
        if await send(_ack(envelope["envelope_id"], response)):
            acked(body, time.monotonic() - began)
        else:
            _log.warning("an ack did not reach Slack")


def _ack(envelope_id: object, response: BoltResponse) -> str:
    """Return the ack's JSON; Bolt's body is JSON already, or a plain text."""
    envelope, said = encode(envelope_id).decode(), response.body
    if not said:
        return f'{{"envelope_id":{envelope}}}'
    (kind,) = response.headers["content-type"]
    payload = said if kind.startswith("application/json") else encode({"text": said}).decode()
    return f'{{"envelope_id":{envelope},"payload":{payload}}}'
