"""What WeChat's pushes change in the token chain; a push that was heard before changes nothing."""

import hashlib
import logging
from collections.abc import Callable, Coroutine

from bot.ledger.tokens import TICKET, News, Tokens
from bot.wechat.chain import Chain
from bot.wechat.exchanges import Exchanges
from bot.wechat.push import Authorized, Ticket, Unauthorized

_NOT_AUTHORISED = "61003"
_MARK = 16  # characters

_log = logging.getLogger(__name__)


class Heard:
    """Takes pushes into the ledger, and lets `wake` know; `start` runs what need not be waited for."""

    def __init__(
        self,
        exchanges: Exchanges,
        chain: Chain,
        tokens: Tokens,
        wake: Callable[[], None],
        start: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._exchanges = exchanges
        self._chain = chain
        self._tokens = tokens
        self._wake = wake
        self._start = start

    async def ticket(self, push: Ticket) -> None:
        """Keep a ticket, if it is the newest."""
        if await self._tokens.ticket(push.ticket, push.created):
            self._changed(TICKET)

    async def authorized(self, push: Authorized) -> None:
        """Exchange the code for the owner's tokens, unless this or a later push of theirs was heard.

        Where that fails, the next renewal may find the owner's refresh token in WeChat's list; and it is tried again.
        """
        news = _news(push.owner, push.created, push.code)
        if not await self._tokens.hear(news):
            return
        settled = await self._exchanges.once(news, push)
        self._changed(push.owner)
        if not settled:
            self._start(self._again(news, push))

    async def unauthorized(self, push: Unauthorized) -> None:
        """Drop the owner's tokens, unless this or a later push of theirs was heard."""
        news = _news(push.owner, push.created, "")
        if await self._tokens.forget(news, _NOT_AUTHORISED):
            _log.warning("authorisation withdrawn", extra={"owner": push.owner})
            self._changed(push.owner)

    async def _again(self, news: News, push: Authorized) -> None:
        if await self._exchanges.until_settled(news, push):
            self._changed(push.owner)

    def _changed(self, name: str) -> None:
        self._chain.heard(name)
        self._wake()


def _news(owner: str, created: float, code: str) -> News:
    """Return what a push tells of an owner; of one second, two pushes with one code are the same."""
    mark = hashlib.sha256(code.encode(errors="replace")).hexdigest()[:_MARK]
    return News(owner, created, mark)
