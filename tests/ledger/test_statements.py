import ast
import re
from collections.abc import Iterator
from pathlib import Path

import bot.ledger
from bot.domain.outcome import Finished, Shared, Tally
from bot.domain.request import State
from bot.ledger import SharedBefore, UnderWay
from bot.ledger.clicks import Move
from tests.databases import Database
from tests.ledger.conftest import accepted, new_request

_ROOM = Path(bot.ledger.__file__).parent
_BUILDERS = {"select", "insert", "update", "delete", "upsert"}
_DERIVERS = {
    "where",
    "values",
    "returning",
    "limit",
    "order_by",
    "add_columns",
    "with_for_update",
    "suffix_with",
}
"""Methods that derive another statement; without arguments they may be a dict's."""

_COMMANDS = {"audit.py", "inspection.py", "database.py"}
"""Modules of commands and of the start, which build their statements once per process anyway."""


def test_statements_of_a_running_bot_are_built_once() -> None:
    files = {path.name: path for path in _ROOM.glob("*.py") if path.name not in _COMMANDS}
    built = [(name, *each) for name, path in files.items() for each in _built(path)]
    assert {name for name, _, _ in built} >= {"acceptance.py", "batches.py", "replica.py"}
    assert [
        f"{name}:{line}" for name, line, where in built if where and where not in _BUILDERS
    ] == []


def _built(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line of each call that builds a statement, with its top-level class or function."""
    for top in ast.parse(path.read_text(encoding="utf-8")).body:
        for node in ast.walk(top):
            if isinstance(node, ast.Call) and _builds(node):
                yield node.lineno, getattr(top, "name", "")


def _builds(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(name) if name in _BUILDERS:
            return True
        case ast.Attribute(_, name):
            return name in _DERIVERS and bool(call.args or call.keywords)
        case _:
            return False


_OF_ALL_TIMES = re.compile(
    r"SCAN (requests|requests_\d|one|item|me|events)$|INDEX requests_by_(env|user)"
)
"""Query plans of SQLite that read all requests, or all of an env or a person."""


async def test_no_command_and_no_click_reads_all_ended_requests(sqlite: Database) -> None:
    ledger = sqlite.ledger("a")
    await ledger.start()
    await ledger.replica.heartbeat()
    sqlite.statements.clear()
    entry = await accepted(ledger)
    assert isinstance(await ledger.accept(new_request(env=entry.request.env)), UnderWay)
    assert await ledger.place(entry, "C1/1.5")
    assert await ledger.answer(entry, Shared())
    assert await ledger.end(entry, "delivered")
    assert isinstance(await ledger.accept(new_request(env=entry.request.env)), SharedBefore)
    waits = await accepted(ledger, state=State.WAITING, patience=100.0)
    await ledger.asked(waits, "C2/1.6")
    assert await ledger.clicks.stoppable("T1")
    assert await ledger.clicks.move(waits, Move(State.PLACED, "U2", "approved"))
    batch = await accepted(ledger, new_request(appid="", appids=("wx0", "wx1")))
    assert await ledger.place(batch, "C1/1.7")
    assert await ledger.lane.take(batch)
    assert await ledger.batches.queue(batch)
    await ledger.lane.leave(batch)
    assert await ledger.answer(batch, Finished(Tally(2, failed=2)))
    await ledger.replica.take_over(9)
    with sqlite.engine.connect() as connection:
        plans = {
            (words, step.detail)
            for words, parameters in sqlite.statements
            if not words.startswith("BEGIN")
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {words}", parameters)
        }
    assert len({words for words, _ in plans}) > 20
    assert [plan for plan in plans if _OF_ALL_TIMES.search(plan[1])] == []
