"""The headers of Standard Webhooks, by which a collector verifies what it gets. Pure.

Source: github.com/standard-webhooks/standard-webhooks, "spec/standard-webhooks.md".
"""

import hmac
from base64 import b64encode
from collections.abc import Mapping


def webhook_headers(message: str, now: float, body: bytes, key: bytes | None) -> Mapping[str, str]:
    """Return the id of a message and its time, and with a `key` the signature of both and the body."""
    at = f"{now:.0f}"
    headers = {"webhook-id": message, "webhook-timestamp": at}
    if key is None:
        return headers
    signed = hmac.digest(key, f"{message}.{at}.".encode() + body, "sha256")
    return {**headers, "webhook-signature": f"v1,{b64encode(signed).decode()}"}
