"""Channels: which of them may show details, as far as conversations.info tells."""

from collections.abc import Callable, Mapping

from bot.messages.notices import NoThread
from bot.runtime.cache import Cache
from bot.slack.api import Answered, Doubtful, Refused, SlackApi, away_error, is_transient
from bot.slack.search import PATIENCE

DIRECT = ("D", "U", "W")
"""What the ids of direct messages begin with; a user id means the conversation with the bot."""

_GOOD_FOR, _BAD_FOR = 60.0, 5.0


class Channels:
    """The channels of one workspace, cached."""

    def __init__(self, api: SlackApi, clock: Callable[[], float]) -> None:
        self._api = api
        self._channels = Cache(self._read, clock)

    async def why_private(self, channel: str) -> NoThread | None:
        """Return why details may not be posted in `channel`; None if they may. Raises AwayError."""
        if channel.startswith(DIRECT):
            return None
        why = await self._channels.get(channel)
        if isinstance(why, Refused | Doubtful):
            raise away_error(why)
        return why

    async def close(self) -> None:
        """Cancel the reads under way."""
        await self._channels.close()

    async def _read(self, channel: str) -> tuple[NoThread | Refused | Doubtful | None, float]:
        """Return why details may not be posted in `channel`, or None if they may; an unreadable channel counts as no.

        Returns Slack's failure instead while Slack is away. With it come the seconds to cache it.
        """
        result = await self._api.read("conversations.info", PATIENCE, channel=channel)
        match result:
            case Answered({"channel": dict() as info}):
                outside = is_shared_outside(info)
                return NoThread.SHARED_OUTSIDE if outside else None, _GOOD_FOR
            case Refused("channel_not_found"):
                return NoThread.NOT_INVITED, _BAD_FOR
            case Refused() | Doubtful() if is_transient(result):
                return result, 0.0
            case _:
                return NoThread.CANNOT_TELL, _BAD_FOR


def is_shared_outside(channel: Mapping[str, object]) -> bool:
    """Tell whether another organisation reads a channel of conversations.info, or is invited to."""
    return bool(channel.get("is_ext_shared") or channel.get("is_pending_ext_shared"))
