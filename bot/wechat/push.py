"""Verify, decrypt and parse WeChat's pushes to the platform. Pure; never raises.

Source: developers.weixin.qq.com, oplatform, "component_verify_ticket", "authorize_event", "message_push", "Message
encryption and decryption". The encryption is AES-256-CBC, padded to blocks of 32 bytes. The endpoint is public, so the
XML is parsed only after its signature is verified, and entities are never expanded.
"""

import hashlib
import hmac
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from xml.etree.ElementTree import ParseError

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7
from defusedxml.ElementTree import fromstring

from bot.command.grammar import is_appid
from bot.domain.finding import SET_THE_CLOCK, Problem
from bot.domain.sentence import Sentence
from bot.settings.access import PlatformSettings

STALE_AFTER = 300.0
"""Seconds that a push's timestamp may differ from the clock, against replays."""

RANDOM_BYTES = 16
_BLOCK_BITS = 256  # of the padding; AES blocks have 128 bits
_LENGTH_BYTES = 4
_HEAD = RANDOM_BYTES + _LENGTH_BYTES
_OF_CONCERN = frozenset(
    {"component_verify_ticket", "authorized", "updateauthorized", "unauthorized"}
)


class PushRefusal(Enum):
    """Why a push is rejected, for the log and the doctor."""

    STALE = Problem(Sentence("the timestamp is more than five minutes off"), SET_THE_CLOCK)
    NOT_XML = Problem(
        Sentence("that is not what WeChat pushes in 传统模式"),
        Sentence("Switch the platform to 传统模式 at open.weixin.qq.com."),
    )
    SIGNATURE = Problem(
        Sentence("the signature is not WeChat's"),
        Sentence(
            "Copy 消息校验Token from open.weixin.qq.com to WECHAT_MESSAGE_TOKEN, then start the bot again."
        ),
    )
    DECRYPTION = Problem(
        Sentence("no key decrypts the content"),
        Sentence(
            "Copy 消息加解密Key from open.weixin.qq.com to WECHAT_ENCODING_AES_KEY, then start the bot again."
        ),
    )
    OTHER_PLATFORM = Problem(
        Sentence("that is no event of the platform in WECHAT_COMPONENT_APPID"),
        Sentence(
            "At open.weixin.qq.com compare its AppID, and let only 授权事件接收URL lead here, then start the bot again."
        ),
    )
    INCOMPLETE = Problem(Sentence("something is missing"))


@dataclass(frozen=True, slots=True)
class Ticket:
    """component_verify_ticket: a new ticket. `created` is WeChat's CreateTime, in Unix seconds."""

    created: float
    ticket: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authorized:
    """authorized or updateauthorized: an owner granted permissions; `code` can be exchanged for their tokens."""

    created: float
    owner: str
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """unauthorized: an owner withdrew all permissions."""

    created: float
    owner: str


Push = Ticket | Authorized | Unauthorized


@dataclass(frozen=True, slots=True)
class Decrypted:
    """A decrypted message, and the appid it was encrypted for."""

    message: bytes = field(repr=False)
    appid: str


def read_push(
    platform: PlatformSettings, query: Mapping[str, str], body: bytes, now: float
) -> Push | PushRefusal | None:
    """Verify and parse a push, None if it is of no concern to the bot; `now` is in Unix seconds."""
    timestamp = query.get("timestamp", "")
    sent = _number(timestamp)
    if sent is None or abs(now - sent) > STALE_AFTER:
        return PushRefusal.STALE
    encrypted = _encrypted(body)
    if not encrypted:
        return PushRefusal.NOT_XML
    given = query.get("msg_signature", "").encode(errors="replace")
    signed = [
        signature(token, timestamp, query.get("nonce", ""), encrypted)
        for token in platform.message_tokens
    ]
    if not any(hmac.compare_digest(wanted.encode(), given) for wanted in signed):
        return PushRefusal.SIGNATURE
    # The signature covers only the element's text, not the XML around it.
    if _members(body).get("Encrypt") != encrypted:
        return PushRefusal.NOT_XML
    return _decrypted(platform, encrypted)


