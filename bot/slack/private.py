"""Private messages: replies to a command or click, and the answer to a request that cannot have a thread.

Source: docs.slack.dev, "Handling user interaction" (response_url: five uses in half an hour).
"""

import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

from bot.domain.batch import Pause
from bot.domain.outcome import NOTHING_KNOWN, AfterShare, Outcome, Tally
from bot.domain.request import Request
from bot.messages import Message
from bot.messages.blocks import Buttons, as_arguments, as_post, as_response
from bot.messages.endings import alone, answer, begun
from bot.messages.notices import NoThread, elsewhere, only_you, replacing, unconfirmed
from bot.messages.words import Words
from bot.slack.api import (
    BAD_TOKEN,
    Answered,
    Doubtful,
    Refused,
    Result,
    SlackApi,
    away_error,
    is_transient,
    retry_after,
)
from bot.slack.history import PATIENCE
from bot.slack.payloads import Posted
from bot.slack.posts import Posts

_PATIENCE = 30.0  # seconds to wait for rate limits
# Seconds between the tries while Slack is away: twice is better than never.
_PAUSES = (2.0, 8.0, 30.0, 120.0, 300.0)

_log = logging.getLogger(__name__)


class Addressee(Protocol):
    """The person to tell, and where they acted; a user id as the channel means their conversation with the bot."""

    @property
    def user_id(self) -> str:
        """Their user id."""

    @property
    def channel_id(self) -> str:
        """The conversation; empty if there is none."""

    @property
    def active_thread(self) -> str:
        """The thread in which Slack shows ephemeral messages; empty if there is none."""

    @property
    def response_url(self) -> str:
        """Slack's URL for replies, valid for half an hour; empty if there is none."""


class PrivateAnswers:
    """Sends messages to one person."""

    def __init__(self, api: SlackApi, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._api = api
        self._sleep = sleep
        self._newest: dict[tuple[str, object], Message] = {}

    async def send(
        self, whom: Addressee, message: Message, *, settles: bool = False, about: str = ""
    ) -> None:
        """Send a message in the first way that works, with retries while Slack is away.

        `settles` if it replaces the clicked message. `about` is the id of a request: a newer message to the same person
        about it ends the retries, since this one would tell them afterwards how it stood before; but not those of a
        question, such as for the confirmation of a retry, which only its buttons can answer.
        """
        key, asks = (whom.user_id, about or object()), _has_buttons(message)
        self._newest[key] = message
        try:
            for pause in (*_PAUSES, None):
                no = await self._send(whom, message, settles=settles)
                if no is None:
                    return
                if pause is None or not is_transient(no):
                    break
                await self._sleep(max(pause, retry_after(no) or 0.0))
                if not asks and self._newest.get(key) is not message:
                    return
        finally:
            if self._newest.get(key) is message:
                del self._newest[key]
        _log.error(
            "Slack took nowhere what one person was to be told",
            extra={"user": whom.user_id, "request": about, "reason": str(no)},
        )

    async def _send(
        self, whom: Addressee, message: Message, *, settles: bool
    ) -> Refused | Doubtful | None:
        """Try each way once; return None once it is sent, else the first failure that may pass, or the last one."""
        failed: list[Refused | Doubtful] = []
        thread = {"thread_ts": whom.active_thread} if whom.active_thread else {}
        if whom.response_url:
            body = as_response(message) | {"replace_original": settles}
            body |= {} if settles else thread
            answered = await self._api.respond(whom.response_url, _PATIENCE, body)
            if isinstance(answered, Answered):
                return None
            failed.append(answered)
        if whom.channel_id and whom.channel_id != whom.user_id:
            here = {"channel": whom.channel_id, "user": whom.user_id, **thread}
            said = await self._api.write(
                "chat.postEphemeral", _PATIENCE, **here, **as_arguments(message)
            )
            if isinstance(said, Answered):
                return None
            failed.append(said)
        to = {"channel": whom.user_id}
        said = await self._api.write("chat.postMessage", _PATIENCE, **to, **as_post(message))
        if isinstance(said, Answered):
            return None
        return next(filter(is_transient, failed), said)


class Private:
    """A private place for an answer: the start goes to the command's response_url, the answer into a direct message."""

    def __init__(self, api: SlackApi, posts: Posts, words: Words) -> None:
        self._api = api
        self._posts = posts
        self._words = words

    async def begin(
        self, request: Request, why: NoThread, *, look_since: float | None, waiting: bool
    ) -> "Posted | Private | None":
        """Say what is under way and why there is no thread; return the place, or None if nothing was accepted.

        With `look_since` it may have been said before, which cannot be verified, so it says that it replaces that.
        """
        said = begun(self._words, request, waiting=waiting)
        start, direct = only_you(self._words, said, why), elsewhere(self._words, said)
        if look_since is not None:
            start, direct = replacing(self._words, start), replacing(self._words, direct)
        responded = await self._respond(request, start)
        if isinstance(responded, Answered):
            return self
        user = request.origin.user_id
        posted = await self._posts.post_at_least_once(
            user, direct, lambda: direct, request.id, look_since=look_since
        )
        if not isinstance(posted, Posted):
            _raise_if_transient(posted, responded)
            return None
        return posted

    @property
    def ref(self) -> str:
        """A constant, since the request has its response_url."""
        return "private"

    async def go_on(self, request: Request) -> None:
        """Do nothing: an ephemeral message cannot be edited."""

    async def progress(self, request: Request, tally: Tally, pause: Pause | None) -> None:
        """Do nothing: a response_url can be used only five times."""

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
        after: AfterShare = NOTHING_KNOWN,
    ) -> bool:
        """Deliver the outcome in a direct message, since an ephemeral one may go unseen.

        Slack shows an ephemeral message only while the user is there, and not after a reload (docs.slack.dev,
        chat.postEphemeral).
        """
        whole = answer(self._words, request, outcome, called_again=called_again, after=after)
        direct = alone(self._words, request, outcome, whole)
        again = partial(unconfirmed, self._words, direct)
        mark, user = f"{request.id}-answer", request.origin.user_id
        posted = await self._posts.post_at_least_once(
            user, direct, again, mark, look_since=look_since
        )
        if isinstance(posted, Posted):
            if called_again and posted.found:
                await self._posts.edit(posted, direct)
            return True
        responded = await self._respond(request, whole if look_since is None else again())
        if isinstance(responded, Answered):
            return True
        _raise_if_transient(posted, responded)
        return False

    async def _respond(self, request: Request, message: Message) -> Result:
        url = request.origin.response_url
        if not url:
            return Refused("no response_url")
        result = await self._api.respond(url, PATIENCE, as_response(message))
        if isinstance(result, Doubtful):
            again = as_response(unconfirmed(self._words, message))
            result = await self._api.respond(url, PATIENCE, again)
        return result


def _has_buttons(message: Message) -> bool:
    return any(isinstance(part, Buttons) for part in message.parts)


def _raise_if_transient(*ways: Result) -> None:
    """Raise AwayError if one of the failed ways may work later, by itself or after an operator's fix."""
    for no in ways:
        if isinstance(no, Doubtful) or (
            isinstance(no, Refused) and (is_transient(no) or no.error in BAD_TOKEN)
        ):
            raise away_error(no)
