"""A search in a conversation for a message of the bot's own.

Sources: docs.slack.dev, conversations.history, conversations.replies (pages begin with a thread's oldest reply), neither
of which accepts a user id; conversations.open.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

from bot.messages.blocks import Posted
from bot.slack.api import PATIENCE, Answered, Doubtful, Refused, SlackApi, away_error
from bot.slack.payloads import PERSON, event_payload, text_if_any
from bot.workflow.ports import AwayError

_PAGE = 200  # messages
_PAGES = 10
# The errors of a bot that may not read there, though perhaps post; any other one is waited for.
_MAY_NOT_LOOK = {"missing_scope", "not_in_channel", "channel_not_found", "thread_not_found"}
# The errors of conversations.open for somebody who can get no direct message; posting says so too.
_NOBODY_THERE = {"user_not_found", "user_not_visible", "user_disabled", "cannot_dm_bot"}
# Seconds between Slack's clock and the ledger's: with more, HTTP mode accepts nothing.
_CLOCKS_DIFFER = 300.0

_Message = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Found:
    """A message of the bot's own with its mark; `replied` if somebody replied below it."""

    at: Posted
    mark: str
    replied: bool


@dataclass(frozen=True, slots=True)
class MessageSearch:
    """Finds messages that may have been posted, from the time of the first attempt."""

    _api: SlackApi
    _bot_user_id: str

    async def find(
        self, channel: str, mark: str, thread_ts: str | None, since: float
    ) -> Posted | Doubtful | None:
        """Return the bot's message with `mark`, None if there is none.

        Doubtful if the bot may not read the conversation, there is too much in it, or Slack finds no thread, which it is
        reported to do below a message that stands (bolt-js, issue 2307; prox, issue 53); posting tells whether it is gone.
        Of what is older than `since`, in Unix seconds, only one page is read. Raises AwayError.
        """
        async for found in self._own(channel, thread_ts, since):
            if isinstance(found, Doubtful):
                return found
            if found.mark == mark:
                return found.at
        return None

    async def every(
        self, channel: str, request_id: str, thread_ts: str | None, since: float
    ) -> list[Found]:
        """Return all of the bot's messages about a request, as far as it may look; as `find`."""
        about = (request_id, f"{request_id}-")
        return [
            found
            async for found in self._own(channel, thread_ts, since)
            if isinstance(found, Found)
            and (found.mark == about[0] or found.mark.startswith(about[1]))
        ]

    async def _own(
        self, channel: str, thread_ts: str | None, since: float
    ) -> AsyncIterator[Found | Doubtful]:
        """Yield the bot's marked messages, without a thread's oldest; last a Doubtful if it may read no further."""
        channel = await self._conversation(channel)
        async for page in self._pages(channel, thread_ts, since - _CLOCKS_DIFFER):
            if isinstance(page, Doubtful):
                yield page
                return
            for message in page:
                ts, own = message.get("ts"), message.get("user") == self._bot_user_id
                # By its metadata: other messages of the bot may name the request in their text.
                mark = event_payload(message).get("request")
                if own and isinstance(ts, str) and ts != thread_ts and isinstance(mark, str):
                    # Only of a thread's parent are both the same (docs.slack.dev, "Retrieving messages").
                    yield Found(Posted(channel, ts), mark, message.get("thread_ts") == ts)

    async def _pages(
        self, channel: str, thread_ts: str | None, oldest: float
    ) -> AsyncIterator[list[_Message] | Doubtful]:
        """Yield the messages from `oldest` on, and in any case the newest of a channel and all of a short thread.

        So what was posted just now is found however much Slack's clock and the ledger's differ. Last a Doubtful if it may
        read no further.
        """
        method = "conversations.replies" if thread_ts else "conversations.history"
        query: dict[str, str | bool] = {"include_all_metadata": True}
        query |= {"ts": thread_ts} if thread_ts else {}
        for _ in range(_PAGES):
            result = await self._api.read(method, PATIENCE, channel=channel, limit=_PAGE, **query)
            if isinstance(result, Refused) and result.error in _MAY_NOT_LOOK:
                yield Doubtful(result.error)
                return
            if not isinstance(result, Answered):
                raise away_error(result)
            messages = result.data.get("messages")
            if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
                raise AwayError("Slack's answer is not a list of messages")
            more = result.data.get("response_metadata")
            cursor = more.get("next_cursor") if isinstance(more, dict) else None
            if thread_ts and cursor and "oldest" not in query:  # its newest are what matters
                query["oldest"] = f"{oldest:.6f}"
                continue
            yield messages
            if not cursor or (not thread_ts and _goes_back_to(oldest, messages)):
                return
            query["cursor"] = str(cursor)
        yield Doubtful("cannot look at everything")

    async def _conversation(self, channel: str) -> str:
        """Return the id by which a conversation can be read; a user id is enough only for posting.

        Source: docs.slack.dev, conversations.open.
        """
        if not channel.startswith(PERSON):
            return channel
        opened = await self._api.write("conversations.open", PATIENCE, users=channel)
        if isinstance(opened, Answered):
            if there := text_if_any(opened.data, "channel", "id"):
                return there
            raise AwayError("Slack's answer names no conversation")
        if isinstance(opened, Refused) and opened.error in _MAY_NOT_LOOK | _NOBODY_THERE:
            return channel
        raise away_error(opened)


def _goes_back_to(oldest: float, messages: Sequence[_Message]) -> bool:
    """Tell whether a channel's page, which begins with the newest, ends with a message from before `oldest`."""
    try:
        return float(str(messages[-1].get("ts"))) < oldest
    except (IndexError, ValueError):
        return False
