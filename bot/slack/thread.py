"""The place for an answer: a thread under the bot's own message or, where it may not post, a private message.

A slash command has no message to reply to, so the bot posts a parent first. For a button or a shortcut used in a
thread, the parent is a reply there. Source: docs.slack.dev, chat.postMessage (errors).
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from bot.domain.batch import Pause
from bot.domain.outcome import NOTHING_KNOWN, AfterShare, Outcome, Tally
from bot.domain.request import Request
from bot.messages import endings
from bot.messages.batches import progress
from bot.messages.notices import NoThread
from bot.messages.request import replies
from bot.messages.words import Languages, Words
from bot.slack.api import Refused, SlackApi
from bot.slack.conversations import DIRECT, Channels
from bot.slack.payloads import Posted, link_to, read_ref, ref_of
from bot.slack.posts import Posts, raise_if_away
from bot.slack.private import PrivatePlace

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Thread:
    """A parent message of the bot's and its replies; `ref` is the parent's reference."""

    ref: str
    _at: Posted
    _words: Words
    _posts: Posts
    _channels: Channels
    _private: Callable[[Request], PrivatePlace]

    async def go_on(self, request: Request) -> None:
        """Show in the parent what is under way, without the button to cancel."""
        await self._posts.edit(self._at, endings.begun(self._words, request, waiting=False))

    async def progress(self, request: Request, tally: Tally, pause: Pause | None) -> None:
        """Show in the parent how far a batch has come."""
        await self._posts.show(self._at, progress(self._words, request, tally, pause))

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
        after: AfterShare = NOTHING_KNOWN,
    ) -> bool:
        """Reply with the answer, then edit the parent to its final state.

        The answer goes to the requester alone if another organisation can read the channel by now, unless it stands there
        already.
        """
        words = self._words
        whole = endings.answer(words, request, outcome, called_again=called_again, after=after)
        mark = f"{request.id}-answer" if self._at.root else request.id
        channel, thread = self._at.channel, self._at.root or self._at.ts
        reply: Posted | Refused | None = None
        if await self._channels.why_private(channel) is None:
            # The second of two calls may have ended differently.
            reply = await self._posts.post(
                words, channel, whole, mark, thread, look_since=look_since, corrects=called_again
            )
        elif look_since is not None and not called_again:
            reply = await self._posts.find(channel, mark, look_since, thread)
        edited = await self._posts.edit(self._at, endings.parent(words, request, outcome))
        if isinstance(reply, Posted):
            raise_if_away(edited)
            return True
        return await self._private(request).close(
            request, outcome, look_since=look_since, called_again=called_again, after=after
        )


class Threads:
    """Opens the place for each request's answer; `workspace_url` is from auth.test."""

    def __init__(
        self,
        api: SlackApi,
        posts: Posts,
        channels: Channels,
        languages: Languages,
        workspace_url: str = "",
    ) -> None:
        self._api = api
        self._posts = posts
        self._languages = languages
        self._workspace_url = workspace_url
        self._channels = channels
        self._thread = partial(Thread, _posts=posts, _channels=channels, _private=self._private)

    def reopen(self, request: Request, ref: str | None) -> Thread | PrivatePlace:
        """Return the place of a reference or, without one, a private place."""
        if ref and (parent := next(iter(read_ref(ref)), None)):
            return self._thread(ref, parent, self._words_in(parent.channel, request))
        return self._private(request)

    async def find(self, request: Request, since: float) -> Thread | PrivatePlace:
        """Return the place that was opened `since` then, but not recorded; else the requester's own."""
        origin = request.origin
        ways = (origin.channel_id, origin.thread_ts or None), (origin.user_id, None)
        for channel, thread_ts in ways:
            if parent := await self._posts.find(channel, request.id, since, thread_ts):
                root = origin.thread_ts if thread_ts else ""
                return self.reopen(request, ref_of(replace(parent, root=root)))
        return self._private(request)

    def link(self, ref: str | None, *, own: bool) -> str | None:
        """Return the URL of an answer's or a question's thread in Slack, if the reader can open it.

        None for a private place, and for a direct message that is not the reader's `own`.
        """
        messages = read_ref(ref)
        if len(messages) != 1 or (messages[0].channel.startswith(DIRECT) and not own):
            return None
        return link_to(self._workspace_url, *messages)

    async def open(
        self, request: Request, *, look_since: float | None = None, waiting: bool = False
    ) -> Thread | PrivatePlace | None:
        """Post what is under way, and return that place for the answer; None if there is none.

        With `look_since`, in Unix seconds, a crashed replica may have posted a parent already. While
        `waiting` for an approval it says so.
        """
        words = self._words_in(request.origin.channel_id, request)
        parent = await self._parent(words, request, look_since=look_since, waiting=waiting)
        if isinstance(parent, NoThread):
            private = self._private(request)
            place = await private.begin(request, parent, look_since=look_since, waiting=waiting)
            if not isinstance(place, Posted):
                return place
            parent, words = place, self._languages.of[request.language]
        thread = Posted(parent.channel, parent.root or parent.ts)
        await list_appids(self._posts, words, request, thread, look_since=look_since)
        return self._thread(ref_of(parent), parent, words)

    async def _parent(
        self, words: Words, request: Request, *, look_since: float | None, waiting: bool
    ) -> Posted | NoThread:
        """Post the parent."""
        origin = request.origin
        why = await self._channels.why_private(origin.channel_id)
        if why is not None:
            not_in = Refused("channel_not_found")
            return _no_thread(not_in, request) if why is NoThread.NOT_INVITED else why
        said, thread = endings.begun(words, request, waiting=waiting), origin.thread_ts or None
        posted = await self._posts.post(
            words, origin.channel_id, said, request.id, thread, look_since=look_since
        )
        if isinstance(posted, Posted):
            return replace(posted, root=origin.thread_ts)
        return _no_thread(posted, request)

    def _private(self, request: Request) -> PrivatePlace:
        return PrivatePlace(self._api, self._posts, self._languages.of[request.language])

    def _words_in(self, channel: str, request: Request) -> Words:
        """Return the words for all who read there: in a direct message that is the requester alone."""
        languages = self._languages
        return languages.of[request.language] if channel.startswith(DIRECT) else languages.channel


async def list_appids(
    posts: Posts, words: Words, request: Request, thread: Posted, *, look_since: float | None
) -> None:
    """Reply with the appids of a batch, each reply once; raises AwayError.

    Where Slack refuses one for good, as in a channel without threads, it goes on without the list.
    """
    for number, reply in enumerate(replies(words, request), 1):
        mark = f"{request.id}-list-{number}"
        posted = await posts.post(
            words, thread.channel, reply, mark, thread.ts, look_since=look_since
        )
        if isinstance(posted, Refused):
            facts = {"request": request.id, "reason": str(posted)}
            _log.error("the appids of a batch are not listed", extra=facts)
            return


def _no_thread(no: Refused, request: Request) -> NoThread:
    """Read why chat.postMessage refused; a conversation without the bot is hidden as channel_not_found."""
    match no:
        case Refused("not_in_channel" | "channel_not_found"):
            channel, name = request.origin.channel_id, request.origin.channel_name
            between_people = channel.startswith(DIRECT) or name.startswith("mpdm-")
            return NoThread.DIRECT if between_people else NoThread.NOT_INVITED
        case Refused("is_archived"):
            return NoThread.ARCHIVED
        case Refused(error) if error.startswith("restricted_action"):
            return NoThread.READ_ONLY
        case Refused(error) if error.startswith("slack_connect_"):
            return NoThread.SHARED_OUTSIDE
        case _:
            return NoThread.SLACK_TROUBLE
