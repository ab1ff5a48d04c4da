"""Run seeds, and cut the plan of a failing one down to the steps that it needs."""

import gc
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing.pool import Pool
from typing import TypeVar, TypeVarTuple, Unpack

from tests.simulation.facts import rule_of
from tests.simulation.plan import Plan, plan_of
from tests.simulation.world import World

_MOST_TRIES = 300
_AHEAD = 8

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True)
class Run:
    """What became of a plan."""

    plan: Plan
    story: tuple[str, ...]
    broken: tuple[str, ...]
    digest: str


def run(plan: Plan, until: str = "") -> Run:
    """Run a plan to its end, or `until` the rule of this name is broken."""
    world = World(
        plan.seed,
        plan.steps,
        plan.replicas,
        limits=plan.limits,
        chain=plan.chain,
        sends=plan.sends,
        keeps=plan.keeps,
        organisation=plan.organisation,
        until=until,
    )
    with _nothing_older_collected(), warnings.catch_warnings():
        # Coroutines of killed processes are thrown away before they began.
        warnings.simplefilter("ignore", RuntimeWarning)
        try:
            world.run()
        except Exception as error:  # noqa: BLE001  # the story tells how it came to that
            world.violation(f"the world ends: {error!r}")
    return Run(plan, tuple(world.story), tuple(world.broken), world.digest)


@contextmanager
def _nothing_older_collected() -> Iterator[None]:
    """Let the collector look at the objects of this run alone, which takes a tenth of a second less."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def run_seed(seed: int, profile: str, until: str = "") -> Run:
    """Run a seed of a profile, as `run`."""
    return run(plan_of(seed, profile), until)


def in_parallel(
    pool: Pool, work: Callable[[Unpack[Ts]], T], chosen: Iterator[tuple[*Ts]]
) -> Iterator[T]:
    """Yield the results in order; only a few are begun ahead, since what is chosen may have no end."""
    begun = (pool.apply_async(work, each) for each in chosen)
    ahead = deque(islice(begun, _AHEAD))
    while ahead:
        yield ahead.popleft().get()
        ahead.extend(islice(begun, 1))


def cut_down(failed: Run) -> Run:
    """Return a run with fewer steps that still breaks the same rule: halves are taken out, then smaller parts, at last single steps."""
    rule = rule_of(failed.broken[0])
    best, size, tries = failed, max(1, len(failed.plan.steps) // 2), 0
    while size:
        start = 0
        while start < len(best.plan.steps) and tries < _MOST_TRIES:
            tries += 1
            kept = (*best.plan.steps[:start], *best.plan.steps[start + size :])
            made = run(replace(best.plan, steps=kept))
            if rule in map(rule_of, made.broken):
                best = made
            else:
                start += size
        size //= 2
    return best
