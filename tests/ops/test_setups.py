"""For every broken setup, both the doctor and the start name the cause and the fix."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from bot.app.resources import CannotStartError
from bot.app.running import running
from bot.ops.doctor.findings import Printed
from bot.ops.doctor.run import examine
from bot.ops.logs.redaction import Redactor
from bot.playground.environments import environment
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import OWNER, seed
from bot.settings.environ import environment as read_environment
from bot.settings.load import Settings, load
from tests.checking import checks
from tests.ops.doctors import complaints, with_policy
from tests.ops.setups import BROKEN, Around, Broken, Change

AT_ONCE = 6

T = TypeVar("T")
CLEAN = Redactor(()).clean
FILES = {
    "UTF-16": ("SLACK_BOT_TOKEN=xoxb-1\n".encode("utf-16"), "is in UTF-16. Save it as UTF-8."),
    "a line that is none": (b"\nLOG_LEVEL\n", "line 2, is not NAME=value. Correct it."),
    "a colon": (b"LOG_LEVEL: INFO\n", "line 1, is not NAME=value. Correct it."),
    "an open quote": (b"A=1\nLOG_LEVEL='INFO\n", "line 2, is not NAME=value. Correct it."),
    "curly quotes": (
        "LOG_LEVEL=“INFO”\n".encode(),
        "line 1, has curly quotes around the value. Write straight ones, or none.",
    ),
}


def copied(ledger: Path, folder: Path) -> Path:
    """Return an empty ledger in a folder of its own."""
    folder.mkdir()
    database = shutil.copyfile(ledger, folder / "ledger.db")
    database.chmod(0o600)
    return database


@asynccontextmanager
async def setup(broken: Broken, folder: Path, ledger: Path) -> AsyncIterator[dict[str, str]]:
    """Yield the environment of one broken setup, with its own servers."""
    database = copied(ledger, folder)
    async with LocalSlack(seed()) as slack, LocalWeChat() as wechat:
        environ = environment(slack, wechat) | {
            "DATABASE_URL": f"sqlite:///{database}",
            "WECHAT_AUTHORIZER_APPID": OWNER,
            "SHARE_ENV_ALLOWED_GROUPS": "S0PLATFORM",
        }
        change = broken.change
        changed = change(Around(slack, wechat, folder)) if callable(change) else change
        if broken.policy:
            environ = with_policy(environ, folder, broken.policy)
        whole: dict[str, str | None] = {**environ, **changed}
        yield {name: value for name, value in whole.items() if value is not None}


async def of_each(
    folder: Path, ledger: Path, ask: Callable[[dict[str, str]], Awaitable[T]]
) -> dict[str, T]:
    """Return the result for each setup; a few run concurrently."""
    turns, said = asyncio.Semaphore(AT_ONCE), dict[str, T]()

    async def one(number: int, name: str) -> None:
        async with turns, setup(BROKEN[name], folder / str(number), ledger) as environ:
            said[name] = await ask(environ)

    await asyncio.gather(*(one(number, name) for number, name in enumerate(BROKEN)))
    return said


async def diagnosed(environ: dict[str, str]) -> Sequence[Printed]:
    """Return what the doctor complains of, by cause."""
    return complaints(await examine(environ))


async def started(environ: dict[str, str]) -> str:
    """Return the bot's message if it cannot start, and "" if it starts."""
    settings = load(environ)
    if not isinstance(settings, Settings):
        return "\n".join(settings)
    try:
        async with running(settings):
            return ""
    except CannotStartError as error:
        return "\n".join(error.problems)


def test_there_are_enough_broken_setups() -> None:
    assert len(BROKEN) + len(FILES) >= 100
    assert all(each.first and each.found and each.fix for each in BROKEN.values())


async def test_the_doctor_says_what_is_wrong_and_how_to_mend_it_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_ledger: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    said = await of_each(tmp_path, empty_ledger, diagnosed)
    with checks() as check:
        for name, broken in BROKEN.items():
            with check(name):
                assert len(said[name]) == 1, said[name]
                (first,) = said[name]
                assert broken.first in first.names
                assert broken.found in first.finding.found
                assert broken.fix in (first.finding.fix or "")
                assert CLEAN(first.finding.found) == first.finding.found
                assert CLEAN(first.finding.fix or "") == first.finding.fix


async def test_causes_that_have_nothing_to_do_with_each_other_are_told_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_ledger: Path
) -> None:
    names = (
        "a port of words",
        "an old bot token",
        "a ledger in no folder",
        "another server as WeChat",
    )

    def change(around: Around) -> Change:
        changes = [BROKEN[name].change for name in names]
        return {
            k: v for each in changes for k, v in (each(around) if callable(each) else each).items()
        }

    monkeypatch.chdir(tmp_path)
    together = Broken("", "", "", change=change)
    async with setup(together, tmp_path / "together", empty_ledger) as environ:
        told = await diagnosed(environ)
    assert [each.names for each in told] == [(BROKEN[name].first,) for name in names]


async def test_the_start_names_the_same_cause_unless_only_a_share_can_show_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    empty_ledger: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.WARNING)
    said = await of_each(tmp_path, empty_ledger, started)
    lines = [vars(line) for line in caplog.records]
    warned = {str(each[key]) for each in lines for key in ("scope", "reason") if key in each}
    with checks() as check:
        for name, broken in BROKEN.items():
            with check(name):
                if broken.start in warned:
                    assert said[name] == ""
                    continue
                assert broken.start in said[name]
                assert bool(said[name]) is bool(broken.start)
                assert CLEAN(said[name]) == said[name]


@pytest.mark.parametrize("name", FILES)
def test_an_unreadable_settings_file_ends_both_with_the_line_and_the_fix(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
) -> None:
    content, said = FILES[name]
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        read_environment()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
