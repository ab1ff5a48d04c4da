"""Settle where the answer to a request goes; without such a place it ends, since nobody would hear of it."""

import logging

from bot.ledger import Entry
from bot.workflow.leased import LeasedWrites, Write
from bot.workflow.ports import Place, Places

_log = logging.getLogger(__name__)


async def settle(
    leased: LeasedWrites, places: Places, entry: Entry, backlog: list[Write], *, waiting: bool
) -> Place | None:
    """Return the place, having said there what is under way or waited for; None if the request has ended for want of one."""
    place = await leased.while_held(
        entry, lambda since: places.open(entry.request, look_since=since, waiting=waiting)
    )
    if place is None:
        _log.error(
            "Slack leaves nowhere to answer, so the request ends",
            extra={"request": entry.request.id},
        )
        await leased.end(entry, backlog, "nowhere to answer")
    return place
