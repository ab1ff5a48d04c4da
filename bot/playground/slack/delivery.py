"""How a payload gets to the app, by Socket Mode or by signed HTTP request, and what Slack makes of the answer.

Source: docs.slack.dev, authentication/verifying-requests-from-slack.
"""

import hashlib
import hmac
import json
from time import perf_counter
from urllib.parse import urlencode

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.responses import show_ack, show_failure
from bot.playground.slack.sockets import Sockets
from bot.playground.slack.transcript import Ack, AckError
from bot.playground.slack.workspace import Workspace


class RefusedByAppError(Exception):
    """The app answered with a status other than 200."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status


def signature(secret: str, timestamp: str, body: str) -> str:
    """Return the value of X-Slack-Signature."""
    signed = f"v0:{timestamp}:{body}".encode()
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed_request(
    kind: str, payload: JsonObject, secret: str, timestamp: int
) -> tuple[str, dict[str, str]]:
    """Return the body and the headers: commands are a form, clicks a form around JSON."""
    if kind == "events_api":
        body, content_type = json.dumps(payload), "application/json"
    elif kind == "interactive":
        body, content_type = urlencode({"payload": json.dumps(payload)}), ""
    else:
        body, content_type = urlencode({key: str(value) for key, value in payload.items()}), ""
    headers = {
        "Content-Type": content_type or "application/x-www-form-urlencoded",
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": str(timestamp),
        "X-Slack-Signature": signature(secret, str(timestamp), body),
    }
    return body, headers


async def post(
    session: ClientSession, url: str, body: str, headers: dict[str, str], seconds: float
) -> Json:
    """Return what the app answers: nothing, JSON, or plain text as a message's text.

    Raises TimeoutError, aiohttp.ClientError, or RefusedByAppError.
    """
    limit = ClientTimeout(total=seconds)
    async with session.post(url, data=body.encode(), headers=headers, timeout=limit) as response:
        raw = await response.text()
        if response.status != 200:  # noqa: PLR2004 - HTTP's OK
            raise RefusedByAppError(response.status)
        if not raw:
            return None
        if response.content_type != "application/json":
            return {"text": raw}
        return _decoded(raw)


def _decoded(raw: str) -> Json:
    """Return JSON, or the bare text where an app only claims to send JSON."""
    try:
        decoded: Json = json.loads(raw)
    except ValueError:
        return raw
    return decoded


_HTTP_SERVER_ERROR = 500
_WITH_RESPONSE = ("view_submission", "block_suggestion")


class Delivery:
    """Delivers payloads to the app, from `start` to `stop`; an ack later than `ack_timeout` seconds is none."""

    def __init__(self, workspace: Workspace, sockets: Sockets, ack_timeout: float) -> None:
        self._workspace = workspace
        self._sockets = sockets
        self._ack_timeout = ack_timeout
        self._session: ClientSession | None = None

    async def start(self) -> None:
        """Open the HTTP session."""
        self._session = ClientSession()

    async def stop(self) -> None:
        """Close the HTTP session."""
        if self._session is not None:
            await self._session.close()

    async def deliver(
        self, kind: str, payload: JsonObject, envelope_id: str, request_url: str | None
    ) -> Ack:
        """Send a payload, by Socket Mode if there is no `request_url`, and return its ack.

        A person sees what becomes of their command; an ack with what its payload may not have is a violation.
        """
        body: Json = None
        error: AckError | None = None
        begun = perf_counter()
        try:
            body = await self.send(kind, payload, envelope_id, request_url)
        except TimeoutError:
            error = "operation_timeout"
        except RefusedByAppError as refused:
            server = refused.status >= _HTTP_SERVER_ERROR
            error = "http_service_error" if server else "http_client_error"
        except (ConnectionError, ClientError):
            error = "dispatch_failed"
        seconds = perf_counter() - begun
        if body == {}:
            body = None  # Slack's SDK for Node sends it where it has nothing to say
        trigger = str(payload.get("trigger_id", ""))
        answer = body if isinstance(body, dict) else None
        if body is not None and (answer is None or not _accepts_response(kind, payload)):
            self._workspace.violations.append(f"ack: {kind} takes no such payload: {body!r}")
        if kind == "slash_commands" and error is not None:
            show_failure(self._workspace, error, payload)
        elif kind == "slash_commands" and answer is not None:
            show_ack(self._workspace, answer, payload)
        return Ack(answer, seconds, trigger, envelope_id, kind, payload, error)

    async def send(
        self, kind: str, payload: JsonObject, envelope_id: str, request_url: str | None
    ) -> Json:
        """Send a payload and return what the app answers; nobody is shown it.

        Raises TimeoutError without an ack in time, ConnectionError, aiohttp.ClientError or RefusedByAppError.
        """
        if request_url is not None and self._session is not None:
            secret, now = self._workspace.world.signing_secret, int(self._workspace.clock())
            body, headers = signed_request(kind, payload, secret, now)
            return await post(self._session, request_url, body, headers, self._ack_timeout)
        envelope: JsonObject = {
            "envelope_id": envelope_id,
            "type": kind,
            "accepts_response_payload": _accepts_response(kind, payload),
            "payload": payload,
        }
        return await self._sockets.deliver(envelope, self._ack_timeout)


def _accepts_response(kind: str, payload: JsonObject) -> bool:
    return kind == "slash_commands" or payload.get("type") in _WITH_RESPONSE
