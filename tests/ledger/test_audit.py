import asyncio
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event, text

from bot.domain.outcome import Expired, Failed, Finished, Shared, Tally
from bot.guidance import all_guidance
from bot.ledger.audit import COLUMNS, EventFilter, delete_before, open_for_audit, read
from bot.ledger.collector import WORDS
from bot.ledger.engine import CannotOpenError
from bot.ledger.ledger import Ledger
from tests.conftest import damage, no_room, soon
from tests.databases import Database, PostgreSQL
from tests.ledger.conftest import SOON, accepted, become_nobody, new_request, within

APPID = "wx00000000000000aa"
PAIR = (APPID, "wx00000000000000ab")
EVERYTHING = EventFilter()
LONG = "x" * 300


@pytest.fixture
def engine(database: Database, ledger: Ledger) -> Iterator[Engine]:
    """A second connection to the ledger of a running bot."""
    del ledger  # it has to start first
    engine = open_for_audit(database.url)
    yield engine
    engine.dispose()


def events_at(database: Database, *times: float, request: str | None = None) -> None:
    """Record events as if they had happened long ago."""
    with database.engine.begin() as connection:
        connection.execute(
            text("INSERT INTO events (at, kind, request) VALUES (:at, 'asked', :request)"),
            [{"at": at, "request": request} for at in times],
        )


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


async def test_an_audit_reads_all_events_in_their_order(
    database: Database, ledger: Ledger, engine: Engine
) -> None:
    entry = await accepted(ledger)
    await ledger.record_outcome(entry, Failed(all_guidance()[0]), 1.5, [])
    await ledger.end(entry, "delivered")
    found = list(read(engine, EVERYTHING))
    assert [event["kind"] for event in found] == database.kinds()
    assert [event["kind"] for event in found] == ["accepted", "answered", "delivered"]
    assert all(tuple(event) == COLUMNS for event in found)
    assert {**found[1], "at": None} == {
        "at": None,
        "kind": "answered",
        "request": entry.request.id,
        "team": "T1",
        "user": "U1",
        "channel": "C1",
        "env": entry.request.env,
        "appid": entry.request.appid,
        "rule": "platform team",
        "outcome": "failed",
        "errcode": None,
        "rid": None,
        "seconds": 1.5,
        "detail": all_guidance()[0].key,
    }


async def test_an_audit_reads_more_events_than_one_fetch_returns(
    database: Database, engine: Engine
) -> None:
    events_at(database, *range(2500))
    assert len(list(read(engine, EVERYTHING))) == 2500


async def test_times_are_in_utc_with_milliseconds(database: Database, engine: Engine) -> None:
    events_at(database, 0, 1_790_000_000.5, 1_790_000_000.12345)
    assert [event["at"] for event in read(engine, EVERYTHING)] == [
        "1970-01-01T00:00:00.000+00:00",
        "2026-09-21T14:13:20.500+00:00",
        "2026-09-21T14:13:20.123+00:00",
    ]


@pytest.mark.parametrize(
    ("wanted", "kinds"),
    [
        (EVERYTHING, ["first", "second", "third", "fourth"]),
        (EventFilter(user="U2"), ["second"]),
        (EventFilter(env="prod-1"), ["first", "third"]),
        (EventFilter(appid=APPID), ["second", "third"]),
        (EventFilter(outcome="denied"), ["third", "fourth"]),
        (EventFilter(env="prod-1", outcome="denied"), ["third"]),
        (EventFilter(env="prod-1", user="U2"), []),
        (EventFilter(env="prod-%"), []),
        (EventFilter(user=""), []),
    ],
    ids=str,
)
async def test_an_audit_has_only_the_selected_events(
    ledger: Ledger, engine: Engine, wanted: EventFilter, kinds: list[str]
) -> None:
    origin = new_request().origin
    other = type(origin)("T1", "U2", "C1", "releases", "trigger", "")
    events: list[tuple[str, Any, dict[str, str]]] = [
        ("first", origin, {"env": "prod-1"}),
        ("second", other, {"env": "prod-2", "appid": APPID}),
        ("third", origin, {"env": "prod-1", "appid": APPID, "outcome": "denied"}),
        ("fourth", origin, {"outcome": "denied"}),
    ]
    for kind, who, facts in events:
        await ledger.record_event(kind, who, facts)
    assert [event["kind"] for event in read(engine, wanted)] == kinds


