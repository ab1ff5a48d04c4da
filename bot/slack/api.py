"""The client for Slack's Web API, which distinguishes a refusal from a doubtful result."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar

import aiohttp
import orjson
from slack_sdk.web.async_client import AsyncWebClient

from bot import __version__
from bot.command.tokenizer import visible
from bot.runtime.observers import CalledSlack
from bot.settings.access import SlackSettings
from bot.workflow.ports import AwayError

NOT_SENT = "not sent"
RESPONSE_URL = "response_url"
"""The method's name for calls to a response_url, in the log and the metrics."""
PATIENCE = 120.0
"""Seconds that one message may wait for rate limits, in all."""
DOUBT_PAUSE = 5.0
"""Seconds before what may have happened is done once more, where nothing can be searched for: Slack may be back by then."""
RESULTS = ("ok", "refused", "ratelimited", NOT_SENT, "doubtful")
"""The labels of the metrics for how calls end."""

_OK, _TOO_MANY, _SERVER_ERROR = 200, 429, 500
MAYBE = {"fatal_error", "internal_error", "request_timeout", "service_unavailable"}
"""Slack's internal errors; "some aspect of the operation may have succeeded" (method reference, fatal_error)."""
_RATE_LIMITED = {"ratelimited", "rate_limited"}
_BAD_BLOCKS = {"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"}
_DEFAULT_RETRY_AFTER, _LONGEST_RETRY_AFTER = 1.0, 3600.0
NOT_FROM_SLACK = "not Slack's answer"
"""The reason of a Doubtful for an unreadable response."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Answered:
    """Slack said ok; `scopes` are the token's, if the response has them."""

    data: Mapping[str, object]
    scopes: frozenset[str] | None = field(default=None, compare=False)
    label: ClassVar[str] = "ok"


@dataclass(frozen=True, slots=True)
class Refused:
    """Slack refused, so nothing happened: `error` as in the method reference.

    `pointers` are JSON pointers to the invalid parts, if Slack names them.
    """

    error: str
    pointers: tuple[str, ...] = field(default=(), compare=False, repr=False)
    retry_after: float | None = field(default=None, compare=False, repr=False)
    """Seconds, for a rate limit."""

    @property
    def label(self) -> str:
        """Its label of RESULTS."""
        if self.retry_after is not None:
            return "ratelimited"
        return NOT_SENT if self.error == NOT_SENT else "refused"


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A 5xx, a dropped connection or a timeout: it may have happened."""

    why: str
    label: ClassVar[str] = "doubtful"


Result = Answered | Refused | Doubtful
BAD_TOKEN = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "not_allowed_token_type",
}
"""The errors that mean a bad token."""


_Send = Callable[..., AbstractAsyncContextManager[aiohttp.ClientResponse]]
_Json = Mapping[str, object]
_Read = Callable[[int, Mapping[str, str], bytes, _Json | None], Result]
"""Reads a response's status, headers and body, and the object in that, if any."""


def web_client(
    slack: SlackSettings, token: str | None, session: aiohttp.ClientSession
) -> AsyncWebClient:
    """Return the SDK's client with one of the two tokens."""
    return AsyncWebClient(
        token=token,
        base_url=slack.api_url,
        session=session,
        user_agent_prefix=f"share-env-bot/{__version__}",
    )


