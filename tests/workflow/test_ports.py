"""The policy in force and its changes; no request is decided by two policies."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count, cycle

import pytest

from bot.playground.slack.server import LocalSlack
from bot.policy.kinds import Effect, Policy, Rule
from bot.workflow.judge import Judge
from bot.workflow.ports import PolicyInForce, Ports
from bot.workflow.slash_command import SlashCommands
from bot.workflow.submit import Intake
from tests.conftest import ASK, request_of

PLATFORM = "S0PLATFORM"
EVERYBODY, OURS = frozenset({"*"}), frozenset({PLATFORM})
ALPHA = Policy((Rule("alpha opens", Effect.ALLOW, users=EVERYBODY),), default_owner=None)
BETA = Policy(
    (
        Rule("beta shuts", Effect.DENY, groups=OURS),
        Rule("beta opens", Effect.ALLOW, users=EVERYBODY),
    ),
    contact="the beta team",
)


def test_the_first_policy_is_in_force_from_the_start() -> None:
    in_force = PolicyInForce(ALPHA)
    assert (in_force.policy, in_force.trouble) == (ALPHA, None)


def test_a_new_policy_is_in_force_at_once_and_subscribers_are_told() -> None:
    in_force, heard = PolicyInForce(ALPHA), list[Policy]()
    in_force.subscribe(heard.append)
    in_force.refuse(["It is wrong."])
    in_force.swap(BETA)
    assert (in_force.policy, in_force.trouble) == (BETA, None)
    assert heard == [BETA]


def test_a_refused_policy_leaves_the_old_one_in_force_with_the_reason() -> None:
    in_force, heard = PolicyInForce(ALPHA), list[Policy]()
    in_force.subscribe(heard.append)
    in_force.refuse(["It is wrong.", "Put it right."])
    assert in_force.policy == ALPHA
    assert in_force.trouble == ("It is wrong.", "Put it right.")
    assert heard == []


def test_the_same_policy_again_clears_the_trouble_and_changes_nothing() -> None:
    in_force, heard = PolicyInForce(ALPHA), list[Policy]()
    in_force.subscribe(heard.append)
    in_force.refuse(["It is wrong."])
    in_force.swap(replace(ALPHA))
    assert (in_force.trouble, heard) == (None, [])


def test_a_listener_that_breaks_stops_neither_the_swap_nor_the_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    in_force, heard = PolicyInForce(ALPHA), list[Policy]()

    def breaks(policy: Policy) -> None:
        raise ValueError(policy)

    in_force.subscribe(breaks)
    in_force.subscribe(heard.append)
    in_force.swap(BETA)
    assert (in_force.policy, heard, caplog.messages) == (BETA, [BETA], ["unforeseen error"])


# One command, one policy.


@asynccontextmanager
async def flipping(in_force: PolicyInForce, *policies: Policy) -> AsyncIterator[None]:
    """Put these policies into force alternately, another one at each turn of the loop."""

    async def flip() -> None:
        for policy in cycle(policies):
            in_force.swap(policy)
            await asyncio.sleep(0)

    task = asyncio.create_task(flip())
    try:
        yield
    finally:
        task.cancel()


@pytest.mark.parametrize("text", [f"why {ASK}", f"{ASK} --dry-run", "whoami", "help"])
async def test_each_command_is_decided_by_one_policy_however_often_it_changes(
    slack: LocalSlack, judge: Judge, ports: Ports, text: str
) -> None:
    origin, numbers = request_of(slack).origin, count()

    async def answer(sharing: SlashCommands) -> str:
        number = next(numbers)
        for _ in range(number % 7):  # so that they begin in different turns of the loop
            await asyncio.sleep(0)
        return str(await sharing.command(replace(origin, trigger_id=str(number)), text))

    async def answers(in_force: PolicyInForce) -> set[str]:
        sharing = SlashCommands(Intake(ports), replace(judge, in_force=in_force), ports)
        return set(await asyncio.gather(*(answer(sharing) for _ in range(50))))

    [alpha], [beta] = await answers(PolicyInForce(ALPHA)), await answers(PolicyInForce(BETA))
    assert alpha != beta
    in_force, said = PolicyInForce(ALPHA), set[str]()
    async with flipping(in_force, ALPHA, BETA):
        while len(said) < 2:
            said |= await answers(in_force)
    assert said == {alpha, beta}