async def test_an_audit_of_a_request_has_its_items_and_no_other_events(
    database: Database, ledger: Ledger, engine: Engine
) -> None:
    batches = [await accepted(ledger, new_request(appid="", appids=PAIR)) for _ in range(2)]
    for batch in batches:
        await ledger.place(batch, "C1/1.1")
        await ledger.batches.end(batch, Expired("approval"), Expired("approval"))
    wanted = batches[0].request.id
    events_at(database, 1.0, request=f"{wanted}0")

    def found(request: str, batch: str | None = None) -> set[object]:
        wanted = EventFilter(request=request, batch=batch)
        return {event["request"] for event in read(engine, wanted)}

    assert found(wanted) == {wanted, f"{wanted}-1", f"{wanted}-2"}
    assert found(f"{wanted}-1") == {f"{wanted}-1"}
    assert found(f"{wanted}-1", wanted) == {wanted, f"{wanted}-1"}
    assert found(wanted[:-1]) == found(f"{wanted}%") == found("") == set()


async def test_the_events_of_a_request_are_found_by_its_id_among_thousands(
    database: Database, engine: Engine
) -> None:
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
    new = "INSERT INTO events (at, kind, request)"
    database.execute(f"{numbers} {new} SELECT i, 'accepted', 'r' || i FROM n")  # noqa: S608  # ours
    database.execute("ANALYZE events")
    queries = list[tuple[str, Any]]()
    event.listen(engine, "before_cursor_execute", lambda *of: queries.append((of[2], of[3])))
    assert list(read(engine, EventFilter(request="b1", batch="b2"))) == []
    sql, values = queries[-1]
    with engine.connect() as connection:
        explain = "EXPLAIN QUERY PLAN" if database.is_sqlite else "EXPLAIN"
        plan = connection.exec_driver_sql(f"{explain} {sql}", values).all()
    assert any("events_by_request" in str(step[-1]) for step in plan)


async def test_an_audit_for_programs_has_peoples_texts_unchanged(
    ledger: Ledger, engine: Engine
) -> None:
    entry = await accepted(ledger)
    (event,) = read(engine, EVERYTHING, words=True)
    assert tuple(event) == (*COLUMNS, *WORDS)
    assert (event["reason"], event["comment"]) == (entry.request.reason, None)


async def test_an_audit_begins_at_the_given_time(database: Database, engine: Engine) -> None:
    events_at(database, 1000, 2000, 3000.5)
    assert len(list(read(engine, EventFilter(since=moment(2000))))) == 2
    assert len(list(read(engine, EventFilter(since=moment(2000.5))))) == 1
    beijing = moment(3000).astimezone(timezone(timedelta(hours=8)))
    assert len(list(read(engine, EventFilter(since=beijing)))) == 1
    assert list(read(engine, EventFilter(since=moment(3001)))) == []


async def test_a_deletion_keeps_open_requests_and_newer_events(
    database: Database, ledger: Ledger, engine: Engine
) -> None:
    ended, open_, recent = [await accepted(ledger) for _ in range(3)]
    await ledger.end(ended, "withdrawn")
    await ledger.end(recent, "withdrawn")
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE events SET at = 1000"))
        connection.execute(
            text("UPDATE requests SET ended = 1000 WHERE id = :id"), {"id": ended.request.id}
        )
        connection.execute(
            text("UPDATE requests SET created = 1000 WHERE id = :id"), {"id": open_.request.id}
        )
    events_at(database, 999, 2000, 2001)
    assert delete_before(engine, moment(2000)) == (1, 3)
    assert {row["id"] for row in database.rows("SELECT id FROM requests")} == {
        open_.request.id,
        recent.request.id,
    }
    *left, deleted = read(engine, EVERYTHING)
    assert [(event["request"], event["at"]) for event in left] == [
        (open_.request.id, "1970-01-01T00:16:40.000+00:00"),
        (recent.request.id, "1970-01-01T00:16:40.000+00:00"),
        (recent.request.id, "1970-01-01T00:16:40.000+00:00"),
        (None, "1970-01-01T00:33:20.000+00:00"),
        (None, "1970-01-01T00:33:21.000+00:00"),
    ]
    assert deleted["detail"] == "1 requests and 3 events from before 1970-01-01"
    assert delete_before(engine, moment(2000)) == (0, 0)
    assert await ledger.end(open_, "withdrawn")


