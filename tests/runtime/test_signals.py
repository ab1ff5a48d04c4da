import os
import signal
import sys
from collections.abc import Iterator

import pytest

from bot.runtime.signals import ignore_signals, on_first_signal

SIGNS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    before = {sign: signal.getsignal(sign) for sign in SIGNS}
    yield
    for sign, handler in before.items():
        signal.signal(sign, handler)


def at_once(*signs: signal.Signals) -> None:
    """Let several signals come before Python looks at any."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signs)
    for sign in signs:
        os.kill(os.getpid(), sign)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signs)


def test_of_signals_that_come_at_once_the_first_stops_and_none_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", errors.append)
    stops: list[str] = []
    signal.signal(signal.SIGHUP, lambda *_: stops.append("read again"))
    on_first_signal(lambda: stops.append("stop"))
    at_once(*SIGNS)
    at_once(*SIGNS)
    assert errors == []
    assert stops.count("stop") == 1


def test_in_the_last_moments_none_changes_anything() -> None:
    on_first_signal(lambda: pytest.fail("it was to be ignored"))
    ignore_signals()
    at_once(*SIGNS)
