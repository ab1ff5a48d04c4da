"""Read what an owner's token may see, by one try at a call: nobody waits for it long."""

from collections.abc import Callable
from typing import TypeVar

import httpx

from bot.runtime.observers import CalledWeChat, nobody
from bot.wechat.api import Call, Declined, Troubled, guidance_for
from bot.wechat.tokens import NoToken, TokenSource
from bot.wechat.transport import post

_Read = TypeVar("_Read")


class OwnerReader:
    """Makes calls with the tokens of owners; `timeout` in seconds."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        tokens: TokenSource,
        timeout: float,
        called: CalledWeChat = nobody,
    ) -> None:
        self._http = http
        self._url = url
        self._tokens = tokens
        self._timeout = timeout
        self._called = called

    async def read(
        self,
        owner: str,
        call: Callable[[str], Call],
        read: Callable[[int, bytes], _Read | Declined | Troubled],
    ) -> _Read | NoToken:
        """Return what `read` finds in the answer to `call`, which is made for a token; else why there is nothing."""
        token = await self._tokens.token(owner)
        if isinstance(token, NoToken):
            return token
        found = await post(self._http, self._url, call(token), self._timeout, read, self._called)
        if isinstance(found, Declined | Troubled):
            return NoToken(*guidance_for(found))
        return found
