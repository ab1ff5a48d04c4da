"""Where a rule's approvers are asked: in their channel or, where another organisation reads along, each of them directly."""

import logging
from collections.abc import Awaitable, Callable, Sequence

from bot.messages.notices import NoThread
from bot.policy import Rule
from bot.slack.directory import Directory
from bot.slack.places import is_direct

MOST = 20
"""Approvers who are asked directly about one request; any of them settles it for all."""

_log = logging.getLogger(__name__)


class Audience:
    """Finds the conversations for a question; `why_private` tells why details may not stand in a channel."""

    def __init__(
        self, why_private: Callable[[str], Awaitable[NoThread | None]], people: Directory
    ) -> None:
        self._why_private = why_private
        self._people = people

    async def where(self, rule: Rule, requester_id: str) -> Sequence[str]:
        """Return the approvers' channel, else the ids of approvers, which stand for the conversations with them."""
        if rule.approvers is None:
            return ()
        channel = rule.approvers.channel
        why = None if is_direct(channel) else await self._why_private(channel)
        # Without the bot in it a channel refuses the question by itself.
        if why is None or why is NoThread.NOT_INVITED:
            return (channel,)
        told = {"channel": channel, "reason": why.name.lower()}
        _log.warning("approvers are asked directly, and not in their channel", extra=told)
        return await self._people.approvers(rule, requester_id, MOST)
