"""Where an answer goes: a thread under the bot's own message or, where it may not post, to the requester alone.

A slash command has no message to reply to, so the bot posts a parent first; a button or a shortcut may have come
from a thread, and then the parent stands there. Sources: docs.slack.dev, chat.postMessage (errors), "Handling user
interaction" (response_url: five uses in half an hour).
"""

from collections.abc import Callable

from bot.messages import Message
from bot.messages.answers import NoThread, elsewhere, only_you, replacing, unconfirmed
from bot.messages.batches import progress
from bot.messages.decisions import waiting as waiting_for_approval
from bot.messages.endings import answer, parent
from bot.messages.words import Tongues, Words
from bot.outcome import Outcome, Tally
from bot.request import Request
from bot.slack.api import Answered, Doubtful, Refused, SlackApi
from bot.slack.posts import PATIENCE, Posted, Posts, as_response
from bot.slack.refs import place_ref, read_place
from bot.slack.remembered import Remembered

_CHANNEL_GOOD_FOR = 60.0
_CHANNEL_BAD_FOR = 5.0
_DIRECT = ("D", "U", "W")  # a user's id stands for the conversation with the bot


class Threads:
    """Opens the place for each request's answer; `workspace_url` is what auth.test says."""

    def __init__(
        self,
        api: SlackApi,
        posts: Posts,
        clock: Callable[[], float],
        tongues: Tongues,
        workspace_url: str = "",
    ) -> None:
        self._api = api
        self._posts = posts
        self._tongues = tongues
        self._workspace_url = workspace_url
        self._channels = Remembered(self._read_channel, clock)

    def reopen(self, request: Request, ref: str | None) -> "Thread | Private":
        """Return a place that was settled before or, without one, the requester's own."""
        private, place = self._private(request), read_place(ref)
        return Thread(self._posts, place[0], self._tongues, private, place[1]) if place else private

    def link(self, ref: str | None) -> str | None:
        """Return the address of a thread in Slack; a private place has none."""
        place = read_place(ref)
        if place is None:
            return None
        at, root = place
        inside = f"?thread_ts={root}&cid={at.channel}" if root else ""
        return f"{self._workspace_url}archives/{at.channel}/p{at.ts.replace('.', '')}{inside}"

    async def open(
        self, request: Request, *, look_since: float | None = None, waiting: bool = False
    ) -> "Thread | Private | None":
        """Return the place for the answer, having said there what is under way; None if there is none.

        With `look_since`, in Unix seconds, a parent may stand already, posted by somebody who has died. While
        `waiting` for an approval it says so.
        """
        channel = request.origin.channel_id
        private = self._private(request)
        why = None if _is_direct(request) else await self._channels.get(channel)
        if why is NoThread.NOT_INVITED:
            why = _no_thread(Refused("channel_not_found"), request)
        if why is not None:
            return await private.begin(request, why, look_since=look_since, waiting=waiting)
        posted = await self._parent(request, look_since=look_since, waiting=waiting)
        if isinstance(posted, Posted):
            return Thread(self._posts, posted, self._tongues, private, request.origin.thread_ts)
        why = _no_thread(posted, request)
        return await private.begin(request, why, look_since=look_since, waiting=waiting)

    async def _parent(
        self, request: Request, *, look_since: float | None, waiting: bool
    ) -> Posted | Refused | Doubtful:
        """Post the parent; where nobody can see whether one stands, a second one replaces it."""
        origin = request.origin
        words = _words_in(origin.channel_id, request, self._tongues)
        begun, thread = _begun(words, request, waiting=waiting), origin.thread_ts or None
        return await self._posts.insist(
            origin.channel_id,
            begun,
            replacing(words, begun),
            request.id,
            thread,
            look_since=look_since,
        )

    def _private(self, request: Request) -> "Private":
        return Private(self._api, self._posts, self._tongues, self._tongues.of(request.language))

    def close(self) -> None:
        """Give up what is being read."""
        self._channels.close()

    async def _read_channel(self, channel: str) -> tuple[NoThread | None, float]:
        """Return why details may not be posted in `channel`, or None; what cannot be read counts against it."""
        result = await self._api.read("conversations.info", PATIENCE, channel=channel)
        match result:
            case Answered(data):
                info = data.get("channel")
                flags = ("is_ext_shared", "is_pending_ext_shared")
                if not isinstance(info, dict):
                    return NoThread.CANNOT_TELL, _CHANNEL_BAD_FOR
                outside = any(info.get(flag) for flag in flags)
                return NoThread.SHARED_OUTSIDE if outside else None, _CHANNEL_GOOD_FOR
            case Refused("channel_not_found"):
                return NoThread.NOT_INVITED, _CHANNEL_BAD_FOR
            case Refused() | Doubtful():
                return NoThread.CANNOT_TELL, _CHANNEL_BAD_FOR


