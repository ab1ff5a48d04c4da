"""Post a message exactly once, also when Slack leaves it open whether the first attempt arrived.

A doubtful message is looked for in the conversation before it is posted again; every message names its
request's id, so it can be recognised. Sources: docs.slack.dev, chat.postMessage, conversations.history, .replies.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.messages import Message
from bot.slack.api import NOT_SENT, Answered, Doubtful, Refused, SlackApi

PATIENCE = 120.0  # seconds that one message may wait for Slack's rate limits, in all
_TRIES = 3
_PAUSE = 1.0  # before looking: Slack may still be at it
_LOOK_BACK = 50


@dataclass(frozen=True, slots=True)
class Posted:
    """A message that stands; `channel` is the id that Slack gave, also for a direct message."""

    channel: str
    ts: str


class Posts:
    """The bot's messages in conversations."""

    def __init__(
        self, api: SlackApi, bot_user_id: str, sleep: Callable[[float], Awaitable[None]]
    ) -> None:
        self._api = api
        self._bot_user_id = bot_user_id
        self._sleep = sleep

    async def post(
        self, channel: str, message: Message, mark: str, thread_ts: str | None = None
    ) -> Posted | Refused | Doubtful:
        """Return where the message stands, or the refusal; Doubtful only where looking was not possible.

        `mark` is a word of the message that no other message of the bot in this conversation has.
        """
        thread = {"thread_ts": thread_ts} if thread_ts else {}
        arguments = {"channel": channel, **thread, **as_arguments(message)}
        last: Refused | Doubtful = Doubtful("not tried")
        for attempt in range(1, _TRIES + 1):
            result = await self._api.write("chat.postMessage", PATIENCE, **arguments)
            if isinstance(result, Answered):
                data = result.data
                return Posted(str(data.get("channel") or channel), str(data.get("ts") or ""))
            last = result
            if isinstance(result, Refused) and result.error != NOT_SENT:
                break
            await self._sleep(_PAUSE * attempt)
            if isinstance(result, Doubtful):
                found = await self._find(channel, mark, thread_ts)
                if found is not None:
                    return found
        return last

    async def edit(self, at: Posted, message: Message) -> bool:
        """Replace a message; repeated as needed, since editing twice is editing once."""
        for attempt in range(1, _TRIES + 1):
            result = await self._api.write(
                "chat.update", PATIENCE, channel=at.channel, ts=at.ts, **as_arguments(message)
            )
            if isinstance(result, Answered):
                return True
            if isinstance(result, Refused) and result.error != NOT_SENT:
                return False
            await self._sleep(_PAUSE * attempt)
        return False

    async def _find(
        self, channel: str, mark: str, thread_ts: str | None
    ) -> Posted | Doubtful | None:
        """Look for the bot's own message with `mark`: where it stands, None if it does not, Doubtful if unseen."""
        if thread_ts:
            result = await self._api.read(
                "conversations.replies", PATIENCE, channel=channel, ts=thread_ts, limit=_LOOK_BACK
            )
        else:
            result = await self._api.read(
                "conversations.history", PATIENCE, channel=channel, limit=_LOOK_BACK
            )
        messages = result.data.get("messages") if isinstance(result, Answered) else None
        if not isinstance(messages, list):
            return Doubtful("cannot look")
        for message in messages:
            own = message.get("user") == self._bot_user_id and message.get("ts") != thread_ts
            if own and mark in str(message.get("text")):
                return Posted(channel, str(message["ts"]))
        return None


def as_arguments(message: Message) -> dict[str, object]:
    """Return a message as arguments of chat.postMessage and chat.update, with nothing unfurled or linked."""
    return {
        "text": message.text,
        "blocks": message.blocks,
        "parse": "none",
        "unfurl_links": False,
        "unfurl_media": False,
    }


def as_response(message: Message) -> dict[str, object]:
    """Return a message as the body of an ack or a response_url: for the requester's eyes only."""
    return {"response_type": "ephemeral", "text": message.text, "blocks": message.blocks}
