"""For every broken setup, the doctor and the start name the cause and the fix."""

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TypeVar

import pytest

from bot.app.resources import CannotStartError
from bot.app.running import running
from bot.domain.finding import Finding
from bot.observe.logs.redaction import Redactor
from bot.observe.output import speaking
from bot.ops.doctor.findings import print_by_cause, print_each
from bot.ops.doctor.run import examine
from bot.playground.slack.server import LocalSlack
from bot.playground.world import OWNER, World
from bot.settings.load import Settings, load
from tests.checking import checks
from tests.ops.chinese import english_in, without_others
from tests.ops.doctors import complaints, with_policy
from tests.ops.setups import BROKEN, Around, Broken, Change
from tests.token_server import TokenWeChat, environment

AT_ONCE = 6

T = TypeVar("T")
CLEAN = Redactor(()).clean


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
    async with LocalSlack(World()) as slack, TokenWeChat() as wechat:
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
    turns, results = asyncio.Semaphore(AT_ONCE), dict[str, T]()

    async def one(number: int, name: str) -> None:
        async with turns, setup(BROKEN[name], folder / str(number), ledger) as environ:
            results[name] = await ask(environ)

    await asyncio.gather(*(one(number, name) for number, name in enumerate(BROKEN)))
    return results


def in_chinese(findings: Sequence[Finding]) -> str:
    """Return what the doctor prints with LANGUAGE=zh-CN, without the words of the system and of the drivers."""
    told = speaking({"LANGUAGE": "zh-CN"}).told
    with redirect_stdout(StringIO()) as out:
        print_by_cause(findings, told)
        print_each(findings, told)
    return without_others(" ".join(out.getvalue().split()))


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


def test_every_broken_setup_says_what_is_reported() -> None:
    assert all(each.first and each.found and each.fix for each in BROKEN.values())


async def test_the_doctor_reports_what_is_wrong_with_the_fix_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_ledger: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    findings_of = await of_each(tmp_path, empty_ledger, examine)
    with checks() as check:
        for name, broken in BROKEN.items():
            with check(name):
                (first,) = complaints(findings_of[name])
                assert broken.first in first.names
                assert first.finding.level == broken.level
                assert broken.found in first.finding.told
                assert broken.fix in (first.finding.fix or "")
                assert CLEAN(first.finding.told) == first.finding.told
                assert CLEAN(first.finding.fix or "") == first.finding.fix
                assert english_in(in_chinese(findings_of[name])) == ""


async def test_independent_causes_are_each_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_ledger: Path
) -> None:
    names = (
        "a port that is not a number",
        "an old bot token",
        "a ledger in a missing folder",
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
        found = complaints(await examine(environ))
    assert [each.names for each in found] == [[BROKEN[name].first] for name in names]


async def test_the_start_names_the_same_cause_unless_only_a_share_can_show_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    empty_ledger: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.WARNING)
    messages = await of_each(tmp_path, empty_ledger, started)
    lines = [vars(line) for line in caplog.records]
    warned = {str(each[key]) for each in lines for key in ("reason",) if key in each}
    with checks() as check:
        for name, broken in BROKEN.items():
            with check(name):
                if broken.at_start and any(broken.at_start in each for each in warned):
                    assert messages[name] == ""
                    continue
                assert broken.at_start in messages[name]
                if broken.first == "settings" and broken.start is None:
                    assert broken.fix in messages[name]
                assert bool(messages[name]) is bool(broken.at_start)
                assert CLEAN(messages[name]) == messages[name]
