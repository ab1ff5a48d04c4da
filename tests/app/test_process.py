"""Which event loop the bot runs on."""

import sys

import pytest

from bot.app.process import loop_factory


def test_the_bot_runs_on_uvloop_if_that_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop")
    assert loop_factory() is uvloop.new_event_loop


def test_without_uvloop_the_bot_runs_on_asyncios_own_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as if it were not installed
    assert loop_factory() is None
