import os
import signal
import sys
from collections.abc import Iterator

import pytest

from bot.runtime.signals import ignore_signals, on_first_signal

SIGNS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def restore_handlers() -> Iterator[None]:
    before = {sign: signal.getsignal(sign) for sign in SIGNS}
    yield
    for sign, handler in before.items():
        signal.signal(sign, handler)


def send_together(*signs: signal.Signals) -> None:
    """Deliver several signals before Python handles any of them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signs)
    for sign in signs:
        os.kill(os.getpid(), sign)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signs)


def test_of_several_signals_at_once_only_the_first_stops_the_bot_and_none_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", errors.append)
    stops: list[str] = []
    signal.signal(signal.SIGHUP, lambda *_: stops.append("read again"))
    on_first_signal(lambda: stops.append("stop"))
    send_together(*SIGNS)
    send_together(*SIGNS)
    assert errors == []
    assert stops.count("stop") == 1


def test_ignored_signals_have_no_effect() -> None:
    on_first_signal(lambda: pytest.fail("it should have been ignored"))
    ignore_signals()
    send_together(*SIGNS)
