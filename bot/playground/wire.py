"""Carry out the stand-ins' faults on the connection."""

import asyncio
import gzip
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from aiohttp import web

from bot.playground.faults import (
    Code,
    Drip,
    Drop,
    Fault,
    Hang,
    Huge,
    RateLimited,
    Raw,
    Slow,
    Status,
)
from bot.playground.loopback import Loopback, cut

_PIECE = 1 << 16
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds, so that closing sends a RST


@dataclass(frozen=True, slots=True)
class Service:
    """What a stand-in does for one call.

    `usual` performs the call and answers; `refused` answers with an error; `lost` records that the call had no effect.
    `cleared` ends a silence.
    """

    usual: Callable[[], web.Response]
    refused: Callable[[Code | RateLimited], web.Response]
    lost: Callable[[Fault], object]
    cleared: asyncio.Event


async def answer(
    fault: Fault | None, request: web.BaseRequest, loopback: Loopback, service: Service
) -> web.StreamResponse:
    """Answer as usual, or carry out the fault."""
    match fault:
        case None | Code(0):
            return service.usual()
        case Code() | RateLimited():
            return service.refused(fault)
        case Slow():
            return await _slow(fault, request, loopback, service)
        case Hang(seconds):
            service.lost(fault)
            await loopback.hold(seconds, service.cleared)
            return cut(request)
        case Drip(seconds_per_byte):
            return await _dripped(request, loopback, service.usual(), seconds_per_byte)
        case Huge():
            service.lost(fault)
            return await _huge(request, fault)
        case Drop(part=part) if part:
            return await _cut_off(request, service.usual(), fault)
        case Drop() | Raw() | Status():
            if fault.after_effect:
                service.usual()
            else:
                service.lost(fault)
            return _without_answer(request, fault)
        case _:
            assert_never(fault)


async def _slow(
    fault: Slow, request: web.BaseRequest, loopback: Loopback, service: Service
) -> web.Response:
    answer = service.usual() if fault.after_effect else None
    if answer is None:
        service.lost(fault)
    stayed = await loopback.hold(fault.seconds, service.cleared)
    return (answer or service.usual()) if stayed else cut(request)


def _without_answer(request: web.BaseRequest, fault: Drop | Raw | Status) -> web.Response:
    match fault:
        case Drop(reset=reset):
            return _reset(request) if reset else cut(request)
        case Raw(sent):
            return _sent(request, sent)
        case Status(code, body, content_type, location=location):
            headers = {"Location": location} if location else None
            return web.Response(status=code, body=body, content_type=content_type, headers=headers)
        case _:
            assert_never(fault)


async def _cut_off(
    request: web.BaseRequest, whole: web.Response, fault: Drop
) -> web.StreamResponse:
    body = _body(whole)
    response = await _begun(request, whole, len(body))
    await response.write(body[: round(len(body) * fault.part)])
    if fault.reset:
        _reset(request)
    elif request.transport is not None:
        request.transport.close()
    return response


def _reset(request: web.BaseRequest) -> web.Response:
    if request.transport is not None:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    return cut(request)


def _sent(request: web.BaseRequest, sent: bytes) -> web.Response:
    if request.transport is not None:
        request.transport.write(sent)
        request.transport.close()
    return web.Response()


async def _dripped(
    request: web.BaseRequest, loopback: Loopback, whole: web.Response, seconds: float
) -> web.StreamResponse:
    body = _body(whole)
    response = await _begun(request, whole, len(body))
    for at in range(len(body)):
        await response.write(body[at : at + 1])
        if not await loopback.hold(seconds):
            return cut(request)
    return response


def _body(whole: web.Response) -> bytes:
    return whole.body if isinstance(whole.body, bytes) else b""


async def _begun(request: web.BaseRequest, whole: web.Response, length: int) -> web.StreamResponse:
    headers = {"Content-Type": whole.headers["Content-Type"], "Content-Length": str(length)}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    return response


async def _huge(request: web.BaseRequest, fault: Huge) -> web.StreamResponse:
    if fault.packed:
        packed = gzip.compress(bytes(fault.bytes), compresslevel=1)
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})
    response = web.StreamResponse(headers={"Content-Length": str(fault.bytes)})
    await response.prepare(request)
    for at in range(0, fault.bytes, _PIECE):
        await response.write(b" " * min(_PIECE, fault.bytes - at))
    return response
