"""Tell somebody alone: through a response_url, else in the conversation for their eyes only, else directly."""

import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

from bot.messages import Message
from bot.slack.api import Answered, Doubtful, Refused, SlackApi, passes, retry_after
from bot.slack.posts import as_arguments, as_post, as_response

_PATIENCE = 30.0  # seconds that Slack's rate limits may take of it
# Seconds while Slack is away: to hear it twice is better than never.
_PAUSES = (2.0, 8.0, 30.0, 120.0, 300.0)

_log = logging.getLogger(__name__)


class Addressee(Protocol):
    """Who is to be told, and from where they asked; a channel that is a person's id stands for the bot's own with them."""

    @property
    def user_id(self) -> str:
        """Their id."""

    @property
    def channel_id(self) -> str:
        """The conversation; empty where there is none."""

    @property
    def active_thread(self) -> str:
        """The thread in it where Slack shows what is for one person; empty where there is none."""

    @property
    def response_url(self) -> str:
        """What Slack gave to answer at; good for half an hour, and empty where it gave none."""


class PrivateAnswers:
    """Says what is meant for one person."""

    def __init__(self, api: SlackApi, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._api = api
        self._sleep = sleep

    async def tell(
        self, whom: Addressee, message: Message, *, settles: bool = False, about: str = ""
    ) -> None:
        """Say it in the first way that works, again while Slack is away; `settles` where it takes the place of what was clicked.

        `about` is the request's id, for the log.
        """
        for pause in (*_PAUSES, None):
            no = await self._tell(whom, message, settles=settles)
            if no is None:
                return
            if pause is None or not passes(no):
                break
            await self._sleep(max(pause, retry_after(no) or 0.0))
        _log.error(
            "Slack took nowhere what one person was to be told",
            extra={"user": whom.user_id, "request": about, "reason": str(no)},
        )

    async def _tell(
        self, whom: Addressee, message: Message, *, settles: bool
    ) -> Refused | Doubtful | None:
        """Try each way once; return the last refusal, or None once it is said."""
        thread = {"thread_ts": whom.active_thread} if whom.active_thread else {}
        if whom.response_url:
            body = as_response(message) | {"replace_original": settles}
            body |= {} if settles else thread
            answered = await self._api.respond(whom.response_url, _PATIENCE, body)
            if isinstance(answered, Answered):
                return None
        if whom.channel_id and whom.channel_id != whom.user_id:
            here = {"channel": whom.channel_id, "user": whom.user_id, **thread}
            said = await self._api.write(
                "chat.postEphemeral", _PATIENCE, **here, **as_arguments(message)
            )
            if isinstance(said, Answered):
                return None
        to = {"channel": whom.user_id}
        said = await self._api.write("chat.postMessage", _PATIENCE, **to, **as_post(message))
        return None if isinstance(said, Answered) else said
