"""Tries of a call that Slack may be too busy for."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from bot.slack.api import Doubtful, Refused, away_error, is_transient, retry_after

_TRIES = 3
_PAUSE = 1.0  # seconds before a search, since Slack may still be posting

T = TypeVar("T")


async def keep_trying(
    once: Callable[[], Awaitable[T | Refused | Doubtful]],
    sleep: Callable[[float], Awaitable[None]],
    look: Callable[[], Awaitable[T | Refused | Doubtful | None]] | None = None,
) -> T | Refused | Doubtful:
    """Return the result of the first try that succeeds or is refused permanently. Raises AwayError.

    After a doubtful try it returns what `look` finds, if anything; without it, a second success does no harm.
    """
    no: Refused | Doubtful = Doubtful("not tried")
    for attempt in range(1, _TRIES + 1):
        result = await once()
        if not isinstance(result, Refused | Doubtful) or not is_transient(result):
            return result
        no = result
        if retry_after(no) is not None:
            break
        await sleep(_PAUSE * attempt)
        if look and isinstance(no, Doubtful) and (found := await look()) is not None:
            return found
    raise away_error(no)
