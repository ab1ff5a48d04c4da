"""The client for Slack's Web API, which distinguishes a refusal from a doubtful result."""

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import aiohttp
import orjson
from slack_sdk.web.async_client import AsyncWebClient

from bot import __version__
from bot.command.tokenizer import visible
from bot.domain.finding import Problem
from bot.domain.sentence import Sentence
from bot.messages import Message
from bot.messages.blocks import as_arguments, as_response
from bot.runtime.bounded import read_at_most
from bot.runtime.observers import CalledSlack, no_op
from bot.runtime.way import PROXY_WANTS_PASSWORD, Ways, in_the_way, proxy_refuses
from bot.settings.access import SlackSettings
from bot.workflow.ports import AwayError

NOT_SENT = "not sent"
RESPONSE_URL = "response_url"
"""The method's name for calls to a response_url, in the log and the metrics."""
PATIENCE = 120.0
"""Seconds that one message may wait for rate limits, in all."""
ANSWER_LIMIT = 16 << 20
"""Bytes of a response: more than the longest of Slack's, a list of all user groups with their members."""
DOUBT_PAUSE = 5.0
"""Seconds before what may have happened is done once more, where nothing can be searched for: Slack may be back by then."""
_OK, _REFUSED, _TOO_MANY, _SERVER_ERROR = 200, 400, 429, 500
MAYBE = {
    "fatal_error",
    "internal_error",
    "request_timeout",
    "service_unavailable",
    "update_failed",
}
"""Slack's internal errors; "some aspect of the operation may have succeeded" (method reference, fatal_error)."""
_SOON_OVER = {NOT_SENT, "external_channel_migrating"}
"""The errors of a Refused that ends by itself. Source: the method reference of chat.update."""
_RATE_LIMITED = {"ratelimited", "rate_limited"}
_TOO_LONG = "msg_blocks_too_long"
_BAD_BLOCKS = {"invalid_blocks", "invalid_blocks_format", _TOO_LONG}
_DEFAULT_RETRY_AFTER, _LONGEST_RETRY_AFTER = 1.0, 3600.0
NOT_FROM_SLACK = "not Slack's answer"
"""The reason of a Doubtful for an unreadable response."""
ELSEWHERE = "not Slack's address"
"""The error of a Refused for a response_url to which nothing is sent."""

_BARE_ERROR = re.compile(rb"\s*([a-z][a-z_]{0,60})\s*")
# Strict, so that what sends the message cannot read another host in it.
_ADDRESS = re.compile(
    r"(https?)://([a-z0-9._-]+|\[[0-9a-f:.]+\])(?::([0-9]+))?/[!-~]*", re.IGNORECASE | re.ASCII
)
_PORTS = {"http": "80", "https": "443"}

# Any escape of JSON that is fine, a pair included, or half a pair: text that is cut off by UTF-16 units may end in one.
_HALF = re.compile(
    r"(\\u[dD][89abAB][\da-fA-F]{2}\\u[dD][c-fC-F][\da-fA-F]{2}|\\(?!u[dD][89a-fA-F]).)"
    r"|\\u[dD][89a-fA-F][\da-fA-F]{2}",
    re.DOTALL,
)

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
    way: Problem | None = field(default=None, compare=False, repr=False)
    """What was in the way of a call that was not sent, if that is known."""

    @property
    def label(self) -> str:
        """Its label of SLACK_RESULTS."""
        if self.retry_after is not None:
            return "ratelimited"
        return NOT_SENT if self.error == NOT_SENT else "refused"


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A 5xx, a dropped connection or a timeout: it may have happened. `way` is what was in the way, if that is known."""

    why: str
    way: Problem | None = field(default=None, compare=False, repr=False)
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
_CHECKED_AT_THE_START = {"auth.test", "apps.connections.open"}
"""The calls of which the preflight, and the connection, say what is wrong with a token."""


def bad_bot_token(error: str) -> Problem:
    """Return that Slack does not accept the bot token."""
    return Problem(
        Sentence("SLACK_BOT_TOKEN is not accepted by Slack ({error})", error=error),
        Sentence(
            "Copy the bot token again from your Slack app's page “OAuth & Permissions”, or install the app again there."
        ),
    )


_Json = Mapping[str, object]
_Read = Callable[[int, Mapping[str, str], bytes, _Json | None], Result]
"""Reads a response's status, headers and body, and the object in that, if any."""


