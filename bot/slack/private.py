"""Messages to one person: the place for an answer where the bot can open no thread, and replies to what they clicked.

Source: docs.slack.dev, "Handling user interaction" (response_url: five uses in half an hour).
"""

import logging
import secrets
from collections.abc import Awaitable, Callable, Iterator
from functools import partial

from bot.domain.batch import Pause
from bot.domain.outcome import NOTHING_KNOWN, AfterShare, Outcome, Tally
from bot.domain.request import Origin, Request
from bot.messages import Message
from bot.messages.blocks import Buttons, as_arguments, as_post, as_response
from bot.messages.endings import alone, answer, begun
from bot.messages.notices import Note, NoThread, broken, noted, only_you
from bot.messages.words import Words
from bot.slack.api import (
    Answered,
    Doubtful,
    Refused,
    Result,
    SlackApi,
    is_transient,
    retry_after,
)
from bot.slack.conversations import PATIENCE
from bot.slack.payloads import Posted
from bot.slack.posts import Posts, raise_if_away

_REPLY_PATIENCE = 30.0  # seconds that a reply to a click may wait for rate limits
# Seconds between its tries while Slack is away: twice is better than never.
_PAUSES = (2.0, 8.0, 30.0, 120.0, 300.0)

_log = logging.getLogger(__name__)


class PrivatePlace:
    """A place that only the requester sees: a response_url for the start, a direct message for the answer."""

    def __init__(self, api: SlackApi, posts: Posts, words: Words) -> None:
        self._api = api
        self._posts = posts
        self._words = words

    async def begin(
        self, request: Request, why: NoThread, *, look_since: float | None, waiting: bool
    ) -> "Posted | PrivatePlace | None":
        """Say what is under way and why there is no thread; return the place, or None if nothing was accepted.

        With `look_since` it may have been said before. What came by the response_url cannot be looked for, so the start says
        that it replaces that.
        """
        said = begun(self._words, request, waiting=waiting)
        start, direct = only_you(self._words, said, why), noted(self._words, said, Note.ELSEWHERE)
        if look_since is not None:
            start = noted(self._words, start, Note.REPLACING)
        responded = await self._respond(request, start)
        if isinstance(responded, Answered):
            return self
        posted = await self._posts.post(
            self._words, request.origin.user_id, direct, request.id, look_since=look_since
        )
        if not isinstance(posted, Posted):
            raise_if_away(posted, responded)
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
        mark, user = f"{request.id}-answer", request.origin.user_id
        posted = await self._posts.post(
            self._words, user, direct, mark, look_since=look_since, corrects=called_again
        )
        if isinstance(posted, Posted):
            return True
        # A response_url would do, but nothing could end what stands in a channel.
        raise_if_away(posted)
        if look_since is not None:
            whole = noted(self._words, whole, Note.REPLACING)
        responded = await self._respond(request, whole)
        raise_if_away(responded)
        return isinstance(responded, Answered)

    async def _respond(self, request: Request, message: Message) -> Result:
        url = request.origin.response_url
        if not url:
            return Refused("no response_url")
        result = await self._api.respond(url, PATIENCE, as_response(message))
        if isinstance(result, Doubtful):
            again = as_response(noted(self._words, message, Note.REPLACING))
            result = await self._api.respond(url, PATIENCE, again)
        return result


class PrivateReplies:
    """Sends messages to one person, such as the reply to a click: each in the first way that works."""

    def __init__(
        self, api: SlackApi, sleep: Callable[[float], Awaitable[None]], words: Words
    ) -> None:
        """Take `words` for errors, since it may not be known who asked."""
        self._api = api
        self._sleep = sleep
        self._words = words
        self._newest: dict[tuple[str, object], Message] = {}

    async def attempt(self, whom: Origin, work: Callable[[], Awaitable[None]]) -> None:
        """Do what somebody asked for after the ack, and tell them if that fails unexpectedly."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001  # they would wait for an answer
            await self.send(whom, broken(self._words, log_unforeseen(_log, error)))

    async def send(
        self, whom: Origin, message: Message, *, replaces: bool = False, about: str = ""
    ) -> None:
        """Send a message in the first way that works, with retries while Slack is away.

        `replaces` if it replaces the clicked message. `about` is the id of a request: a newer message to the same person
        about it ends the retries, since this one would tell them afterwards how it stood before; but not those of a
        question, such as for the confirmation of a retry, which only its buttons can answer.
        """
        key, asks = (whom.user_id, about or object()), _has_buttons(message)
        self._newest[key] = message
        try:
            for pause in (*_PAUSES, None):
                failed = list[Refused | Doubtful]()
                for way in self._ways(whom, message, replaces=replaces):
                    if not asks and self._newest.get(key) is not message:
                        return
                    result = await way()
                    if isinstance(result, Answered):
                        return
                    failed.append(result)
                no = next(filter(is_transient, failed), failed[-1])
                if pause is None or not is_transient(no):
                    break
                await self._sleep(max(pause, retry_after(no) or 0.0))
        finally:
            if self._newest.get(key) is message:
                del self._newest[key]
        _log.error(
            "Slack took nowhere what one person was to be told",
            extra={"user": whom.user_id, "request": about, "reason": str(no)},
        )

    def _ways(
        self, whom: Origin, message: Message, *, replaces: bool
    ) -> Iterator[Callable[[], Awaitable[Result]]]:
        """Yield the ways to send a message, the best first; a user id as the channel means their direct messages."""
        thread = {"thread_ts": whom.active_thread} if whom.active_thread else {}
        if whom.response_url:
            body = as_response(message) | {"replace_original": replaces}
            body |= {} if replaces else thread
            yield partial(self._api.respond, whom.response_url, _REPLY_PATIENCE, body)
        write = partial(self._api.write, patience=_REPLY_PATIENCE)
        if whom.channel_id and whom.channel_id != whom.user_id:
            here = {"channel": whom.channel_id, "user": whom.user_id, **thread}
            yield partial(write, "chat.postEphemeral", **here, **as_arguments(message))
        yield partial(write, "chat.postMessage", channel=whom.user_id, **as_post(message))


def log_unforeseen(log: logging.Logger, error: Exception) -> str:
    """Log an error, and return the reference under which it is in the log."""
    reference = secrets.token_hex(4)
    log.error("unforeseen error", exc_info=error, extra={"reference": reference})
    return reference


def _has_buttons(message: Message) -> bool:
    return any(isinstance(part, Buttons) for part in message.parts)
