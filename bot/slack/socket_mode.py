"""Socket Mode: passes each envelope to the app, and sends the ack."""

import json
import logging
import time
from copy import copy
from functools import partial

from bot.runtime.clock import sleep
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
    said = await app.answer(body)
    envelope_id = json.dumps(envelope["envelope_id"])
    says = f',"payload":{said}' if said else ""
    if await send(f'{{"envelope_id":{envelope_id}{says}}}'):
        acked(body, time.monotonic() - began)
    else:
        _log.warning("an ack did not reach Slack")
