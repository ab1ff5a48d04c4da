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


async def test_an_audit_shows_what_was_asked_for_until_it_is_deleted(
    slack: LocalSlack, environ: dict[str, str], tmp_path: Path
) -> None:
    async def audit(*arguments: str, said: str = "") -> str:
        code, out, err = await finished({}, tmp_path, "audit", *arguments)
        assert (code, err) == (0, said)
        return out

    async with bot(environ, tmp_path) as process:
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1 --reason 'release 4.2'")
        await soon(lambda: "delivered" in kinds(tmp_path / "share-env.db"), 30)
        await slack.command("U0STRANGER", RELEASES, f"{APPID} prod-2")
        await slack.command("U0SECOND", RELEASES, "wx123 prod-3")
        await process.stop(signal.SIGTERM)
    rows = [json.loads(line) for line in (await audit("--format", "jsonl")).splitlines()]
    steps = ["accepted", "placed", "call", "answered", "delivered"]
    assert [row["kind"] for row in rows] == [*steps, "denied", "mistake"]
    assert {row["request"] for row in rows[:5]} == {rows[0]["request"]}
    assert [row["outcome"] for row in rows[-2:]] == ["denied", "mistake"]

    one = await audit("--format", "csv", "--request", rows[0]["request"])
    of_one = list(csv.DictReader(io.StringIO(one)))
    assert [row["kind"] for row in of_one] == steps
    assert {(row["reason"], row["comment"]) for row in of_one} == {("release 4.2", "")}
    narrow = ("--user", "U0STRANGER", "--env", "prod-2", "--appid", APPID, "--outcome", "denied")
    few = await audit("--format", "csv", "--since", "2000-01-01", *narrow)
    (row,) = csv.DictReader(io.StringIO(few))
    assert (row["kind"], row["user"], row["detail"]) == ("denied", "U0STRANGER", "NoRule")

    head, *lines = (await audit()).splitlines()
    assert head.split()[:3] == ["at", "kind", "request"]
    assert len(lines) == 7
    assert all(line.index("T0PLAYGROUND") == head.index("team") for line in lines)

    none = "Deleted 0 requests and 0 events from before 2000-01-01.\n"
    assert await audit("--delete-before", "2000-01-01") == none
    with closing(sqlite3.connect(tmp_path / "share-env.db")) as ledger, ledger:
        ledger.execute("UPDATE events SET at = at - 86400")
        ledger.execute("UPDATE requests SET ended = ended - 86400")
    today = f"{datetime.now(UTC):%Y-%m-%d}"
    all_ = f"Deleted 1 requests and 7 events from before {today}.\n"
    assert await audit("--delete-before", today) == all_
    (left,) = map(json.loads, (await audit("--format", "jsonl")).splitlines())
    assert left["kind"] == "deleted"
    assert left["detail"] == f"1 requests and 7 events from before {today}"
    assert await audit("--since", "2999-01-01", said="No events match.\n") == ""


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["2000-01-01", "--outcome", "denied", "--since", "1999-01-01"],
            "--delete-before concerns everybody. Leave out --since and --outcome.",
        ),
        (["2000-01-01", "--env", ""], "--delete-before concerns everybody. Leave out --env."),
        (["2999-01-01"], "2999-01-01 has not begun yet, in UTC. Name an earlier day."),
    ],
)
async def test_a_delete_with_a_filter_or_a_future_day_is_refused(
    tmp_path: Path, arguments: list[str], sentence: str
) -> None:
    code, out, err = await finished({}, tmp_path, "audit", "--delete-before", *arguments)
    assert (code, out, err) == (2, "", f"{sentence}\n")


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
