"""How often the stand-in Slack lets each method be called, in a workspace by an app, whoever it is called for.

Source: docs.slack.dev, apis/web-api/rate-limits, and “Rate limits” of each method's page. Slack promises the least of a
tier and tolerates bursts; here the least is the most, in any minute.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from math import ceil

from bot.playground.loopback import Json
from bot.playground.slack.faults import RateLimited

TIER_2, TIER_3, TIER_4 = 20, 50, 100
A_SECOND = 60
"""The special limit of chat.postMessage, for each channel: one a second, with bursts."""
TIERS = {
    "apps.connections.open": TIER_3,
    "chat.delete": TIER_3,
    "chat.postEphemeral": TIER_4,
    "chat.postMessage": A_SECOND,
    "chat.update": TIER_3,
    "conversations.history": TIER_3,
    "conversations.info": TIER_3,
    "conversations.open": TIER_3,
    "conversations.replies": TIER_3,
    "usergroups.list": TIER_2,
    "usergroups.users.list": TIER_2,
    "users.info": TIER_4,
    "views.open": TIER_4,
    "views.publish": TIER_4,
    "views.push": TIER_4,
    "views.update": TIER_4,
}
"""Calls in a minute; auth.test allows hundreds, and has none here."""
_MINUTE = 60.0


class Tiers:
    """The limits of all methods, once they are `on`; `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.on = False
        self._clock = clock
        self._calls: defaultdict[tuple[str, str], deque[float]] = defaultdict(deque)

    def meet(self, method: str, args: Mapping[str, Json]) -> RateLimited | None:
        """Count a call, or return that it comes too early, and is not counted."""
        most = TIERS.get(method)
        if most is None or not self.on:
            return None
        now, channel = self._clock(), args.get("channel") if method == "chat.postMessage" else ""
        calls = self._calls[method, str(channel)]
        while calls and calls[0] <= now - _MINUTE:
            calls.popleft()
        if len(calls) >= most:
            return RateLimited(ceil(calls[0] + _MINUTE - now))
        calls.append(now)
        return None
