"""Changes of the policy file while the bot runs: good files come into force, all others are refused with their reason."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bot.app.policy_watcher import PolicyWatcher, on_disk
from bot.settings.load import policy_of
from bot.settings.policy import Content
from bot.workflow.ports import PolicyInForce
from tests.conftest import settings_of, soon

APPID, OTHER = "wx0123456789abcdef", "wx5fe6bb43205e9e70"
ENVIRON = {
    "SLACK_BOT_TOKEN": "xoxb-made-up",
    "SLACK_APP_TOKEN": "xapp-made-up",
    "WECHAT_AUTHORIZER_APPID": APPID,
    "WECHAT_AUTHORIZER_ACCESS_TOKEN": "80_made-up",
}


def rule(name: str) -> str:
    return f'[[rule]]\nname = "{name}"\nusers = ["U012ABCDEF"]\neffect = "allow"\n'


FIRST, SECOND = rule("first"), rule("second")
FAILING = (
    f'{SECOND}[[test]]\nuser = "U012ABCDEF"\nappid = "{OTHER}"\nenv = "prod-1"\nexpect = "deny"\n'
)
TWO_OWNERS = f'{SECOND}[[owner]]\nappid = "{OTHER}"\nenvs = ["*"]\n'


class WatchedFile:
    """A policy file, its watcher, and the policy in force."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.path.write_text(FIRST, encoding="utf-8")
        settings = settings_of(ENVIRON | {"POLICY_FILE": str(path)})
        judge = partial(policy_of, path, APPID, settings.tokens)
        self.file = on_disk(path, settings.policy_text, judge)
        self.in_force = PolicyInForce(settings.policy)
        self.reload = asyncio.Event()
        self.watcher = self.new_watcher()

    def new_watcher(self, every: float = 0.001) -> PolicyWatcher:
        """Return another watcher of the same file."""
        return PolicyWatcher(self.in_force, self.file, self.reload, every=every)

    async def looks(self, times: int = 2) -> None:
        """Look at the file this many times, as the watcher does by itself."""
        for _ in range(times):
            await self.watcher.look(self.file)

    @property
    def rules(self) -> list[str]:
        """The names of the rules in force."""
        return [each.name for each in self.in_force.policy.rules]

    @property
    def trouble(self) -> tuple[str, ...] | None:
        """Why the newest file was refused."""
        return self.in_force.trouble


@pytest.fixture
def watched(tmp_path: Path) -> WatchedFile:
    return WatchedFile(tmp_path / "policy.toml")


@pytest.fixture(autouse=True)
def _soon_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.app.policy_watcher.UNTOUCHED", 0.001)


@pytest.fixture(autouse=True)
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("INFO", logger="bot")
    return caplog


def lines(log: pytest.LogCaptureFixture) -> list[str]:
    """Return the log's lines, each with its reason."""
    told = ((record, vars(record)) for record in log.records if record.name.startswith("bot."))
    return [
        " ".join([record.levelname, record.message, *map(str, filter(None, map(facts.get, FACTS)))])
        for record, facts in told
    ]


FACTS = ("rules", "reason")
REFUSED = "ERROR policy refused, the old one stays in force"


