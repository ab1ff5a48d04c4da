"""What the stand-in WeChat checks, in which order, and the errcode it answers.

Source: developers.weixin.qq.com, oplatform/openApi, cloudbase-common: shareEnv's table of errors,
and the global return codes.
"""

import json
import re
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.playground.loopback import Json, JsonObject

TokenState: TypeAlias = Literal["current", "expired", "superseded"]

MESSAGES = {
    -1: "system error",
    0: "ok",
    40001: "invalid credential, access_token is invalid or not latest",
    40014: "invalid access_token",
    40066: "invalid url",
    40097: "invalid args",
    40101: "missing parameter",
    41001: "access_token missing",
    42001: "access_token expired",
    43002: "require POST method",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    47001: "data format error",
    48001: "api unauthorized",
    61003: "component is not authorized by this account",
    61004: "access clientip is not registered",
    61007: "api is unauthorized to component",
    85088: "no qbase privilege",
}

_APPID = re.compile(r"wx[0-9a-f]{16}")
_FIRST_RID = 0x686CAB53


@dataclass(frozen=True, slots=True)
class Token:
    """An authorizer_access_token as WeChat sees it; it speaks for one owner."""

    owner: str
    state: TokenState = "current"


@dataclass(frozen=True, slots=True)
class Asked:
    """What arrived at /tcb/shareenv, before it is judged."""

    method: str
    token: str
    raw: bytes

    def argument(self, name: str) -> str:
        """Return a member of the body, empty unless it is a string."""
        body = _decoded(self.raw)
        value = body.get(name) if isinstance(body, dict) else None
        return value if isinstance(value, str) else ""


def judge(asked: Asked, token: Token | None) -> int:
    """Return the errcode for a call, 0 if it may go ahead: the token first, then the body."""
    if asked.method != "POST":
        return 43002
    return _judge_token(asked, token) or _judge_body(asked)


def _judge_token(asked: Asked, token: Token | None) -> int:
    if not asked.token:
        return 41001
    if token is None:
        return 40014
    return {"current": 0, "expired": 42001, "superseded": 40001}[token.state]


def _judge_body(asked: Asked) -> int:
    if not asked.raw:
        return 44002
    if not isinstance(_decoded(asked.raw), dict):
        return 47001
    if not asked.argument("env") or not asked.argument("appid"):
        return 40101
    return 0 if _APPID.fullmatch(asked.argument("appid")) else 40097


def _decoded(raw: bytes) -> Json:
    try:
        decoded: Json = json.loads(raw)
    except ValueError:
        return None
    return decoded


def rid(number: int) -> str:
    """Return the id of one call, three times eight hexadecimal digits."""
    return f"{_FIRST_RID + number:08x}-{number:08x}-{0x2E40EEEB ^ number:08x}"


def answer(errcode: int, number: int, errmsg: str | None = None, *, as_string: bool) -> bytes:
    """Return the body for an errcode; every failure names the call's rid."""
    text = MESSAGES.get(errcode, "unknown error") if errmsg is None else errmsg
    if errcode != 0 and "rid:" not in text:
        text = f"{text} rid: {rid(number)}"
    body: JsonObject = {"errcode": str(errcode) if as_string else errcode, "errmsg": text}
    return json.dumps(body, ensure_ascii=False).encode()
