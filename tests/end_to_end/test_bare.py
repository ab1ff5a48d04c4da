"""The bot without PostgreSQL's driver, or without a home directory, as in some containers."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from bot.ledger.database import open_database
from bot.ledger.engine import CannotOpenError
from bot.runtime.clock import Runtime
from tests.end_to_end.conftest import bot, finished
from tests.processes import ROOT

pytestmark = pytest.mark.slow  # each of these starts a fresh Python

NO_DRIVER = """
import sys

sys.modules["psycopg"] = None  # an import of it fails as if it were not there
"""
NO_HOME = """
import pwd

def unknown(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")

pwd.getpwuid = unknown
"""
SENTENCE = (
    "DATABASE_URL names PostgreSQL, whose driver is not installed. "
    f'Run {sys.executable} -m pip install "share-env-bot[postgres]".'
)


@pytest.fixture
def without_driver(tmp_path: Path, environ: dict[str, str]) -> dict[str, str]:
    """The environment of a bot without psycopg."""
    return {**environ, "LOG_LEVEL": "INFO", "PYTHONPATH": python_path(tmp_path, NO_DRIVER)}


def python_path(tmp_path: Path, first: str) -> str:
    """Return a PYTHONPATH with which every Python runs `first` before anything else."""
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(first, encoding="utf-8")
    return f"{folder}:{ROOT}"


@pytest.mark.parametrize("command", ["run", "audit"])
async def test_without_the_driver_one_sentence_names_the_fix(
    without_driver: Mapping[str, str], tmp_path: Path, command: str
) -> None:
    environ = {**without_driver, "DATABASE_URL": "postgresql://bot:made-up@127.0.0.1:1/bot"}
    assert await finished(environ, tmp_path, command) == (2, "", f"{SENTENCE}\n")


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql", "postgres"])
def test_without_the_driver_every_postgresql_url_is_refused(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(CannotOpenError) as caught:
        open_database(f"{scheme}://bot:made-up@127.0.0.1:1/bot", Runtime())
    assert str(caught.value) == SENTENCE


async def test_without_the_driver_the_doctor_names_the_fix(
    without_driver: Mapping[str, str], tmp_path: Path
) -> None:
    environ = {**without_driver, "DATABASE_URL": "postgresql://bot:made-up@127.0.0.1:1/bot"}
    code, out, err = await finished(environ, tmp_path, "doctor")
    found, fix = SENTENCE.split(". ")
    said = " ".join(out.split())  # the doctor wraps its lines, and the path of Python may be long
    assert (code, err) == (1, "")
    assert f"❌ ledger: {found} → {fix} " in said


async def test_sqlite_needs_no_driver(without_driver: Mapping[str, str], tmp_path: Path) -> None:
    code, out, err = await finished(without_driver, tmp_path, "doctor")
    assert (code, err) == (0, "")
    assert "DATABASE_URL" not in out


@pytest.mark.parametrize("command", ["run", "doctor"])
async def test_a_user_without_a_home_can_run_the_bot(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.delenv("HOME")
    environ["PYTHONPATH"] = python_path(tmp_path, NO_HOME)
    if command == "run":
        async with bot(environ, tmp_path) as process:
            assert await process.stop(signal.SIGTERM) == 0
    else:
        assert (await finished(environ, tmp_path, command))[::2] == (0, "")
