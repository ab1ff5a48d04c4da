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


async def answer(  # noqa: C901  # one case for each fault
    fault: Fault | None, request: web.BaseRequest, loopback: Loopback, service: Service
) -> web.StreamResponse:
    """Answer as usual, or carry out the fault."""
    if fault is None or fault == Code(0):
        return service.usual()
    if isinstance(fault, Code | RateLimited):
        return service.refused(fault)
    if fault.after_effect or (isinstance(fault, Drop) and fault.part):
        whole = service.usual()
    else:
        whole = web.Response()
        service.lost(fault)
    match fault:
        case Slow(seconds, after_effect):
            stayed = await loopback.hold(seconds, service.cleared)
            return (whole if after_effect else service.usual()) if stayed else cut(request)
        case Hang(seconds):
            await loopback.hold(seconds, service.cleared)
            return cut(request)
        case Status(code, body, content_type, location=location):
            headers = {"Location": location} if location else None
            return web.Response(status=code, body=body, content_type=content_type, headers=headers)
        case Raw(sent):
            return _closed(request, sent)
        case Huge():
            return await _huge(request, fault)
        case Drip(seconds):
            return await _dripped(request, loopback, whole, seconds)
        case Drop():
            return await _dropped(request, whole, fault)
        case _:
            assert_never(fault)


def _closed(request: web.BaseRequest, sent: bytes = b"") -> web.Response:
    """Close the connection once these bytes are sent."""
    if request.transport is not None:
        request.transport.write(sent)
        request.transport.close()
    return web.Response()


async def _dropped(
    request: web.BaseRequest, whole: web.Response, fault: Drop
) -> web.StreamResponse:
    """Send that part of the response, and close or reset the connection."""
    response: web.StreamResponse = web.Response()
    if fault.part:
        body = _body(whole)
        response = await _begun(request, whole, len(body))
        await response.write(body[: round(len(body) * fault.part)])
    if fault.reset and request.transport is not None:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    if fault.part and not fault.reset:
        _closed(request)
    else:
        cut(request)
    return response


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
