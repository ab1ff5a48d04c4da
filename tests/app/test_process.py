"""How the process starts: what it reads, and which event loop it runs on."""

import os
import sys
from pathlib import Path

import pytest

from bot.app.process import load_settled, loop_factory
from bot.runtime.clock import Runtime
from bot.settings.load import Settings
from tests.app.test_policy_watcher import ENVIRON

_HALF = '[[rule]]\nname = "core"\nusers = ["U012ABCDEF"]\neffect = "allow"\n'
_WHOLE = f"{_HALF}confirm = true\n"


def test_the_bot_runs_on_uvloop_if_that_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop")
    assert loop_factory() is uvloop.new_event_loop


def test_without_uvloop_the_bot_runs_on_asyncios_own_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as if it were not installed
    assert loop_factory() is None


class _Disk:
    """A policy file that somebody writes while a start waits, in so many steps; the clock is the runtime's."""

    def __init__(self, path: Path, *steps: str) -> None:
        self.path, self.now, self.slept = path, 1_790_000_000.0, 0.0
        self._steps = list(steps)
        self.write()
        self.runtime = Runtime(now=lambda: self.now, block=self.block)

    def write(self) -> None:
        self.path.write_text(self._steps.pop(0), encoding="utf-8")
        os.utime(self.path, (self.now, self.now))

    def block(self, seconds: float) -> None:
        self.slept += seconds
        self.now += seconds
        if self._steps:
            self.write()

    def started_with(self) -> tuple[str | None, bool]:
        """Return what a start reads of the rule."""
        loaded = load_settled(ENVIRON | {"POLICY_FILE": str(self.path)}, self.runtime)
        assert isinstance(loaded, Settings), loaded
        return loaded.policy_text, loaded.policy.rules[0].confirm


def test_a_start_does_not_believe_half_of_a_policy_that_somebody_is_writing(tmp_path: Path) -> None:
    disk = _Disk(tmp_path / "policy.toml", "[[ru", _HALF, _WHOLE)
    assert disk.started_with() == (_WHOLE, True)


@pytest.mark.parametrize("ago", [1.0, 3600.0, -1.0, -3600.0])
def test_a_policy_that_nobody_has_just_changed_delays_no_start(tmp_path: Path, ago: float) -> None:
    disk = _Disk(tmp_path / "policy.toml", _WHOLE)
    disk.now += ago
    assert disk.started_with() == (_WHOLE, True)
    assert disk.slept == 0


def test_a_start_waits_some_seconds_at_most_for_a_policy_that_changes_for_ever(
    tmp_path: Path,
) -> None:
    disk = _Disk(tmp_path / "policy.toml", *[_WHOLE] * 100)
    assert disk.started_with() == (_WHOLE, True)
    assert disk.slept <= 5
