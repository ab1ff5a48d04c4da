"""Bolt's listener for mentions: `@share-env …` in a channel or a thread does what the slash command does."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from slack_bolt.async_app import AsyncApp

from bot.domain.request import Origin
from bot.messages import Message
from bot.slack.payloads import Body, mention_of
from bot.slack.private import PrivateReplies


@dataclass(frozen=True, slots=True)
class MentionListener:
    """Hands mentions of `_bot_user_id` to the use case `_mention`; `_start` runs what follows an ack."""

    _mention: Callable[[Origin, str], Awaitable[Message]]
    _private: PrivateReplies
    _start: Callable[[Coroutine[None, None, None]], None]
    _bot_user_id: str

    def listen(self, app: AsyncApp) -> None:
        """Add the listener."""
        app.event("app_mention")(self._mentioned)

    async def _mentioned(self, body: Body) -> None:
        """Record what is asked before the ack, which Bolt sends after the listener, and answer after it."""
        if (found := mention_of(body, self._bot_user_id)) is None:
            return
        origin, text = found
        asked = asyncio.ensure_future(self._mention(origin, text))
        await asyncio.wait([asked])
        # An unforeseen error is told like an answer: the ack of an event shows nothing.
        self._start(self._private.attempt(origin, self._answer, origin, asked))

    async def _answer(self, origin: Origin, asked: Awaitable[Message]) -> None:
        self._private.answer_once(origin, await asked)
