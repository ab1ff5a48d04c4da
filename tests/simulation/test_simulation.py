"""What the simulator promises of itself; the gate runs seeds of each profile."""

from dataclasses import dataclass, replace
from random import Random

import pytest

from tests.simulation.bad_luck import Suspend
from tests.simulation.bugs import PLANTED
from tests.simulation.facts import rule_of
from tests.simulation.operators import Move
from tests.simulation.people import Ask
from tests.simulation.plan import plan_of
from tests.simulation.planted import found
from tests.simulation.run import cut_down, run, run_seed
from tests.simulation.world import World

pytestmark = [
    pytest.mark.usefixtures("impatient"),
    pytest.mark.no_cover,  # runs the same lines many times
]


def test_two_runs_of_a_seed_are_equal_to_the_byte() -> None:
    one, other = run_seed(2, "all"), run_seed(2, "all")
    assert not one.broken, "\n".join(one.story)
    assert one.story == other.story
    assert one.digest == other.digest != run_seed(3, "all").digest


def test_everything_is_shared_told_and_delivered_on_a_calm_day() -> None:
    story = "\n".join(run_seed(2, "calm").story)
    for happened in ("records accepted", "WeChat       shares", "outcome=shared", "delivered"):
        assert happened in story


def test_every_planted_bug_was_found_and_no_seed_is_left_of_one_that_is_gone() -> None:
    assert found().keys() == {bug.name for bug in PLANTED}


@dataclass(frozen=True, slots=True)
class _Forever:
    at: float

    async def act(self, world: World, _dice: Random) -> None:
        await world.loop.create_future()


def test_a_seed_that_would_not_end_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.simulation.world._AT_MOST", 120.0)
    made = run(replace(plan_of(1, "calm"), steps=(_Forever(1.0),)))
    assert [*map(rule_of, made.broken)] == ["the world ends"]
    assert "_Forever.act in line" in made.broken[0]


def test_who_left_a_group_while_the_machine_was_suspended_shares_nothing_after_it() -> None:
    asks = [
        Ask(at, "U0REQUESTER", "C0RELEASES", f"wx000000000000000{number} prod-1")
        for number, at in enumerate((5.0, 1222.0))
    ]
    leaves = Move(100.0, "U0REQUESTER", "S0PLATFORM")
    steps = (asks[0], Suspend(20.0, "r1", 1200.0), leaves, asks[1])
    made = run(replace(plan_of(1, "calm"), replicas=1, steps=steps))
    assert not made.broken
    assert "wakes up" in "\n".join(made.story)
    assert "records denied" in "\n".join(made.story)


def test_a_failing_plan_is_cut_down_to_the_steps_that_it_needs() -> None:
    bug = next(bug for bug in PLANTED if "default owner" in bug.name)
    with bug.applied():
        plan = plan_of(found()[bug.name].seed, bug.profile)
        short = cut_down(run(replace(plan, steps=plan.steps[:20])))
    assert short.broken
    assert [type(step).__name__ for step in short.plan.steps] == ["Ask"]
