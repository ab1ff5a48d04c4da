"""The plans: steps with their times, made from the seed by a profile."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final

from bot.playground.world import CHANNELS, HARBOUR, OWNER, TEAM
from tests.simulation.bad_luck import (
    Freeze,
    Jump,
    Kill,
    Meet,
    Poison,
    Refuse,
    Suspend,
    TakeDown,
)
from tests.simulation.chain import NoTickets, Supersede, Withdraw
from tests.simulation.checks_of_people import INVISIBLE
from tests.simulation.collector import Dislike
from tests.simulation.database import Commit
from tests.simulation.facts import Trouble
from tests.simulation.keeping import KEEP_DAYS, Pass
from tests.simulation.network import Ending
from tests.simulation.operators import (
    Become,
    Close,
    MakeAMistake,
    Move,
    PutIntoForce,
    Renew,
    Restart,
    ScaleDown,
    StopAll,
    Upgrade,
)
from tests.simulation.people import (
    Ask,
    Dawdle,
    Delete,
    Fill,
    Mention,
    OpenHome,
    Press,
    Race,
    Switch,
)
from tests.simulation.policies import (
    CHANGES,
    ENVS,
    FREEZES,
    GLASS,
    MISTAKES,
    OTHER_OWNER,
    RULES,
    SEVERAL,
)
from tests.simulation.policy_file import Reading
from tests.simulation.services import Refusal
from tests.simulation.world import Step

PEOPLE = ("U0REQUESTER", "U0SECOND", "U0CHINESE", "U0APPROVER", "U0APPROVER2", "U0STRANGER")
_ASKERS = (*PEOPLE, *["U0REQUESTER", "U0CHINESE"] * 4)
"""Of whom most may share something."""
_CHANNELS = ("C0RELEASES", "C0RELEASES", "C0LOUNGE", "C0SECRET", "D0BOT", "C0PARTNERS")
_APPIDS = tuple(f"wx{number:016x}" for number in range(1, 25))
_DEADLY = f"wx{0xDEAD:016x}"
_MANY = tuple(f"wx{number:016x}" for number in range(1, 60))
Names = tuple[str, ...]
Part = Callable[[Random, float, Names], Iterator[Step]]
_ASKS = 50
_SPAN = 150.0
_SPANS = {"chain": 700.0}
_LIVES = (300, 450, 7200)
"""Seconds for which WeChat says that its tokens live: two hours, or less, so that they end within a run."""
_REPLICAS = {"calm": [1, 1, 2, 3], "quota": [1, 2]}
"""How many replicas there may be; few where they wait for an hour, which costs a second for each."""
_USUAL_ACTS = ("confirm", "approve", "approve", "reject", "cancel", "retry", "again", "steps")
_ENDED_ACTS = ("retry", "again", "steps")
_QUESTIONS = (
    "whoami",
    "help",
    "history",
    "history core-1",
    "why {appid} core-1",
    "status",
    "{appid} prod-1 --dry-run",
)
_MISTAKES = (
    "{appid}",
    "core-1",
    "{appid} core-1 core-2",
    "unshare {appid} from live-1",
    "{appid} prod_1",
    "please share {appid} to test-1",
    "{appid}x core-1",
    "--again",
)


def _enters(user: str, channel: str) -> bool:
    """Tell whether a person can type there."""
    at = next(each for each in CHANNELS if each.id == channel)
    return user in at.members


def _people(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield what people ask and press."""
    yield from _asked(dice, span)
    for _number in range(2 * _ASKS):
        at, user = dice.uniform(5, span + 30), dice.choice(PEOPLE)
        old, twice = dice.random() < 0.1, dice.random() < 0.1
        yield Press(at, user, _USUAL_ACTS, old=old, twice=twice)
    for acts in ((), ("approve", "reject"), ("cancel",)):
        yield OpenHome(dice.uniform(1, span), dice.choice(PEOPLE), acts)
    for _number in range(2):
        users = dice.choice([("U0APPROVER", "U0APPROVER2"), ("U0SECOND", "U0REQUESTER")])
        yield Race(dice.uniform(5, span), users, ("approve", "reject"))
        yield Press(dice.uniform(span, span + 60), dice.choice(PEOPLE), _ENDED_ACTS)


