"""Payloads as signed HTTP requests to the app, where it takes them so instead of by Socket Mode.

Source: docs.slack.dev, authentication/verifying-requests-from-slack.
"""

import hashlib
import hmac
import json
from urllib.parse import urlencode

from aiohttp import ClientSession, ClientTimeout

from bot.playground.loopback import Json, JsonObject, json_object


def signature(secret: str, timestamp: str, body: str) -> str:
    """Return the value of X-Slack-Signature."""
    signed = f"v0:{timestamp}:{body}".encode()
    return "v0=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def signed_request(
    kind: str, payload: JsonObject, secret: str, timestamp: int
) -> tuple[str, dict[str, str]]:
    """Return body and headers: a command is a form, an interaction is JSON inside a form."""
    content_type = "application/x-www-form-urlencoded"
    if kind == "events_api":
        body, content_type = json.dumps(payload), "application/json"
    elif kind == "interactive":
        body = urlencode({"payload": json.dumps(payload)})
    else:
        body = urlencode({key: str(value) for key, value in payload.items()})
    headers = {
        "Content-Type": content_type,
        "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
        "X-Slack-Request-Timestamp": str(timestamp),
        "X-Slack-Signature": signature(secret, str(timestamp), body),
    }
    return body, headers


async def posted(url: str, body: str, headers: dict[str, str], seconds: float) -> Json:
    """Return the app's response: a JSON object, None for an empty one, or text, which Slack would not understand.

    Slack reads JSON only with its content type (docs.slack.dev, interactivity/implementing-slash-commands). Raises TimeoutError or aiohttp.ClientError, a ClientResponseError for a status from 400.
    """
    async with (
        ClientSession(timeout=ClientTimeout(total=seconds)) as session,
        session.post(url, data=body.encode(), headers=headers, raise_for_status=True) as response,
    ):
        raw = await response.text()
        answer = json_object(raw) if response.content_type == "application/json" else None
        return (raw or None) if answer is None else answer
