"""The third-party platform from WeChat's side: its secrets, the owners that authorised it, and pushes to it.

Source: developers.weixin.qq.com, oplatform: a refresh token is valid until its owner authorises again or revokes.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple

from bot.playground.wechat.pushes import Push, PushKeys, Stamp, event, posted, sealed
from bot.playground.wechat.tokens import LIFETIME, Codes, IssuedTokens
from bot.playground.world import OWNER
from bot.wechat.push import RANDOM_BYTES

TICKET_LIFETIME = 12 * 3600
CODE_LIFETIME = 3600
PUSH_INTERVAL = 600.0  # seconds
PERMISSIONS = (18, 49)  # 49 is for cloud environments, and is granted only together with 18
_ANOTHER = 17  # a permission set unrelated to cloud environments
_TICKET: Codes = {"missing": 61011, "unknown": 61006, "expired": 61005}
_REFRESH: Codes = {"missing": 61023, "unknown": 61023, "superseded": 61023, "revoked": 61023}
_CODE: Codes = {
    "missing": 61009,
    "unknown": 61009,
    "expired": 61010,
    "superseded": 61009,
    "revoked": 61003,
}


class PlatformCall(NamedTuple):
    """One call of an endpoint, its owner, and the verdict, None if it got none."""

    endpoint: str
    owner: str
    errcode: int | None

    @property
    def gave_token(self) -> bool:
        """Whether it returned an owner's token."""
        return self.endpoint == "api_authorizer_token" and self.errcode == 0


class PlatformStandIn:
    """One platform and the owners that authorised it; `clock` is its time.

    `expires_in` is the life of new tokens in seconds. With `rotate_refresh_tokens`, each renewal issues a new refresh token,
    and the old one stays valid for five minutes. `authorized` has the owners with the Unix time of their authorisation,
    `granted` their permission sets; the refresh tokens of those in `without_refresh_token` are left out of responses until
    one of their codes is exchanged. `not_authorised` is the errcode for the tokens of any other mini program: 40013 or 61003,
    since both are reported. `calls` records the calls of its endpoints.

    `callback` is the URL of its POST /wechat/events, and `pushes` records what was sent there: its type, and the response's
    status and text, 0 and the error's name if there was none. Each `push_…` returns that status and text.
    """

    def __init__(
        self, clock: Callable[[], float], access_tokens: IssuedTokens, note: Callable[[str], None]
    ) -> None:
        self.component_appid = "wxc0de00000000c0de"
        self.appsecret = "made-up-component-secret"
        self.message_token = "made-up-message-token"
        self.encoding_aes_key = "MadeUpEncodingAESKeyOfTheLocalWeChat0000004"
        self.expires_in = LIFETIME
        self.rotate_refresh_tokens = False
        self.authorized: dict[str, int] = {}
        self.granted: dict[str, tuple[int, ...]] = {}
        self.without_refresh_token: set[str] = set()
        self.not_authorised = 40013
        self.access_tokens = access_tokens
        self.tickets = IssuedTokens("ticket@@@made-up", clock, _TICKET)
        self.refresh_tokens = IssuedTokens("refreshtoken@@@made-up", clock, _REFRESH)
        self.codes = IssuedTokens("queryauthcode@@@made-up", clock, _CODE)
        self.calls: list[PlatformCall] = []
        self.callback: str | None = None
        self.pushes: list[tuple[str, int, str]] = []
        self._note = note
        self._ticking: asyncio.Task[None] | None = None
        self.authorize(OWNER)

    async def stop(self) -> None:
        """Stop pushing tickets."""
        if self._ticking is not None:
            self._ticking.cancel()
            await asyncio.wait([self._ticking])

    @property
    def seal(self) -> PushKeys:
        """Return the keys with which pushes are currently encrypted and signed."""
        return PushKeys(self.component_appid, self.message_token, self.encoding_aes_key)

    def new_ticket(self) -> str:
        """Return a new component_verify_ticket without pushing it."""
        return self.tickets.issue(self.component_appid, TICKET_LIFETIME)

    def authorize(self, owner: str, sets: tuple[int, ...] = PERMISSIONS) -> str:
        """Let an owner authorise the platform, possibly again; return the authorization code."""
        self.authorized[owner] = int(time.time())
        self.granted[owner] = sets
        self.refresh_tokens.renew(owner, overlap=0)
        return self.codes.issue(owner, CODE_LIFETIME)

    def revoke(self, owner: str) -> None:
        """Let an owner revoke the authorisation: all of its tokens answer 61003 from now on."""
        self.authorized.pop(owner, None)
        for tokens in (self.access_tokens, self.refresh_tokens, self.codes):
            tokens.revoke(owner)

    def lose(self, owner: str) -> None:
        """Replace an owner's refresh token without notice: the old one answers 61023 from now on."""
        self.refresh_tokens.renew(owner, overlap=0)

    def refresh_token(self, owner: str) -> str:
        """Return an owner's newest refresh token, even if revoked; KeyError if there never was one."""
        token = self.refresh_tokens.newest(owner)
        if token is None:
            raise KeyError(owner)
        return token

    async def push_ticket(self) -> tuple[int, str]:
        """Push a new component_verify_ticket."""
        return await self.push("component_verify_ticket", ComponentVerifyTicket=self.new_ticket())

    async def push_authorized(
        self, owner: str, sets: tuple[int, ...] = PERMISSIONS, info_type: str = "authorized"
    ) -> tuple[int, str]:
        """Let an owner authorise the platform, and push that with the code."""
        return await self.push(
            info_type,
            AuthorizerAppid=owner,
            AuthorizationCode=self.authorize(owner, sets),
            AuthorizationCodeExpiredTime=str(int(time.time()) + CODE_LIFETIME),
            PreAuthCode="preauthcode@@@made-up",
        )

    async def push_updateauthorized(self, owner: str) -> tuple[int, str]:
        """Let an owner authorise the platform again, with one permission set more, and push that."""
        return await self.push_authorized(owner, (*PERMISSIONS, _ANOTHER), "updateauthorized")

    async def push_unauthorized(self, owner: str) -> tuple[int, str]:
        """Let an owner revoke, and push that."""
        self.revoke(owner)
        return await self.push("unauthorized", AuthorizerAppid=owner)

    async def deliver(self, push: Push) -> tuple[int, str]:
        """Send a push unchanged; ValueError without a callback."""
        if self.callback is None:
            raise ValueError("there is nowhere to push to: there is no callback")
        status, text = await posted(self.callback, push)
        self.pushes.append((push.info_type, status, text))
        self._note(f"push {push.info_type}: {status}")
        return status, text

    def keep_pushing(self) -> bool:
        """Push a ticket now, and another one every ten minutes; return whether it did so before."""
        did = self._ticking is not None
        if self._ticking is not None:
            self._ticking.cancel()
        self._ticking = asyncio.create_task(self._tick())
        return did

    async def _tick(self) -> None:
        while True:
            if self.callback is not None:
                await self.push_ticket()
            await asyncio.sleep(PUSH_INTERVAL)

    async def push(self, info_type: str, **more: str | int) -> tuple[int, str]:
        """Push an event of any type, with these fields besides those of all."""
        now, nonce = int(time.time()), str(secrets.randbelow(1 << 31))
        stamp = Stamp(now, nonce, secrets.token_bytes(RANDOM_BYTES))
        fields = event(self.component_appid, info_type, now, **more)
        return await self.deliver(sealed(fields, self.seal, stamp))
