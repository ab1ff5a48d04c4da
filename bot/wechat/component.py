"""The calls to WeChat's platform API, with one retry each; a failure is a NoToken that names the broken link."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from bot.domain.link import Link
from bot.guidance import Trouble, for_code
from bot.wechat import component_api as api
from bot.wechat.api import NoAnswer, read_done
from bot.wechat.component_api import Authorization, Issued
from bot.wechat.tokens import NoToken
from bot.wechat.transport import WeChatApi

MOST_SECONDS = 3.0
"""The longest timeout of one call. A renewal makes several calls, and all have to fit into its claim."""

DEAD_TOKEN = frozenset({40001, 40014, 42001, 42006})
"""The errcodes that mean that the platform token is not, or no longer, valid."""

DEAD_TICKET = frozenset({61005, 61006})

_PAUSE = 0.3
_MOST_PAGES, _MOST_IN_A_LIST = 100, 500
_WRONG_SECRET = 40125
_UNKNOWN_APPID = 40013
_NOT_AUTHORISED, _NO_PLATFORM = 61003, 61011

T = TypeVar("T")


@dataclass(slots=True, eq=False, repr=False)
class Component:
    """Client for one third-party platform; `timeout` is in seconds, for one call."""

    _api: WeChatApi
    appid: str
    _appsecret: str
    _timeout: float
    _sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def token(self, ticket: str) -> Issued | NoToken:
        """Return a new platform token."""
        secret = {"component_appsecret": self._appsecret, "component_verify_ticket": ticket}
        name, read = "api_component_token", api.read_component_token
        return await self._call(Link.PLATFORM, name, secret, read)

    async def authorizer_token(
        self, token: str, owner: str, refresh_token: str
    ) -> Issued | NoToken:
        """Return a new access token for an owner."""
        which = {"authorizer_appid": owner, "authorizer_refresh_token": refresh_token}
        name, read = "api_authorizer_token", api.read_authorizer_token
        return await self._call(Link.OWNER, name, which, read, token)

    async def query_auth(self, token: str, code: str) -> Authorization | NoToken:
        """Exchange an authorization code."""
        which = {"authorization_code": code}
        return await self._call(Link.OWNER, "api_query_auth", which, api.read_query_auth, token)

    async def refresh_token(self, token: str, owner: str) -> str | NoToken:
        """Return an owner's current refresh token, from WeChat's details of that owner, else from the list of all owners."""
        info = await self.info(token, owner)
        if isinstance(info, NoToken):
            return await self.listed(token, owner) if info.said else info
        return info.refresh_token or await self.listed(token, owner)

    async def info(self, token: str, owner: str) -> api.AuthorizerInfo | NoToken:
        """Return WeChat's details of an owner."""
        name, which = "api_get_authorizer_info", {"authorizer_appid": owner}
        return await self._call(Link.OWNER, name, which, api.read_authorizer_info, token)

    async def listed(self, token: str, owner: str) -> str | NoToken:
        """Return an owner's refresh token from the paginated list of owners that authorised the platform."""
        seen = 0
        for _ in range(_MOST_PAGES):
            name, which = "api_get_authorizer_list", {"offset": seen, "count": _MOST_IN_A_LIST}
            page = await self._call(Link.OWNER, name, which, api.read_authorizer_list, token)
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
        """Ask WeChat to push tickets again; return why it refused. Only this call names the secret `component_secret`."""
        secret = {"component_secret": self._appsecret}
        return await self._call(Link.TICKET, "api_start_push_ticket", secret, read_done)

    async def _call(
        self,
        link: Link,
        name: str,
        arguments: Mapping[str, object],
        read: Callable[[Mapping[str, object]], T | NoAnswer],
        token: str | None = None,
    ) -> T | NoToken:
        call = api.call(name, self.appid, arguments, token)
        seconds = min(self._timeout, MOST_SECONDS)
        answer = await self._api.post(call, seconds, read)
        if isinstance(answer, NoAnswer) and (answer.said is None or answer.guidance.in_doubt):
            await self._sleep(_PAUSE)
            answer = await self._api.post(call, seconds, read)
        return _no_token(answer, link) if isinstance(answer, NoAnswer) else answer


def _no_token(answer: NoAnswer, link: Link) -> NoToken:
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
    if guidance.in_doubt:  # it says that a share may have happened, and no share was attempted here
        guidance = Trouble.NO_TOKEN_ANSWER.value
    return NoToken(guidance, answer.said, link)
