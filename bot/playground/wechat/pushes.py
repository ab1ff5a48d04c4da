"""WeChat's pushes: XML, encrypted and signed. Source: developers.weixin.qq.com, Before_Develop and message_push."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import ClientError, ClientSession, ClientTimeout

from bot.wechat.push import aes_key, encrypt, signature

TIMEOUT = 5.0  # seconds


@dataclass(frozen=True, slots=True)
class PushKeys:
    """The keys that encrypt and sign a push, shared by both sides."""

    appid: str
    message_token: str
    encoding_aes_key: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """The parts that are new in each push: a Unix time, a nonce of digits, and RANDOM_BYTES bytes."""

    timestamp: int
    nonce: str
    random: bytes


@dataclass(frozen=True, slots=True)
class Push:
    """One POST to the platform's callback."""

    info_type: str
    query: dict[str, str]
    body: bytes


def event(component_appid: str, info_type: str, at: int, **more: str | int) -> dict[str, str | int]:
    """Return the fields of an event at the Unix time `at`."""
    return {"AppId": component_appid, "CreateTime": at, "InfoType": info_type, **more}


def sealed(fields: Mapping[str, str | int], seal: PushKeys, stamp: Stamp) -> Push:
    """Return the push for an event's fields."""
    encrypted = encrypt(aes_key(seal.encoding_aes_key), xml(fields), seal.appid, stamp.random)
    token, timestamp = seal.message_token, str(stamp.timestamp)
    query = {
        # Useless: it does not cover the body.
        "signature": signature(token, timestamp, stamp.nonce, ""),
        "timestamp": timestamp,
        "nonce": stamp.nonce,
        "encrypt_type": "aes",
        "msg_signature": signature(token, timestamp, stamp.nonce, encrypted),
    }
    body = xml({"AppId": seal.appid, "Encrypt": encrypted})
    return Push(str(fields.get("InfoType", "")), query, body)


def xml(fields: Mapping[str, str | int]) -> bytes:
    """Return fields in WeChat's XML: strings as CDATA, numbers bare."""
    values = ((k, v if isinstance(v, int) else f"<![CDATA[{v}]]>") for k, v in fields.items())
    return "\n".join(("<xml>", *(f"<{k}>{v}</{k}>" for k, v in values), "</xml>")).encode()


async def posted(url: str, push: Push) -> tuple[int, str]:
    """Return the response's status and text; 0 and the error's name if there was none in time."""
    headers, timeout = {"Content-Type": "text/xml"}, ClientTimeout(total=TIMEOUT)
    try:
        async with (
            ClientSession(headers=headers, timeout=timeout) as session,
            session.post(url, params=push.query, data=push.body, allow_redirects=False) as response,
        ):
            return response.status, await response.text(errors="replace")
    except (ClientError, TimeoutError) as error:
        return 0, type(error).__name__
