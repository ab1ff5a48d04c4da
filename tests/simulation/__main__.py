"""Run the simulation: `python -m tests.simulation --seeds 200`, `--seconds 3600`, or `--seed 7 --story`."""

import argparse
import sys
from itertools import count, islice, takewhile
from multiprocessing import Pool
from time import monotonic

from tests.simulation.bugs import PLANTED
from tests.simulation.plan import PROFILES
from tests.simulation.planted import search
from tests.simulation.run import Run, cut_down, in_parallel, run_seed


def _tell(made: Run) -> None:
    for line in made.story:
        print(line)  # noqa: T201  # the output
    print(f"{made.plan.profile} {made.plan.seed}: {made.digest}")  # noqa: T201


def _look_for(name: str, most: int) -> int:
    missed = 0
    for bug in PLANTED:
        if name in bug.name:
            found = search(bug, most)
            where = f"seed {found.seed} of {found.profile}, by {found.found_by}" if found else "no"
            print(f"{bug.name}: {where}", flush=True)  # noqa: T201
            missed += found is None
    return bool(missed)


def main() -> int:
    """Return the exit code: 1 if a seed broke a rule."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation")
    parser.add_argument("--profile", choices=PROFILES, help="left out: all in turn")
    parser.add_argument("--seeds", type=int, default=20, help="how many, from --first on")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--seconds", type=float, help="go on for so long instead")
    parser.add_argument("--seed", type=int, help="this one alone")
    parser.add_argument("--story", action="store_true", help="tell its whole story")
    parser.add_argument(
        "--planted", help="look for a seed that finds the bug with this in its name"
    )
    given = parser.parse_args()
    if given.planted is not None:
        return _look_for(given.planted, given.seeds)
    profiles = [given.profile] if given.profile else [*PROFILES]
    if given.seed is not None:
        made = run_seed(given.seed, given.profile or "all")
        if given.story:
            _tell(made)
        elif made.broken:
            _tell(cut_down(made))
        return bool(made.broken)
    began, failed, ran = monotonic(), 0, 0
    each = ((seed, profile) for seed in count(given.first) for profile in profiles)
    chosen = (
        takewhile(lambda _: monotonic() - began < given.seconds, each)
        if given.seconds
        else islice(each, given.seeds)
    )
    with Pool() as pool:
        for made in in_parallel(pool, run_seed, chosen):
            ran += 1
            for what in made.broken:
                print(f"{made.plan.profile} {made.plan.seed}: {what}", flush=True)  # noqa: T201
            failed += bool(made.broken)
    seconds = monotonic() - began
    print(f"{ran} seeds, {failed} failed, {ran / seconds:.1f} a second")  # noqa: T201
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