@asynccontextmanager
async def watching(watched: WatchedFile) -> AsyncIterator[None]:
    """Run the watcher."""
    task = asyncio.create_task(watched.watcher.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# Good files.


async def test_a_changed_file_comes_into_force_once_two_looks_in_a_row_found_it_unchanged(
    watched: WatchedFile, log: pytest.LogCaptureFixture
) -> None:
    watched.path.write_text(SECOND + rule("third"), encoding="utf-8")
    await watched.looks(1)
    assert watched.rules == ["first"]
    await watched.looks(1)
    assert watched.rules == ["second", "third"]
    await watched.looks(5)
    assert lines(log) == ["INFO policy in force 2"]


async def test_a_file_comes_into_force_even_if_its_time_and_size_stay(watched: WatchedFile) -> None:
    await watched.looks()
    before = watched.path.stat()
    watched.path.write_text(FIRST.replace("first", "secon"), encoding="utf-8")
    os.utime(watched.path, ns=(before.st_atime_ns, before.st_mtime_ns))
    await watched.looks()
    assert watched.rules == ["secon"]


async def test_a_config_map_comes_into_force_when_kubernetes_swaps_it(tmp_path: Path) -> None:
    for version, content in (("..1", FIRST), ("..2", SECOND)):
        (tmp_path / version).mkdir()
        (tmp_path / version / "policy.toml").write_text(content, encoding="utf-8")
    data, new = tmp_path / "..data", tmp_path / "..data_tmp"
    data.symlink_to("..1")
    (tmp_path / "policy.toml").symlink_to("..data/policy.toml")
    watched = WatchedFile(tmp_path / "policy.toml")
    await watched.looks()
    new.symlink_to("..2")
    new.replace(data)
    (tmp_path / "..1" / "policy.toml").unlink()
    await watched.looks()
    assert watched.rules == ["second"]


# Bad files.


def write(content: bytes) -> Callable[[Path], None]:
    """Return a change that writes this into the file."""

    def change(path: Path) -> None:
        path.write_bytes(content)

    return change


BAD: dict[str, tuple[Callable[[Path], None], list[str]]] = {
    "a sentence for each mistake": (
        write(b'contact = ""\n[[rule]]\neffect = "allow"\nuser = []\n'),
        [
            "{path}: contact: it is empty. Fill it in, or leave the key out.",
            "{path}: rule 1, user: there is no such key. Did you mean users?",
        ],
    ),
    "a test of its own that fails": (
        write(FAILING.encode()),
        [
            (
                f"{{path}}: test 1: U012ABCDEF with {OTHER} and prod-1 should get “deny” but gets “allow” (rule “second”). "
                "Correct the rules or the test."
            )
        ],
    ),
    "an owner without a way to a token": (
        write(TWO_OWNERS.encode()),
        [
            (
                f"WECHAT_AUTHORIZER_ACCESS_TOKEN serves {APPID} only, but the policy file also names {OTHER}. "
                "Use WECHAT_TOKEN_SERVER_URL for several owners."
            )
        ],
    ),
    "removed": (
        Path.unlink,
        [
            (
                "The policy file “{path}” cannot be read: No such file or directory. "
                "Put it there, let the bot's user read it (the unit hides /home), or correct the path."
            )
        ],
    ),
}


@pytest.mark.parametrize(("change", "problems"), BAD.values(), ids=list(BAD))
async def test_a_bad_file_is_reported_once_and_the_old_policy_stays_in_force_until_a_good_file_replaces_it(
    watched: WatchedFile,
    log: pytest.LogCaptureFixture,
    change: Callable[[Path], None],
    problems: Sequence[str],
) -> None:
    expected = [problem.replace("{path}", str(watched.path)) for problem in problems]
    await watched.looks()
    change(watched.path)
    await watched.looks(6)
    assert (watched.rules, watched.trouble) == (["first"], tuple(expected))
    assert lines(log) == [f"{REFUSED} {problem}" for problem in expected]
    log.clear()
    good = watched.path.with_name("good.toml")
    good.write_text(FIRST, encoding="utf-8")
    good.replace(watched.path)
    await watched.looks(6)
    assert (watched.rules, watched.trouble) == (["first"], None)
    assert lines(log) == ["INFO policy in force 1"]


# Reloads, as on SIGHUP.


async def test_a_reload_reads_the_file_at_once_and_is_answered_whatever_is_in_it(
    watched: WatchedFile, log: pytest.LogCaptureFixture
) -> None:
    watched.watcher = watched.new_watcher(every=3600)
    async with watching(watched):
        for number, content in enumerate((SECOND, SECOND, "no TOML", "no TOML", SECOND), 1):
            watched.path.write_text(content, encoding="utf-8")
            watched.reload.set()
            await soon(lambda number=number: len(lines(log)) == number)  # type: ignore[misc]
    assert watched.rules == ["second"]
    in_force, refused = "INFO policy in force 1", REFUSED[:22]
    assert [line[:22] for line in lines(log)] == [in_force, in_force, refused, refused, in_force]


async def test_a_reload_does_not_believe_what_a_look_just_before_it_found(
    watched: WatchedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.policy_watcher.UNTOUCHED", 3600)
    reads, judged = list[asyncio.Future[Content]](), list[Content]()

    def read() -> asyncio.Future[Content]:
        reads.append(asyncio.get_running_loop().create_future())
        reads[-1].set_result(SECOND)
        return reads[-1]

    async def judge(content: Content) -> list[str]:
        judged.append(content)
        return []

    watched.file = replace(watched.file, read=read, judge=judge)
    watched.watcher = watched.new_watcher(every=3600)
    await watched.looks(1)
    async with watching(watched):
        watched.reload.set()
        await soon(lambda: len(reads) == 2)
        await asyncio.sleep(0.01)
    assert judged == []


async def test_a_reload_without_a_policy_file_only_logs_that_there_is_none(
    tmp_path: Path, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    watched = WatchedFile(tmp_path / "other.toml")
    without = settings_of(ENVIRON | {"SHARE_ENV_ALLOWED_USERS": "U012ABCDEF"})
    watched.in_force = PolicyInForce(without.policy)
    watched.watcher = PolicyWatcher(watched.in_force, None, watched.reload, every=0.001)
    async with watching(watched):
        watched.reload.set()
        await soon(lambda: len(lines(log)) == 1)
        watched.reload.set()
        await soon(lambda: len(lines(log)) == 2)
    said = "INFO there is no policy file to read again"
    assert lines(log) == [said] * 2
    assert watched.in_force.policy == without.policy


# The loop.


async def test_the_watcher_looks_regularly(watched: WatchedFile) -> None:
    async with watching(watched):
        watched.path.write_text(SECOND, encoding="utf-8")
        await soon(lambda: watched.rules == ["second"])


async def test_an_unforeseen_error_is_reported_once_and_ends_when_it_no_longer_occurs(
    watched: WatchedFile, log: pytest.LogCaptureFixture
) -> None:
    broken, looks, raised = list[str](), list[bool](), list[bool]()

    def read() -> asyncio.Future[Content]:
        looks.append(True)
        if broken:
            raised.append(True)
            raise RuntimeError(broken[0])
        return file.read()

    file = watched.file
    watched.file = replace(file, read=read)
    watched.watcher = watched.new_watcher()
    async with watching(watched):
        await soon(lambda: len(looks) > 3)
        broken.append("made up")
        await soon(lambda: len(raised) > 5)
        assert watched.trouble == (
            f"{watched.path} cannot be read, by a mistake of the bot's own.",
        )
        broken.clear()
        await soon(lambda: watched.trouble is None)
    mistake = f"{REFUSED} {watched.path} cannot be read, by a mistake of the bot's own."
    assert lines(log) == ["ERROR unforeseen error", mistake, "INFO policy in force 1"]


async def test_a_file_that_takes_too_long_to_read_is_refused_and_not_read_again_meanwhile(
    watched: WatchedFile, log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.app.policy_watcher._WITHIN", 0.05)
    hanging = watched.path.with_name("hanging")
    os.mkfifo(hanging)
    watched.path.unlink()
    watched.path.hardlink_to(hanging)
    file, reads = watched.file, list[asyncio.Future[Content]]()

    def read() -> asyncio.Future[Content]:
        reads.append(file.read())
        return reads[-1]

    watched.file = replace(file, read=read)
    watched.watcher = watched.new_watcher()
    async with watching(watched):
        await soon(lambda: lines(log))
        watched.reload.set()
        await soon(lambda: len(lines(log)) == 2)
        assert len(reads) == 1
        good = watched.path.with_name("good.toml")
        good.write_text(SECOND, encoding="utf-8")
        good.replace(watched.path)
        hanging.write_text("no TOML")
        await soon(lambda: watched.rules == ["second"])
    late = f"The policy file “{watched.path}” cannot be read: it takes too long. Look at the disk it is on."
    assert lines(log) == [*[f"{REFUSED} {late}"] * 2, "INFO policy in force 1"]
