"""What WeChat's pushes change in the token chain; a push that was heard before changes nothing."""

import logging
from collections.abc import Callable

from bot.ledger.tokens import TICKET, Tokens
from bot.wechat.chain import Chain
from bot.wechat.component import Component
from bot.wechat.component_api import Authorized as Exchanged
from bot.wechat.push import Authorized, Ticket, Unauthorized
from bot.wechat.tokens import NoToken

_NOT_AUTHORISED = "61003"

_log = logging.getLogger(__name__)


class Heard:
    """Takes pushes into the ledger, and lets `wake` know."""

    def __init__(
        self, component: Component, chain: Chain, tokens: Tokens, wake: Callable[[], None]
    ) -> None:
        self._component = component
        self._chain = chain
        self._tokens = tokens
        self._wake = wake

    async def ticket(self, push: Ticket) -> None:
        """Keep a ticket, if it is the newest."""
        if await self._tokens.ticket(push.ticket, push.created):
            self._changed(TICKET)

    async def authorized(self, push: Authorized) -> None:
        """Exchange the code for the owner's tokens, unless this or a later push of theirs was heard.

        Where that fails, the next renewal finds the owner's refresh token in WeChat's list.
        """
        if not await self._tokens.hear(push.owner, push.created):
            return

        async def exchange(platform: str) -> Exchanged | NoToken:
            return await self._component.query_auth(platform, push.code)

        got = await self._chain.with_platform_token(exchange)
        if isinstance(got, NoToken) or got.owner != push.owner or not got.issued.refresh_token:
            reason = got.guidance.key if isinstance(got, NoToken) else "the code was not theirs"
            _log.warning(
                "authorisation not taken in", extra={"owner": push.owner, "reason": reason}
            )
        else:
            new = got.issued
            await self._tokens.replace(push.owner, new.token, new.refresh_token or "", new.life)
            _log.info("authorised", extra={"owner": push.owner})
        self._changed(push.owner)

    async def unauthorized(self, push: Unauthorized) -> None:
        """Drop the owner's tokens, unless a later push of theirs was heard."""
        if await self._tokens.hear(push.owner, push.created):
            await self._tokens.forget(push.owner, _NOT_AUTHORISED)
            _log.warning("authorisation withdrawn", extra={"owner": push.owner})
            self._changed(push.owner)

    def _changed(self, name: str) -> None:
        self._chain.heard(name)
        self._wake()
