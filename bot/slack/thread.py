"""Where an answer goes: a thread under the bot's own message or, where it may not post, to the requester alone.

A slash command has no message to reply to, so the bot posts a parent first. Sources: docs.slack.dev,
chat.postMessage (errors), "Handling user interaction" (response_url: five uses in half an hour).
"""

from collections.abc import Callable

from bot.messages import Message
from bot.messages.answers import (
    NoThread,
    answer,
    direct_start,
    parent,
    private_start,
    replacing,
    unconfirmed,
)
from bot.outcome import Outcome
from bot.request import Request
from bot.slack.api import Answered, Doubtful, Refused, SlackApi
from bot.slack.posts import PATIENCE, Posted, Posts, as_response
from bot.slack.remembered import Remembered

_CHANNEL_GOOD_FOR = 60.0
_CHANNEL_BAD_FOR = 5.0


class Threads:
    """Opens the place for each request's answer; `workspace_url` is what auth.test says."""

    def __init__(
        self, api: SlackApi, posts: Posts, clock: Callable[[], float], workspace_url: str = ""
    ) -> None:
        self._api = api
        self._posts = posts
        self._workspace_url = workspace_url
        self._channels = Remembered(self._read_channel, clock)

    def reopen(self, request: Request, ref: str) -> "Thread | Private":  # noqa: ARG002  # the port's
        """Return a place that was settled before."""
        private = Private(self._api, self._posts)
        kind, *at = ref.split()
        return Thread(self._posts, Posted(at[0], at[1]), private) if kind == "thread" else private

    def link(self, ref: str | None) -> str | None:
        """Return the address of a thread in Slack; a private place has none."""
        kind, *at = (ref or "none").split()
        if kind != "thread":
            return None
        return f"{self._workspace_url}archives/{at[0]}/p{at[1].replace('.', '')}"

    async def open(
        self, request: Request, *, look_since: float | None = None
    ) -> "Thread | Private | None":
        """Return the place for the answer, having said there what is under way; None if there is none.

        With `look_since`, in Unix seconds, a parent may stand already, posted by somebody who has died.
        """
        channel = request.origin.channel_id
        private = Private(self._api, self._posts)
        why = None if _is_direct(request) else await self._channels.get(channel)
        if why is NoThread.NOT_INVITED:
            why = _no_thread(Refused("channel_not_found"), request)
        if why is not None:
            return await private.begin(request, why, look_since=look_since)
        posted = await self._parent(request, look_since=look_since)
        if isinstance(posted, Posted):
            return Thread(self._posts, posted, private)
        return await private.begin(request, _no_thread(posted, request), look_since=look_since)

    async def _parent(
        self, request: Request, *, look_since: float | None
    ) -> Posted | Refused | Doubtful:
        """Post the parent; where nobody can see whether one stands, a second one replaces it."""
        channel, under_way = request.origin.channel_id, parent(request, None)
        posted = await self._posts.post(channel, under_way, request.id, look_since=look_since)
        if isinstance(posted, Doubtful):
            posted = await self._posts.post(channel, replacing(under_way), request.id)
        return posted

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
    """A parent message of the bot's, and the replies under it."""

    def __init__(self, posts: Posts, at: Posted, otherwise: "Private") -> None:
        self._posts = posts
        self._at = at
        self._otherwise = otherwise

    @property
    def ref(self) -> str:
        """The parent's place."""
        return f"thread {self._at.channel} {self._at.ts}"

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
    ) -> bool:
        """Reply with the answer, then bring the parent to its final state."""
        whole = answer(request, outcome, called_again=called_again)
        reply = await self._posts.post(
            self._at.channel, whole, request.id, self._at.ts, look_since=look_since
        )
        if called_again and isinstance(reply, Posted) and reply.found:
            # It stood already without having been recorded, and the second call may have ended otherwise.
            await self._posts.edit(reply, whole)
        final = parent(request, outcome)
        if isinstance(reply, Doubtful):
            # Nobody can see whether the reply stands, but an edit can be repeated until it does.
            final += unconfirmed(whole)
        edited = await self._posts.edit(self._at, final)
        delivered = isinstance(reply, Posted) or (isinstance(reply, Doubtful) and edited)
        return delivered or await self._otherwise.close(
            request, outcome, look_since=look_since, called_again=called_again
        )


class Private:
    """The requester alone: through the command's response_url, else in a direct message."""

    def __init__(self, api: SlackApi, posts: Posts) -> None:
        self._api = api
        self._posts = posts

    async def begin(
        self, request: Request, why: NoThread, *, look_since: float | None = None
    ) -> "Thread | Private | None":
        """Say what is under way and why there is no thread; return the place where that worked.

        With `look_since` it may have been said already; nobody can look, so it says that this replaces it.
        """
        start, under_way = private_start(request, why), direct_start(request)
        if look_since is not None:
            start, under_way = replacing(start), replacing(under_way)
        if await self._respond(request, start):
            return self
        user = request.origin.user_id
        posted = await _insist(self._posts, user, request, under_way, under_way)
        return Thread(self._posts, posted, self) if isinstance(posted, Posted) else None

    @property
    def ref(self) -> str:
        """Nothing more than that: the request knows its response_url."""
        return "private"

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None = None,
        called_again: bool = False,
    ) -> bool:
        """Tell the requester how the request ended; there is nothing to look at first."""
        whole = answer(request, outcome, called_again=called_again)
        whole = unconfirmed(whole) if look_since is not None else whole
        if await self._respond(request, whole):
            return True
        direct = parent(request, outcome) + whole
        user = request.origin.user_id
        posted = await _insist(self._posts, user, request, direct, unconfirmed(direct))
        return isinstance(posted, Posted)

    async def _respond(self, request: Request, message: Message) -> bool:
        url = request.origin.response_url
        result = await self._api.respond(url, PATIENCE, as_response(message))
        if isinstance(result, Doubtful):
            again = as_response(unconfirmed(message))
            result = await self._api.respond(url, PATIENCE, again)
        return isinstance(result, Answered)


async def _insist(
    posts: Posts, channel: str, request: Request, first: Message, again: Message
) -> Posted | Refused | Doubtful:
    """Post `first` and, where nobody can see whether it stands, `again`: twice is better than never."""
    posted = await posts.post(channel, first, request.id)
    if isinstance(posted, Doubtful):
        posted = await posts.post(channel, again, request.id)
    return posted


def _is_direct(request: Request) -> bool:
    return request.origin.channel_id.startswith("D")


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
