"""Make the platform's own calls: each at most twice, and what goes wrong as a NoToken with its link."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from bot.domain.link import Link
from bot.domain.outcome import Said
from bot.guidance import Guidance, Trouble, for_code, for_trouble
from bot.wechat import component_api as api
from bot.wechat.api import Call, Declined, Troubled
from bot.wechat.component_api import Authorization, Issued
from bot.wechat.tokens import NoToken
from bot.wechat.transport import WeChatApi

MOST_SECONDS = 3.0
"""The longest for one call; a renewal is a few of them, within the lease for it."""

DEAD_TOKEN = frozenset({40001, 40014, 42001, 42006})
"""The codes by which WeChat says that the platform's own token is not the current one."""

DEAD_TICKET = frozenset({61005, 61006})

_PAUSE = 0.3
_MOST_PAGES, _MOST_IN_A_LIST = 100, 500
_WRONG_SECRET = 40125
_UNKNOWN_APPID = 40013
_NOT_AUTHORISED, _NO_PLATFORM = 61003, 61011

T = TypeVar("T")


class Component:
    """One third-party platform at WeChat; `timeout` is in seconds."""

    def __init__(
        self,
        wechat: WeChatApi,
        appid: str,
        appsecret: str,
        timeout: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._api = wechat
        self.appid = appid
        self._appsecret = appsecret
        self._seconds = min(timeout, MOST_SECONDS)
        self._sleep = sleep

    async def token(self, ticket: str) -> Issued | NoToken:
        """Return the platform's new access token."""
        secret = {"component_appsecret": self._appsecret, "component_verify_ticket": ticket}
        call = api.call("api_component_token", self.appid, secret)
        return await self._ask(Link.PLATFORM, call, api.read_component_token)

    async def authorizer_token(
        self, token: str, owner: str, refresh_token: str
    ) -> Issued | NoToken:
        """Return an owner's new access token."""
        which = {"authorizer_appid": owner, "authorizer_refresh_token": refresh_token}
        call = api.call("api_authorizer_token", self.appid, which, token)
        return await self._ask(Link.OWNER, call, api.read_authorizer_token)

    async def query_auth(self, token: str, code: str) -> Authorization | NoToken:
        """Return what an authorization code is worth."""
        call = api.call("api_query_auth", self.appid, {"authorization_code": code}, token)
        return await self._ask(Link.OWNER, call, api.read_query_auth)

    async def refresh_token(self, token: str, owner: str) -> str | NoToken:
        """Return an owner's current refresh token: WeChat's own word about the owner, else from the list of all owners."""
        told = await self.info(token, owner)
        if isinstance(told, NoToken):
            return await self.listed(token, owner) if told.said else told
        return told.refresh_token or await self.listed(token, owner)

    async def info(self, token: str, owner: str) -> api.AuthorizerInfo | NoToken:
        """Return what WeChat knows of an owner."""
        which = {"authorizer_appid": owner}
        call = api.call("api_get_authorizer_info", self.appid, which, token)
        return await self._ask(Link.OWNER, call, api.read_authorizer_info)

    async def listed(self, token: str, owner: str) -> str | NoToken:
        """Return an owner's refresh token from the list of those who authorised the platform, page by page."""
        seen = 0
        for _ in range(_MOST_PAGES):
            which = {"offset": seen, "count": _MOST_IN_A_LIST}
            call = api.call("api_get_authorizer_list", self.appid, which, token)
            page = await self._ask(Link.OWNER, call, api.read_authorizer_list)
            if isinstance(page, NoToken):
                return page
            if owner in page.refresh_tokens:
                found = page.refresh_tokens[owner]
                return found or NoToken(for_code(61023), link=Link.OWNER)
            seen += page.on_this_page
            if not page.on_this_page or seen >= page.total:
                break
        return NoToken(for_code(61003), link=Link.OWNER)

    async def start_push(self) -> NoToken | None:
        """Ask WeChat to push tickets again; return why it will not. Here alone it is `component_secret`."""
        secret = {"component_secret": self._appsecret}
        call = api.call("api_start_push_ticket", self.appid, secret)
        return await self._ask(Link.TICKET, call, api.read_done)

    async def _ask(
        self, link: Link, call: Call, read: Callable[[Mapping[str, object]], T | Troubled]
    ) -> T | NoToken:
        answer = await self._api.post(call, self._seconds, read)
        if isinstance(answer, Declined | Troubled) and _passes_by_itself(answer):
            await self._sleep(_PAUSE)
            answer = await self._api.post(call, self._seconds, read)
        if isinstance(answer, Declined):
            return NoToken(_meaning(answer.said, link), answer.said, _broken(answer.said, link))
        if isinstance(answer, Troubled):
            return NoToken(_without_doubt(for_trouble(answer.trouble)), None, link)
        return answer


def _passes_by_itself(answer: Declined | Troubled) -> bool:
    return isinstance(answer, Troubled) or for_code(answer.said.errcode).in_doubt


def _meaning(said: Said, link: Link) -> Guidance:
    """Return the guidance for a code; for the platform's own calls some mean other things than for a share."""
    if said.errcode in DEAD_TOKEN:
        return for_code(_WRONG_SECRET if link is Link.PLATFORM else 42006)
    if (
        said.errcode == _UNKNOWN_APPID
    ):  # the owner's or the platform's own: no requester's appid is in these calls
        return for_code(_NOT_AUTHORISED if link is Link.OWNER else _NO_PLATFORM)
    return _without_doubt(for_code(said.errcode))


def _broken(said: Said, link: Link) -> Link:
    """Return which link broke: the one that was asked for, or the one that it was to be made from."""
    if said.errcode in DEAD_TICKET:
        return Link.TICKET
    return Link.PLATFORM if said.errcode in DEAD_TOKEN else link


def _without_doubt(guidance: Guidance) -> Guidance:
    """Return guidance that does not speak of a share that may have happened: none was asked for."""
    return for_trouble(Trouble.NO_TOKEN_ANSWER) if guidance.in_doubt else guidance
