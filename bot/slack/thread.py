"""Where an answer goes: a thread under the bot's own message or, where it may not post, to the requester directly.

A slash command has no message to reply to, so the bot posts a parent first; a button or a shortcut may have come
from a thread, and then the parent stands there. Source: docs.slack.dev, chat.postMessage (errors).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from bot.domain.request import Request
from bot.messages.endings import begun
from bot.messages.notices import NoThread, replacing
from bot.messages.words import Tongues
from bot.runtime.cache import Cache
from bot.slack.api import Answered, Doubtful, Refused, SlackApi, away, passes
from bot.slack.looking import PATIENCE, Posted
from bot.slack.places import Private, Thread, is_direct, words_in
from bot.slack.posts import Posts
from bot.slack.refs import read_ref

_CHANNEL_GOOD_FOR = 60.0
_CHANNEL_BAD_FOR = 5.0


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
        self._channels = Cache(self._read_channel, clock)

    def reopen(self, request: Request, ref: str | None) -> Thread | Private:
        """Return a place that was settled before or, without one, the requester's own."""
        private = self._private(request)
        for parent in read_ref(ref):
            return Thread(self._posts, parent, self._tongues, private)
        return private

    def link(self, ref: str | None) -> str | None:
        """Return the address of a thread in Slack, that of an answer or of a question; a private place has none."""
        stand = read_ref(ref)
        if len(stand) != 1:
            return None
        (at,) = stand
        inside = f"?thread_ts={at.root}&cid={at.channel}" if at.root else ""
        return f"{self._workspace_url}archives/{at.channel}/p{at.ts.replace('.', '')}{inside}"

    async def open(
        self, request: Request, *, look_since: float | None = None, waiting: bool = False
    ) -> Thread | Private | None:
        """Return the place for the answer, having said there what is under way; None if there is none.

        With `look_since`, in Unix seconds, a parent may stand already, posted by somebody who has died. While
        `waiting` for an approval it says so.
        """
        place = await self._open(request, look_since=look_since, waiting=waiting)
        if isinstance(place, Thread):
            await place.list_appids(request, look_since)
        return place

    async def _open(
        self, request: Request, *, look_since: float | None, waiting: bool
    ) -> Thread | Private | None:
        channel = request.origin.channel_id
        private = self._private(request)
        why = None if is_direct(channel) else await self.why_private(channel)
        if why is NoThread.NOT_INVITED:
            why = _no_thread(Refused("channel_not_found"), request)
        if why is not None:
            return await private.begin(request, why, look_since=look_since, waiting=waiting)
        posted = await self._parent(request, look_since=look_since, waiting=waiting)
        if isinstance(posted, Posted):
            parent = replace(posted, root=request.origin.thread_ts)
            return Thread(self._posts, parent, self._tongues, private)
        why = _no_thread(posted, request)
        return await private.begin(request, why, look_since=look_since, waiting=waiting)

    async def why_private(self, channel: str) -> NoThread | None:
        """Return why details may not be posted in `channel`, as far as that is known before it is tried; None if they may.

        Raises AwayError.
        """
        why = await self._channels.get(channel)
        if isinstance(why, Refused | Doubtful):
            raise away(why)
        return why

    async def _parent(
        self, request: Request, *, look_since: float | None, waiting: bool
    ) -> Posted | Refused | Doubtful:
        """Post the parent; where nobody can see whether one stands, a second one replaces it."""
        origin = request.origin
        words = words_in(origin.channel_id, request, self._tongues)
        said, thread = begun(words, request, waiting=waiting), origin.thread_ts or None
        return await self._posts.insist(
            origin.channel_id,
            said,
            replacing(words, said),
            request.id,
            thread,
            look_since=look_since,
        )

    def _private(self, request: Request) -> Private:
        return Private(self._api, self._posts, self._tongues, self._tongues.of(request.language))

    async def close(self) -> None:
        """Give up what is being read."""
        await self._channels.close()

    async def _read_channel(
        self, channel: str
    ) -> tuple[NoThread | Refused | Doubtful | None, float]:
        """Return why details may not be posted in `channel`, or None; what can never be read counts against it.

        Where Slack is away, what it said instead.
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
            case Refused() | Doubtful() if passes(result):
                return result, 0.0
            case Refused() | Doubtful():
                return NoThread.CANNOT_TELL, _CHANNEL_BAD_FOR


def is_shared_outside(channel: Mapping[str, object]) -> bool:
    """Tell whether another organisation reads a channel of conversations.info, or is invited to."""
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))


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
