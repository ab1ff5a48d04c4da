"""How long an answer takes with a distant Slack and WeChat, beside the three round trips that it needs."""

from dataclasses import dataclass
from statistics import median

from bot.playground.faults import Slow
from bot.playground.slack.methods import METHODS
from bot.playground.world import BOT, Channel, SlackUser, UserGroup, World
from tests.benchmarks.processes import Variant, started
from tests.benchmarks.standins import standins

_SLACK, _WECHAT = 0.15, 0.25  # seconds for each response
_NEEDED = _SLACK + _WECHAT + _SLACK  # “On it”, the call, the answer
_GROUP = "S0BENCH"
_LATER = 2  # commands of each person after the first
_CALLS = 10_000


@dataclass(frozen=True, slots=True)
class Distant:
    """The time from a person's first command in a channel, and from a later one, to its answer, in times of the round trips."""

    first: float
    later: float


async def distant(people: int) -> Distant:
    """Return the medians of so many people, one after the other, each in a channel of their own.

    They may share by their group. Whether the env is ready is known, by the command of one more person before.
    """
    users = [SlackUser(f"U0BENCH{number}", f"bench-{number}") for number in range(1 + people)]
    channels = [
        Channel(f"C0BENCH{user.id}", user.name, members=frozenset({user.id, BOT})) for user in users
    ]
    group = UserGroup(_GROUP, "bench", frozenset(user.id for user in users))
    world = World(people=(*World().people, *users), channels=tuple(channels), groups=(group,))
    settings = {"SHARE_ENV_ALLOWED_USERS": "", "SHARE_ENV_ALLOWED_GROUPS": _GROUP}
    first, later = list[float](), list[float]()
    async with standins(_WECHAT, world) as servers:
        for method in METHODS:
            servers.slack.fail(method, *[Slow(_SLACK)] * _CALLS)
        async with started(Variant.THIS_BOT, servers, settings):
            for user, channel in zip(users, channels, strict=True):
                servers.requester, servers.channels = user.id, (channel.id,)
                load = await servers.load(1 + _LATER, 1)
                took = [each.reply / _NEEDED for each in load.each]
                first.append(took[0])
                later += took[1:]
    return Distant(median(first[1:]), median(later))
