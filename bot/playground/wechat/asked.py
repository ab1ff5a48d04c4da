"""One call to WeChat as parsed, and its errors. Source: developers.weixin.qq.com, api_shareenv and global return codes."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from aiohttp import web

from bot.playground.loopback import JsonObject, json_object

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

_FIRST_RID = 0x686CAB53
_CLOUDBASE = range(-999_999, -99_999)  # negative, six digits


class CodedError(Exception):
    """A response with an errcode other than 0."""

    def __init__(self, errcode: int) -> None:
        super().__init__(errcode)
        self.errcode = errcode


@dataclass(frozen=True, slots=True)
class Asked:
    """A parsed call; `body` is None unless it is a JSON object."""

    token: str
    raw: bytes
    body: JsonObject | None

    @classmethod
    async def read(cls, request: web.BaseRequest) -> "Asked":
        """Parse a call; the documentation has two names for the parameter of a platform's token."""
        raw, query = await request.read(), request.query
        token = query.get("component_access_token") or query.get("access_token", "")
        return cls(token, raw, json_object(raw))

    def text(self, name: str) -> str:
        """Return a string from the body; empty if it is missing or not a string."""
        value = (self.body or {}).get(name)
        return value if isinstance(value, str) else ""

    def named(self, name: str, missing: int) -> str:
        """Return a required string from the body; raises CodedError with `missing`."""
        if value := self.text(name):
            return value
        raise CodedError(missing)

    def number(self, name: str) -> int:
        """Return a required integer from the body; raises CodedError."""
        value = (self.body or {}).get(name)
        if isinstance(value, int):
            return value
        raise CodedError(40101)

    def judge_json(self) -> None:
        """Raise CodedError unless the body is a JSON object."""
        if not self.raw:
            raise CodedError(44002)
        if self.body is None:
            raise CodedError(47001)


Run: TypeAlias = Callable[[Asked], JsonObject]
"""One of WeChat's calls: performs it and returns the response, or raises CodedError."""


def body_of(errcode: int | str, number: int, errmsg: str | None = None) -> bytes:
    """Return the response for an errcode, a number or a string; a failure includes the call's rid.

    CloudBase's own codes may have only the id of a log as their text.
    """
    text = errmsg
    if text is None and int(errcode) in _CLOUDBASE:
        text = "hint: [MadeUpLog-AAAAA]"
    elif text is None:
        text = MESSAGES.get(int(errcode), "unknown error")
    if errcode != 0 and "rid:" not in text:
        rid = f"{_FIRST_RID + number:08x}-{number:08x}-{0x2E40EEEB ^ number:08x}"
        text = f"{text} rid: {rid}"
    return json.dumps({"errcode": errcode, "errmsg": text}, ensure_ascii=False).encode()