@dataclass(frozen=True, slots=True)
class _Call:
    """Where a call goes, and how its response is read; `name` is the method's, in the log and the metrics."""

    name: str
    url: str
    read: _Read
    signed: bool
    """Whether it carries the token."""
    query: Mapping[str, str] | None = None


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
    `token` returns the one in force, if that may change; `sleep` is also for pauses between calls.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        sleep: Callable[[float], Awaitable[None]],
        called: CalledSlack = no_op,
        token: Callable[[], str] | None = None,
    ) -> None:
        if client.session is None:
            raise ValueError("the client has no session")
        self.session = client.session
        self.proxy = client.proxy
        self._base_url = client.base_url
        self._plain = {**client.headers, "Content-Type": "application/json;charset=utf-8"}
        self._token = token or (lambda: client.token or "")
        self.sleep = sleep
        self._called = called
        self._refused: tuple[str, Problem] | None = None
        """The token that Slack does not accept any more, as its last answer says, and what to do."""
        self._ways = Ways()
        self._tables = True
        """Whether Slack takes tables: once it refuses one, no other is tried."""

    @property
    def refused(self) -> Problem | None:
        """That Slack does not accept the token in force any more, as its last answer says."""
        return self._refused[1] if self._refused and self._refused[0] == self._token() else None

    async def read(
        self, method: str, patience: float = 0.0, **arguments: str | int | bool
    ) -> Result:
        """Call a reading method, waiting up to `patience` seconds for rate limits."""
        query = {
            name: str(value).lower() if isinstance(value, bool) else str(value)
            for name, value in arguments.items()
        }
        call = _Call(method, self._base_url + method, _read, signed=True, query=query)
        return await self._carry_out(call, None, patience)

    async def write(self, method: str, patience: float, **arguments: object) -> Result:
        """Call a writing method, waiting up to `patience` seconds for rate limits."""
        return await self._post(self._writing(method), arguments, patience)

    async def say(
        self, method: str, patience: float, message: Message, **arguments: object
    ) -> Result:
        """Post or edit a message by a writing method, waiting up to `patience` seconds for rate limits."""
        return await self._say(self._writing(method), as_arguments, message, arguments, patience)

    async def respond(
        self,
        url: str,
        patience: float,
        message: Message,
        *,
        thread_ts: str | None = None,
        replaces: bool = False,
    ) -> Result:
        """Post to a response_url, waiting up to `patience` seconds for rate limits.

        `replaces` the message that was clicked; unless told otherwise, Slack does that by itself (slack-go, pull request 428).
        Refused without a call if the address is not Slack's: whoever knows the signing secret could choose any.
        """
        if not is_slacks(url, self._base_url):
            _log.error("a response_url is not Slack's: nothing is sent to it")
            return Refused(ELSEWHERE)
        call = _Call(RESPONSE_URL, url, _read_response_url, signed=False)
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        where = {**thread, "replace_original": replaces}
        return await self._say(call, as_response, message, where, patience)

    def _writing(self, method: str) -> _Call:
        return _Call(method, self._base_url + method, _read, signed=True)

    async def _say(
        self,
        call: _Call,
        arguments: Callable[[Message], Mapping[str, object]],
        message: Message,
        where: _Json,
        patience: float,
    ) -> Result:
        """Send a message; a table that Slack refuses is left out, and from then on all tables are."""
        if self._tables and message.has_table:
            result = await self._carry_out(call, {**where, **arguments(message)}, patience)
            if not (isinstance(result, Refused) and result.error in _BAD_BLOCKS):
                return result
            why = {"method": call.name, "reason": result.error}
            _log.warning("a list takes the place of a table that Slack refuses", extra=why)
            self._tables = result.error == _TOO_LONG  # then it may take a shorter one
        return await self._post(call, {**where, **arguments(message.without_table)}, patience)

    async def _post(self, call: _Call, body: _Json, patience: float) -> Result:
        """Post a body; a message whose blocks Slack refuses is sent as its text, which says the same, without buttons."""
        result = await self._carry_out(call, body, patience)
        if isinstance(result, Refused) and result.error in _BAD_BLOCKS and body.get("text"):
            why = {"method": call.name, "reason": result.error}
            _log.error("a message is sent as its text, since Slack refuses its blocks", extra=why)
            plain = {key: value for key, value in body.items() if key != "blocks"}
            result = await self._carry_out(call, plain, patience)
        return result

    async def _carry_out(self, call: _Call, body: _Json | None, patience: float) -> Result:
        """Call Slack, again as long as it asks to wait; a call without a body is a GET."""
        while True:
            token = self._token()
            result = await self._once(call, body, token)
            wait = retry_after(result)
            _log.debug("called Slack", extra={"method": call.name, "result": result.label})
            self._called(call.name, result.label)
            self._note(call, result, token)
            if wait is None or wait > patience:
                return result
            patience -= wait
            await self.sleep(wait)

    def _note(self, call: _Call, result: Result, token: str) -> None:
        """Note, and log once, what is in the way, or that the bot token is not accepted any more."""
        if not call.signed or call.name in _CHECKED_AT_THE_START:
            return
        self._ways.note("Slack", result.way if isinstance(result, Refused) else None)
        if isinstance(result, Answered):
            self._refused = None
        elif isinstance(result, Refused) and result.error in BAD_TOKEN and not self.refused:
            why = bad_bot_token(result.error)
            self._refused = token, why
            facts = {"method": call.name, "reason": why.found, "fix": why.fix}
            _log.error("Slack refuses the bot token", extra=facts)

    async def _once(self, call: _Call, body: _Json | None, token: str) -> Result:
        authorization = {"Authorization": f"Bearer {token}"} if call.signed else {}
        try:
            async with self.session.request(
                "GET" if body is None else "POST",
                call.url,
                headers=self._plain | authorization,
                params=call.query,
                data=None if body is None else orjson.dumps(body),
                proxy=self.proxy,
                allow_redirects=False,
            ) as response:
                raw = await read_at_most(response.content, ANSWER_LIMIT)
                if raw is None:
                    return Doubtful(NOT_FROM_SLACK)
                if response.status == PROXY_WANTS_PASSWORD:
                    way = proxy_refuses(response.status, self.proxy)
                    return Doubtful(f"HTTP {response.status}", way)
                return call.read(response.status, response.headers, raw, object_in(raw))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError, ValueError) as error:
            # ValueError: the address, or the proxy's, cannot be used
            return Refused(NOT_SENT, way=in_the_way(error, self.proxy))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Doubtful(type(error).__name__, in_the_way(error, self.proxy))