def _asked(dice: Random, span: float) -> Iterator[Step]:
    """Yield what people ask, and how they confirm."""
    for _number in range(_ASKS):
        at, user = dice.uniform(1, span), dice.choice(_ASKERS)
        channel = dice.choice([each for each in _CHANNELS if _enters(user, each)])
        env, appid = dice.choice(ENVS), dice.choice(_APPIDS)
        words = [appid, env]
        kind = dice.random()
        if kind < 0.2:
            words = [*dice.sample(_APPIDS, dice.randint(2, 8)), env]
        elif kind < 0.23:
            words = [dice.choice(_QUESTIONS).format(appid=appid)]
        elif kind < 0.26:
            words = [dice.choice([*_MISTAKES, f"{appid[:-1]} {env}"]).format(appid=appid)]
        elif kind < 0.32:
            way = dice.choice(["command", "shortcut", "message"])
            yield Fill(at, user, channel, env, appid, way)
            continue
        if dice.random() < 0.1:
            words.append("--again")
        text = " ".join(words)
        yield Ask(at, user, channel, text, again=dice.random() < 0.1)
        if dice.random() < 0.15:
            yield Ask(at + dice.uniform(0, 0.3), dice.choice(PEOPLE), channel, text)
        if dice.random() < 0.6:
            yield Press(at + dice.uniform(1, 8), user, ("confirm", "cancel", "confirm"))


