"""The throughput of replicas on one PostgreSQL, the cost of a job there, and the gain of each further replica."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, replace
from statistics import median
from typing import Self

from tests.benchmarks.database import Spent, pgbouncer
from tests.benchmarks.measure import Speed
from tests.benchmarks.processes import Running, Variant, started
from tests.benchmarks.relay import relayed
from tests.benchmarks.standins import StandIns, standins
from tests.databases import PostgreSQL, running_postgresql


@dataclass(frozen=True, slots=True)
class Crowd:
    """The extent: numbers of commands, except `rounds` and `at_once`.

    For a distant server, each round trip takes `away` more seconds, and fewer commands run at once, since it saturates early.
    """

    rounds: int = 3
    warm_up: int = 200
    in_a_row: int = 200
    burst: int = 2_000
    at_once: int = 50
    away: float = 0.001
    few_at_once: int = 10


FEW = Crowd(rounds=1, warm_up=50, in_a_row=50, burst=300)
"""The same from small samples."""


@dataclass(frozen=True, slots=True)
class Together:
    """Replicas with many commands at once: their speed, and per job the CPU milliseconds, and bytes of WAL and on disk.

    `connections` is the server's number of connections.
    """

    replicas: int
    pool: int | None
    speed: Speed
    bots: float
    server: float
    wal: float
    kept: float
    connections: int

    @classmethod
    def middle(cls, rounds: Sequence[Self]) -> Self:
        """Return the median of each figure for the same replicas."""
        first = rounds[0]
        return cls(
            first.replicas,
            first.pool,
            Speed.middle(each.speed for each in rounds),
            bots=median(each.bots for each in rounds),
            server=median(each.server for each in rounds),
            wal=median(each.wal for each in rounds),
            kept=median(each.kept for each in rounds),
            connections=first.connections,
        )


@dataclass(frozen=True, slots=True)
class Traffic:
    """The replicas' traffic with the server per job."""

    transactions: float
    round_trips: float


@dataclass(frozen=True, slots=True)
class Distant:
    """The speed of one replica with a distant server: a round trip takes `round_trip` milliseconds."""

    round_trip: float
    speed: Speed


@dataclass(frozen=True, slots=True)
class Replicated:
    """All results; `on_a_file` is the speed of one bot on SQLite.

    `one_at_a_time` and `at_once` have the traffic of jobs that run so; `at_once` by the number of replicas.
    """

    on_a_file: Speed
    together: tuple[Together, ...]
    one_at_a_time: Traffic
    at_once: Mapping[int, Traffic]
    distant: Distant

    @property
    def alone(self) -> Together:
        """The result of one replica without PgBouncer."""
        return next(each for each in self.together if (each.replicas, each.pool) == (1, None))

    @property
    def most_expensive(self) -> float:
        """The server's CPU milliseconds per job where that is highest."""
        return max(each.server for each in self.together)


async def replicated(
    counts: Sequence[int], pool: int, crowd: Crowd, tell: Callable[[str], None]
) -> Replicated:
    """Measure each number of replicas, one of which is 1, directly and behind PgBouncer with `pool` connections, by turns."""
    ways = [(count, each) for count in counts for each in (None, pool)]
    rounds: dict[tuple[int, int | None], list[Together]] = {way: [] for way in ways}
    files = list[Speed]()
    with running_postgresql(durable=True) as server:
        for number in range(1, crowd.rounds + 1):
            tell(f"Round {number} of {crowd.rounds}: SQLite")
            files.append(await _on_a_file(crowd))
            for way in ways:
                tell(f"Round {number} of {crowd.rounds}: {_title(*way)}")
                rounds[way].append(await _together(server, *way, crowd))
        tell("The traffic with the server")
        one_at_a_time = await _traffic(server, 1, replace(crowd, burst=crowd.in_a_row, at_once=1))
        at_once = {count: await _traffic(server, count, crowd) for count in counts}
        tell(f"A server that is {1000 * crowd.away:g} ms further away")
        distant = await _distant(server, crowd)
    middles = tuple(Together.middle(each) for each in rounds.values())
    return Replicated(Speed.middle(files), middles, one_at_a_time, at_once, distant)


def _title(replicas: int, pool: int | None) -> str:
    return f"replicas: {replicas}" + (f", PgBouncer with {pool}" if pool else "")


async def _on_a_file(crowd: Crowd) -> Speed:
    async with standins() as world, started(Variant.THIS_BOT, world):
        await world.load(crowd.warm_up, crowd.at_once)
        return Speed.of(await world.load(crowd.burst, crowd.at_once))


async def _together(server: PostgreSQL, replicas: int, pool: int | None, crowd: Crowd) -> Together:
    url = server.new()
    with pgbouncer(url, pool) if pool else nullcontext(url) as address:
        async with _bots(address, replicas) as (world, bots):
            await world.load(crowd.warm_up, crowd.at_once)
            before, busy = Spent.by(url), sum(bot.busy() for bot in bots)
            load = await world.load(crowd.burst, crowd.at_once)
            after, worked = Spent.by(url), sum(bot.busy() for bot in bots) - busy
            return Together(
                replicas,
                pool,
                Speed.of(load),
                1000 * worked / crowd.burst,
                1000 * (after.cpu - before.cpu) / crowd.burst,
                (after.wal - before.wal) / crowd.burst,
                (after.size - before.size) / crowd.burst,
                after.connections,
            )


async def _traffic(server: PostgreSQL, replicas: int, crowd: Crowd) -> Traffic:
    async with relayed(server.new()) as relay, _bots(relay.url, replicas) as (world, _):
        await world.load(crowd.warm_up, crowd.at_once)
        transactions, round_trips = relay.transactions, relay.round_trips
        await world.load(crowd.burst, crowd.at_once)
        new = relay.transactions - transactions, relay.round_trips - round_trips
        return Traffic(*(each / crowd.burst for each in new))


async def _distant(server: PostgreSQL, crowd: Crowd) -> Distant:
    async with relayed(server.new(), crowd.away) as relay, _bots(relay.url, 1) as (world, _):
        await world.load(crowd.warm_up, crowd.few_at_once)
        round_trips, seconds = relay.round_trips, relay.seconds
        speed = Speed.of(await world.load(crowd.in_a_row, crowd.few_at_once))
        return Distant(1000 * (relay.seconds - seconds) / (relay.round_trips - round_trips), speed)


@asynccontextmanager
async def _bots(url: str, replicas: int) -> AsyncIterator[tuple[StandIns, list[Running]]]:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(standins())
        settings = {"DATABASE_URL": url}
        bots = [
            await stack.enter_async_context(started(Variant.THIS_BOT, world, settings))
            for _ in range(replicas)
        ]
        yield world, bots
