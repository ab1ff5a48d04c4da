"""What the simulator promises of itself, and a few seeds of each profile."""

import pytest

from tests.simulation.bugs import PLANTED
from tests.simulation.plan import PROFILES, plan_of
from tests.simulation.planted import Planted, run_with
from tests.simulation.run import cut_down, run, run_seed

pytestmark = pytest.mark.usefixtures("impatient")


@pytest.mark.parametrize("profile", PROFILES)
def test_the_bot_lives_through_a_seed_of_each_profile(profile: str) -> None:
    made = run_seed(1, profile)
    assert not made.broken, "\n".join(made.story)


def test_two_runs_of_a_seed_are_equal_to_the_byte() -> None:
    one, other = run_seed(2, "all"), run_seed(2, "all")
    assert one.story == other.story
    assert one.digest == other.digest != run_seed(3, "all").digest


def test_everything_is_shared_told_and_delivered_on_a_calm_day() -> None:
    story = "\n".join(run_seed(2, "calm").story)
    for happened in ("records accepted", "WeChat       shares", "outcome=shared", "delivered"):
        assert happened in story


@pytest.mark.parametrize("bug", PLANTED, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found_at_its_seed_and_nothing_is_without_it(bug: Planted) -> None:
    assert any(what.startswith(bug.found_by) for what in run_with(bug, bug.seed).broken)
    assert not run_seed(bug.seed, bug.profile).broken


def test_a_failing_plan_is_cut_down_to_the_steps_that_it_needs() -> None:
    bug = next(bug for bug in PLANTED if "default owner" in bug.name)
    with bug.applied():
        short = cut_down(run(plan_of(bug.seed, bug.profile)))
    assert short.broken
    assert [type(step).__name__ for step in short.plan.steps] == ["Ask"]
