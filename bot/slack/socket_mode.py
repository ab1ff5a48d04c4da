"""Socket Mode: passes each envelope to Bolt, and sends the ack."""

import logging
import time
from copy import copy
from functools import partial
from http import HTTPStatus

from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse

from bot.runtime.clock import sleep
from bot.runtime.fast_json import encode
from bot.runtime.observers import Acked, Observers
from bot.slack.api import SlackApi
from bot.slack.socket_client import Envelope, Pace, Send, SocketClient

TOO_MANY_CONNECTIONS = "Slack has too many connections of this app: it allows ten"

_log = logging.getLogger(__name__)


def socket_mode(
    app: AsyncApp,
    app_token: str,
    url: str | None,
    observers: Observers = Observers(),  # noqa: B008  # frozen
    pace: Pace = Pace(),  # noqa: B008  # frozen
) -> SocketClient:
    """Return the client that passes envelopes to Bolt's app; `url` is the preflight's, for the first attempt."""
    client = copy(app.client)  # the same way to Slack, with the other token
    client.token = app_token
    api = SlackApi(client, sleep, observers.called_slack)
    return SocketClient(api, url, partial(_take, app, observers.acked), observers, pace)


async def _take(app: AsyncApp, acked: Acked, envelope: Envelope, send: Send) -> None:
    """Pass an envelope to Bolt and send the ack; if Bolt raises, pass only its type, for an ack with an apology."""
    began, payload = time.monotonic(), envelope.get("payload")
    body = payload if isinstance(payload, dict) else {}
    try:
        response = await _dispatch(app, body)
    except Exception:  # noqa: BLE001  # Slack has to get an ack
        _log.exception("unforeseen error")
        said = ((name, body.get(name)) for name in ("type", "command"))
        body = {name: value for name, value in said if isinstance(value, str)}
        response = await _dispatch(app, body)
    if response.status == HTTPStatus.OK:
        if await send(_ack(envelope["envelope_id"], response)):
            acked(body, time.monotonic() - began)
        else:
            _log.warning("an ack did not reach Slack")


async def _dispatch(app: AsyncApp, body: dict[str, object]) -> BoltResponse:
    return await app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=body))


def _ack(envelope_id: object, response: BoltResponse) -> str:
    """Return the ack's JSON; Bolt's body is JSON already, or a plain text."""
    envelope, said = encode(envelope_id).decode(), response.body
    if not said:
        return f'{{"envelope_id":{envelope}}}'
    (kind,) = response.headers["content-type"]
    payload = said if kind.startswith("application/json") else encode({"text": said}).decode()
    return f'{{"envelope_id":{envelope},"payload":{payload}}}'
