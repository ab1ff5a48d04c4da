"""The place for an answer: a thread under the bot's own message or, where it may not post, a private message.

A slash command has no message to reply to, so the bot posts a parent first. For a button or a shortcut used in a
thread, the parent is a reply there. Source: docs.slack.dev, chat.postMessage (errors).
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

from bot.domain.batch import Pause
from bot.domain.outcome import NOTHING_KNOWN, AfterShare, Outcome, Tally
from bot.domain.request import Request
from bot.messages import endings
from bot.messages.batches import progress
from bot.messages.notices import NoThread, replacing, unconfirmed
from bot.messages.words import Languages, Words
from bot.runtime.cache import Cache
from bot.slack.api import Answered, Doubtful, Refused, SlackApi, away_error, is_transient
from bot.slack.payloads import Posted, link_to, read_ref, ref_of
from bot.slack.posts import Posts
from bot.slack.private import PrivatePlace
from bot.slack.search import PATIENCE

_DIRECT = ("D", "U", "W")  # a user id means the conversation with the bot
_CHANNEL_GOOD_FOR = 60.0
_CHANNEL_BAD_FOR = 5.0


@dataclass(frozen=True, slots=True)
class Thread:
    """A parent message of the bot's and its replies; `ref` is the parent's reference.

    `_why_private` returns why details may no longer be posted in the channel.
    """

    ref: str
    _at: Posted
    _posts: Posts
    _languages: Languages
    _private: Callable[[Request], PrivatePlace]
    _why_private: Callable[[str], Awaitable[NoThread | None]]

    async def go_on(self, request: Request) -> None:
        """Show in the parent what is under way, without the button to cancel."""
        words = words_in(self._at.channel, request, self._languages)
        await self._posts.edit(self._at, endings.begun(words, request, waiting=False))

    async def progress(self, request: Request, tally: Tally, pause: Pause | None) -> None:
        """Show in the parent how far a batch has come."""
        words = words_in(self._at.channel, request, self._languages)
        await self._posts.show(self._at, progress(words, request, tally, pause))

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
        words = words_in(self._at.channel, request, self._languages)
        whole = endings.answer(words, request, outcome, called_again=called_again, after=after)
        final = endings.parent(words, request, outcome)
        mark = f"{request.id}-answer" if self._at.root else request.id
        channel, thread = self._at.channel, self._at.root or self._at.ts
        reply: Posted | Refused | Doubtful | None = None
        if await self._why_private(channel) is None:
            reply = await self._posts.post(channel, whole, mark, thread, look_since=look_since)
        elif look_since is not None and not called_again:
            reply = await self._posts.find(channel, mark, look_since, thread)
        if called_again and isinstance(reply, Posted) and reply.found:
            # An unrecorded earlier answer was found, and the second call may have ended differently.
            await self._posts.edit(reply, whole)
        if isinstance(reply, Doubtful):
            # The reply cannot be verified, so the parent shows the answer too: an edit can be retried.
            final += unconfirmed(words, whole)
        edited = await self._posts.edit(self._at, final)
        delivered = isinstance(reply, Posted) or (isinstance(reply, Doubtful) and edited)
        return delivered or await self._private(request).close(
            request, outcome, look_since=look_since, called_again=called_again, after=after
        )


class Threads:
    """Opens the place for each request's answer; `workspace_url` is from auth.test."""

    def __init__(
        self,
        api: SlackApi,
        posts: Posts,
        clock: Callable[[], float],
        languages: Languages,
        workspace_url: str = "",
    ) -> None:
        self._api = api
        self._posts = posts
        self._languages = languages
        self._workspace_url = workspace_url
        self._channels = Cache(self._read_channel, clock)
        self._thread = partial(
            Thread,
            _posts=posts,
            _languages=languages,
            _private=self._private,
            _why_private=self.why_private,
        )

    def reopen(self, request: Request, ref: str | None) -> Thread | PrivatePlace:
        """Return the place of a reference or, without one, a private place."""
        for parent in read_ref(ref):
            return self._thread(ref_of(parent), parent)
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

    def link(self, ref: str | None) -> str | None:
        """Return the URL of an answer's or a question's thread in Slack; None for a private place."""
        messages = read_ref(ref)
        if len(messages) != 1:
            return None
        return link_to(self._workspace_url, *messages)

    async def open(
        self, request: Request, *, look_since: float | None = None, waiting: bool = False
    ) -> Thread | PrivatePlace | None:
        """Post what is under way, and return that place for the answer; None if there is none.

        With `look_since`, in Unix seconds, a crashed replica may have posted a parent already. While
        `waiting` for an approval it says so.
        """
        parent = await self._parent(request, look_since=look_since, waiting=waiting)
        if isinstance(parent, NoThread):
            private = self._private(request)
            place = await private.begin(request, parent, look_since=look_since, waiting=waiting)
            if not isinstance(place, Posted):
                return place
            parent = place
        if request.appids:
            words = words_in(parent.channel, request, self._languages)
            thread = Posted(parent.channel, parent.root or parent.ts)
            await self._posts.list_appids(words, request, thread, look_since=look_since)
        return self._thread(ref_of(parent), parent)

    async def why_private(self, channel: str) -> NoThread | None:
        """Return why details may not be posted in `channel`, as far as conversations.info tells; None if they may.

        Raises AwayError.
        """
        if is_direct(channel):
            return None
        why = await self._channels.get(channel)
        if isinstance(why, Refused | Doubtful):
            raise away_error(why)
        return why

    async def _parent(
        self, request: Request, *, look_since: float | None, waiting: bool
    ) -> Posted | NoThread:
        """Post the parent; if it cannot be verified, post a second one that says it replaces the first."""
        origin = request.origin
        why = await self.why_private(origin.channel_id)
        if why is not None:
            not_in = Refused("channel_not_found")
            return _no_thread(not_in, request) if why is NoThread.NOT_INVITED else why
        words = words_in(origin.channel_id, request, self._languages)
        said, thread = endings.begun(words, request, waiting=waiting), origin.thread_ts or None
        posted = await self._posts.post_at_least_once(
            origin.channel_id,
            said,
            partial(replacing, words, said),
            request.id,
            thread,
            look_since=look_since,
        )
        if isinstance(posted, Posted):
            return replace(posted, root=origin.thread_ts)
        return _no_thread(posted, request)

    def _private(self, request: Request) -> PrivatePlace:
        return PrivatePlace(self._api, self._posts, self._languages.of[request.language])

    async def close(self) -> None:
        """Cancel the reads under way."""
        await self._channels.close()

    async def _read_channel(
        self, channel: str
    ) -> tuple[NoThread | Refused | Doubtful | None, float]:
        """Return why details may not be posted in `channel`, or None if they may; an unreadable channel counts as no.

        Returns Slack's failure instead while Slack is away. With it come the seconds to cache it.
        """
        result = await self._api.read("conversations.info", PATIENCE, channel=channel)
        match result:
            case Answered(data):
                info = data.get("channel")
                if not isinstance(info, dict):
                    return NoThread.CANNOT_TELL, _CHANNEL_BAD_FOR
                outside = is_shared_outside(info)
                return NoThread.SHARED_OUTSIDE if outside else None, _CHANNEL_GOOD_FOR
            case Refused("channel_not_found"):
                return NoThread.NOT_INVITED, _CHANNEL_BAD_FOR
            case Refused() | Doubtful() if is_transient(result):
                return result, 0.0
            case Refused() | Doubtful():
                return NoThread.CANNOT_TELL, _CHANNEL_BAD_FOR