def _encrypted(body: bytes) -> str:
    """Return the text of the first Encrypt element without parsing the XML; linear in the length of the body."""
    _, _, rest = body.partition(b"<Encrypt>")
    inside, end, _ = rest.partition(b"</Encrypt>")
    if not end:
        return ""
    text = inside.decode(errors="replace").strip()
    text = text.removeprefix("<![CDATA[").removesuffix("]]>").strip()
    return "" if "<" in text or "&" in text else text


def _decrypted(platform: PlatformSettings, encrypted: str) -> Push | PushRefusal | None:
    tried = (decrypt(aes_key(each), encrypted) for each in platform.encoding_aes_keys)
    opened = next(filter(None, tried), None)
    if opened is None:
        return PushRefusal.DECRYPTION
    fields = _members(opened.message)
    if {opened.appid, fields.get("AppId")} != {platform.appid}:
        return PushRefusal.OTHER_PLATFORM
    info_type, created = fields.get("InfoType", ""), _number(fields.get("CreateTime", ""))
    if info_type not in _OF_CONCERN:
        return None
    return PushRefusal.INCOMPLETE if created is None else _parsed(info_type, fields, created)


def _parsed(info_type: str, fields: Mapping[str, str], created: float) -> Push | PushRefusal:
    owner = fields.get("AuthorizerAppid", "")
    match info_type:
        case "component_verify_ticket":
            ticket = fields.get("ComponentVerifyTicket", "")
            return Ticket(created, ticket) if ticket else PushRefusal.INCOMPLETE
        case "authorized" | "updateauthorized":
            code = fields.get("AuthorizationCode", "")
            if not is_appid(owner) or not code:
                return PushRefusal.INCOMPLETE
            return Authorized(created, owner, code)
        case _:
            return Unauthorized(created, owner) if is_appid(owner) else PushRefusal.INCOMPLETE


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


def _members(xml: bytes) -> dict[str, str]:
    """Return the text of each child of the root by tag; empty if this is not plain XML."""
    try:
        root = fromstring(xml.decode(), forbid_dtd=True)  # UTF-8, whatever the XML declaration says
    except (ParseError, ValueError):  # ValueError: invalid UTF-8, a DTD or an entity
        return {}
    return {child.tag: (child.text or "").strip() for child in root}


def aes_key(encoding_aes_key: str) -> bytes:
    """Return the 32-byte key for an EncodingAESKey of 43 characters.

    In some keys the last character has stray bits. WeChat accepts them, so they are accepted here.
    """
    return b64decode(f"{encoding_aes_key}=")


def signature(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """Return the msg_signature of an encrypted message, as hexadecimal SHA-1."""
    parts = "".join(sorted([token, timestamp, nonce, encrypted]))
    return hashlib.sha1(parts.encode(errors="replace"), usedforsecurity=False).hexdigest()


def encrypt(key: bytes, message: bytes, appid: str, random: bytes) -> str:
    """Return `message` encrypted for `appid`, in base64; `random` is RANDOM_BYTES long and must not be reused."""
    plain = random + len(message).to_bytes(_LENGTH_BYTES, "big") + message + appid.encode()
    padder = PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    padded = padder.update(plain) + padder.finalize()
    return b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def decrypt(key: bytes, encrypted: str) -> Decrypted | None:
    """Decrypt base64; return None if the key is wrong or the message is malformed. Never raises."""
    try:
        cipher = b64decode(encrypted, validate=True)
        decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
        unpadder = PKCS7(_BLOCK_BITS).unpadder()
        padded = decryptor.update(cipher) + decryptor.finalize()
        plain = unpadder.update(padded) + unpadder.finalize()
        length = int.from_bytes(plain[RANDOM_BYTES:_HEAD], "big")
        if len(plain) < _HEAD + length:
            return None
        return Decrypted(plain[_HEAD : _HEAD + length], plain[_HEAD + length :].decode())
    except ValueError:  # invalid base64, block length, padding or UTF-8
        return None
