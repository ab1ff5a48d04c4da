"""What the stand-in WeChat checks, in which order, and the errcode it answers.

Source: developers.weixin.qq.com, oplatform/openApi, cloudbase-common: shareEnv's table of errors,
and the global return codes.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.playground.loopback import Json, JsonObject

TokenEnd: TypeAlias = Literal["expired", "superseded", "revoked"]
TokenState: TypeAlias = Literal["current"] | TokenEnd

MESSAGES = {
    -1: "system error",
    0: "ok",
    40001: "invalid credential, access_token is invalid or not latest, could get access_token by "
    "getStableAccessToken, more details at https://mmbizurl.cn/s/MadeUp00r",
    40013: "invalid appid",
    40014: "invalid access_token",
    40066: "invalid url",
    40097: "invalid args",
    40101: "missing parameter",
    40125: "invalid appsecret",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41018: "component_appid missing",
    42001: "access_token expired",
    43002: "require POST method",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    47001: "data format error",
    48001: "api unauthorized,",
    61003: "component is not authorized by this account",
    61004: "access clientip is not registered",
    61005: "component ticket is expired",
    61006: "component ticket is invalid",
    61007: "api is unauthorized to component",
    61009: "code is invalid",
    61010: "code is expired",
    61011: "invalid component",
    61023: "refresh_token is invalid",
    85088: "no qbase privilege",
    86000: "should be called only from third party",
}

_APPID = re.compile(r"wx[0-9a-f]{16}")
_FIRST_RID = 0x686CAB53
_CLOUDBASE = range(-999_999, -99_999)  # negative, six digits


@dataclass(frozen=True, slots=True)
class Token:
    """A token in its present state, and the owner that it speaks for."""

    owner: str
    state: TokenState = "current"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call of one of WeChat's paths, before it is judged."""

    method: str
    token: str
    raw: bytes

    @property
    def body(self) -> JsonObject:
        """Return the body, empty unless it is a JSON object."""
        body = _decoded(self.raw)
        return body if isinstance(body, dict) else {}

    def argument(self, name: str) -> str:
        """Return a member of the body, empty unless it is a string."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """Return a member of the body, None unless it is a whole number."""
        value = self.body.get(name)
        return value if isinstance(value, int) else None


def judge(asked: Asked, token: Token | None) -> int:
    """Return the errcode for a share, 0 if it may go ahead: the token first, then the body."""
    return _judge_token(asked, token) or _judge_body(asked)


def judge_listing(asked: Asked, token: Token | None) -> int:
    """Return the errcode for a call that tells of envs, whose body may be an empty object."""
    return _judge_token(asked, token) or judge_json(asked)


def env_info(envs: Mapping[str, str], only: str = "") -> JsonObject:
    """Return what getenvinfo tells of envs and their states, or of one of them; a list without any is left out."""
    told = {"create_time": "2026-01-05 10:00:00", "update_time": "2026-01-05 10:00:00"}
    package = {"package_id": "basic", "package_name": "basic"}
    listed: list[Json] = [
        {"env": env, "alias": env, **told, "status": status, **package}
        for env, status in envs.items()
        if only in {"", env}
    ]
    return {"errcode": 0, "errmsg": "ok", **({"info_list": listed} if listed else {})}


def judge_method(asked: Asked) -> int:
    """Return the errcode for how a call was made, 0 if by POST."""
    return 0 if asked.method == "POST" else 43002


def judge_json(asked: Asked) -> int:
    """Return the errcode for a body's form, 0 if it is a JSON object."""
    if not asked.raw:
        return 44002
    return 0 if isinstance(_decoded(asked.raw), dict) else 47001


def _judge_token(asked: Asked, token: Token | None) -> int:
    if not asked.token:
        return 41001
    if token is None:
        return 40014
    return {"current": 0, "expired": 42001, "superseded": 40001, "revoked": 61003}[token.state]


def _judge_body(asked: Asked) -> int:
    unreadable = judge_json(asked)
    if unreadable:
        return unreadable
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


def _message(errcode: int) -> str:
    """Return the text for an errcode; CloudBase's own may have none but the id of a log."""
    return (
        "hint: [MadeUpLog-AAAAA]"
        if errcode in _CLOUDBASE
        else MESSAGES.get(errcode, "unknown error")
    )


def body_of(errcode: int | str, number: int, errmsg: str | None = None) -> bytes:
    """Return the body for an errcode, a number or a text; every failure names the call's rid."""
    text = _message(int(errcode)) if errmsg is None else errmsg
    if errcode != 0 and "rid:" not in text:
        text = f"{text} rid: {rid(number)}"
    body: JsonObject = {"errcode": errcode, "errmsg": text}
    return json.dumps(body, ensure_ascii=False).encode()
