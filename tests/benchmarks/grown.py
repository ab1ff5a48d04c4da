"""What a command and a history cost with a few requests in the ledger and with very many."""

import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from itertools import count
from statistics import median
from time import perf_counter, time

from sqlalchemy import insert

from bot.domain.outcome import Shared
from bot.domain.request import Origin, Request
from bot.ledger import Accepted, Ledger
from bot.ledger.opening import open_database
from bot.ledger.schema import events, requests

_FEW = 100
_AT_ONCE = 10_000
_EACH = (
    100  # requests about each env and of each person, so that a history is as long in both ledgers
)
_APPID, _OWNER = "wx5fe6bb43205e9e70", "wx0123456789abcdef"


@dataclass(frozen=True, slots=True)
class Grown:
    """How much dearer a command and a history are with `many` requests than with `few`."""

    few: int
    many: int
    accept: float
    history: float


async def grown(many: int, times: int) -> Grown:
    """Return the medians with `many` requests over those with a few, on SQLite files."""
    accept_few, history_few = await _costs(_FEW, times)
    accept_many, history_many = await _costs(many, times)
    return Grown(_FEW, many, accept_many / accept_few, history_many / history_few)


async def _costs(size: int, times: int) -> tuple[float, float]:
    """Return the seconds of a whole request and of a history, the middle of many."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/ledger.db"
        _fill(url, size)
        ledger = Ledger.open(url, "benchmark")
        await ledger.start()
        numbers = count()

        async def command() -> None:
            number = next(numbers)
            env = f"new-{number}"
            origin = Origin("T0", "U0", "C0", "releases", f"new-{number}", "https://made.up/url")
            request = Request(f"new{number}", origin, _APPID, env, _OWNER, "rule")
            found = await ledger.accept(request)
            if not isinstance(found, Accepted):
                raise TypeError(found)
            entry = found.entry
            await ledger.place(entry, "C0/1.2")
            await ledger.answer(entry, Shared(), 0.1, [])
            await ledger.end(entry, "delivered")

        async def history() -> None:
            await ledger.history(("T0", "U0"), None, _EACH // 2)
            await ledger.history(("T0", "U0"), "env-0", _EACH // 2)

        try:
            return await _middle(command, times), await _middle(history, times)
        finally:
            await ledger.close()


async def _middle(work: Callable[[], Awaitable[None]], times: int) -> float:
    took = []
    for _ in range(times):
        began = perf_counter()
        await work()
        took.append(perf_counter() - began)
    return median(took)


def _fill(url: str, size: int) -> None:
    """Put finished requests, each with its four events, into a new ledger."""
    opened = open_database(url)
    begin = time() - size
    for start in range(0, size, _AT_ONCE):
        rows = [_row(number, begin) for number in range(start, min(start + _AT_ONCE, size))]
        with opened.engine.begin() as connection:
            connection.execute(insert(requests), rows)
            for kind in ("accepted", "placed", "answered", "delivered"):
                facts = [{"at": row["created"], "kind": kind, "request": row["id"]} for row in rows]
                connection.execute(insert(events), facts)
    opened.engine.dispose()
    opened.release()


def _row(number: int, begin: float) -> dict[str, object]:
    return {
        "id": f"old{number}",
        "trigger_id": f"old-{number}",
        "team": "T0",
        "user": f"U{number // _EACH}",
        "channel": "C0",
        "channel_name": "releases",
        "appid": f"wx{number:016x}",
        "env": f"env-{number // _EACH}",
        "owner": _OWNER,
        "rule": "rule",
        "state": "ended",
        "place": "C0/1.2",
        "outcome": "shared",
        "tries": 1,
        "created": begin + number,
        "ended": begin + number,
    }