def _no_thread(no: Refused | Doubtful, request: Request) -> NoThread:
    """Read why chat.postMessage refused; a conversation without the bot is hidden as channel_not_found."""
    match no:
        case Refused("not_in_channel" | "channel_not_found"):
            origin = request.origin
            between_people = is_direct(origin.channel_id) or origin.channel_name.startswith("mpdm-")
            return NoThread.DIRECT if between_people else NoThread.NOT_INVITED
        case Refused("is_archived"):
            return NoThread.ARCHIVED
        case Refused(error) if error.startswith("restricted_action"):
            return NoThread.READ_ONLY
        case Refused(error) if error.startswith("slack_connect_"):
            return NoThread.SHARED_OUTSIDE
        case _:
            return NoThread.SLACK_TROUBLE


def is_direct(channel: str) -> bool:
    """Tell whether it is a direct message, with the bot or between people."""
    return channel.startswith(_DIRECT)


def is_shared_outside(channel: Mapping[str, object]) -> bool:
    """Tell whether another organisation reads a channel of conversations.info, or is invited to."""
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))


def words_in(channel: str, request: Request, languages: Languages) -> Words:
    """Return the words for all who read there: in a direct message that is the requester alone."""
    return languages.of[request.language] if is_direct(channel) else languages.channel
