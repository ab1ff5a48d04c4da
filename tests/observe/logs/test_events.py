"""Recurring problems are logged, but not each time."""

import logging

import pytest

from bot.guidance import Trouble, all_guidance
from bot.ledger.events import Event
from bot.observe.logs.events import Refusals, RepeatedFailures
from bot.slack.events import PATH, NotFromSlack
from tests.conftest import Clock
from tests.observe.counted import event

DEAD, REFUSED = Trouble.TOKEN_FIXED_DEAD.value.key, Trouble.TOKEN_SERVER_REFUSED.value.key


def failed(cause: str, outcome: str = "failed") -> Event:
    return event("answered", request="r1", outcome=outcome, detail=cause)


def ended(outcome: str) -> Event:
    return event("answered", request="r2", outcome=outcome)


SHARED = ended("shared")
SEQUENCES = {
    "in-doubt-but-for-operators": ([failed("40001", "unknown")] * 3, ["40001"]),
    "three": ([failed(DEAD)] * 3, [DEAD]),
    "two": ([failed(DEAD)] * 2, []),
    "seven": ([failed(DEAD)] * 7, [DEAD]),
    "a-share-between": ([failed(DEAD), failed(DEAD), SHARED, failed(DEAD)], []),
    "another-cause-between": ([failed(DEAD), failed(DEAD), failed(REFUSED), failed(DEAD)], []),
    "three-of-each-cause": ([failed(DEAD)] * 3 + [failed(REFUSED)] * 3, [DEAD, REFUSED]),
    "a-mistake-of-the-requester": ([failed("40097")] * 3, []),
    "a-gateways-error-page": ([failed("gateway-broken", "unknown")] * 4, ["gateway-broken"]),
    "a-limit-that-passes": ([failed("45011")] * 3, []),
    "other-events-between": (
        [failed(DEAD), event("call", request="r1", detail="x"), failed(DEAD), failed(DEAD)],
        [DEAD],
    ),
    "a-finished-batch-between": (
        [failed(DEAD), failed(DEAD), ended("finished"), failed(DEAD)],
        [DEAD],
    ),
    "requests-without-a-call-between": (
        [failed(DEAD), ended("rejected"), failed(DEAD), ended("expired"), failed(DEAD)],
        [DEAD],
    ),
    "other-endings": ([ended("stopped")] * 3, []),
}


def causes(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the cause of each warning."""
    assert {line.levelno for line in caplog.records} <= {logging.WARNING}
    return [str(vars(line)["cause"]) for line in caplog.records]


@pytest.mark.parametrize(("events", "warned"), SEQUENCES.values(), ids=list(SEQUENCES))
def test_three_equal_failures_in_a_row_are_one_warning_if_operators_can_fix_or_look_into_them(
    events: list[Event], warned: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    repeated = RepeatedFailures(Clock())
    for each in events:
        repeated.on_event(each)
    assert causes(caplog) == warned


def test_a_cause_is_logged_once_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    repeated = RepeatedFailures(clock)
    for _ in range(5):
        repeated.on_event(failed(DEAD))
        clock.now += 700.0
    assert causes(caplog) == [DEAD]
    clock.now += 3600.0
    repeated.on_event(failed(DEAD))
    assert causes(caplog) == [DEAD] * 2


@pytest.mark.parametrize("better", [SHARED, failed("40097")], ids=["shared", "another failure"])
def test_shares_are_in_trouble_from_the_third_failure_to_the_next_other_ending(
    better: Event,
) -> None:
    repeated, told = RepeatedFailures(Clock()), list[str | None]()
    for each in [*[failed("gateway-broken", "unknown")] * 4, ended("stopped"), better]:
        repeated.on_event(each)
        told.append(repeated.trouble())
    title = Trouble.GATEWAY_BROKEN.value.title
    in_a_row = [f"the last {times} failed: {title}" for times in (3, 4, 4)]
    assert told == [None, None, *in_a_row, None]


def test_a_warning_says_why_and_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    repeated, guidance = RepeatedFailures(Clock()), Trouble.TOKEN_SERVER_REFUSED.value
    for _ in range(3):
        repeated.on_event(failed(REFUSED))
    (line,) = caplog.records
    fields = vars(line)
    assert (fields["why"], fields["fix"]) == (guidance.title, guidance.steps[0])
    assert (fields["in_a_row"], fields["request"]) == (3, "r1")


def test_a_warning_has_no_unfilled_placeholder(caplog: pytest.LogCaptureFixture) -> None:
    repeated = RepeatedFailures(Clock())
    for guidance in all_guidance():
        for _ in range(3):
            repeated.on_event(failed(guidance.key))
    assert len(caplog.records) > 20
    assert not [line for line in caplog.records if "{" in vars(line)["fix"]]


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    """Return the lines since the last call."""
    found = [(r.getMessage(), *(vars(r)[n] for n in ("path", "times"))) for r in caplog.records]
    caplog.clear()
    return found


def test_refusals_are_logged_at_once_and_then_once_a_minute_with_their_number(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    refusals = Refusals(clock)
    refusals.log_new()
    assert lines(caplog) == []
    refusals.refused(PATH, NotFromSlack.SIGNATURE)
    refusals.log_new()
    assert lines(caplog) == [("delivery refused", PATH, 1)]
    for _ in range(59):
        clock.now += 1
        refusals.refused(PATH, NotFromSlack.SIGNATURE)
        refusals.log_new()
    assert lines(caplog) == []
    clock.now += 1
    refusals.log_new()
    assert lines(caplog) == [("delivery refused", PATH, 59)]
    clock.now += 120
    refusals.log_new()
    assert lines(caplog) == []


def test_each_reason_has_its_own_line_and_says_what_to_look_at(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals(Clock())
    for why in NotFromSlack:
        refusals.refused(PATH, why)
    refusals.log_new()
    told = [(vars(line)["reason"], vars(line)["fix"] or "") for line in caplog.records]
    assert told == [(why.value.found, why.value.fix) for why in NotFromSlack]
