import csv
import io
import json
import signal
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID
from tests.conftest import RELEASES, REQUESTER, kinds, soon
from tests.end_to_end.conftest import bot, finished

pytestmark = pytest.mark.slow


@pytest.fixture
async def asked(slack: LocalSlack, environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a bot that got three commands and has ended."""
    async with bot(environ, tmp_path) as process:
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1 --reason 'release 4.2'")
        await soon(lambda: "delivered" in kinds(tmp_path / "share-env.db"), 30)
        await slack.command("U0STRANGER", RELEASES, f"{APPID} prod-2")
        await slack.command("U0SECOND", RELEASES, "wx123 prod-3")
        await process.stop(signal.SIGTERM)
    return {}


async def test_an_audit_prints_every_event_in_order(asked: dict[str, str], tmp_path: Path) -> None:
    code, out, err = await finished(asked, tmp_path, "audit", "--format", "jsonl")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [row["kind"] for row in rows] == [
        *("accepted", "placed", "call", "answered", "delivered"),
        *("denied", "mistake"),
    ]
    assert {row["request"] for row in rows[:5]} == {rows[0]["request"]}
    assert [row["outcome"] for row in rows[-2:]] == ["denied", "mistake"]
    only = "--request", rows[0]["request"]
    _, out, _ = await finished(asked, tmp_path, "audit", "--format", "csv", *only)
    of_one = list(csv.DictReader(io.StringIO(out)))
    assert [row["kind"] for row in of_one] == [row["kind"] for row in rows[:5]]
    assert {(row["reason"], row["comment"]) for row in of_one} == {("release 4.2", "")}


async def test_an_audit_can_be_filtered_and_opened_in_a_spreadsheet(
    asked: dict[str, str], tmp_path: Path
) -> None:
    narrow = ("--user", "U0STRANGER", "--env", "prod-2", "--appid", APPID, "--outcome", "denied")
    _, out, _ = await finished(
        asked, tmp_path, "audit", "--format", "csv", "--since", "2000-01-01", *narrow
    )
    (row,) = csv.DictReader(io.StringIO(out))
    assert (row["kind"], row["user"], row["detail"]) == ("denied", "U0STRANGER", "NoRule")


async def test_an_audit_is_a_table_by_default(asked: dict[str, str], tmp_path: Path) -> None:
    _, out, _ = await finished(asked, tmp_path, "audit")
    head, *rows = out.splitlines()
    assert head.split()[:3] == ["at", "kind", "request"]
    assert len(rows) == 7
    assert all(row.index("T0PLAYGROUND") == head.index("team") for row in rows)


async def test_old_events_are_removed_only_by_an_explicit_delete(
    asked: dict[str, str], tmp_path: Path
) -> None:
    code, out, _ = await finished(asked, tmp_path, "audit", "--delete-before", "2000-01-01")
    assert (code, out) == (0, "Deleted 0 requests and 0 events from before 2000-01-01.\n")
    with closing(sqlite3.connect(tmp_path / "share-env.db")) as ledger, ledger:
        ledger.execute("UPDATE events SET at = at - 86400")
        ledger.execute("UPDATE requests SET ended = ended - 86400")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    _, out, _ = await finished(asked, tmp_path, "audit", "--delete-before", today)
    assert out == f"Deleted 1 requests and 7 events from before {today}.\n"
    code, out, err = await finished(asked, tmp_path, "audit", "--format", "jsonl")
    assert (code, out, err) == (0, "", "No events match.\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["2000-01-01", "--user", "U0STRANGER"],
            "--delete-before deletes for everybody. Leave out --user.",
        ),
        (
            ["2000-01-01", "--outcome", "denied", "--since", "1999-01-01"],
            "--delete-before deletes for everybody. Leave out --since and --outcome.",
        ),
        (["2000-01-01", "--env", ""], "--delete-before deletes for everybody. Leave out --env."),
        (
            ["2000-01-01", "--appid", APPID],
            "--delete-before deletes for everybody. Leave out --appid.",
        ),
        (["2999-01-01"], "2999-01-01 has not begun yet, in UTC. Name an earlier day."),
    ],
)
async def test_a_delete_with_a_filter_or_a_future_day_is_refused(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    code, out, err = await finished({}, tmp_path, "audit", "--delete-before", *arguments)
    assert (code, out, err) == (2, "", f"{sentence}\n")


async def test_an_empty_audit_says_so_on_standard_error(
    asked: dict[str, str], tmp_path: Path
) -> None:
    for outcome in ("shared", "mistake", "expired"):
        code, out, err = await finished(asked, tmp_path, "audit", "--outcome", outcome)
        assert (code, bool(out)) == (0, outcome != "expired")
        assert err == ("" if out else "No events match.\n")


async def test_an_audit_shows_no_password_that_a_driver_repeats(tmp_path: Path) -> None:
    url = "postgresql+psycopg://bot:made-up-word@/x?host=/nowhere/made-up-word"
    code, out, err = await finished({"DATABASE_URL": url}, tmp_path, "audit")
    assert (code, out) == (1, "")  # the database may be back soon
    assert err.startswith("The ledger cannot be read (")
    assert "/nowhere/[hidden]" in err
    assert "made-up-word" not in err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "DATABASE_URL: there is no ledger at {here}/share-env.db. Start the bot once."),
        (["--outcome", "nonsense"], "invalid choice: 'nonsense' (choose from 'shared', 'failed', "),
        (["--since", "yesterday"], "“yesterday” is not a day. Write it as 2026-11-25"),
    ],
)
async def test_an_audit_explains_its_errors(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    code, out, err = await finished({}, tmp_path, "audit", *arguments)
    assert (code, out) == (2, "")
    assert sentence.format(here=tmp_path) in err
