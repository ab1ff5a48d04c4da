"""The calls to WeChat's platform API, with one retry each; a failure is a NoAnswer that names the broken link.

Source: developers.weixin.qq.com, oplatform, "Third-party platform: tokens" (api_component_token, api_authorizer_token,
api_query_auth, api_get_authorizer_info, api_get_authorizer_list, api_start_push_ticket). "Component" is WeChat's name
for a third-party platform.
"""

import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

import orjson

from bot.domain.link import Link
from bot.guidance import Trouble, for_code
from bot.wechat.api import Call, NoAnswer, read_done
from bot.wechat.transport import WeChatApi

MOST_SECONDS = 3.0
"""The longest timeout of one call. A renewal makes several calls, and all have to fit into its claim."""

DEAD_TOKEN = frozenset({40001, 40014, 42001, 42006})
"""The errcodes that mean that the platform token is not, or no longer, valid."""

DEAD_TICKET = frozenset({61005, 61006})

_PAUSE = 0.3
_MOST_OWNERS, _MOST_IN_A_LIST = 50_000, 500
_WRONG_SECRET = 40125
_UNKNOWN_APPID = 40013
_NOT_AUTHORISED, _NO_PLATFORM = 61003, 61011
_SYSTEM_ERROR = -1

_TOKEN = re.compile(r"[!-~]+")
_LONGEST_LIFE = 7200.0
_LONGEST_ERRMSG = 80

T = TypeVar("T")


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
    refresh_tokens: Mapping[str, str | None] = field(repr=False)


@dataclass(slots=True, eq=False, repr=False)
class Component:
    """Client for one third-party platform; `_appsecret` returns the one in force, `_timeout` is in seconds, for one call."""

    _api: WeChatApi
    appid: str
    _appsecret: Callable[[], str]
    _timeout: float
    _sleep: Callable[[float], Awaitable[None]]

    async def token(self, ticket: str, appsecret: str | None = None) -> Issued | NoAnswer:
        """Return a new platform token, by this AppSecret instead of the one in force, if it is given."""
        known = appsecret or self._appsecret()
        secret = {"component_appsecret": known, "component_verify_ticket": ticket}
        name = "api_component_token"
        return await self._call(Link.PLATFORM, name, secret, read_component_token)

    async def authorizer_token(
        self, token: str, owner: str, refresh_token: str
    ) -> Issued | NoAnswer:
        """Return a new access token for an owner."""
        which = {"authorizer_appid": owner, "authorizer_refresh_token": refresh_token}
        name = "api_authorizer_token"
        return await self._call(Link.OWNER, name, which, read_authorizer_token, token)

    async def query_auth(self, token: str, code: str) -> Authorization | NoAnswer:
        """Exchange an authorization code."""
        which = {"authorization_code": code}
        return await self._call(Link.OWNER, "api_query_auth", which, read_query_auth, token)

    async def refresh_token(self, token: str, owner: str) -> str | NoAnswer:
        """Return an owner's current refresh token, from WeChat's details of that owner, else from the list of all owners."""
        info = await self.info(token, owner)
        if isinstance(info, NoAnswer):
            return await self.listed(token, owner) if info.said else info
        return info.refresh_token or await self.listed(token, owner)

    async def info(self, token: str, owner: str) -> AuthorizerInfo | NoAnswer:
        """Return WeChat's details of an owner."""
        name, which = "api_get_authorizer_info", {"authorizer_appid": owner}
        return await self._call(Link.OWNER, name, which, read_authorizer_info, token)

    async def listed(self, token: str, owner: str) -> str | NoAnswer:
        """Return an owner's refresh token from the paginated list of owners that authorised the platform."""
        for offset in range(0, _MOST_OWNERS, _MOST_IN_A_LIST):
            name, which = "api_get_authorizer_list", {"offset": offset, "count": _MOST_IN_A_LIST}
            page = await self._call(Link.OWNER, name, which, read_authorizer_list, token)
            if isinstance(page, NoAnswer):
                return page
            if owner in page.refresh_tokens:
                found = page.refresh_tokens[owner]
                return found or NoAnswer(for_code(61023), link=Link.OWNER)
            if offset + _MOST_IN_A_LIST >= page.total:
                break
        return NoAnswer(for_code(61003), link=Link.OWNER)

    async def start_push(self) -> str | NoAnswer:
        """Ask WeChat to push tickets again; return its answer, which is "ok" if it had stopped, or why it refused.

        Only this call names the secret `component_secret`.
        """
        secret = {"component_secret": self._appsecret()}
        return await self._call(Link.TICKET, "api_start_push_ticket", secret, read_push)

    async def _call(
        self,
        link: Link,
        name: str,
        arguments: Mapping[str, object],
        read: Callable[[Mapping[str, object]], T | NoAnswer],
        token: str | None = None,
    ) -> T | NoAnswer:
        # The old name of the parameter; newer pages say access_token, and WeChat accepts both.
        query = {"component_access_token": token} if token else {}
        body = orjson.dumps({"component_appid": self.appid, **arguments})
        call = Call(f"/cgi-bin/component/{name}", query, body)
        seconds = min(self._timeout, MOST_SECONDS)
        answer = await self._api.post(call, seconds, read)
        if isinstance(answer, NoAnswer) and (answer.said is None or answer.guidance.in_doubt):
            await self._sleep(_PAUSE)
            answer = await self._api.post(call, seconds, read)
        return _no_token(answer, link) if isinstance(answer, NoAnswer) else answer


def _no_token(answer: NoAnswer, link: Link) -> NoAnswer:
    """Return why there is no token; some codes mean something else than for a share, or that an earlier link broke."""
    guidance = answer.guidance
    errcode = answer.said.errcode if answer.said else None
    # Only the calls about owners carry the platform token; the others carry the secret.
    if errcode in DEAD_TOKEN and link is Link.OWNER:
        guidance, link = for_code(42006), Link.PLATFORM
    elif errcode in DEAD_TOKEN:
        guidance = for_code(_WRONG_SECRET)
    # These calls carry no requester's appid, so it is the owner's or the platform's.
    elif errcode == _UNKNOWN_APPID:
        guidance = for_code(_NOT_AUTHORISED if link is Link.OWNER else _NO_PLATFORM)
    elif errcode in DEAD_TICKET:
        link = Link.TICKET
    elif errcode == _SYSTEM_ERROR and link is Link.TICKET:
        guidance = Trouble.NO_PUSH.value
    if guidance.in_doubt:  # it says that a share may have happened, and no share was attempted here
        guidance = Trouble.NO_TOKEN_ANSWER.value
    return NoAnswer(guidance, answer.said, answer.status, link, answer.way)


def read_issued(answer: Mapping[str, object], name: str) -> Issued | NoAnswer:
    """Return the new token, which is the member `name` of the answer."""
    token, life = _text(answer.get(name)), answer.get("expires_in")
    if token is None or not isinstance(life, int | float) or not life > 0:
        return NoAnswer(Trouble.NOT_JSON.value)
    refresh_token = _text(answer.get("authorizer_refresh_token"))
    return Issued(token, float(min(life, _LONGEST_LIFE)), refresh_token)


read_component_token = partial(read_issued, name="component_access_token")
read_authorizer_token = partial(read_issued, name="authorizer_access_token")


def read_push(answer: Mapping[str, object]) -> str | NoAnswer:
    """Return how WeChat answered that it is to push tickets, shortened."""
    return read_done(answer) or str(answer.get("errmsg") or "")[:_LONGEST_ERRMSG]


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
    return AuthorizerPage(total, dict(_refresh_tokens(page)))


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
