import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from bot.app.running import running
from bot.ledger.schema import HEAD
from bot.ops.doctor.run import examine
from bot.playground.faults import Status
from bot.playground.slack.server import LocalSlack
from tests.conftest import (
    ASK,
    RELEASES,
    REQUESTER,
    damage,
    locked,
    no_room,
    rows,
    settings_of,
    soon,
)
from tests.databases import Database, PostgreSQL
from tests.ops.doctors import (
    complaints,
    contents,
    finding_of,
    findings_of,
    judged,
    level_of,
    locked_by_a_bot,
)

Usage = namedtuple("Usage", "total used free")  # noqa: PYI024  # as shutil's
LONG = "x" * 300


def killed_while_writing(ledger: Path) -> None:
    """Leave the files of a process that was killed after a commit."""
    crash = (
        "import os, sqlite3, sys; on = sqlite3.connect(sys.argv[1], isolation_level=None); "
        "on.execute(\"INSERT INTO replicas (id, lease_until) VALUES ('dead', 0)\"); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", crash, str(ledger)], check=True)


async def test_a_ledger_with_the_bots_schema_is_fine(ledger: Path, environ: dict[str, str]) -> None:
    assert ledger.name
    assert (await finding_of(environ, "ledger")).found == f"schema {HEAD}, sqlite"
    assert await level_of(environ, "ledger-write") == "ok"


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (f"sqlite:////{LONG}", f"/{LONG}: File name too long"),
        ("postgresql+psycopg://bot:S3cr@tPart2@127.0.0.1:5/db", "DATABASE_URL has more than one @"),
    ],
)
async def test_a_url_at_which_no_ledger_can_be_is_wrong(
    environ: dict[str, str], url: str, found: str
) -> None:
    assert await judged(environ | {"DATABASE_URL": url}, "ledger") == ("wrong", found)


async def test_a_folder_that_is_not_writable_is_wrong_before_the_first_start(
    environ: dict[str, str],
) -> None:
    finding = await finding_of(environ | {"DATABASE_URL": "sqlite:////proc/x.db"}, "ledger")
    assert finding.level == "wrong"
    assert finding.found.startswith("nothing can be written in /proc (")
    assert finding.fix == "Let the bot's user write there, or name another folder in DATABASE_URL."


async def test_a_missing_ledger_is_a_warning_and_leaves_no_file_in_its_folder(
    environ: dict[str, str], database: Path, tmp_path: Path
) -> None:
    database.unlink()  # noqa: ASYNC240  # nothing runs yet
    before = tmp_path.stat().st_mtime_ns  # noqa: ASYNC240  # a moment
    assert await judged(environ, "ledger") == ("warning", f"there is none yet at {database}")
    assert await findings_of(environ, "bot") == []
    assert (tmp_path.stat().st_mtime_ns, contents(tmp_path)) == (before, {})  # noqa: ASYNC240  # a moment


async def test_a_file_that_was_deleted_under_a_bot_is_the_first_thing_that_is_told(
    ledger: Path, environ: dict[str, str]
) -> None:
    with locked_by_a_bot(ledger):
        ledger.unlink()  # noqa: ASYNC240  # a moment
        (complaint,) = complaints(await examine(environ))
    assert (complaint.names, complaint.finding.level) == (["ledger"], "wrong")
    assert complaint.finding.found.startswith(
        f"{ledger} is gone, and a bot runs on it (process {os.getpid()})"
    )
    fix = f"Put the same file back; or stop the bot, delete {ledger}-wal and {ledger}-shm and put"
    assert (complaint.finding.fix or "").startswith(fix)


@pytest.mark.parametrize(("step", "expected"), [("0001", "warning"), ("9999", "wrong")])
async def test_another_schema_is_reported_and_not_changed(
    ledger: Path, environ: dict[str, str], step: str, expected: str
) -> None:
    rows(ledger, f"UPDATE alembic_version SET version_num = '{step}'")  # noqa: S608  # from the table above
    before = contents(ledger.parent)
    found = await finding_of(environ, "ledger")
    assert (found.level, found.found.split(",")[0]) == (expected, f"schema {step}")
    assert contents(ledger.parent) == before


async def test_a_ledger_that_others_can_read_is_reported(
    ledger: Path, environ: dict[str, str]
) -> None:
    ledger.chmod(0o640)  # noqa: ASYNC240  # a moment
    fine, finding = await findings_of(environ, "ledger")
    assert (fine.level, finding.level, finding.found) == (
        *("ok", "warning"),
        f"others may read {ledger}",
    )
    assert finding.fix == f"Run chmod 600 {ledger}."


async def test_a_missing_table_is_named(ledger: Path, environ: dict[str, str]) -> None:
    rows(ledger, "DROP TABLE events")
    found = await finding_of(environ, "ledger-write")
    assert (found.level, found.found) == ("wrong", "it takes nothing (no such table: events)")
    assert str(found.fix).endswith("bring the ledger back from a backup.")


async def test_a_damaged_file_is_wrong(ledger: Path, environ: dict[str, str]) -> None:
    damage(ledger)
    found = await finding_of(environ, "ledger")
    assert (found.level, found.found) == (
        "wrong",
        "it cannot be read (database disk image is malformed)",
    )
    assert f"put a backup of the ledger at {ledger}." in (found.fix or "")