async def test_a_deletion_keeps_the_ended_items_of_an_open_batch(
    database: Database, ledger: Ledger, engine: Engine
) -> None:
    batches = [await accepted(ledger, new_request(appid="", appids=PAIR)) for _ in range(2)]
    for batch in batches:
        await ledger.place(batch, "C1/1.1")
        await ledger.batches.end(batch, Expired("approval"), Expired("approval"))
    open_, ended = batches
    outcome = Finished(Tally(total=2))
    await ledger.end(await ledger.record_outcome(ended, outcome) or ended, "delivered")
    items = await ledger.batches.items(open_.request)
    database.execute("UPDATE events SET at = 1000")
    database.execute("UPDATE requests SET ended = 1000 WHERE ended IS NOT NULL")
    about_open = len([*read(engine, EventFilter(request=open_.request.id))])
    assert delete_before(engine, moment(2000)) == (3, 6)
    assert len(items) == 2
    assert await ledger.batches.items(open_.request) == items
    assert len([*read(engine, EVERYTHING)]) == about_open + 1 == 5  # and that of the deletion


async def test_a_large_deletion_does_not_block_the_bot(
    database: Database, ledger: Ledger, engine: Engine
) -> None:
    events_at(database, *range(9000))
    chunks = list[object]()
    event.listen(engine, "commit", chunks.append)  # after each chunk, a running bot gets its turn
    deleting = asyncio.create_task(asyncio.to_thread(delete_before, engine, moment(9000)))

    def has_continued(before: int) -> bool:
        return deleting.done() or len(chunks) > before

    while not deleting.done():
        before = len(chunks)
        await accepted(ledger)
        await soon(partial(has_continued, before))
    assert await deleting == (0, 9000)
    assert len(chunks) > 4
    assert set(database.kinds()) == {"accepted", "deleted"}


async def test_an_audit_can_read_while_the_bot_writes(ledger: Ledger, engine: Engine) -> None:
    await accepted(ledger)
    reading = read(engine, EVERYTHING)
    next(reading)
    with within(SOON):
        entry = await accepted(ledger)
        await ledger.record_outcome(entry, Shared(), 1.5, [])
    assert list(reading) == []
    assert len(list(read(engine, EVERYTHING))) == 3


async def test_an_audit_that_waits_for_its_reader_holds_nothing_of_the_database(
    database: Database, engine: Engine
) -> None:
    events_at(database, *range(4500))
    reading = read(engine, EVERYTHING)
    next(reading)  # the rest waits behind a pager
    if database.is_sqlite:
        (done,) = database.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        assert done["busy"] == 0
    else:
        idle = "datname = current_database() AND state = 'idle in transaction'"
        assert database.rows(f"SELECT pid FROM pg_stat_activity WHERE {idle}") == []  # noqa: S608
    assert len(list(reading)) == 4499


async def test_a_deletion_ends_just_before_the_given_time(
    database: Database, engine: Engine
) -> None:
    events_at(database, 0, 86_399.999, 86_400)
    assert delete_before(engine, moment(0) + timedelta(days=1)) == (0, 2)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://", "DATABASE_URL: there is no ledger in memory. Start the bot once."),
        (
            "sqlite:///no.db",
            "DATABASE_URL: there is no ledger at {here}/no.db. Start the bot once.",
        ),
        ("no.db", "DATABASE_URL is not a database's address. Use sqlite:///share-env.db or "),
        ("mysql://localhost/bot", "DATABASE_URL names another database than SQLite or PostgreSQL."),
    ],
)
def test_a_missing_ledger_is_reported_as_missing(
    url: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CannotOpenError) as caught:
        open_for_audit(url)
    assert str(caught.value).startswith(sentence.format(here=tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_ledger_in_another_users_folder_is_reported_as_such(as_nobody: Path) -> None:
    theirs = as_nobody / "theirs"
    theirs.mkdir()
    theirs.chmod(0)
    become_nobody()
    with pytest.raises(CannotOpenError) as caught:
        open_for_audit(f"sqlite:///{theirs}/ledger.db")
    assert str(caught.value) == (
        f"DATABASE_URL: {theirs}/ledger.db: Permission denied. Run it as the bot's user."
    )


def test_a_folder_in_place_of_the_ledger_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CannotOpenError, match=r"is no file\. Let DATABASE_URL name a file"):
        open_for_audit(f"sqlite:///{tmp_path}")


def test_a_loop_of_symbolic_links_in_place_of_the_ledger_is_reported(tmp_path: Path) -> None:
    (tmp_path / "ring.db").symlink_to("ring.db")
    with pytest.raises(CannotOpenError, match=r"symbolic links\. Correct DATABASE_URL\.$"):
        open_for_audit(f"sqlite:///{tmp_path}/ring.db")


def test_a_file_name_that_is_too_long_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CannotOpenError, match=r"File name too long\. Correct DATABASE_URL\.$"):
        open_for_audit(f"sqlite:///{tmp_path}/{LONG}")


