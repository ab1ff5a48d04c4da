"""Verify, decrypt and parse WeChat's pushes to the platform. Pure; never raises.

Source: developers.weixin.qq.com, oplatform, "component_verify_ticket", "authorize_event", "message_push". The endpoint is
public, so the XML is parsed only after its signature is verified, and entities are never expanded.
"""

import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from xml.etree.ElementTree import ParseError

from defusedxml.ElementTree import fromstring

from bot.command.grammar import is_appid
from bot.wechat.encryption import decrypt, signature

STALE_AFTER = 300.0
"""Seconds that a push's timestamp may differ from the clock, against replays."""

_OF_CONCERN = frozenset(
    {"component_verify_ticket", "authorized", "updateauthorized", "unauthorized"}
)


class PushRefusal(Enum):
    """Why a push is rejected. The value is all that the log says of it."""

    STALE = "its timestamp is more than five minutes off: check the clock, if this goes on"
    NOT_XML = "it is not an encrypted message in XML: check that the platform is in 传统模式, if this goes on"
    SIGNATURE = "its signature is not WeChat's: check WECHAT_MESSAGE_TOKEN, if this goes on"
    DECRYPTION = "no key decrypts it: check WECHAT_ENCODING_AES_KEY, if this goes on"
    OTHER_PLATFORM = "it is no event of the platform in WECHAT_COMPONENT_APPID"
    INCOMPLETE = "something is missing in it"


@dataclass(frozen=True, slots=True)
class Ticket:
    """component_verify_ticket: a new ticket. `created` is WeChat's CreateTime, in Unix seconds."""

    created: float
    ticket: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Authorized:
    """authorized or updateauthorized: an owner granted permissions; `code` can be exchanged for their tokens.

    `code_until` is when the code expires, in Unix seconds; infinity if WeChat does not say.
    """

    created: float
    owner: str
    code: str = field(repr=False)
    code_until: float = math.inf


@dataclass(frozen=True, slots=True)
class Unauthorized:
    """unauthorized: an owner withdrew all permissions."""

    created: float
    owner: str


@dataclass(frozen=True, slots=True)
class Other:
    """A genuine push of a type that the bot does not handle."""

    info_type: str


HandledPush = Ticket | Authorized | Unauthorized
Push = HandledPush | Other


@dataclass(frozen=True, slots=True)
class Platform:
    """The platform's secrets as configured at open.weixin.qq.com; tokens and keys (32 bytes each) newest first."""

    component_appid: str
    message_tokens: Sequence[str] = field(repr=False)
    keys: Sequence[bytes] = field(repr=False)


def read_push(
    platform: Platform, query: Mapping[str, str], body: bytes, now: float
) -> Push | PushRefusal:
    """Verify and parse a push; `now` is in Unix seconds."""
    timestamp = query.get("timestamp", "")
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > len("1715943329") + 1:
        return PushRefusal.STALE
    if abs(now - int(timestamp)) > STALE_AFTER:
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


def _decrypted(platform: Platform, encrypted: str) -> Push | PushRefusal:
    opened = next(filter(None, (decrypt(key, encrypted) for key in platform.keys)), None)
    if opened is None:
        return PushRefusal.DECRYPTION
    fields = _members(opened.message)
    if {opened.appid, fields.get("AppId")} != {platform.component_appid}:
        return PushRefusal.OTHER_PLATFORM
    info_type, created = fields.get("InfoType", ""), _number(fields.get("CreateTime", ""))
    if info_type not in _OF_CONCERN:
        return Other(info_type)
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
            return Authorized(created, owner, code, _code_until(fields, created))
        case _:
            return Unauthorized(created, owner) if is_appid(owner) else PushRefusal.INCOMPLETE


def _code_until(fields: Mapping[str, str], created: float) -> float:
    """Return when a code expires. WeChat's page does not say whether the field is a time or a duration."""
    said = _number(fields.get("AuthorizationCodeExpiredTime", ""))
    if said is None:
        return math.inf
    return said if said > created else created + said


def _number(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


def _members(xml: bytes) -> dict[str, str]:
    """Return the text of each child of the root by tag; empty if this is not plain XML."""
    try:
        root = fromstring(xml.decode(), forbid_dtd=True)  # UTF-8, whatever the XML declaration says
    except (ParseError, ValueError):  # ValueError: invalid UTF-8, a DTD or an entity
        return {}
    return {child.tag: (child.text or "").strip() for child in root}