async def test_a_ledger_that_another_program_has_locked_is_reported_as_not_writable(
    ledger: Path, environ: dict[str, str]
) -> None:
    with locked(ledger):
        found = await finding_of(environ, "ledger-write")
    assert (found.level, found.found) == ("wrong", "it takes nothing (database is locked)")


async def test_a_running_bot_is_not_taken_for_another_program(
    environ: dict[str, str], database: Path
) -> None:
    async with running(settings_of(environ)):
        assert await level_of(environ, "ledger-write") == "ok"
        assert rows(database, "SELECT count(*) FROM replicas") == [(1,)]


async def test_whether_a_bot_runs_on_the_ledger_is_reported(environ: dict[str, str]) -> None:
    async with running(settings_of(environ)):
        runs = await finding_of(environ, "bot")
    stopped = await finding_of(environ, "bot")
    assert (runs.level, runs.found) == ("ok", f"running on this ledger: process {os.getpid()}")
    assert (stopped.level, stopped.found) == (
        "warning",
        "none runs on this ledger, so nobody is answered",
    )


async def test_messages_that_slack_has_not_taken_are_counted_with_the_first(
    environ: dict[str, str], database: Path, slack: LocalSlack
) -> None:
    async with running(settings_of(environ)):
        assert await level_of(environ, "owed") == "ok"
        slack.fail("chat.postMessage", *[Status(503)] * 400)
        await slack.command(REQUESTER, RELEASES, ASK)
        await soon(lambda: rows(database, "SELECT 1 FROM requests WHERE owed > 0") == [(1,)])
        rows(database, "UPDATE requests SET owed = owed - 120")
        found = await finding_of(environ, "owed")
    assert (found.level, found.found) == (
        "warning",
        "requests whose next message Slack has not taken: 1; the first for 2 minutes",
    )


async def test_the_files_that_a_crash_left_are_not_changed(
    ledger: Path, environ: dict[str, str]
) -> None:
    killed_while_writing(ledger)
    before = contents(ledger.parent)
    assert before[f"{ledger.name}-wal"]
    assert await level_of(environ, "ledger") == "ok"
    assert contents(ledger.parent) == before
    assert rows(ledger, "SELECT id FROM replicas") == [("dead",)]


@pytest.mark.parametrize(
    ("free", "expected"),
    [
        (99_000_000, ("warning", "99 MB free")),
        (1_000_000, ("warning", "1 MB free i")),
        (999_999, ("wrong", "0 MB free i")),
    ],
)
async def test_an_almost_full_disk_is_a_warning_and_a_full_one_is_wrong(
    ledger: Path,
    environ: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    free: int,
    expected: tuple[str, str],
) -> None:
    assert ledger.name
    assert await level_of(environ, "disk") == "ok"
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1, 1, free))
    found = await finding_of(environ, "disk")
    assert (found.level, found.found[: len(expected[1])]) == expected


async def test_a_full_disk_is_the_cause_if_the_ledger_takes_nothing(
    ledger: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ledger.name
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(1, 1, 0))
    with no_room():
        findings = await examine(environ)
    (complaint,) = complaints(findings)
    assert complaint.names == ["disk"]
    assert [each.name for each in complaint.follows] == ["ledger-write"]


async def test_postgresql_is_checked_and_not_changed(
    on_postgresql: Database, environ: dict[str, str]
) -> None:
    environ["DATABASE_URL"] = on_postgresql.url
    assert (await finding_of(environ, "ledger")).found == "the database has none yet"
    on_postgresql.open()
    sequence = "SELECT last_value, is_called FROM events_id_seq"
    before = on_postgresql.rows(sequence)
    assert (await finding_of(environ, "ledger")).found == f"schema {HEAD}, postgresql"
    assert await level_of(environ, "ledger-write") == "ok"
    assert on_postgresql.rows(sequence) == before
    assert not await findings_of(environ, "disk")


async def test_a_role_that_may_create_nothing_is_found_before_the_first_start(
    on_postgresql: Database, environ: dict[str, str]
) -> None:
    PostgreSQL.execute(on_postgresql.url, "CREATE ROLE guest LOGIN")
    try:
        guest = environ | {"DATABASE_URL": on_postgresql.url.replace("postgres:@", "guest:@")}
        found = await finding_of(guest, "ledger")
    finally:
        PostgreSQL.execute(on_postgresql.url, "DROP ROLE guest")
    assert (found.level, found.found[:52]) == (
        "wrong",
        "the role in DATABASE_URL may create nothing in the d",
    )
    assert found.fix == "Let the role in DATABASE_URL own the database and its tables."


async def test_a_read_only_postgresql_is_reported(
    on_postgresql: Database, environ: dict[str, str]
) -> None:
    on_postgresql.open()
    on_postgresql.let_go()
    name = make_url(on_postgresql.url).database
    say = f"ALTER DATABASE {name} SET default_transaction_read_only = "
    PostgreSQL.execute(on_postgresql.url, f"{say}on")
    try:
        found = await finding_of(environ | {"DATABASE_URL": on_postgresql.url}, "ledger-write")
    finally:
        off = ("SET default_transaction_read_only = off", f"{say}off")
        PostgreSQL.execute(on_postgresql.url, *off)
    assert found.level == "wrong"
    assert "read-only transaction" in found.found
    assert (found.fix or "").startswith("Let DATABASE_URL name the primary")
