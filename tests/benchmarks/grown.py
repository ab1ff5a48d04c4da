"""What a command and a history cost with a small and with a very large ledger."""

import tempfile
from dataclasses import dataclass, field
from statistics import median
from time import perf_counter, time

from sqlalchemy import insert

from bot.domain.outcome import Shared
from bot.domain.request import Origin, Request
from bot.ledger.acceptance import Accepted
from bot.ledger.database import open_database
from bot.ledger.entries import columns_of_outcome
from bot.ledger.ledger import Ledger
from bot.ledger.schema import events, requests
from bot.runtime.clock import Runtime
from tests.databases import ledger_of

_FEW = 100
_AT_ONCE = 10_000
_TIMES = 500
_NEWEST = 50  # rows of a history, the same in both ledgers
_OWNER, _ENV, _PERSON = "wx0123456789abcdef", "env-0", "U0"
"""All requests are one person's, for one env, so that any scan that grows with either shows."""


@dataclass(frozen=True, slots=True)
class Grown:
    """The cost of a command and of a history with `many` requests relative to `few`."""

    few: int
    many: int
    accept: float
    history: float


async def grown(many: int, times: int = _TIMES) -> Grown:
    """Return the medians with `many` requests relative to few, on two SQLite files used alternately."""
    with tempfile.TemporaryDirectory() as folder:
        sides = []
        for size in (_FEW, many):
            url = f"sqlite:///{folder}/{size}.db"
            fill(url, size)
            sides.append(_Side(ledger_of(open_database(url, Runtime()), "benchmark")))
        try:
            for side in sides:
                await side.ledger.start()
            for _ in range(times):
                for side in sides:
                    await side.measure()
        finally:
            for side in sides:
                await side.ledger.close()
    few, much = sides
    return Grown(
        _FEW,
        many,
        median(much.commands) / median(few.commands),
        median(much.histories) / median(few.histories),
    )


@dataclass(slots=True)
class _Side:
    """One ledger, and the seconds of each complete request and each history."""

    ledger: Ledger
    commands: list[float] = field(default_factory=list)
    histories: list[float] = field(default_factory=list)

    async def measure(self) -> None:
        began = perf_counter()
        await self._command(len(self.commands))
        self.commands.append(perf_counter() - began)
        began = perf_counter()
        await self._history()
        self.histories.append(perf_counter() - began)

    async def _command(self, number: int) -> None:
        id_ = f"new{number}"
        origin = Origin(
            team_id="T0",
            user_id=_PERSON,
            channel_id="C0",
            channel_name="releases",
            trigger_id=id_,
            response_url="https://made.up/url",
        )
        request = Request(
            id=id_, origin=origin, appid=f"wxa{number:015x}", env=_ENV, owner=_OWNER, rule="rule"
        )
        found = await self.ledger.accept(request)
        if not isinstance(found, Accepted):
            raise TypeError(found)
        entry = found.entry
        await self.ledger.place(entry, "C0/1.2")
        await self.ledger.record_outcome(entry, Shared(), 0.1, [])
        await self.ledger.end(entry, "delivered")

    async def _history(self) -> None:
        await self.ledger.history(("T0", _PERSON), None, _NEWEST)
        await self.ledger.history(("T0", _PERSON), _ENV, _NEWEST)


def fill(url: str, size: int) -> None:
    """Fill a new ledger with finished requests, each with its four events."""
    opened = open_database(url, Runtime())
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
        "user": _PERSON,
        "channel": "C0",
        "channel_name": "releases",
        "appid": f"wx{number:016x}",
        "env": _ENV,
        "owner": _OWNER,
        "rule": "rule",
        "state": "ended",
        "place": "C0/1.2",
        **columns_of_outcome(Shared()),
        "created": begin + number,
        "ended": begin + number,
    }