def test_a_ledger_that_a_restore_left_to_another_user_is_reported_with_the_file(
    as_nobody: Path,
) -> None:
    path = as_nobody / "ledger.db"
    path.touch(0)
    as_nobody.chmod(0o777)
    become_nobody()
    with pytest.raises(CannotOpenError) as caught:
        list(read(open_for_audit(f"sqlite:///{path}"), EVERYTHING))
    fix = f"Let the bot's user own what it needs, chown USER {path}, or run this as the user who owns it."
    assert str(caught.value) == f"The ledger cannot be read (unable to open database file). {fix}"


def test_a_damaged_ledger_is_reported_with_what_to_do(sqlite: Database) -> None:
    sqlite.open()
    sqlite.let_go()
    path = Path(sqlite.url.removeprefix("sqlite:///"))
    damage(path)
    engine = open_for_audit(sqlite.url)
    fix = f"or delete {path}-wal and {path}-shm and put a backup of the ledger at {path}."
    with pytest.raises(CannotOpenError, match=rf"malformed\)\. .* {re.escape(fix)}$"):
        delete_before(engine, moment(0))
    engine.dispose()


def test_a_disk_without_room_for_a_deletion_is_reported_as_such(sqlite: Database) -> None:
    sqlite.open()
    sqlite.let_go()
    with no_room(), pytest.raises(CannotOpenError) as caught:
        delete_before(open_for_audit(sqlite.url), moment(0))
    assert str(caught.value) == (
        "The ledger cannot be written (disk I/O error). "
        "Make room on its disk, or replace the disk if it is not full."
    )


def test_an_audit_waits_no_longer_for_a_server_than_the_bot(on_postgresql: Database) -> None:
    with open_for_audit(on_postgresql.url).connect() as connection:
        assert connection.connection.driver_connection
        known = connection.connection.driver_connection.info.get_parameters()
    assert known["tcp_user_timeout"] == "2000"


def test_an_audit_of_a_large_ledger_has_no_time_limit(on_postgresql: Database) -> None:
    name = on_postgresql.engine.url.database
    as_for_pgbouncer = f"ALTER DATABASE {name} SET statement_timeout = 1500"
    PostgreSQL.execute(on_postgresql.url, as_for_pgbouncer)
    try:
        with open_for_audit(on_postgresql.url).connect() as connection:
            limit = connection.scalar(text("SHOW statement_timeout"))
    finally:
        PostgreSQL.execute(on_postgresql.url, f"ALTER DATABASE {name} RESET statement_timeout")
    assert limit == "0"


def test_a_database_without_a_ledger_is_reported_in_one_sentence(database: Database) -> None:
    database.open()
    database.let_go()
    with database.engine.begin() as connection:
        connection.execute(text("DROP TABLE events"))
    engine = open_for_audit(database.url)
    attempts: dict[str, Callable[[], object]] = {
        "read": lambda: list(read(engine, EVERYTHING)),
        "written": lambda: delete_before(engine, moment(0)),
    }
    for tried, attempt in attempts.items():
        sentence = rf"cannot be {tried} \(.*events.*\)\. Start the bot once"
        with pytest.raises(CannotOpenError, match=sentence):
            attempt()
    engine.dispose()


def test_an_unreachable_server_is_reported_in_one_sentence(postgresql: PostgreSQL) -> None:
    engine = open_for_audit(postgresql.url("nowhere"))
    with pytest.raises(CannotOpenError, match='database "nowhere" does not exist') as caught:
        list(read(engine, EVERYTHING))
    assert "\n" not in str(caught.value)
