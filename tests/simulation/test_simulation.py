"""What the simulator promises of itself; the gate runs seeds of each profile."""

from dataclasses import dataclass, replace
from random import Random

import pytest

from tests.simulation.bugs import PLANTED
from tests.simulation.plan import plan_of
from tests.simulation.planted import found
from tests.simulation.run import cut_down, run, run_seed
from tests.simulation.world import World

pytestmark = pytest.mark.usefixtures("impatient")


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
    assert [what.partition(":")[0] for what in made.broken] == ["the world ends"]
    assert "_Forever.act in line" in made.broken[0]


def test_a_failing_plan_is_cut_down_to_the_steps_that_it_needs() -> None:
    bug = next(bug for bug in PLANTED if "default owner" in bug.name)
    with bug.applied():
        plan = plan_of(found()[bug.name].seed, bug.profile)
        short = cut_down(run(replace(plan, steps=plan.steps[:20])))
    assert short.broken
    assert [type(step).__name__ for step in short.plan.steps] == ["Ask"]
