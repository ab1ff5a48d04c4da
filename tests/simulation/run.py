"""Run seeds, and cut the plan of a failing one down to the steps that it needs."""

import warnings
from dataclasses import dataclass, replace

from tests.simulation.plan import Plan, plan_of
from tests.simulation.world import World

_MOST_TRIES = 60


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a plan."""

    plan: Plan
    story: tuple[str, ...]
    broken: tuple[str, ...]
    digest: str


def run(plan: Plan) -> Run:
    """Run a plan to its end."""
    world = World(plan.seed, plan.steps, plan.replicas, limits=plan.limits)
    with warnings.catch_warnings():
        # Coroutines of killed processes are thrown away before they began.
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            world.run()
        except Exception as error:  # noqa: BLE001  # the story tells how it came to that
            world.violation(f"the world ends: {error!r}")
    return Run(plan, tuple(world.story), tuple(world.broken), world.digest)


def run_seed(seed: int, profile: str) -> Run:
    """Run a seed of a profile."""
    return run(plan_of(seed, profile))


def cut_down(failed: Run) -> Run:
    """Return a run with fewer steps that still breaks the same rule."""
    rule = failed.broken[0].partition(":")[0]
    best, size, tries = failed, max(1, len(failed.plan.steps) // 2), 0
    while tries < _MOST_TRIES:
        shorter = None
        for start in range(0, len(best.plan.steps), size):
            tries += 1
            kept = (*best.plan.steps[:start], *best.plan.steps[start + size :])
            made = run(replace(best.plan, steps=kept))
            if any(each.partition(":")[0] == rule for each in made.broken):
                shorter = made
                break
        if shorter:
            best = shorter
        elif size == 1:
            break
        else:
            size = max(1, size // 2)
    return best
