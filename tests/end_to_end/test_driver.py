"""The bot where PostgreSQL's driver, an extra, is not installed."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ROOT, finished

HIDDEN = 'import sys\nsys.modules["psycopg"] = None  # as if it were not there\n'
SENTENCE = (
    "DATABASE_URL names PostgreSQL, whose driver is not installed. "
    'Run pip install "share-env-bot[postgres]".'
)


@pytest.fixture
def without_driver(tmp_path: Path, environ: dict[str, str]) -> dict[str, str]:
    """Return the environment of a bot that finds no psycopg."""
    folder = tmp_path / "hidden"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(HIDDEN, encoding="utf-8")
    return {**environ, "LOG_LEVEL": "INFO", "PYTHONPATH": f"{folder}:{ROOT}"}


@pytest.mark.parametrize("scheme", ["postgresql+psycopg", "postgresql", "postgres"])
@pytest.mark.parametrize("command", ["run", "audit"])
async def test_without_the_driver_one_sentence_names_the_fix(
    without_driver: Mapping[str, str], tmp_path: Path, command: str, scheme: str
) -> None:
    environ = {**without_driver, "DATABASE_URL": f"{scheme}://bot:made-up@127.0.0.1:1/bot"}
    assert await finished(environ, tmp_path, command) == (2, "", f"{SENTENCE}\n")


async def test_without_the_driver_the_doctor_names_the_fix(
    without_driver: Mapping[str, str], tmp_path: Path
) -> None:
    environ = {**without_driver, "DATABASE_URL": "postgresql://bot:made-up@127.0.0.1:1/bot"}
    code, out, err = await finished(environ, tmp_path, "doctor")
    found, fix = SENTENCE.split(". ")
    assert (code, err) == (1, "")
    assert f"❌ ledger: {found}\n   → {fix}\n" in out


async def test_sqlite_needs_no_driver(without_driver: Mapping[str, str], tmp_path: Path) -> None:
    code, out, err = await finished(without_driver, tmp_path, "doctor")
    assert (code, err) == (0, "")
    assert "DATABASE_URL" not in out
