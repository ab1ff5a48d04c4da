"""Post a message exactly once, also when Slack leaves it open whether the first attempt arrived.

A doubtful message is looked for in the conversation before it is posted again; every message carries its
request's id, in its metadata and in its text. What Slack does not take for now raises AwayError. Sources: docs.slack.dev, chat.postMessage, conversations.history, .replies,
"Message metadata".
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from bot.messages import Message
from bot.slack.api import Answered, Doubtful, Refused, SlackApi, away, passes, retry_after
from bot.slack.payload import word_if_any

PATIENCE = 120.0  # seconds that one message may wait for Slack's rate limits, in all
_EVENT = "share_env_request"
_TRIES = 3
_PAUSE = 1.0  # before looking: Slack may still be at it
_PAGE = 200  # messages; without a time to look back to, one page must do
_PAGES = 10
_EDITS_APART = 1.0  # seconds between two edits of a message; Slack wants no more
_CLOCKS_DIFFER = 120.0  # seconds, between Slack and whoever recorded the time
_NO_THREAD = Refused("thread_not_found")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that stands; `channel` is the id that Slack gave, also for a direct message.

    `found` is one that was there before, and may say something else.
    """

    channel: str
    ts: str
    found: bool = field(default=False, compare=False)


class Posts:
    """The bot's messages in conversations."""

    def __init__(
        self, api: SlackApi, bot_user_id: str, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._api = api
        self._bot_user_id = bot_user_id
        self._sleep = sleep
        self._edited = OrderedDict[Posted, float]()

    async def post(
        self,
        channel: str,
        message: Message,
        mark: str,
        thread_ts: str | None = None,
        *,
        look_since: float | None = None,
    ) -> Posted | Refused | Doubtful:
        """Return where the message stands, or a refusal for good; Doubtful where it may stand and nobody can look.

        `mark` is a word of the message that no other message of the bot in this conversation has. With
        `look_since`, in Unix seconds, it may stand already, posted after that by somebody who has died.
        """
        if look_since is not None:
            found = await self._find(channel, mark, thread_ts, look_since)
            if found is not None:
                return found
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        marked = {"event_type": _EVENT, "event_payload": {"request": mark}}
        arguments = {"channel": channel, **thread, **as_post(message), "metadata": marked}
        no: Refused | Doubtful = Doubtful("not tried")
        for attempt in range(1, _TRIES + 1):
            result = await self._api.write("chat.postMessage", PATIENCE, **arguments)
            if isinstance(result, Answered):
                if posted := _posted(result.data, channel):
                    return await self._in_its_thread(posted, result.data, thread_ts)
                no = Doubtful("it does not say where the message stands")
            else:
                no = result
            if not passes(no):
                return no
            if retry_after(no) is not None:
                break
            await self._sleep(_PAUSE * attempt)
            if isinstance(no, Doubtful):
                found = await self._find(channel, mark, thread_ts)
                if found is not None:
                    return found
        raise away(no)

    async def _in_its_thread(
        self, at: Posted, data: Mapping[str, object], thread_ts: str | None
    ) -> Posted | Refused:
        """Return where a new message stands; one that Slack put beside its thread is taken back.

        A reply to a message that is gone is refused, or stands in the channel, and then only its answer lacks the
        `thread_ts` (slack-go, issue 1571; bolt-js, issue 2307).
        """
        shown = data.get("message")
        if thread_ts is None or not isinstance(shown, dict) or shown.get("thread_ts") == thread_ts:
            return at
        return await self._take_back(at)

    async def _take_back(self, at: Posted) -> Refused:
        """Delete a reply whose thread is gone."""
        no = await self._surely("chat.delete", channel=at.channel, ts=at.ts)
        if no not in {None, Refused("message_not_found")}:
            told = {"channel": at.channel, "reason": str(no)}
            _log.error("a reply stands outside of its thread", extra=told)
        return _NO_THREAD

    async def insist(  # noqa: PLR0913  # as `post`
        self,
        channel: str,
        message: Message,
        again: Message,
        mark: str,
        thread_ts: str | None = None,
        *,
        look_since: float | None = None,
    ) -> Posted | Refused | Doubtful:
        """Post a message and, where nobody can see whether it stands, `again`: twice is better than never."""
        posted = await self.post(channel, message, mark, thread_ts, look_since=look_since)
        if isinstance(posted, Doubtful):
            posted = await self.post(channel, again, mark, thread_ts)
        return posted

    async def edit(self, at: Posted, message: Message) -> bool:
        """Replace a message, a second after its last edit; False where Slack refuses that for good."""
        if left := self._too_soon(at):
            await self._sleep(left)
        try:
            arguments = as_arguments(message)
            to = {"channel": at.channel, "ts": at.ts}
            return await self._surely("chat.update", **to, **arguments) is None
        finally:
            self._edited[at] = asyncio.get_running_loop().time()
            self._edited.move_to_end(at)

    def _too_soon(self, at: Posted) -> float:
        """Return for how many seconds a message may not be edited again."""
        now = asyncio.get_running_loop().time()
        while self._edited and next(iter(self._edited.values())) <= now - _EDITS_APART:
            self._edited.popitem(last=False)
        return self._edited[at] + _EDITS_APART - now if at in self._edited else 0.0

    async def _surely(self, method: str, **arguments: object) -> Refused | Doubtful | None:
        """Do what is the same done twice, repeated as needed; return the refusal where that is for good."""
        no: Refused | Doubtful = Doubtful("not tried")
        for attempt in range(1, _TRIES + 1):
            result = await self._api.write(method, PATIENCE, **arguments)
            if isinstance(result, Answered):
                return None
            if not passes(no := result):
                return no
            if retry_after(no) is not None:
                break
            await self._sleep(_PAUSE * attempt)
        raise away(no)

    async def _find(
        self, channel: str, mark: str, thread_ts: str | None, since: float | None = None
    ) -> Posted | Refused | Doubtful | None:
        """Look for the bot's own message with `mark`: where it stands, None if it does not, Doubtful where one cannot look.

        Refused where the thread is gone; what Slack has put beside it is taken back.
        """
        channel = await self._conversation(channel)
        method = "conversations.replies" if thread_ts else "conversations.history"
        query: dict[str, str | bool] = {"include_all_metadata": True}
        query |= {"ts": thread_ts} if thread_ts else {}
        if since is not None:
            query["oldest"] = f"{since - _CLOCKS_DIFFER:.6f}"
        for _ in range(_PAGES):
            result = await self._api.read(method, PATIENCE, channel=channel, limit=_PAGE, **query)
            if isinstance(result, Refused | Doubtful) and passes(result):
                raise away(result)
            if thread_ts and result == _NO_THREAD:
                beside = await self._find(channel, mark, None, since)
                return await self._take_back(beside) if isinstance(beside, Posted) else _NO_THREAD
            messages = result.data.get("messages") if isinstance(result, Answered) else None
            if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
                return Doubtful("cannot look")
            for message in messages:
                ts, own = message.get("ts"), message.get("user") == self._bot_user_id
                if own and isinstance(ts, str) and ts != thread_ts and _is_marked(message, mark):
                    return Posted(channel, ts, found=True)
            more = result.data.get("response_metadata") if isinstance(result, Answered) else None
            cursor = more.get("next_cursor") if isinstance(more, dict) else None
            if not cursor or since is None:
                return None
            query["cursor"] = str(cursor)
        return Doubtful("cannot look at everything")

    async def _conversation(self, channel: str) -> str:
        """Return the id under which a conversation can be read: to post, a person's id is enough.

        Source: docs.slack.dev, conversations.open.
        """
        if not channel.startswith(("U", "W")):
            return channel
        opened = await self._api.write("conversations.open", PATIENCE, users=channel)
        if isinstance(opened, Answered):
            return word_if_any(opened.data, "channel", "id") or channel
        if passes(opened):
            raise away(opened)
        return channel


def _posted(data: Mapping[str, object], channel: str) -> Posted | None:
    """Read where a message stands, which may be in another channel: for a person's id, the direct message."""
    there, ts = data.get("channel") or channel, data.get("ts")
    return Posted(there, ts) if isinstance(there, str) and isinstance(ts, str) and ts else None


def _is_marked(message: Mapping[str, object], mark: str) -> bool:
    """Tell whether a message is about `mark`, by its metadata or, where Slack keeps that back, by its text."""
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, dict) else None
    if isinstance(payload, dict) and "request" in payload:
        return bool(payload["request"] == mark)
    return mark in str(message.get("text"))


def as_arguments(message: Message) -> dict[str, object]:
    """Return a message as arguments of chat.update and chat.postEphemeral, with nothing linked."""
    return {"text": message.text, "blocks": message.blocks, "parse": "none"}


def as_post(message: Message) -> dict[str, object]:
    """Return a message as arguments of chat.postMessage, which alone can unfurl, and is not to."""
    return as_arguments(message) | {"unfurl_links": False, "unfurl_media": False}


def as_response(message: Message) -> dict[str, object]:
    """Return a message as the body of an ack or a response_url: for the requester's eyes only."""
    return {"response_type": "ephemeral", "text": message.text, "blocks": message.blocks}