class Thread:
    """A parent message of the bot's, and the replies under it; `root` is the thread that the parent stands in."""

    def __init__(
        self, posts: Posts, at: Posted, tongues: Tongues, otherwise: "Private", root: str = ""
    ) -> None:
        self._posts = posts
        self._at = at
        self._tongues = tongues
        self._otherwise = otherwise
        self._root = root

    @property
    def ref(self) -> str:
        """The parent's place and, where it stands in another thread, that thread."""
        return place_ref(self._at, self._root)

    async def progress(self, request: Request, tally: Tally, paused_until: float | None) -> None:
        """Show in the parent how far a batch has come."""
        words = _words_in(self._at.channel, request, self._tongues)
        now = progress(words, request, tally, paused_until)
        await self._posts.edit(self._at, now)

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
    ) -> bool:
        """Reply with the answer, then bring the parent to its final state."""
        words = self._tongues.of(request.language)
        whole = answer(words, request, outcome, called_again=called_again)
        mark = f"{request.id}-answer" if self._root else request.id
        thread = self._root or self._at.ts
        reply = await self._posts.post(self._at.channel, whole, mark, thread, look_since=look_since)
        if called_again and isinstance(reply, Posted) and reply.found:
            # It stood already without having been recorded, and the second call may have ended otherwise.
            await self._posts.edit(reply, whole)
        final = parent(_words_in(self._at.channel, request, self._tongues), request, outcome)
        if isinstance(reply, Doubtful):
            # Nobody can see whether the reply stands, but an edit can be repeated until it does.
            final += unconfirmed(words, whole)
        edited = await self._posts.edit(self._at, final)
        delivered = isinstance(reply, Posted) or (isinstance(reply, Doubtful) and edited)
        return delivered or await self._otherwise.close(
            request, outcome, look_since=look_since, called_again=called_again
        )


class Private:
    """The requester alone: through the command's response_url, else in a direct message."""

    def __init__(self, api: SlackApi, posts: Posts, tongues: Tongues, words: Words) -> None:
        self._api = api
        self._posts = posts
        self._tongues = tongues
        self._words = words

    async def begin(
        self, request: Request, why: NoThread, *, look_since: float | None, waiting: bool
    ) -> "Thread | Private | None":
        """Say what is under way and why there is no thread; return the place where that worked.

        With `look_since` it may have been said already; nobody can look, so it says that this replaces it.
        """
        begun = _begun(self._words, request, waiting=waiting)
        start, direct = only_you(self._words, begun, why), elsewhere(self._words, begun)
        if look_since is not None:
            start, direct = replacing(self._words, start), replacing(self._words, direct)
        if await self._respond(request, start):
            return self
        user = request.origin.user_id
        posted = await self._posts.insist(user, direct, direct, request.id)
        if not isinstance(posted, Posted):
            return None
        return Thread(self._posts, posted, self._tongues, self)

    @property
    def ref(self) -> str:
        """Nothing more than that: the request knows its response_url."""
        return "private"

    async def progress(self, request: Request, tally: Tally, paused_until: float | None) -> None:
        """Show nothing: a response_url has only five uses."""

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
    ) -> bool:
        """Tell the requester how the request ended; there is nothing to look at first."""
        whole = answer(self._words, request, outcome, called_again=called_again)
        whole = unconfirmed(self._words, whole) if look_since is not None else whole
        if await self._respond(request, whole):
            return True
        direct = parent(self._words, request, outcome) + whole
        again = unconfirmed(self._words, direct)
        posted = await self._posts.insist(request.origin.user_id, direct, again, request.id)
        return isinstance(posted, Posted)

    async def _respond(self, request: Request, message: Message) -> bool:
        url = request.origin.response_url
        if not url:
            return False
        thread = request.origin.thread_ts
        there = {"thread_ts": thread} if thread else {}
        result = await self._api.respond(url, PATIENCE, as_response(message) | there)
        if isinstance(result, Doubtful):
            again = as_response(unconfirmed(self._words, message)) | there
            result = await self._api.respond(url, PATIENCE, again)
        return isinstance(result, Answered)


def _begun(words: Words, request: Request, *, waiting: bool) -> Message:
    if waiting:
        return waiting_for_approval(words, request)
    if request.is_batch:
        return progress(words, request, Tally(len(request.appids)), None)
    return parent(words, request, None)


def _is_direct(request: Request) -> bool:
    """Tell whether it was asked in a direct message."""
    return request.origin.channel_id.startswith(_DIRECT)


def _words_in(channel: str, request: Request, tongues: Tongues) -> Words:
    """Return the words for all who read there: in a direct message that is the requester alone."""
    return tongues.of(request.language) if channel.startswith(_DIRECT) else tongues.channel


def _no_thread(no: Refused | Doubtful, request: Request) -> NoThread:
    """Read why chat.postMessage refused; a conversation without the bot is hidden as channel_not_found."""
    match no:
        case Refused("not_in_channel" | "channel_not_found"):
            between_people = _is_direct(request) or request.origin.channel_name.startswith("mpdm-")
            return NoThread.DIRECT if between_people else NoThread.NOT_INVITED
        case Refused("is_archived"):
            return NoThread.ARCHIVED
        case Refused(error) if error.startswith("restricted_action"):
            return NoThread.READ_ONLY
        case Refused(error) if error.startswith("slack_connect_"):
            return NoThread.SHARED_OUTSIDE
        case _:
            return NoThread.SLACK_TROUBLE
