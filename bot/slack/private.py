"""What somebody asked for by a click or a shortcut: done after the ack, answered by a modal or a private reply."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import ParamSpec
from weakref import WeakValueDictionary

from bot.domain.request import Act, Origin
from bot.messages import Message
from bot.messages.blocks import PLAINLY, Announcement, Buttons
from bot.messages.click_replies import NothingDone, refused
from bot.messages.notices import broken
from bot.messages.words import Words
from bot.slack.api import (
    DOUBT_PAUSE,
    RESPONSE_URL,
    Answered,
    Doubtful,
    Refused,
    Result,
    SlackApi,
    is_transient,
    retry_after,
)
from bot.slack.posts import confirmation_of, marked

_REPLY_PATIENCE = 30.0  # seconds that a reply to a click may wait for rate limits
_PAUSES = (DOUBT_PAUSE, 10.0, 30.0, 120.0, 300.0)  # seconds between its tries
_MOST_DOUBTS = 2  # tries that may have worked: twice is better than never, and than more
_REMEMBERED = 500  # clicks and shortcuts

_log = logging.getLogger(__name__)

P = ParamSpec("P")


_Way = tuple[str, Mapping[str, object]]
"""A method of Slack that sends a message, or RESPONSE_URL; with where it goes."""


@dataclass(frozen=True, slots=True)
class PrivateReplies:
    """Sends messages to one person, such as the reply to a click: each in the first way that Slack does not refuse.

    `_words` are for errors, since it may not be known who asked; `_start` runs work in the background. `_has_ended` tells
    whether the request with an id has ended; `_new_reference` returns one for an error in the log.
    """

    _api: SlackApi
    _words: Words
    _start: Callable[[Coroutine[None, None, None]], None]
    _has_ended: Callable[[str], Awaitable[bool]]
    _new_reference: Callable[[], str]
    _begun: dict[str, None] = field(default_factory=dict)  # by trigger, the oldest first
    _superseded: WeakValueDictionary[tuple[str, str], asyncio.Event] = field(
        default_factory=WeakValueDictionary
    )
    """By user and request; of the newest message, while it is being sent."""

    def attempt_once(
        self, whom: Origin, work: Callable[P, Awaitable[None]], *given: P.args, **named: P.kwargs
    ) -> None:
        """Do what somebody asked for in the background, once: Slack may deliver it again, which it does within seconds."""
        if whom.trigger_id in self._begun:
            return
        self._begun[whom.trigger_id] = None
        if len(self._begun) > _REMEMBERED:
            del self._begun[next(iter(self._begun))]
        self._start(self.attempt(whom, work, *given, **named))

    def answer_once(self, whom: Origin, answer: Message) -> None:
        """Send what answers a form or a mention in the background, once.

        What only announces that the request's own messages follow is left out, unless it has buttons.
        """
        if not isinstance(answer, Announcement) or _asks(answer):
            told = replace(whom, trigger_id=f"{whom.trigger_id} {answer.text}")
            self.attempt_once(told, self.send, whom, answer)

    async def attempt(
        self, whom: Origin, work: Callable[P, Awaitable[None]], *given: P.args, **named: P.kwargs
    ) -> None:
        """Do what somebody asked for after the ack, and tell them if that fails unexpectedly."""
        try:
            await work(*given, **named)
        except Exception as error:  # noqa: BLE001  # they would wait for an answer
            log_unforeseen(_log, error, reference := self._new_reference())
            await self.send(whom, broken(self._words, reference))

    async def open_modal(
        self, whom: Origin, words: Words, view: Mapping[str, object], *, about: str = ""
    ) -> bool:
        """Open a modal, and return whether that worked; else tell them in these `words`, `about` as for `send`."""
        opened = await self._api.write("views.open", 0.0, trigger_id=whom.trigger_id, view=view)
        if isinstance(opened, Answered):
            return True
        _log.warning("a modal did not open", extra={"reason": str(opened)})
        await self.send(whom, refused(words, NothingDone.NOT_OPENED), about=about)
        return False

    async def send(
        self, whom: Origin, message: Message, *, replaces: bool = False, about: str = ""
    ) -> None:
        """Send a message in the first way that Slack does not refuse, with retries while it refuses all for the moment.

        If Slack does not confirm the message, it is sent once more in the same way, since nothing can be searched for: it may
        then stand twice, but in one place. With `replaces`, it replaces the clicked message. An outdated message is not
        retried: one that is older than another message to the same person `about` the same request, or an announcement whose
        request has ended. A message with buttons is retried although a newer one exists: the person needs the buttons to
        answer its question.
        """
        key = (whom.user_id, about or whom.trigger_id)
        if older := self._superseded.get(key):
            older.set()
        superseded = self._superseded[key] = asyncio.Event()
        ways, doubts = [*_ways(whom, message)], 0
        no: Refused | Doubtful | None = None
        for pause in (*_PAUSES, None):
            failures = list[Refused | Doubtful]()
            for way in ways:
                if no and await self._is_outdated(message, superseded):
                    return
                result = await self._send_by(way, whom, message, replaces=replaces)
                if isinstance(result, Answered):
                    return
                failures.append(no := result)
                if isinstance(result, Doubtful):
                    ways, doubts = [way], doubts + 1  # it may stand there
                    break
            no = next(filter(is_transient, reversed(failures)), failures[-1])
            if pause is None or doubts == _MOST_DOUBTS or not is_transient(no):
                break
            await self._api.sleep(max(pause, retry_after(no) or 0.0))
        facts = {"user": whom.user_id, "reason": str(no)}
        if doubts:
            _log.error("Slack did not confirm what one person was told", extra=facts)
        else:
            _log.error("a message to one person was not delivered", extra=facts)

    async def _is_outdated(self, message: Message, superseded: asyncio.Event) -> bool:
        """Tell whether a message that failed would tell how a request stood before."""
        if isinstance(message, Announcement) and await self._has_ended(message.request_id):
            return True
        return superseded.is_set() and not _asks(message)

    async def _send_by(
        self, way: _Way, whom: Origin, message: Message, *, replaces: bool
    ) -> Result:
        """Send a message in one way."""
        method, where = way
        if method == RESPONSE_URL:
            thread_ts = None if replaces else whom.active_thread
            return await self._api.respond(
                whom.response_url, _REPLY_PATIENCE, message, thread_ts=thread_ts, replaces=replaces
            )
        return await self._api.say(method, _REPLY_PATIENCE, message, **where)


def _ways(whom: Origin, message: Message) -> Iterator[_Way]:
    """Yield the ways to send a message, the best first; a user id as the channel means their direct messages."""
    thread = {"thread_ts": whom.active_thread} if whom.active_thread else {}
    if whom.response_url:
        yield RESPONSE_URL, {}
    if whom.channel_id and whom.channel_id != whom.user_id:
        yield (
            "chat.postEphemeral",
            {"channel": whom.channel_id, "user": whom.user_id, **thread},
        )
    # So that it is found once the request has ended, when its buttons have to go.
    mark = {}
    if isinstance(message, Announcement) and _asks(message, Act.CONFIRM):
        mark = marked(confirmation_of(message.request_id))
    yield "chat.postMessage", {"channel": whom.user_id, **PLAINLY, **mark}


def _asks(message: Message, *acts: Act) -> bool:
    """Tell whether a message has buttons, or one for any of these acts."""
    buttons = (button for part in message.parts if isinstance(part, Buttons) for button in part.row)
    return any(not acts or button.act in acts for button in buttons)


def log_unforeseen(log: logging.Logger, error: Exception, reference: str) -> None:
    """Log an error under a reference, which the person is told."""
    log.error("unforeseen error", exc_info=error, extra={"reference": reference})
