"""Deliver a payload to the app, by Socket Mode or by signed HTTP request, and apply Slack's rules to the response.

Source: docs.slack.dev, authentication/verifying-requests-from-slack.
"""

import hashlib
import hmac
import json
from http import HTTPStatus
from time import perf_counter
from urllib.parse import urlencode

from aiohttp import ClientError, ClientResponseError, ClientSession, ClientTimeout

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.responses import show_ack
from bot.playground.slack.sockets import Sockets
from bot.playground.slack.transcript import Ack, AckError
from bot.playground.slack.workspace import Workspace


def signature(secret: str, timestamp: str, body: str) -> str:
    """Return the value of X-Slack-Signature."""
    signed = f"v0:{timestamp}:{body}".encode()
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed_request(
    kind: str, payload: JsonObject, secret: str, timestamp: int
) -> tuple[str, dict[str, str]]:
    """Return body and headers: a command is a form, an interaction is JSON inside a form."""
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


async def _posted(url: str, body: str, headers: dict[str, str], seconds: float) -> Json:
    """Return the app's response: None, JSON, or plain text as a message's text.

    Raises TimeoutError or aiohttp.ClientError, a ClientResponseError for a status other than 200.
    """
    async with (
        ClientSession(timeout=ClientTimeout(total=seconds)) as session,
        session.post(url, data=body.encode(), headers=headers) as response,
    ):
        raw = await response.text()
        if response.status != HTTPStatus.OK:
            told = response.request_info, response.history
            raise ClientResponseError(*told, status=response.status)
        if not raw:
            return None
        if response.content_type != "application/json":
            return {"text": raw}
        return _decoded(raw)


def _decoded(raw: str) -> Json:
    """Return the JSON, or the raw text if it is not JSON in spite of its content type."""
    try:
        decoded: Json = json.loads(raw)
    except ValueError:
        return raw
    return decoded


_WITH_RESPONSE = ("view_submission", "block_suggestion")


class Delivery:
    """Delivers payloads to the app; an ack that takes longer than `ack_timeout` seconds is too late."""

    def __init__(self, workspace: Workspace, sockets: Sockets, ack_timeout: float) -> None:
        self._workspace = workspace
        self._sockets = sockets
        self._ack_timeout = ack_timeout

    async def deliver(
        self, kind: str, payload: JsonObject, envelope_id: str, request_url: str | None
    ) -> Ack:
        """Send a payload, by Socket Mode unless there is a `request_url`, and return its ack.

        The person is shown the result of their command; an ack with a body where none is allowed is a violation.
        """
        body: Json = None
        error: AckError | None = None
        begun = perf_counter()
        try:
            body = await self.send(kind, payload, envelope_id, request_url)
        except TimeoutError:
            error = "operation_timeout"
        except ClientResponseError as refused:
            server = refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            error = "http_service_error" if server else "http_client_error"
        except (ConnectionError, ClientError):
            error = "dispatch_failed"
        seconds = perf_counter() - begun
        if body == {}:
            body = None  # Slack's SDK for Node sends this as an empty response
        trigger = str(payload.get("trigger_id", ""))
        answer = body if isinstance(body, dict) else None
        if body is not None and (answer is None or not _accepts_response(kind, payload)):
            self._workspace.violations.append(f"ack: {kind} takes no such payload: {body!r}")
        if kind == "slash_commands" and error is not None:
            user, channel = str(payload["user_id"]), str(payload["channel_id"])
            said = f'{payload["command"]} failed with the error "{error}"'
            self._workspace.tell(user, channel, said)
        elif kind == "slash_commands" and answer is not None:
            show_ack(self._workspace, answer, payload)
        return Ack(answer, seconds, trigger, envelope_id, kind, payload, error)

    async def send(
        self, kind: str, payload: JsonObject, envelope_id: str, request_url: str | None
    ) -> Json:
        """Send a payload and return the app's response, without showing it.

        Raises TimeoutError without an ack in time, ConnectionError or aiohttp.ClientError.
        """
        if request_url is not None:
            secret, now = self._workspace.world.signing_secret, int(self._workspace.clock())
            body, headers = signed_request(kind, payload, secret, now)
            return await _posted(request_url, body, headers, self._ack_timeout)
        envelope: JsonObject = {
            "envelope_id": envelope_id,
            "type": kind,
            "accepts_response_payload": _accepts_response(kind, payload),
            "payload": payload,
        }
        return await self._sockets.deliver(envelope, self._ack_timeout)


def _accepts_response(kind: str, payload: JsonObject) -> bool:
    return kind == "slash_commands" or payload.get("type") in _WITH_RESPONSE