def is_slacks(url: str, api_url: str) -> bool:
    """Tell whether a response_url leads to Slack by https, or to where the Web API at `api_url` is."""
    origin = _origin(url)
    if origin is None:
        return False
    scheme, host, port = origin
    if (
        scheme == "https"
        and port == "443"
        and f".{host}".endswith((".slack.com", ".slack-gov.com"))
    ):
        return True
    return origin == _origin(api_url)


def _origin(url: str) -> tuple[str, str, str] | None:
    """Return scheme, host and port of an address; None if anything else, such as a user, stands before its path."""
    found = _ADDRESS.fullmatch(url)
    if found is None:
        return None
    scheme, host, port = found[1].lower(), found[2].lower(), found[3]
    return scheme, host, port or _PORTS[scheme]


def object_in(text: str | bytes) -> dict[str, Any] | None:
    """Return the object that a JSON text holds, with U+FFFD for half a surrogate pair; None if it holds no object."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        mended = _with_whole_characters(text)
        return object_in(mended) if mended and mended != text else None
    return value if isinstance(value, dict) else None


def _with_whole_characters(text: str | bytes) -> str | None:
    """Return JSON without escapes of half a surrogate pair, which no UTF-8 can hold; None for bytes that are no text."""
    try:
        whole = text if isinstance(text, str) else text.decode()
    except UnicodeDecodeError:
        return None
    return _HALF.sub(lambda found: found[1] or r"\ufffd", whole)


def retry_after(result: Result) -> float | None:
    """Return the seconds that Slack asks to wait, if the result is a rate limit."""
    return result.retry_after if isinstance(result, Refused) else None


def is_transient(no: Refused | Doubtful) -> bool:
    """Tell whether a retry may succeed, since Slack was away or is busy."""
    return isinstance(no, Doubtful) or no.error in _SOON_OVER or retry_after(no) is not None


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
    return _read_no(status, headers, data, visible(str(data.get("error") or "")))


def _read_response_url(
    status: int, headers: Mapping[str, str], body: bytes, found: _Json | None
) -> Result:
    """Read the response of a response_url: a plain “ok”, or an error, bare or in JSON, with any status.

    Source: slackapi/java-slack-sdk, issue 1017, for webhooks; what response_urls answer is not documented. Any other page,
    such as a proxy's, is not Slack's.
    """
    data = found or {}
    if status == _OK and (body.strip() in {b"", b"ok"} or data.get("ok")):
        return Answered(data)
    error = visible(str(data.get("error") or ""))
    if not error and status < _SERVER_ERROR:
        bare = _BARE_ERROR.fullmatch(body)
        error = bare[1].decode() if bare else f"HTTP {status}" if status >= _REFUSED else ""
    return _read_no(status, headers, data, error)


def _read_no(
    status: int, headers: Mapping[str, str], data: _Json, error: str
) -> Refused | Doubtful:
    """Read a response that does not say ok; `error` is the one in it, if any."""
    if status == _TOO_MANY or error in _RATE_LIMITED:
        return Refused("ratelimited", retry_after=_seconds(headers.get("Retry-After")))
    if status >= _SERVER_ERROR or not error or error in MAYBE:
        return Doubtful(error or (f"HTTP {status}" if status >= _REFUSED else NOT_FROM_SLACK))
    return Refused(error, _pointers(data))


def _pointers(data: Mapping[str, object]) -> tuple[str, ...]:
    """Return the pointers to invalid parts. Source: docs.slack.dev, blocks.validate (errors)."""
    errors = data.get("errors")
    listed = errors if isinstance(errors, list) else []
    return tuple(str(each.get("pointer")) for each in listed if isinstance(each, dict))


def _seconds(header: str | None) -> float:
    """Return the seconds of Retry-After: at least one, so that retries use up patience, and an hour at most."""
    try:
        return min(max(_DEFAULT_RETRY_AFTER, float(header or 0)), _LONGEST_RETRY_AFTER)
    except ValueError:
        return _DEFAULT_RETRY_AFTER
