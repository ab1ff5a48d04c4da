"""The traffic of replicas with their server, and the medians of rounds."""

import asyncio
from asyncio import StreamReader, StreamWriter
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.database import folder_of
from tests.benchmarks.measure import Speed
from tests.benchmarks.relay import relayed
from tests.benchmarks.replicas import Together

SPEED = Speed(10.0, 50.0, 240.0)
ONE = Together(1, None, SPEED, bots=4.0, server=1.0, wal=6_000.0, kept=2_000.0, connections=1)


def test_the_median_of_the_rounds_is_taken_for_each_figure() -> None:
    bad = replace(ONE, bots=9.0, server=9.0, wal=9.0, speed=replace(SPEED, per_second=1.0))
    assert Together.middle([bad, ONE, ONE]) == ONE


async def test_round_trips_are_counted_once_whatever_their_pieces_and_transactions_by_their_commits(
    tmp_path: Path,
) -> None:
    async def server(reader: StreamReader, writer: StreamWriter) -> None:
        while line := await reader.readline():
            if line == b"answer\n":
                writer.write(b"done\n")
        writer.close()

    async def ask(reader: StreamReader, writer: StreamWriter, *pieces: bytes) -> None:
        for each in pieces:
            writer.write(each)
            await writer.drain()
        assert await reader.readline() == b"done\n"

    listening = await asyncio.start_unix_server(server, tmp_path / ".s.PGSQL.5432")
    async with (
        listening,
        relayed(f"postgresql+psycopg://postgres@/ledger?host={tmp_path}") as relay,
    ):
        path = folder_of(relay.url) / ".s.PGSQL.5432"
        reader, writer = await asyncio.open_unix_connection(path)
        await ask(reader, writer, b"BEGIN\0\n", b"answer\n")
        await ask(reader, writer, b"one\n", b"COMMIT\0\n", b"answer\n")
        assert (relay.round_trips, relay.transactions) == (2, 1)
        assert relay.seconds > 0
        writer.close()
        await writer.wait_closed()
