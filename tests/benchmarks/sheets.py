"""The capacity page's tables as text, for the terminal and for bot/ops/capacity.md."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.benchmarks.limits import Calls, Limited, Paused
from tests.benchmarks.replicas import Replicated

_BUSY = 0.5  # share of a replica's maximum; above it, queueing is noticeable
_BUSY_DAY = 8 * 3600.0  # seconds of a busy day
TEAMS: Mapping[str, int] = {
    "a team of ten, six commands an hour each": 1,
    "one channel, as much as Slack takes": 30,
    "one workspace, as much as Slack takes": 50,
    "ten workspaces' worth": 500,
    "a hundred workspaces' worth": 5_000,
}
"""Commands a minute at peak."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with text in its first column and numbers in the others."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """Return the table in Markdown."""
        rule = ("---", *("--:" for _ in self.columns[1:]))
        lines = (self.columns, rule, *self.rows)
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def replicas_sheet(found: Replicated) -> Sheet:
    """Return the throughput of replicas on one PostgreSQL, and of one bot on SQLite."""
    file = found.on_a_file
    rows = [("1, on SQLite", f"{file.per_second:,.0f}", f"{file.ack_p99:.0f}", *("",) * 5)]
    for each in found.together:
        behind = f", PgBouncer with {each.pool}" if each.pool else ""
        traffic = found.at_once[each.replicas]
        counts = (
            ("", "") if each.pool else (f"{traffic.transactions:.2f}", f"{traffic.round_trips:.1f}")
        )
        speed = f"{each.speed.per_second:,.0f}", f"{each.speed.ack_p99:.0f}"
        cpu = f"{each.bots:.1f}", f"{each.server:.1f}"
        rows.append((f"{each.replicas}{behind}", *speed, f"{each.connections}", *counts, *cpu))
    measures = "jobs/s", "ack p99, ms", "connections", "transactions a job", "round trips a job"
    return Sheet(("replicas", *measures, "CPU a job, bots, ms", "database, ms"), tuple(rows))


def cost_sheet(found: Replicated, at_once: int) -> Sheet:
    """Return a job's cost for one replica and for the server."""
    single, many, alone = found.one_at_a_time, found.at_once[1], found.alone
    return Sheet(
        ("one job", "one at a time", f"{at_once} at once"),
        (
            ("transactions", f"{single.transactions:.1f}", f"{many.transactions:.2f}"),
            ("round trips to the database", f"{single.round_trips:.0f}", f"{many.round_trips:.1f}"),
            ("CPU of the bot, ms", "", f"{alone.bots:.1f}"),
            ("CPU of the database, ms", "", f"{alone.server:.1f}"),
            ("the database's log (WAL), kB", "", f"{alone.wal / 1000:.1f}"),
            ("on the database's disk, kB", "", f"{alone.kept / 1000:.1f}"),
        ),
    )


def end_sheet(found: Replicated) -> Sheet:
    """Return the maximum of one replica and of the shared database."""
    distant = found.distant
    return Sheet(
        ("what ends", "jobs/s"),
        (
            ("one replica beside the database", f"{found.alone.speed.per_second:,.0f}"),
            (
                f"one replica, {distant.round_trip:.1f} ms for each round trip, 10 at once",
                f"{distant.speed.per_second:,.0f}",
            ),
            ("the database, for each core that it has", f"{1000 / found.most_expensive:,.0f}"),
        ),
    )


def sizing_sheet(found: Replicated, calls: Calls) -> Sheet:
    """Return the resources for a number of commands, from the cost of one."""
    alone = found.alone
    most = _BUSY * 60 * alone.speed.per_second
    return Sheet(
        ("who", "commands a minute", "replicas, by speed", "cores, bots", "cores, database", "WeChat's calls a minute", "ledger, GB a month"),
        tuple(
            (
                who,
                f"{rate:,}",
                f"{math.ceil(rate / most)}",
                _short(rate * alone.bots / 60_000),
                _short(rate * alone.server / 60_000),
                f"{rate * calls.wechat:,.0f}",
                _short(rate / 60 * _BUSY_DAY * 30 * alone.kept / 1e9),
            )
            for who, rate in TEAMS.items()
        ),
    )  # fmt: skip


def _short(number: float) -> str:
    if number < 0.01:
        return "< 0.01"
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def limits_sheet(found: Sequence[Limited]) -> Sheet:
    """Return how many commands a minute Slack allows, and the limit that a bot reached."""
    methods = sorted({method for limit in found for method in limit.room})
    return Sheet(
        ("channels", *(f"`{method}`" for method in methods), "met first", "after commands"),
        tuple(
            (
                f"{limit.channels}",
                *(f"{limit.room[method]:.0f} a minute" for method in methods),
                f"`{limit.met.method}`",
                f"{limit.met.answered}",
            )
            for limit in found
        ),
    )


def paused_sheet(found: Paused) -> Sheet:
    """Return the course of a batch that reaches WeChat's limit of calls a minute."""
    return Sheet(
        ("a batch", "calls a minute that WeChat takes", "all shared after", "refused by Slack"),
        (
            (
                f"{found.size} appids",
                f"{found.a_minute}",
                f"{found.seconds:.0f} s",
                f"{found.refused}",
            ),
        ),
    )


def filled(page: str, sheets: Mapping[str, str]) -> str:
    """Return a page with each text placed between its marks, such as `<!-- cost -->` and `<!-- /cost -->`."""
    for name, text in sheets.items():
        before, mark, rest = page.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition(f"<!-- /{name} -->")
        if not (mark and end):
            raise ValueError(f"the page has no {name}")
        page = f"{before}{mark}{text}\n{end}{after}"
    return page
