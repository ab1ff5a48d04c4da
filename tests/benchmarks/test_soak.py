"""What a soak reports as a leak, and which bots it reports as not working."""

from dataclasses import replace

import pytest

from tests.benchmarks.soak import LOOKS, Look, soak_bars, wrongs
from tests.benchmarks.storm import Tally

STEADY = Look(minutes=1.0, answered=100, memory=80_000_000, tasks=40, descriptors=30, ledger=1.0)
LEAKS = {
    "memory": replace(STEADY, memory=85_000_000),
    "tasks": replace(STEADY, tasks=43),
    "file descriptors": replace(STEADY, descriptors=34),
    "ledger, mean of a transaction": replace(STEADY, ledger=1.3),
}
GOOD = Tally(done=100, left=5, asked=60, answered=55, wanted=40, shared=38)


def missed(looks: list[Look]) -> list[str]:
    return [bar.what for bar in soak_bars(looks) if not bar.met]


@pytest.mark.parametrize("what", LEAKS)
@pytest.mark.parametrize("begins", [6, 9, 10, 11])
def test_lasting_growth_is_a_leak_however_late_it_begins(what: str, begins: int) -> None:
    assert missed([STEADY] * begins + [LEAKS[what]] * (LOOKS - begins)) == [what]


@pytest.mark.parametrize("what", LEAKS)
def test_a_single_peak_is_noise_and_no_leak(what: str) -> None:
    once = [[STEADY] * at + [LEAKS[what]] + [STEADY] * (LOOKS - at - 1) for at in range(LOOKS)]
    assert [missed(looks) for looks in once] == [[]] * LOOKS


@pytest.mark.parametrize("what", LEAKS)
def test_growth_during_the_warm_up_is_no_leak(what: str) -> None:
    assert missed([STEADY] + [LEAKS[what]] * (LOOKS - 1)) == []


def test_a_bot_that_does_its_work_under_faults_has_no_problem() -> None:
    assert wrongs(GOOD, [], "a log\n") == []


@pytest.mark.parametrize(
    ("tally", "violations", "log", "sentence"),
    [
        (replace(GOOD, shared=0), [], "", "Of 40 shares only 0 were made."),
        (replace(GOOD, answered=20), [], "", "Of 60 requests only 20 were answered."),
        (
            replace(GOOD, left=60),
            [],
            "",
            "People did 100 things, and 60 they could not do.",
        ),
        (GOOD, ["ack: no such payload"], "", "Slack's rules were broken: ack: no such payload."),
        (GOOD, [], "xoxb-made-up-token\n", "A secret is in the log."),
    ],
)
def test_each_problem_that_the_faults_do_not_explain_is_reported(
    tally: Tally, violations: list[str], log: str, sentence: str
) -> None:
    assert wrongs(tally, violations, log) == [sentence]


def test_a_bot_that_serves_nobody_is_reported() -> None:
    nothing = Tally(done=0, left=0, asked=0, answered=0, wanted=0, shared=0)
    assert len(wrongs(nothing, [], "")) == 2


def test_a_tally_since_an_earlier_one_is_the_difference() -> None:
    assert GOOD.since(replace(GOOD, done=90, shared=30)) == Tally(10, 0, 0, 0, 0, 8)
