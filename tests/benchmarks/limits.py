"""Which rate limit is reached first, Slack's or WeChat's: computed from a command's calls, and by driving a bot into it."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from bot.playground.faults import Code
from bot.playground.slack.methods import METHODS
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import SHARE
from bot.playground.world import BOT, Channel, World
from tests.benchmarks.batches import LATENCY
from tests.benchmarks.processes import Variant, started
from tests.benchmarks.standins import REQUESTER, StandIns, standins

POSTS = "chat.postMessage"
"""The only method whose limit is per channel; the others' are per workspace."""

_SOME = 20  # commands over which calls are counted
_MANY, _PEOPLE = 1_000, 5
_WITHIN = 30.0
_MINUTE, _PATIENCE = 60.0, 180.0  # seconds


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one command, on average: Slack's by method, and all of WeChat's."""

    slack: Mapping[str, float]
    wechat: float


@dataclass(frozen=True, slots=True)
class Met:
    """The first limit that a bot reached: Slack's method, and how many commands were answered before."""

    method: str
    answered: int


@dataclass(frozen=True, slots=True)
class Limited:
    """For a number of channels: the commands a minute that each method allows, and the limit that was reached."""

    channels: int
    room: Mapping[str, float]
    met: Met


@dataclass(frozen=True, slots=True)
class Paused:
    """A batch that reached WeChat's limit: the seconds until all were shared, and the number of Slack's refusals."""

    size: int
    a_minute: int
    seconds: float
    refused: int


def room(calls: Mapping[str, float], channels: int) -> dict[str, float]:
    """Return how many commands a minute each method allows, sustained."""
    found = {}
    for method, each in calls.items():
        if most := METHODS[method].a_minute:
            found[method] = most * (channels if method == POSTS else 1) / each
    return found


async def limited(counts: Sequence[int]) -> tuple[Calls, list[Limited]]:
    """Count a command's calls, then drive a bot into Slack's limits from each number of channels, from a fresh start."""
    calls = await _calls()
    found = [Limited(count, room(calls.slack, count), await _met(count)) for count in counts]
    return calls, found


async def paused(size: int, a_minute: int) -> Paused:
    """Run a batch into WeChat's limit of calls a minute, and return how it continued."""
    async with standins(LATENCY) as world, started(Variant.THIS_BOT, world):
        world.slack.limits.on = True
        running = asyncio.create_task(world.batch(size, _PATIENCE))
        began = monotonic()
        await world.wechat.until(lambda wechat: len(wechat.shared) >= a_minute, _WITHIN)
        world.wechat.fail(SHARE, Code(45011), times=None)
        over = began + _MINUTE - monotonic()
        asyncio.get_running_loop().call_later(over, world.wechat.clear, SHARE)
        seconds = await running
        return Paused(size, a_minute, seconds, len(_refused(world.slack)))


async def _calls() -> Calls:
    async with standins() as world, started(Variant.THIS_BOT, world):
        await world.load(_SOME, 1)  # calls whose results are cached afterwards do not count
        before, at_wechat = Counter(_methods(world.slack)), _asked(world)
        await world.load(_SOME, 1)
        new = Counter(_methods(world.slack)) - before
        each = {method: count / _SOME for method, count in new.items()}
        return Calls(each, (_asked(world) - at_wechat) / _SOME)


async def _met(channels: int) -> Met:
    """Let people type until Slack rate-limits the bot."""
    async with (
        standins(world=_world(channels)) as world,
        started(Variant.THIS_BOT, world, {"SHUTDOWN_GRACE": "0"}),
    ):
        world.channels = [f"C{number}" for number in range(channels)]
        world.slack.limits.on = True
        typing = asyncio.create_task(world.load(_MANY, _PEOPLE))
        await world.slack.until(lambda slack: bool(_refused(slack)), _WITHIN)
        typing.cancel()
        return Met(_refused(world.slack)[0], sum(m.edits for m in world.slack.messages))


def _world(channels: int) -> World:
    members = frozenset({REQUESTER, BOT})
    more = (Channel(f"C{number}", f"c{number}", members=members) for number in range(channels))
    return replace(World(), channels=(*World().channels, *more))


def _methods(slack: LocalSlack) -> list[str]:
    return [call.method for call in slack.calls]


def _refused(slack: LocalSlack) -> list[str]:
    return [call.method for call in slack.calls if call.error == "ratelimited"]


def _asked(world: StandIns) -> int:
    return len(world.wechat.transcript().splitlines())
