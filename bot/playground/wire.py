"""Carry out the stand-ins' faults on the connection."""

import gzip
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TypeAlias, assert_never

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
from bot.playground.loopback import cut

_PIECE = 1 << 16
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds, so that closing sends a RST


Hold: TypeAlias = Callable[[float | None], Awaitable[bool]]
"""Waits so many seconds, with None until the faults are cleared; returns False if the server was stopped meanwhile."""


async def answer(  # noqa: C901, PLR0912  # one case for each fault
    fault: Fault | None,
    request: web.BaseRequest,
    hold: Hold,
    usual: Callable[[], web.Response],
    failed: Callable[[Fault], web.Response],
) -> web.StreamResponse:
    """Answer as usual, or carry out the fault.

    `usual` performs the call and answers; `failed` records that a fault left the call without effect, and returns the
    API's error.
    """
    if fault is None or fault == Code(0):
        return usual()
    if fault.after_effect or (isinstance(fault, Drop) and fault.part):
        whole = usual()
    else:
        whole = failed(fault)
    match fault:
        case Code():
            return whole
        case RateLimited(seconds):
            whole.set_status(429)
            whole.headers["Retry-After"] = str(seconds)
            return whole
        case Slow(seconds, after_effect):
            stayed = await hold(seconds)
            return (whole if after_effect else usual()) if stayed else cut(request)
        case Hang(seconds):
            await hold(seconds)
            return cut(request)
        case Status(code, body, content_type, location=location):
            headers = {"Location": location} if location else None
            return web.Response(status=code, body=body, content_type=content_type, headers=headers)
        case Raw(sent):
            return _closed(request, sent)
        case Huge():
            return await _huge(request, fault)
        case Drip(seconds):
            return await _dripped(request, hold, whole, seconds)
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
    request: web.BaseRequest, hold: Hold, whole: web.Response, seconds: float
) -> web.StreamResponse:
    body = _body(whole)
    response = await _begun(request, whole, len(body))
    for at in range(len(body)):
        await response.write(body[at : at + 1])
        if not await hold(seconds):
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
