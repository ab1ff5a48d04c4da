import asyncio
import os
import signal
import sys
from collections.abc import Iterator

import pytest

from bot.app.process import ignore_signals, on_first_signal, setter_of

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def restore_handlers() -> Iterator[None]:
    before = {each: signal.getsignal(each) for each in SIGNALS}
    yield
    for each, handler in before.items():
        signal.signal(each, handler)


def send_together(*signals: signal.Signals) -> None:
    """Deliver several signals before Python handles any of them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    for each in signals:
        os.kill(os.getpid(), each)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)


def test_of_several_signals_at_once_only_the_first_stops_the_bot_and_none_raises(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", errors.append)
    stops: list[str] = []
    signal.signal(signal.SIGHUP, lambda *_: stops.append("read again"))
    on_first_signal(lambda: stops.append("stop"))
    send_together(*SIGNALS)
    send_together(*SIGNALS)
    assert errors == []
    assert stops.count("stop") == 1


def test_a_signal_after_the_event_loop_was_closed_does_nothing() -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    on_first_signal(setter_of(asyncio.Event(), loop))
    send_together(*SIGNALS[:2])


def test_ignored_signals_have_no_effect() -> None:
    on_first_signal(lambda: pytest.fail("it should have been ignored"))
    ignore_signals()
    send_together(*SIGNALS)