class SlackApi:
    """The Web API; it waits as long as a rate limit asks, and never repeats a call that may have happened.

    Of the SDK's `client` it takes only base URL, token, session and proxy: a call by the SDK takes half as long again.
    `sleep` is also for pauses between calls.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        sleep: Callable[[float], Awaitable[None]],
        called: CalledSlack | None = None,
    ) -> None:
        if client.session is None:
            raise ValueError("the client has no session")
        self.session = client.session
        self.proxy = client.proxy
        self._base_url = client.base_url
        plain = {**client.headers, "Content-Type": "application/json;charset=utf-8"}
        signed = {**plain, "Authorization": f"Bearer {client.token}"}
        self._get_signed = partial(self.session.get, headers=signed, proxy=client.proxy)
        self._post_signed = partial(self.session.post, headers=signed, proxy=client.proxy)
        self._post_plain = partial(self.session.post, headers=plain, proxy=client.proxy)
        self.sleep = sleep
        self._called = called

    async def read(
        self, method: str, patience: float = 0.0, **arguments: str | int | bool
    ) -> Result:
        """Call a reading method, waiting up to `patience` seconds for rate limits."""
        query = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in arguments.items()
        }
        get = partial(self._get_signed, self._base_url + method, params=query)
        return await self._call(method, partial(_once, get, None, _read), patience)

    async def write(self, method: str, patience: float, **arguments: object) -> Result:
        """Call a writing method, waiting up to `patience` seconds for rate limits."""
        post = partial(self._post_signed, self._base_url + method)
        return await self._post(method, post, arguments, _read, patience)

    async def respond(
        self, url: str, patience: float, body: _Json, *, replaces: bool = False
    ) -> Result:
        """Post to a response_url, waiting up to `patience` seconds for rate limits.

        `replaces` the message that was clicked; unless told otherwise, Slack does that by itself (slack-go, pull request 428).
        """
        post, whole = partial(self._post_plain, url), {**body, "replace_original": replaces}
        return await self._post(RESPONSE_URL, post, whole, _read_response_url, patience)

    async def _post(
        self, name: str, post: _Send, body: _Json, read: _Read, patience: float
    ) -> Result:
        """Post a body; a message whose blocks Slack refuses is sent as its text, which says the same, without buttons."""
        result = await self._call(name, partial(_once, post, body, read), patience)
        if isinstance(result, Refused) and result.error in _BAD_BLOCKS and body.get("text"):
            why = {"method": name, "reason": result.error}
            _log.error("a message is sent as its text, since Slack refuses its blocks", extra=why)
            plain = {key: value for key, value in body.items() if key != "blocks"}
            result = await self._call(name, partial(_once, post, plain, read), patience)
        return result

    async def _call(
        self, name: str, once: Callable[[], Awaitable[Result]], patience: float
    ) -> Result:
        while True:
            result = await once()
            wait = retry_after(result)
            _log.debug("called Slack", extra={"method": name, "result": result.label})
            if self._called:
                self._called(name, result.label)
            if wait is None or wait > patience:
                return result
            patience -= wait
            await self.sleep(wait)


async def _once(send: _Send, body: _Json | None, read: _Read) -> Result:
    try:
        async with send(data=None if body is None else orjson.dumps(body)) as response:
            raw = await response.read()
            return read(response.status, response.headers, raw, object_in(raw))
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        return Refused(NOT_SENT)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Doubtful(type(error).__name__)


def object_in(text: str | bytes) -> dict[str, Any] | None:
    """Return the object that a JSON text holds; None if it holds anything else, or is no JSON."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def retry_after(result: Result) -> float | None:
    """Return the seconds that Slack asks to wait, if the result is a rate limit."""
    return result.retry_after if isinstance(result, Refused) else None


def is_transient(no: Refused | Doubtful) -> bool:
    """Tell whether a retry may succeed, since Slack was away or is busy."""
    return isinstance(no, Doubtful) or no.error == NOT_SENT or retry_after(no) is not None


def away_error(no: Refused | Doubtful) -> AwayError:
    """Return the AwayError for a transient result."""
    why = no.why if isinstance(no, Doubtful) else no.error
    return AwayError(why, retry_after(no) or 0.0)


def _read(status: int, headers: Mapping[str, str], _body: bytes, found: _Json | None) -> Result:
    """Read the response of a method."""
    data = found or {}
    if status == _OK and data.get("ok"):
        granted = headers.get("x-oauth-scopes")
        scopes = None if granted is None else frozenset(granted.replace(",", " ").split())
        return Answered(data, scopes)
    code = visible(str(data.get("error") or ""))
    if status == _TOO_MANY or code in _RATE_LIMITED:
        return Refused("ratelimited", retry_after=_seconds(headers.get("Retry-After")))
    if status >= _SERVER_ERROR or not code or code in MAYBE:
        return Doubtful(code or (NOT_FROM_SLACK if status == _OK else f"HTTP {status}"))
    return Refused(code, _pointers(data))


def _pointers(data: Mapping[str, object]) -> tuple[str, ...]:
    """Return the pointers to invalid parts. Source: docs.slack.dev, blocks.validate (errors)."""
    errors = data.get("errors")
    listed = errors if isinstance(errors, list) else []
    return tuple(str(each.get("pointer")) for each in listed if isinstance(each, dict))


def _read_response_url(
    status: int, headers: Mapping[str, str], body: bytes, data: _Json | None
) -> Result:
    """Read the response of a response_url, a plain “ok”; any other page, such as a proxy's, is not Slack's."""
    if status == _TOO_MANY:
        return Refused("ratelimited", retry_after=_seconds(headers.get("Retry-After")))
    if status >= _SERVER_ERROR:
        return Doubtful(f"HTTP {status}")
    if status != _OK:
        return Refused(body[:80].decode(errors="replace") or f"HTTP {status}")
    if body.strip() in {b"", b"ok"}:
        return Answered({})
    if data is None:
        return Doubtful(NOT_FROM_SLACK)
    return Answered(data) if data.get("ok") else Refused(str(data.get("error") or NOT_FROM_SLACK))


def _seconds(header: str | None) -> float:
    """Return the seconds of Retry-After: at least one, so that retries use up patience, and an hour at most."""
    try:
        return min(max(_DEFAULT_RETRY_AFTER, float(header or 0)), _LONGEST_RETRY_AFTER)
    except ValueError:
        return _DEFAULT_RETRY_AFTER
