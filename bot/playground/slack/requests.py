"""Delivery by signed HTTP request, as Slack does it to an app without Socket Mode.

Source: docs.slack.dev, authentication/verifying-requests-from-slack.
"""

import hashlib
import hmac
import json
from urllib.parse import urlencode

from aiohttp import ClientSession, ClientTimeout

from bot.playground.loopback import Json, JsonObject


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
