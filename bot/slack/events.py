"""HTTP mode: `POST /slack/events`, for teams that do not use Socket Mode."""

import re
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from slack_sdk.signature import Clock, SignatureVerifier

from bot.domain.finding import SET_THE_CLOCK, Problem
from bot.domain.sentence import Sentence
from bot.runtime.bounded import BODIES, Unread
from bot.runtime.clock import Runtime
from bot.runtime.observers import Acked, RefusedPost, no_op
from bot.slack.api import object_in
from bot.slack.listeners import App

PATH = "/slack/events"
_UNSIGNED, _UNREADABLE = "no good signature", "the body is not what Slack sends"
BODY_LIMIT = 1 << 20
"""Bytes; a click's payload contains the whole clicked message."""

_STALE_AFTER = 300.0  # seconds, as in the SDK's verifier


class NotFromSlack(Enum):
    """Why a request is rejected as not Slack's, for the log and the doctor."""

    UNSIGNED = Problem(Sentence("there is no signature, so that is not from Slack"))
    STALE = Problem(Sentence("the timestamp is more than five minutes off"), SET_THE_CLOCK)
    SIGNATURE = Problem(
        Sentence("the signature is not Slack's"),
        Sentence(
            "Copy the signing secret from your Slack app's page “Basic Information” to SLACK_SIGNING_SECRET, then start the bot again."
        ),
    )
    UNREADABLE = Problem(Sentence("that is not what Slack sends"))


_HEADERS = {
    "X-Slack-Request-Timestamp": re.compile(r"[0-9]{1,12}"),
    "X-Slack-Signature": re.compile(r"v0=[0-9a-f]{64}"),
}


class _Clock(Clock):
    """The runtime's clock, for the SDK's verifier."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now

    def now(self) -> float:
        return self._now()


def slack_events(
    app: App,
    signing_secret: Callable[[], str],
    runtime: Runtime,
    acked: Acked = no_op,
    refused: RefusedPost = no_op,
) -> Callable[[web.Request], Awaitable[web.Response]]:
    """Return the handler that passes Slack's signed requests to the app.

    `signing_secret` returns the one in force. `acked` is called for each ack, `refused` for each rejected request. No body is parsed before its signature is
    verified, since that takes long for a large one.
    """
    now = _Clock(runtime.now)

    def no(status: int, why: NotFromSlack | Unread, text: str) -> web.Response:
        refused(PATH, why)
        return web.Response(status=status, text=text)

    async def events(request: web.Request) -> web.Response:
        began = runtime.clock()
        if not _may_be_signed(request):
            return no(401, NotFromSlack.UNSIGNED, _UNSIGNED)
        raw = await request.app[BODIES].read(request, BODY_LIMIT)
        if isinstance(raw, Unread):
            return no(raw.status, raw, raw.value.found)
        try:
            body = raw.decode()
        except UnicodeDecodeError:
            return no(400, NotFromSlack.UNREADABLE, _UNREADABLE)
        if not SignatureVerifier(signing_secret(), now).is_valid_request(body, request.headers):
            return no(401, _why_unsigned(request, runtime.now()), _UNSIGNED)
        payload = _payload(body, request.content_type)
        if payload is None:
            return no(400, NotFromSlack.UNREADABLE, _UNREADABLE)
        said = await app.answer(payload)
        acked(payload, runtime.clock() - began)
        return web.Response(text=said, content_type="application/json" if said else "text/plain")

    return events


def _why_unsigned(request: web.Request, now: float) -> NotFromSlack:
    """Return why the verifier rejects a well-formed signature."""
    sent = float(request.headers["X-Slack-Request-Timestamp"])
    return NotFromSlack.STALE if abs(now - sent) > _STALE_AFTER else NotFromSlack.SIGNATURE


def _may_be_signed(request: web.Request) -> bool:
    """Tell whether there is exactly one well-formed signature; at others the verifier may raise."""
    return all(
        len(values) == 1 and form.fullmatch(values[0])
        for name, form in _HEADERS.items()
        for values in [request.headers.getall(name, [])]
    )


def _payload(body: str, content_type: str) -> dict[str, Any] | None:
    """Return an event, which is JSON; a command, which is a form; or an interaction, JSON in a form. None for all else."""
    if content_type != "application/json":
        form = dict(parse_qsl(body, keep_blank_values=True))
        if "payload" not in form:
            return form
        body = form["payload"]
    return object_in(body)
