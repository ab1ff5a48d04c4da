"""Run the simulation: `python -m tests.simulation --seeds 200`, `--seconds 3600`, or `--seed 7 --story`."""

import argparse
import multiprocessing
import sys
from collections.abc import Iterator
from itertools import count, islice, takewhile
from multiprocessing.pool import Pool
from time import monotonic

from tests.simulation.bugs import PLANTED
from tests.simulation.plan import PROFILES
from tests.simulation.planted import found, replay, search, write
from tests.simulation.run import Run, cut_down, in_parallel, run_seed

_FEW = 20
_MOST = 300


def _tell(made: Run) -> None:
    for line in made.story:
        print(line)  # noqa: T201  # the output
    print(f"{made.plan.profile} {made.plan.seed}: {made.digest}")  # noqa: T201


def _look_for(pool: Pool, name: str, most: int) -> int:
    """Look for the bugs with this in their names, and write down where each is found; a bug whose seed still finds it stays."""
    seeds = {bug.name: at for bug in PLANTED if (at := found().get(bug.name))}
    chosen = [bug for bug in PLANTED if name in bug.name]
    missed = 0
    for bug, why in replay(pool, chosen):
        if not why:
            continue
        at = search(pool, bug, most)
        where = f"seed {at.seed} of {bug.profile}, by {at.by}" if at else f"not in {most} seeds"
        print(f"{bug.name}: {where}", flush=True)  # noqa: T201
        if at:
            seeds[bug.name] = at
            write(seeds)
        missed += at is None
    return bool(missed)


def _replay(pool: Pool) -> int:
    """Run the seed of each planted bug, with it and without it."""
    began, wrong = monotonic(), 0
    for bug, why in replay(pool, PLANTED):
        if why:
            print(f"{bug.name}: {why}", flush=True)  # noqa: T201
        wrong += bool(why)
    print(f"{len(PLANTED)} planted bugs, {wrong} not found, in {monotonic() - began:.0f} s")  # noqa: T201
    return bool(wrong)


def main() -> int:
    """Return the exit code: 1 if a seed broke a rule."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--profile", choices=PROFILES, help="left out: all in turn")
    parser.add_argument("--seeds", type=int, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="go on for so long instead")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--story", action="store_true", help="tell its whole story")
    parser.add_argument(
        "--planted", help="look for a seed that finds the bug with this in its name"
    )
    parser.add_argument("--replay", action="store_true", help="run the seeds of all planted bugs")
    given = parser.parse_args()
    with multiprocessing.Pool() as pool:
        if given.planted is not None:
            return _look_for(pool, given.planted, given.seeds or _MOST)
        if given.replay:
            return _replay(pool)
        if given.seed is not None:
            return _one(given.seed, given.profile or "all", story=given.story)
        profiles = [given.profile] if given.profile else [*PROFILES]
        each = ((seed, profile) for seed in count(given.first) for profile in profiles)
        if given.seconds:
            ends = monotonic() + given.seconds
            return _many(pool, takewhile(lambda _: monotonic() < ends, each))
        return _many(pool, islice(each, given.seeds or _FEW))


def _one(seed: int, profile: str, *, story: bool) -> int:
    """Run one seed; tell its story, or the shortest one that still breaks the rule."""
    made = run_seed(seed, profile)
    if story or made.broken:
        _tell(made if story else cut_down(made))
    return bool(made.broken)


def _many(pool: Pool, chosen: Iterator[tuple[int, str]]) -> int:
    """Run these seeds, and tell what each breaks."""
    began, failed, ran = monotonic(), 0, 0
    for made in in_parallel(pool, run_seed, chosen):
        ran += 1
        for what in made.broken:
            print(f"{made.plan.profile} {made.plan.seed}: {what}", flush=True)  # noqa: T201
        failed += bool(made.broken)
    print(f"{ran} seeds, {failed} failed, {ran / (monotonic() - began):.1f} a second")  # noqa: T201
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
