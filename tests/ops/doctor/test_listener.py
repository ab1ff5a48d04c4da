import asyncio
import socket
from pathlib import Path

import pytest
from aiohttp import web

from bot.app.running import running
from bot.runtime.clock import Runtime
from tests.conftest import serving, settings_of
from tests.ops.doctors import finding_of, findings_of, judged
from tests.served import Served


async def test_a_free_port_can_be_used_and_is_released_at_once(
    listening: dict[str, str], served: Served
) -> None:
    assert await judged(listening, "listener") == ("ok", f"127.0.0.1:{served.port} can be used")
    with socket.socket() as free:
        free.bind(("127.0.0.1", served.port))


async def test_a_running_bot_is_not_taken_for_another_program(
    listening: dict[str, str], served: Served, runtime: Runtime
) -> None:
    async with running(settings_of(listening), runtime):
        found = await finding_of(listening, "listener")
    assert (found.level, found.found) == (
        "ok",
        f"a bot that runs answers at 127.0.0.1:{served.port}",
    )


def taken(at: str) -> tuple[str, str]:
    return "wrong", f"{at} is taken, and no bot of this ledger answers there"


async def test_a_bot_of_another_ledger_is_not_taken_for_this_one(
    listening: dict[str, str], served: Served, runtime: Runtime, tmp_path: Path
) -> None:
    other = listening | {"DATABASE_URL": f"sqlite:///{tmp_path}/other.db"}
    async with running(settings_of(other), runtime):
        assert await judged(listening, "listener") == taken(f"127.0.0.1:{served.port}")


@pytest.mark.parametrize("said", ["It works!", "[]", "up 1\n", "{" * 9999, 'a{b="c", ="d"} 1\n'])
async def test_another_program_on_the_port_is_not_taken_for_a_bot(
    environ: dict[str, str], said: str
) -> None:
    async def other(_: web.BaseRequest) -> web.Response:
        return web.Response(text=said)

    async with serving(other) as origin:
        place = origin.removeprefix("http://")
        found = await finding_of(environ | {"PORT": place.rpartition(":")[2]}, "listener")
    assert (found.level, found.found) == taken(place)
    assert (found.fix or "").endswith("else stop it, or set another PORT.")


@pytest.mark.parametrize("said", [b"220 mail.example ready\r\n", None], ids=["no HTTP", "nothing"])
async def test_what_does_not_answer_as_a_bot_is_not_taken_for_one(
    environ: dict[str, str], said: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.ops.doctor.setup.DEADLINE", 0.5)

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said or b"")
        await reader.read(1 if said else -1)  # until the doctor goes away
        writer.close()

    async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        assert await judged(environ | {"PORT": str(port)}, "listener") == taken(f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("192.0.2.1", "Cannot assign requested address"),
        ("a" * 64, "no address is found"),
        ("not. a host", ""),
    ],
)
async def test_a_host_that_is_not_this_machines_is_wrong(
    listening: dict[str, str], host: str, why: str
) -> None:
    found = await finding_of(listening | {"HOST": host}, "listener")
    assert found.level == "wrong"
    assert found.found.startswith(f"HOST {host[:60]}")
    assert why in found.found
    assert found.fix == "Choose others, or stop what uses them."


async def test_without_a_listener_or_a_valid_port_there_is_nothing_to_check(
    environ: dict[str, str],
) -> None:
    assert await findings_of(environ, "listener") == []
    assert await findings_of(environ | {"PORT": "0"}, "listener") == []
