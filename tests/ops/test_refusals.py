import pytest

from bot.ops.refusals import Refusals
from bot.slack.events import PATH, NotSlacks
from tests.conftest import Clock


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[object, ...]]:
    """Return what was logged since this was asked last."""
    found = [(r.getMessage(), *(vars(r)[n] for n in ("path", "times"))) for r in caplog.records]
    caplog.clear()
    return found


def test_what_is_refused_is_logged_at_once_and_then_once_a_minute_with_how_many(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    refusals = Refusals(clock)
    refusals.look()
    assert lines(caplog) == []
    refusals.refused(PATH, NotSlacks.SIGNATURE)
    refusals.look()
    assert lines(caplog) == [("delivery refused", PATH, 1)]
    for _ in range(59):
        clock.now += 1
        refusals.refused(PATH, NotSlacks.SIGNATURE)
        refusals.look()
    assert lines(caplog) == []
    clock.now += 1
    refusals.look()
    assert lines(caplog) == [("delivery refused", PATH, 59)]
    clock.now += 120
    refusals.look()
    assert lines(caplog) == []


def test_each_reason_has_its_own_line_and_says_what_to_look_at(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refusals = Refusals(Clock())
    for why in NotSlacks:
        refusals.refused(PATH, why)
    refusals.look()
    assert [vars(line)["reason"] for line in caplog.records] == [why.value for why in NotSlacks]
