"""End the twins of a request's messages: Slack may carry out a post that was given up, when it has been repeated.

Sources: docs.slack.dev, chat.delete (a bot deletes its own messages; compliance exports may forbid it).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from bot.ledger.entries import Entry
from bot.messages.blocks import read_ref
from bot.messages.notices import twin as superseded
from bot.messages.words import Languages
from bot.slack.api import Answered, Refused
from bot.slack.payloads import DIRECT
from bot.slack.posts import Posts, raise_if_away
from bot.slack.search import Found

_GONE = Refused("message_not_found")


@dataclass(frozen=True, slots=True)
class TwinMessages:
    """Keeps one of each message of a request, where the bot may look."""

    _posts: Posts
    _languages: Languages

    async def end(self, entry: Entry) -> None:
        """Keep the recorded one of each message, else the oldest; delete the others, or end them in words."""
        recorded = [*read_ref(entry.place), *read_ref(entry.asked)]
        for channel, root in dict.fromkeys(_conversations(entry)):
            found = await self._posts.every(channel, entry.request.id, entry.created, root)
            found.sort(key=lambda each: (each.mark, each.at not in recorded, float(each.at.ts)))
            for _, (_, *twins) in groupby(found, lambda each: each.mark):
                for twin in twins:
                    await self._end(entry, twin)

    async def _end(self, entry: Entry, twin: Found) -> None:
        """Delete a twin; end it in words if somebody has replied below it, or Slack does not let the bot delete it."""
        if not twin.replied:
            deleted = await self._posts.delete(twin.at)
            if isinstance(deleted, Answered) or deleted == _GONE:
                return
        direct = twin.at.channel.startswith(DIRECT)
        words = self._languages.of[entry.request.language] if direct else self._languages.channel
        raise_if_away(await self._posts.edit(twin.at, superseded(words), entry.request.id))


def _conversations(entry: Entry) -> Iterator[tuple[str, str | None]]:
    """Yield where messages of a request may stand: channels, and threads there by their oldest message."""
    origin, parents = entry.request.origin, read_ref(entry.place)
    for at in parents:
        yield at.channel, at.root or None
        yield at.channel, at.root or at.ts
    yield origin.channel_id, origin.thread_ts or None
    yield origin.user_id, None
    for asked in read_ref(entry.asked):
        yield asked.channel, None
        if asked.ts:
            yield asked.channel, asked.root or asked.ts
