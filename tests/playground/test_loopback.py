import asyncio
import socket
import struct

import aiohttp
import pytest
from aiohttp import web

from bot.playground.loopback import Loopback
from tests.conftest import serving, soon

HEAD = b"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n"


async def test_a_client_that_disconnects_is_no_error_of_the_server(
    caplog: pytest.LogCaptureFixture,
) -> None:
    arrived, errors = asyncio.Event(), list[Exception]()

    async def handler(request: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        try:
            return web.Response(body=await request.read())
        except Exception as error:
            errors.append(error)
            raise

    async with serving(handler) as origin:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(origin.rsplit(":")[-1]))
        del reader
        writer.write(HEAD)
        await arrived.wait()
        raw = writer.get_extra_info("socket")
        # It closes with a reset.
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        await soon(lambda: errors)
    assert isinstance(errors[0], ConnectionError)
    assert caplog.records == []


async def test_a_stop_wakes_a_handler_that_holds_its_answer(http: aiohttp.ClientSession) -> None:
    loopback, arrived, went_on = Loopback(), asyncio.Event(), list[bool]()

    async def handler(_: web.BaseRequest) -> web.StreamResponse:
        arrived.set()
        went_on.append(await loopback.hold(60))
        return web.Response()

    await loopback.start(handler)
    calling = asyncio.create_task(http.get(loopback.origin))
    await arrived.wait()
    await loopback.stop()
    assert went_on == [False]
    async with await calling as answer:
        assert answer.status == 200