def _mentions(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield who mentions the bot, and what they confirm."""
    for _number in range(8):
        at, user, env = dice.uniform(1, span), dice.choice(_ASKERS), dice.choice(ENVS)
        channel = dice.choice(["C0RELEASES", "C0PARTNERS"])
        again, edited = dice.random() < 0.3, dice.random() < 0.2
        if _enters(user, channel):
            yield Mention(at, user, channel, f"{dice.choice(_APPIDS)} {env}", again, edited)
            yield Press(at + dice.uniform(1, 8), user, ("confirm", "cancel", "confirm"))


def _deletions(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield what people do to the bot's messages and channels."""
    for _number in range(dice.randint(2, 5)):
        yield Delete(dice.uniform(5, span), dice.choice(["parent", "answer", "question"]))
    for _number in range(dice.randint(0, 2)):
        channel = dice.choice(["C0RELEASES", "C0APPROVALS", "C0PARTNERS"])
        at, seconds, expels = dice.uniform(5, span), dice.uniform(5, 60), dice.random() < 0.5
        yield Close(at, channel, seconds, expels)


def _leavers(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield who leaves groups and the workspace, for a while."""
    for user in dice.sample(PEOPLE, 3):
        kind = dice.choice(["nobody", "nobody", "a guest", "a stranger"])
        yield Become(dice.uniform(10, span), user, kind, dice.uniform(20, 120))
    for _number in range(dice.randint(1, 3)):
        user, group = dice.choice(PEOPLE), dice.choice(["S0PLATFORM", "S0APPROVERS"])
        yield Move(dice.uniform(10, span), user, group)


def _operations(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield what operators do with replicas."""
    yield Upgrade(dice.uniform(20, span), at_once=dice.random() < 0.5)
    yield ScaleDown(dice.uniform(10, span), dice.choice(names), dice.uniform(10, 90))


def _batches(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield batches that take a while, of which people cancel some, while WeChat is busy now and then."""
    for number in range(4):
        at, user = dice.uniform(1, span / 4), dice.choice(PEOPLE[:3])
        appids = [f"wx{number * 100 + each:016x}" for each in range(dice.randint(15, 40))]
        yield Ask(at, user, "C0RELEASES", " ".join([*appids, dice.choice(ENVS)]))
        yield Press(at + dice.uniform(2, 4), user, ("confirm",))
        yield Press(at + dice.uniform(3, 9), user, ("cancel",))
    for _number in range(6):
        busy = Trouble("wechat", Ending.LIMITED, dice.choice([0.3, 0.8]))
        yield Meet(dice.uniform(0, span / 2), dice.uniform(5, 30), busy)


def _changes(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield what operators and groups change."""
    for _number in range(dice.randint(1, 3)):
        yield PutIntoForce(dice.uniform(10, span), dice.choice([*CHANGES]))
    for _number in range(dice.randint(1, 3)):
        user, group = dice.choice(PEOPLE), dice.choice(["S0PLATFORM", "S0APPROVERS"])
        yield Move(dice.uniform(10, span), user, group)
    if dice.random() < 0.5:
        yield StopAll(dice.uniform(10, span), dice.uniform(5, 40))
    yield Renew(dice.uniform(1, span), dice.choice([OWNER, OTHER_OWNER]))


def _policy_file(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield what is wrong with the policy file, and with the disk it is on."""
    for _number in range(dice.randint(1, 2)):
        at = dice.uniform(10, span)
        yield MakeAMistake(at, dice.choice([*MISTAKES]))
        yield PutIntoForce(at + dice.uniform(3, 40), dice.choice([*CHANGES]))
    for _number in range(dice.randint(1, 3)):
        whose, chance = dice.choice([None, *names]), dice.choice([0.3, 1.0])
        trouble = Trouble("disk", dice.choice([*Reading]), chance, whose)
        yield Meet(dice.uniform(1, span), dice.uniform(5, 40), trouble)


def _deliveries(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield when Slack delivers late and twice."""
    for _number in range(dice.randint(1, 3)):
        trouble = Trouble(
            "delivery", dice.choice([Ending.CUT, Ending.LATE]), dice.choice([0.3, 0.9])
        )
        yield Meet(dice.uniform(1, span), dice.uniform(5, 40), trouble)


def _absence(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield what expires: Slack is away for long, approvals and confirmations are too late, machines are suspended for hours."""
    yield PutIntoForce(0.5, "quick approvals")
    for _number in range(4):
        at, user = dice.uniform(1, span), dice.choice(["U0REQUESTER", "U0CHINESE"])
        env = dice.choice(["core-1", "core-2"])
        yield Ask(at, user, "C0RELEASES", f"{dice.choice(_APPIDS)} {env}")
        approver = dice.choice(["U0APPROVER", "U0APPROVER2"])
        reads = (40.0, 70.0)
        yield Press(at + dice.uniform(4, 25), approver, ("approve",), reads=reads)
    kind = dice.random()
    if kind < 0.5:
        away = Trouble("slack", Ending.UNREACHABLE, 1.0)
        yield Meet(dice.uniform(20, span), dice.choice([60.0, 200.0, 600.0]), away)
    elif kind < 0.8:
        at, seconds = dice.uniform(20, span), dice.uniform(600, 7200)
        for name in names:
            yield Freeze(at, name, seconds)
    yield Press(span + 700, dice.choice(PEOPLE), ("confirm", "approve", "cancel"), old=True)


def _leaps(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield leaps of the database's clock, at which all leases expire there, while WeChat is slow."""
    yield Meet(0, span, Trouble("wechat", Ending.SILENT, 0.5))
    for number in range(5):
        yield Jump(
            span * (number + dice.random()) / 5, "the database", dice.choice([8, 10, 12, 15])
        )


def _calls(service: str) -> Part:
    """Return what goes wrong with calls to a service."""

    def part(dice: Random, span: float, _: Names) -> Iterator[Step]:
        for _number in range(dice.randint(2, 5)):
            endings = [ending for ending in Ending if ending is not Ending.ANSWERED]
            chance = dice.choice([0.2, 0.5, 0.9])
            trouble = Trouble(service, dice.choice(endings), chance)
            yield Meet(dice.uniform(1, span), dice.uniform(2, 40), trouble)

    return part


def _database(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield what goes wrong with the database."""
    for _number in range(dice.randint(2, 5)):
        endings = [Commit.REFUSED, Commit.IN_DOUBT, Commit.HANGS]
        whose = dice.choice([None, *names])
        trouble = Trouble("ledger", dice.choice(endings), dice.choice([0.1, 0.4, 1.0]), whose)
        yield Meet(dice.uniform(1, span), dice.uniform(1, 15), trouble)


def _crashes(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield what befalls replicas."""
    for _number in range(dice.randint(4, 9)):
        at, name = dice.uniform(1, span), dice.choice(names)
        kind = dice.random()
        if kind < 0.2:
            yield Kill(at, name, dice.randint(1, 400))
        elif kind < 0.6:
            after = dice.choice(["shareenv", "shareenv", "postMessage", "update"])
            yield Kill(at, name, dice.randint(1, 12), after)
        elif kind < 0.8:
            yield Freeze(at, name, dice.choice([1.0, 4.0, 8.0, 20.0]) * dice.uniform(0.8, 1.2))
        else:
            yield Restart(at, name)
    if len(names) > 1 and dice.random() < 0.5:
        service = dice.choice(["slack", "ledger"])
        ending = Ending.UNREACHABLE if service == "slack" else Commit.REFUSED
        cut = Trouble(service, ending, 1.0, dice.choice(names))
        yield Meet(dice.uniform(1, span), dice.uniform(5, 40), cut)


def _half_done(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield deaths soon after WeChat is asked, while most calls to it fail: the next replica's too."""
    for _number in range(8):
        name, turns = dice.choice(names), dice.randint(4, 30)
        yield Kill(dice.uniform(0, span), name, turns, "shareenv")
    ending = dice.choice([Ending.UNREACHABLE, Ending.LIMITED])
    yield Meet(0, span, Trouble("wechat", ending, 0.7))


def _half_told(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield deaths soon after something is posted, most of them before it is recorded."""
    for _number in range(12):
        yield Kill(dice.uniform(0, span), dice.choice(names), dice.randint(2, 9), "postMessage")


def _frozen(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield freezes that are longer than a lease, while WeChat is so busy that most calls are made again."""
    for _number in range(10):
        yield Freeze(dice.uniform(5, span), dice.choice(names), dice.uniform(7, 14))
    yield Meet(0, span, Trouble("wechat", Ending.LIMITED, 0.8))
    slow = Trouble("ledger", Commit.HANGS, 0.1)
    yield Meet(dice.uniform(0, span / 2), span / 2, slow)


def _suspended(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield suspensions of machines, most for longer than a lease and some for hours, while most calls to WeChat are made again."""
    for _number in range(8):
        yield Suspend(dice.uniform(5, span), dice.choice(names), dice.uniform(4, 30))
    if dice.random() < 0.3:
        yield Suspend(dice.uniform(5, span), dice.choice(names), dice.uniform(600, 7200))
    yield Meet(0, span, Trouble("wechat", dice.choice([Ending.LIMITED, Ending.BROKEN]), 0.7))


def _away(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield an outage of Slack, from seconds to an hour long, and the death of a replica meanwhile."""
    at, seconds = dice.uniform(5, span / 2), dice.choice([5.0, 30.0, 120.0, 3600.0])
    ending = dice.choice([Ending.UNREACHABLE, Ending.BROKEN, Ending.BAD_GATEWAY, Ending.SILENT])
    yield Meet(at, seconds, Trouble("slack", ending, 1.0))
    yield Kill(dice.uniform(at, at + seconds), dice.choice(names), 1)


def _clocks(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield jumps of clocks by seconds."""
    for _number in range(dice.randint(1, 3)):
        whose = dice.choice(["the database", *names])
        yield Jump(dice.uniform(1, span), whose, dice.choice([-30, -5, -1, 1, 5, 30, 90]))


def _far_clocks(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield jumps of clocks by up to two hours."""
    for _number in range(dice.randint(1, 3)):
        whose = dice.choice(["the database", *names])
        yield Jump(dice.uniform(1, span), whose, dice.uniform(-7200, 7200))


def _chain(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield what WeChat, owners and other systems do with tickets, codes and tokens."""
    owners = (OWNER, OTHER_OWNER)
    if dice.random() < 0.5:
        forgotten = dice.random() < 0.5
        yield NoTickets(dice.uniform(1, span / 2), dice.uniform(60, span / 2), forgotten)
    for _number in range(dice.randint(1, 4)):
        yield Supersede(dice.uniform(1, span), dice.choice(owners), dice.random() < 0.4)
    for owner in owners:
        at = dice.uniform(10, 0.4 * span)
        for _number in range(dice.randint(0, 2)):
            yield Withdraw(at, owner, dice.choice([1.5, 20.0, 100.0]))
            at += dice.uniform(110, 0.3 * span)


def _deaths_in_the_chain(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield deaths soon after a call by which a token, a refresh token or a code may be lost."""
    calls = ["api_query_auth", "api_query_auth", "api_authorizer_token", "api_component_token"]
    for _number in range(dice.randint(2, 6)):
        after = dice.choice([*calls, "push"])
        yield Kill(dice.uniform(0, span), dice.choice(names), dice.randint(1, 10), after)


def _few_calls(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield what goes wrong with calls to WeChat and with its pushes, for some of the time."""
    for service in ("wechat", "pushes"):
        for _number in range(dice.randint(0, 2)):
            endings = [ending for ending in Ending if ending is not Ending.ANSWERED]
            trouble = Trouble(service, dice.choice(endings), dice.choice([0.3, 0.9]))
            yield Meet(dice.uniform(1, span), dice.uniform(5, 60), trouble)


def _dawdlers(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield approvers who send their decision at about the time at which it is too late, under a policy with short times."""
    for _number in range(12):
        at = dice.uniform(5, span)
        yield Ask(at, "U0REQUESTER", "C0RELEASES", f"{dice.choice(_MANY)} core-2")
        yield Dawdle(at + dice.uniform(0.5, 3), dice.choice(["U0APPROVER", "U0APPROVER2"]))


def _slow_answers(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield answers of the ledger that come late to one replica, which is cut off from it then, while WeChat is slow."""
    for _number in range(5):
        at, name = dice.uniform(5, span), dice.choice(names)
        seconds = dice.uniform(2, 4)
        yield Meet(at, seconds, Trouble("ledger", Commit.SLOW, 1.0, name))
        yield Meet(at + seconds, 12, Trouble("ledger", Commit.REFUSED, 1.0, name))


def _lost_posts(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield posts whose answers are lost while Slack limits what they would be looked for with, and edits that come late."""
    for _number in range(2):
        at = dice.uniform(5, span)
        yield Meet(at, 20, Trouble("slack", Ending.CUT, 0.5, method="chat.postMessage"))
        for method in ("conversations.replies", "conversations.history"):
            yield Meet(at, 150, Trouble("slack", Ending.LIMITED, 1.0, method=method))
    for _number in range(3):
        at, late = dice.uniform(5, span), Trouble("slack", Ending.LATE, 0.7, method="chat.update")
        yield Ask(at, "U0REQUESTER", "C0RELEASES", " ".join([*_MANY, "prod-1", "--again"]))
        yield Meet(at + 2, 12, late)
        yield Meet(at, 12, Trouble("wechat", Ending.LIMITED, 0.6))


def _moved_owners(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield an env whose owner changes while batches for it run, at which WeChat is busy."""
    for number in range(3):
        begins = span * number / 3
        yield PutIntoForce(begins, "the usual")
        at, user = begins + dice.uniform(5, 10), dice.choice(["U0REQUESTER", "U0CHINESE"])
        yield Ask(at, user, "C0RELEASES", " ".join([*_MANY, "beta-1", "--again"]))
        yield PutIntoForce(at + dice.uniform(2, 8), "beta envs moved")
    yield Meet(0, span, Trouble("wechat", Ending.LIMITED, 0.6))


def _rules(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield policies that have what few rules have, and who asks under them, with reasons and without."""
    for number in range(3):
        begins = span * number / 3
        yield PutIntoForce(begins, dice.choice([*RULES]))
        yield PutIntoForce(begins + dice.uniform(30, 50), "the usual")
    for _number in range(20):
        why = dice.choice(["", "", ' --reason "OPS-1"', ' --reason "the launch"'])
        user, env = dice.choice(_ASKERS), dice.choice(["prod-1", "core-1", "live-1"])
        yield Ask(dice.uniform(5, span), user, "C0RELEASES", f"{dice.choice(_MANY)} {env}{why}")


def _several(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield policies by which several have to agree, who asks, and approvers: at once, twice, and those who leave."""
    approvers = ("U0APPROVER", "U0APPROVER2", "U0SECOND", "U0CHINESE")
    yield PutIntoForce(1, dice.choice([*SEVERAL]))
    yield PutIntoForce(span + dice.uniform(-50, 50), dice.choice([*SEVERAL, "the usual"]))
    for _number in range(12):
        env = dice.choice(["core-1", "core-2"])
        at, user = dice.uniform(2, span), dice.choice(["U0REQUESTER", "U0REQUESTER", *approvers])
        yield Ask(at, user, "C0RELEASES", f"{dice.choice(_MANY)} {env}")
    for _number in range(50):
        at, twice = dice.uniform(5, 2 * span), dice.random() < 0.3
        yield Press(at, dice.choice(approvers), ("approve",), twice=twice)
    for _number in range(8):
        users = tuple(dice.sample(approvers, 2))
        yield Race(dice.uniform(5, 2 * span), users, ("approve",))
    for _number in range(3):
        yield Move(dice.uniform(10, 2 * span), dice.choice(approvers), "S0APPROVERS")


def _organisation(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield people who ask and agree from two workspaces of an organisation, under rules by which two have to agree."""
    both, pilot = ("U0REQUESTER", "U0APPROVER"), "U0HARBOUR"
    if dice.random() < 0.7:
        # From the beginning or later, and never back: no approver decides on what they cannot see.
        at = dice.choice([1.0, dice.uniform(10, span)])
        yield PutIntoForce(at, "approvers of the second workspace")
    for user in both:
        for _number in range(12):
            yield Switch(dice.uniform(1, 1.5 * span), user, dice.choice([TEAM, HARBOUR]))
    for _number in range(16):
        at, user = dice.uniform(2, span), dice.choice([*both, pilot])
        env = dice.choice(["core-1", "core-2", "test-1", "live-1"])
        yield Ask(at, user, "C0HARBOUR", f"{dice.choice(_MANY)} {env}")
    for _number in range(50):
        at, user = dice.uniform(5, 1.5 * span), dice.choice([*both, "U0APPROVER", pilot])
        yield Press(at, user, ("approve",), twice=dice.random() < 0.2)
    for _number in range(6):
        yield Race(dice.uniform(5, span), ("U0APPROVER", pilot), ("approve", "reject"))
    for _number in range(2):
        yield Move(dice.uniform(10, span), "U0APPROVER", "S0HARBOUR")
        yield OpenHome(dice.uniform(10, span), dice.choice(both), ("approve", "cancel"))


def _glass(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield policies by which some need not wait for approvers, who does not, Slack that takes no posts, and a death then."""
    yield PutIntoForce(1, dice.choice([*GLASS]))
    yield PutIntoForce(span + dice.uniform(-50, 50), dice.choice([*GLASS, "the usual", "a freeze"]))
    users = ("U0REQUESTER", "U0REQUESTER", "U0APPROVER", "U0APPROVER2")
    for _number in range(16):
        at, user = dice.uniform(2, span + 60), dice.choice(users)
        appids = dice.sample(_MANY, dice.choice([1, 1, 1, 3, 20]))
        yield Ask(at, user, "C0RELEASES", " ".join([*appids, dice.choice(["core-1", "core-2"])]))
        why = dice.choice(["the shop is down", "the shop is down", "the shop is down", INVISIBLE])
        yield Press(at + dice.uniform(2, 20), user, ("break-glass",), reads=(1, 15), why=why)
    for _number in range(10):
        user, old = dice.choice(users), dice.random() < 0.5
        yield Press(dice.uniform(10, span + 60), user, ("break-glass",), old=old)
    for _number in range(2):
        yield Move(dice.uniform(10, span), "U0REQUESTER", "S0PLATFORM")
    at, seconds = dice.uniform(10, span), dice.choice([20.0, 130.0, 600.0])
    no_posts = Trouble("slack", Ending.UNREACHABLE, 1.0, method="chat.postMessage")
    yield Meet(at, seconds, no_posts)
    yield Kill(at + dice.uniform(0, 30), dice.choice(names), 1)


def _held_up(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield requests that Slack holds up for minutes, in which the policy comes to forbid them."""
    at, seconds = span + dice.uniform(0, 20), dice.uniform(200, 280)
    yield PutIntoForce(at - 10, "the usual")
    for _number in range(4):
        text = f"{dice.choice(_MANY)} {dice.choice(['prod-1', 'test-1'])} --again"
        yield Ask(at + dice.uniform(0.5, 4), "U0REQUESTER", "C0RELEASES", text)
    held_up = Trouble("slack", Ending.UNREACHABLE, 1.0, method="chat.postMessage")
    yield Meet(at, seconds, held_up)
    yield PutIntoForce(at + 10, "a freeze")
    # By then people were told what they had to be told a last time, five minutes after the one before.
    yield OpenHome(at + seconds + 330, "U0REQUESTER")


def _by_the_clock(dice: Random, _span: float, _: Names) -> Iterator[Step]:
    """Yield a policy with freezes and hours, and requests shortly before, whose answers Slack holds up until these have begun."""
    yield PutIntoForce(0.1, "by the clock")
    for begins in (*[begin for begin, _ in FREEZES], 180.0):
        for _number in range(3):
            user, env = dice.choice([("U0REQUESTER", "prod-1"), ("U0SECOND", "test-1")])
            text = f"{dice.choice(_MANY)} {env} --again"
            yield Ask(begins - dice.uniform(0.1, 1.5), user, "C0RELEASES", text)
        held_up = Trouble("slack", Ending.UNREACHABLE, 1.0, method="chat.postMessage")
        yield Meet(begins - 2, dice.uniform(9, 14), held_up)
        yield Ask(begins - 6, "U0CHINESE", "C0RELEASES", " ".join([*_MANY, "prod-1", "--again"]))
        yield Ask(begins - 6, "U0REQUESTER", "C0RELEASES", f"{dice.choice(_MANY)} core-1")
        yield Press(begins + dice.uniform(1, 15), "U0APPROVER", ("approve",))


def _refusals(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield what WeChat refuses, envs that are not ready, and a request over which replicas die."""
    for _number in range(8):
        code = dice.choice([85088, 40097, -1, -1000, -501004, 45009, 45011])
        what = Refusal(code, env=dice.choice(ENVS))
        if dice.random() < 0.4:
            what = Refusal(code, appid=dice.choice(_APPIDS))
        yield Refuse(dice.uniform(0, span), dice.choice([5, 20, 60]), what)
    for env in dice.sample(ENVS, 3):
        at, seconds = dice.choice([0.0, dice.uniform(10, span)]), dice.uniform(20, span)
        yield TakeDown(at, seconds, env, dice.choice([None, "CreateFailed"]))
    if dice.random() < 0.4:
        at = dice.uniform(2, span / 3)
        yield Poison(at, span, _DEADLY)
        yield Ask(at, "U0REQUESTER", "C0RELEASES", f"{_DEADLY} test-1")


def _quotas(dice: Random, span: float, _: Names) -> Iterator[Step]:
    """Yield batches that meet WeChat's limits: those of a minute, and those of a day, which some people do not wait for."""
    for number in range(3):
        at = span * (number + dice.random()) / 3
        user, env = dice.choice(["U0REQUESTER", "U0CHINESE"]), dice.choice(["prod-1", "test-1"])
        yield Ask(at, user, "C0RELEASES", " ".join([*_MANY, env, "--again"]))
        limit = Refusal(dice.choice([45009, 45009, 45011]), env=env)
        yield Refuse(at + dice.uniform(0.1, 1), dice.uniform(30, 100), limit)
        if dice.random() < 0.3:
            yield Press(at + dice.uniform(20, 60), user, ("cancel",))


def _record(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield replicas that die as they send, and kinds of events that the collector refuses for a while."""
    for _number in range(dice.randint(2, 5)):
        name, turns = dice.choice(names), dice.randint(1, 12)
        yield Kill(dice.uniform(1, span), name, turns, "/events")
    for _number in range(2):
        kind = dice.choice(["accepted", "call", "answered", "mistake", "delivered"])
        yield Dislike(dice.uniform(1, span), dice.uniform(5, 60), kind)


def _days(dice: Random, span: float, names: Names) -> Iterator[Step]:
    """Yield days that pass, deaths as what is old is deleted, and who asks once more for what was shared before."""
    over = span + 120.0
    for number in range(2):
        at = over + number * 200.0
        yield Pass(at, KEEP_DAYS + dice.choice([0.5, 1.5, 3.0]))
        yield Dislike(
            at - dice.uniform(1, 60), dice.uniform(20, 90), dice.choice(["answered", "delivered"])
        )
        yield Kill(at + dice.uniform(0, 40), dice.choice(names), dice.randint(1, 200))
        trouble = Trouble("ledger", dice.choice([Commit.REFUSED, Commit.IN_DOUBT]), 0.3)
        yield Meet(at + dice.uniform(0, 30), dice.uniform(5, 20), trouble)
        for _number in range(_ASKS):
            words = [*dice.sample(_APPIDS, dice.choice([1, 1, 1, 5])), dice.choice(ENVS)]
            asked = at + dice.uniform(60, 170)
            yield Ask(asked, dice.choice(_ASKERS[-8:]), "C0RELEASES", " ".join(words))
            yield Press(asked + dice.uniform(1, 8), "U0APPROVER", ("confirm", "approve"))


PROFILES: Final[Mapping[str, tuple[Part, ...]]] = {
    "calm": (_people,),
    "people": (_people, _changes, _policy_file, _deletions, _mentions),
    "leavers": (_people, _leavers, _deletions),
    "slack": (_people, _calls("slack"), _deliveries),
    "away": (_people, _absence, _dawdlers),
    "wechat": (_people, _calls("wechat"), _calls("tokens")),
    "quota": (_people, _quotas, _refusals),
    "database": (_people, _database),
    "crashes": (_people, _crashes, _operations),
    "doubt": (_people, _half_done),
    "posts": (_people, _half_told, _lost_posts),
    "outage": (_people, _away),
    "freezes": (_people, _frozen, _slow_answers),
    "suspended": (_people, _suspended, _changes, _leavers),
    "rules": (_people, _rules),
    "approvals": (_people, _several, _crashes),
    "glass": (_people, _glass, _crashes),
    "organisation": (_people, _organisation, _crashes),
    "changes": (_people, _moved_owners, _held_up),
    "by the clock": (_people, _by_the_clock),
    "batches": (_batches, _crashes),
    "clocks": (_people, _leaps, _crashes, _clocks, _far_clocks, _calls("slack")),
    "collector": (_people, _record, _calls("collector"), _crashes, _database),
    "keep": (_people, _days),
    "chain": (_people, _chain, _deaths_in_the_chain, _few_calls),
    "all": (
        _people,
        _changes,
        _leavers,
        _deletions,
        _operations,
        _deliveries,
        _calls("slack"),
        _calls("wechat"),
        _database,
        _crashes,
        _clocks,
        _policy_file,
    ),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a run, and on how many replicas it runs."""

    seed: int
    profile: str
    replicas: int
    limits: bool
    chain: int
    """Seconds for which the chain's tokens live, if the bot keeps it; else 0."""
    sends: bool
    """Whether the bot sends its record elsewhere."""
    keeps: bool
    """Whether the bot deletes what is old."""
    organisation: bool
    """Whether the app is installed for an organisation with two workspaces."""
    steps: tuple[Step, ...]


def plan_of(seed: int, profile: str) -> Plan:
    """Return the plan of a seed."""
    dice = Random(f"plan {profile} {seed}")  # noqa: S311  # no secret
    replicas = dice.choice(_REPLICAS.get(profile, [1, 2, 2, 3, 4]))
    names = tuple(f"r{number}" for number in range(1, replicas + 1))
    steps = [
        step
        for number, part in enumerate(PROFILES[profile])
        for step in part(_own_dice(profile, seed, number), _SPANS.get(profile, _SPAN), names)
    ]
    limits = profile == "slack" and dice.random() < 0.3
    chain = dice.choice(_LIVES) if profile in _SPANS else 0
    return Plan(
        seed,
        profile,
        replicas,
        limits,
        chain,
        sends=profile in {"collector", "keep"},
        keeps=profile == "keep",
        organisation=profile == "organisation",
        steps=tuple(steps),
    )


def _own_dice(profile: str, seed: int, part: int) -> Random:
    """Return the dice of one part, so that a change of another leaves it as it is."""
    return Random(f"plan {profile} {seed} {part}")  # noqa: S311  # no secret
