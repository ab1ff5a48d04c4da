import pytest

from bot.slack.back_off import FIRST_PAUSE, LONGEST_PAUSE, STABLE_AFTER, BackOff
from tests.conftest import Clock


@pytest.fixture
def back_off(clock: Clock) -> BackOff:
    return BackOff(clock, 2.0)


def test_the_next_attempt_begins_a_moment_after_the_last_one(
    back_off: BackOff, clock: Clock
) -> None:
    back_off.attempt()
    assert back_off.left == 2.0
    clock.now += 2.0
    assert back_off.left == 0.0


def test_a_refusal_does_not_bring_the_next_attempt_forward(back_off: BackOff, clock: Clock) -> None:
    back_off.attempt()
    clock.now += 0.5
    assert back_off.refuse() == back_off.left == 1.5


def test_there_is_no_pause_before_a_refusal(back_off: BackOff) -> None:
    assert (back_off.left, back_off.refused) == (0.0, False)


def test_the_pause_doubles_with_each_refusal_up_to_a_minute(
    back_off: BackOff, clock: Clock
) -> None:
    pauses = []
    for _ in range(8):
        pauses.append(back_off.refuse())
        assert back_off.left == pauses[-1]
        clock.now += pauses[-1]
        assert back_off.left == 0.0
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_PAUSE, LONGEST_PAUSE]


@pytest.mark.parametrize(
    ("seconds", "pause"),
    [(STABLE_AFTER - 1, 2 * FIRST_PAUSE), (STABLE_AFTER, FIRST_PAUSE)],
    ids=["briefly", "for a minute"],
)
def test_only_a_stable_connection_resets_the_pause(
    back_off: BackOff, clock: Clock, seconds: float, pause: float
) -> None:
    back_off.refuse()
    back_off.greet()
    assert not back_off.refused
    clock.now += seconds
    assert back_off.refuse() == pause
    assert back_off.refused
