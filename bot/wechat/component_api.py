"""Build the calls of WeChat's platform API and parse their answers. No I/O.

Source: developers.weixin.qq.com, oplatform, "Third-party platform: tokens" (api_component_token, api_authorizer_token,
api_query_auth, api_get_authorizer_info, api_get_authorizer_list, api_start_push_ticket). "Component" is WeChat's name
for a third-party platform.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import orjson

from bot.guidance import Trouble
from bot.wechat.api import Call, NoAnswer

_TOKEN = re.compile(r"[!-~]+")
_LONGEST_LIFE = 7200.0


@dataclass(frozen=True, slots=True)
class Issued:
    """A new token, its life in seconds and, for an owner's token, the refresh token for the next renewal."""

    token: str = field(repr=False)
    life: float
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Authorization:
    """The result of exchanging an authorization code: the owner and their tokens."""

    owner: str
    issued: Issued


@dataclass(frozen=True, slots=True)
class AuthorizerInfo:
    """WeChat's details of an owner: the permission sets that they granted, and their refresh token."""

    granted: frozenset[int]
    refresh_token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class AuthorizerPage:
    """One page of the owners that authorised the platform: the total on all pages, and refresh tokens by owner."""

    total: int
    on_this_page: int
    refresh_tokens: Mapping[str, str | None] = field(repr=False)


def call(name: str, appid: str, arguments: Mapping[str, object], token: str | None = None) -> Call:
    """Return a call for the platform `appid`, with the platform token where the call needs one."""
    # The old name of the parameter; newer pages say access_token, and WeChat accepts both.
    query = {"component_access_token": token} if token else {}
    body = orjson.dumps({"component_appid": appid, **arguments})
    return Call(f"/cgi-bin/component/{name}", query, body)


def read_issued(answer: Mapping[str, object], name: str) -> Issued | NoAnswer:
    """Return the new token, which is the member `name` of the answer."""
    token, life = _text(answer.get(name)), answer.get("expires_in")
    if token is None or not isinstance(life, int | float) or not life > 0:
        return NoAnswer(Trouble.NOT_JSON.value)
    refresh_token = _text(answer.get("authorizer_refresh_token"))
    return Issued(token, float(min(life, _LONGEST_LIFE)), refresh_token)


read_component_token = partial(read_issued, name="component_access_token")
read_authorizer_token = partial(read_issued, name="authorizer_access_token")


def read_query_auth(answer: Mapping[str, object]) -> Authorization | NoAnswer:
    """Return the owner and their tokens."""
    about = answer.get("authorization_info")
    info = about if isinstance(about, dict) else {}
    issued = read_authorizer_token(info)
    owner = info.get("authorizer_appid")
    if isinstance(issued, Issued) and isinstance(owner, str):
        return Authorization(owner, issued)
    return NoAnswer(Trouble.NOT_JSON.value)


def read_authorizer_info(answer: Mapping[str, object]) -> AuthorizerInfo | NoAnswer:
    """Return the details of an owner."""
    info = answer.get("authorization_info")
    if not isinstance(info, dict):
        return NoAnswer(Trouble.NOT_JSON.value)
    granted = frozenset(_sets(info.get("func_info")))
    return AuthorizerInfo(granted, _text(info.get("authorizer_refresh_token")))


def read_authorizer_list(answer: Mapping[str, object]) -> AuthorizerPage | NoAnswer:
    """Return one page of owners."""
    total, page = answer.get("total_count"), answer.get("list")
    if total == 0 and page is None:
        page = []  # WeChat leaves out an empty list
    if not isinstance(total, int) or not isinstance(page, list):
        return NoAnswer(Trouble.NOT_JSON.value)
    return AuthorizerPage(total, len(page), dict(_refresh_tokens(page)))


def _refresh_tokens(page: list[object]) -> Iterator[tuple[str, str | None]]:
    for each in page:
        owner = each.get("authorizer_appid") if isinstance(each, dict) else None
        if isinstance(each, dict) and isinstance(owner, str):
            yield owner, _text(each.get("refresh_token"))


def _sets(functions: object) -> Iterator[int]:
    for each in functions if isinstance(functions, list) else ():
        category = each.get("funcscope_category") if isinstance(each, dict) else None
        number = category.get("id") if isinstance(category, dict) else None
        if isinstance(number, int):
            yield number


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and _TOKEN.fullmatch(value) else None
