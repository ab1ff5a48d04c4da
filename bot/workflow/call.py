"""Ask WeChat for what a request wants; whatever goes wrong in the bot itself leaves the share unknown."""

import logging
from collections.abc import Awaitable, Callable

from bot.domain.outcome import Called, Step, Unknown
from bot.domain.request import Request
from bot.guidance import Trouble, for_trouble
from bot.workflow.ports import Owners

_log = logging.getLogger(__name__)


async def ask(
    owners: Owners,
    request: Request,
    told: Callable[[Step], None],
    may_again: Callable[[], Awaitable[bool]],
) -> Called:
    """Return how the call ended; never raises, since the requester is told whatever went wrong.

    `may_again` is asked before each further try: it is not made once somebody else may have begun anew.
    """
    try:
        return await owners.share(request.owner, request.env, request.appid, told, may_again)
    except Exception:  # noqa: BLE001  # the requester is told whatever went wrong
        _log.exception("unforeseen error", extra={"request": request.id})
        return Unknown(for_trouble(Trouble.BUG))
