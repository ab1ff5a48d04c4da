"""Call one method of Slack's Web API, and tell a no from a maybe."""

import json
import string
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_sdk.webhook.webhook_response import WebhookResponse

from bot.runtime.observers import CalledSlack, nobody
from bot.workflow.ports import AwayError

NOT_SENT = "not sent"
RESPONSE_URL = "response_url"
"""What stands for a method where there is none."""
RESULTS = ("ok", "refused", "ratelimited", NOT_SENT, "doubtful")
"""How calls end, for whoever counts them."""
SLACK_TIMEOUT = aiohttp.ClientTimeout(total=15, connect=5)
"""Seconds for one call."""

_OK, _TOO_MANY, _SERVER_ERROR = 200, 429, 500
MAYBE = {"fatal_error", "internal_error", "request_timeout", "service_unavailable"}
"""What Slack says of itself; "some aspect of the operation may have succeeded" (method reference, fatal_error)."""
_RATE_LIMITED = {"ratelimited", "rate_limited"}
_DEFAULT_RETRY_AFTER = 1.0
_SCOPES = "x-oauth-scopes"
NOT_SLACKS = "not Slack's answer"
"""What stands for an answer that cannot be read."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Slack said ok; `scopes` are those of the token, where it names them."""

    data: Mapping[str, object]
    scopes: frozenset[str] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """Slack said no: `error` as in the method reference; nothing happened.

    `pointers` are the places of what it does not take, as JSON pointers, where it names any.
    """

    error: str
    pointers: tuple[str, ...] = field(default=(), compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A 5xx, a dropped connection or silence: it may have happened."""

    why: str


Result = Answered | Refused | Doubtful
BAD_TOKEN = {
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "not_allowed_token_type",
}
"""What Slack refuses because of the token, whatever it is asked."""
_Response = AsyncSlackResponse | WebhookResponse


class SlackApi:
    """The Web API with one rule: wait as long as Slack asks, and repeat nothing that may have happened.

    `client` must have no retry handlers: the SDK's own repeats chat.postMessage after a dropped connection.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        sleep: Callable[[float], Awaitable[None]],
        called: CalledSlack = nobody,
    ) -> None:
        self._client = client
        self._sleep = sleep
        self._called = called

    async def read(
        self, method: str, patience: float = 0.0, **arguments: str | int | bool
    ) -> Result:
        """Return what a reading method answers, waiting up to `patience` seconds for a rate limit."""
        query = {name: _as_query(value) for name, value in arguments.items()}
        call = partial(self._client.api_call, method, http_verb="GET", params=query)
        return await self._patiently(method, call, patience)

    async def write(self, method: str, patience: float, **arguments: object) -> Result:
        """Return what a writing method answers, waiting up to `patience` seconds for a rate limit."""
        call = partial(self._client.api_call, method, json=arguments)
        return await self._patiently(method, call, patience)

    async def respond(self, url: str, patience: float, body: dict[str, object]) -> Result:
        """Return what a response_url answers; it has no body to speak of."""
        webhook = AsyncWebhookClient(
            url, session=self._client.session, logger=self._client.logger, retry_handlers=[]
        )
        return await self._patiently(RESPONSE_URL, partial(webhook.send_dict, body), patience)

    async def _patiently(
        self, method: str, call: Callable[[], Awaitable[_Response]], patience: float
    ) -> Result:
        while True:
            result = await _once(call)
            self._called(method, _named(result))
            wait = retry_after(result)
            if wait is None or wait > patience:
                return result
            patience -= wait
            await self._sleep(wait)


async def _once(call: Callable[[], Awaitable[_Response]]) -> Result:
    try:
        response = await call()
    except SlackApiError as error:
        return _read_error(error)
    except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
        return Refused(NOT_SENT)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return Doubtful(type(error).__name__)
    except (AttributeError, RecursionError, ValueError):
        # How the SDK stumbles over a body that is not a JSON object, too deep a one, or not UTF-8.
        return Doubtful(NOT_SLACKS)
    if isinstance(response, WebhookResponse):
        return _read_webhook(response)
    data = response.data
    granted = response.headers.get(_SCOPES)
    scopes = None if granted is None else frozenset(granted.replace(",", " ").split())
    return Answered(data, scopes) if isinstance(data, dict) else Doubtful(NOT_SLACKS)


@dataclass(frozen=True, slots=True)
class _Limited(Refused):
    retry_after: float = field(default=_DEFAULT_RETRY_AFTER, kw_only=True)


def retry_after(result: Result) -> float | None:
    """Return how long Slack asks to wait, if that is what it answered."""
    return result.retry_after if isinstance(result, _Limited) else None


def passes(no: Refused | Doubtful) -> bool:
    """Tell whether Slack may take the same later, since it was away or is busy."""
    return isinstance(no, Doubtful) or no.error == NOT_SENT or retry_after(no) is not None


def away(no: Refused | Doubtful) -> AwayError:
    """Return the error that says so."""
    why = no.why if isinstance(no, Doubtful) else no.error
    return AwayError(why, retry_after(no) or 0.0)


def _named(result: Result) -> str:
    """Return which of RESULTS a result is."""
    match result:
        case Answered():
            return "ok"
        case _Limited():
            return "ratelimited"
        case Refused(error):
            return NOT_SENT if error == NOT_SENT else "refused"
        case Doubtful():
            return "doubtful"


def _as_query(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_error(error: SlackApiError) -> Result:
    """Read the SDK's error, whose response is its own type or, for broken JSON, aiohttp's."""
    response = error.response
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
    data = getattr(response, "data", None)
    code = str(data.get("error") or "") if isinstance(data, dict) else ""
    if status == _TOO_MANY or code in _RATE_LIMITED:
        return _Limited("ratelimited", retry_after=_seconds(response.headers.get("Retry-After")))
    if status >= _SERVER_ERROR or not code or code in MAYBE:
        return Doubtful(code or f"HTTP {status}")
    return Refused(code, _pointers(data))


def _pointers(data: object) -> tuple[str, ...]:
    """Read where Slack finds something wrong. Source: docs.slack.dev, blocks.validate (errors)."""
    errors = data.get("errors") if isinstance(data, dict) else None
    listed = errors if isinstance(errors, list) else []
    return tuple(str(each.get("pointer")) for each in listed if isinstance(each, dict))


def _read_webhook(response: WebhookResponse) -> Result:
    if response.status_code == _OK:
        return _read_ok(response.body.strip(string.whitespace))
    if response.status_code == _TOO_MANY:
        return _Limited("ratelimited", retry_after=_seconds(response.headers.get("Retry-After")))
    if response.status_code >= _SERVER_ERROR:
        return Doubtful(f"HTTP {response.status_code}")
    return Refused(response.body[:80] or f"HTTP {response.status_code}")


def _read_ok(body: str) -> Result:
    """Read the body of a 200, a plain “ok”; a page of whoever stands between is no answer of Slack's."""
    if body in {"", "ok"}:
        return Answered({})
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        data = None
    if not isinstance(data, dict):
        return Doubtful(NOT_SLACKS)
    return Answered(data) if data.get("ok") else Refused(str(data.get("error") or NOT_SLACKS))


def _seconds(header: str | None) -> float:
    """Return what Retry-After asks for; never less than a second, or trying again would know no end."""
    try:
        return max(_DEFAULT_RETRY_AFTER, float(header or _DEFAULT_RETRY_AFTER))
    except ValueError:
        return _DEFAULT_RETRY_AFTER
