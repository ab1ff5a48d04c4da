"""How the stand-in WeChat carries out a fault, on the wire."""

import gzip
import socket
import struct
from collections.abc import Callable
from typing import assert_never

from aiohttp import web

from bot.playground.loopback import Loopback, cut
from bot.playground.wechat.faults import (
    Drip,
    Drop,
    Failure,
    GzipBomb,
    Hang,
    Huge,
    Raw,
    Redirect,
    Reset,
    Status,
    Truncated,
)

BOMB_BYTES = 16 << 20
PIECE = 1 << 16
_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: nothing is waited for, so that a close is a reset


async def failed(
    fault: Failure,
    request: web.BaseRequest,
    loopback: Loopback,
    normal: Callable[[], web.Response],
    nothing: Callable[[], None],
) -> web.StreamResponse:
    """Answer with a fault; `normal` does what was asked, `nothing` notes that it wasn't done."""
    match fault:
        case Hang(seconds, after_effect):
            return await _late(request, loopback, seconds, _effect(after_effect, normal, nothing))
        case Drop(after_effect):
            _effect(after_effect, normal, nothing)
            return cut(request)
        case Reset(after_effect, part):
            return await _reset(request, _effect(after_effect or part > 0, normal, nothing), part)
        case Raw(sent, after_effect):
            _effect(after_effect, normal, nothing)
            return _sent(request, sent)
        case Truncated():
            return await _cut_off(request, normal())
        case Drip(seconds_per_byte):
            return await _dripped(request, loopback, normal(), seconds_per_byte)
        case Status(code, body, content_type, after_effect):
            _effect(after_effect, normal, nothing)
            return web.Response(status=code, body=body, content_type=content_type)
        case Redirect() | Huge() | GzipBomb():
            nothing()
            return await _foreign(request, fault)
        case _:
            assert_never(fault)


def _effect(
    after_effect: bool, normal: Callable[[], web.Response], nothing: Callable[[], None]
) -> web.Response | None:
    if after_effect:
        return normal()
    nothing()
    return None


async def _late(
    request: web.BaseRequest, loopback: Loopback, seconds: float, answer: web.Response | None
) -> web.Response:
    stayed = await loopback.hold(seconds)
    return answer if stayed and answer is not None else cut(request)


async def _reset(
    request: web.BaseRequest, answer: web.Response | None, part: float
) -> web.StreamResponse:
    response: web.StreamResponse = web.Response()
    if part and answer is not None and isinstance(answer.body, bytes):
        response = await _begun(request, answer, len(answer.body))
        await response.write(answer.body[: round(len(answer.body) * part)])
    if request.transport is not None:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        request.transport.abort()
    return response


def _sent(request: web.BaseRequest, sent: bytes) -> web.Response:
    if request.transport is not None:
        request.transport.write(sent)
        request.transport.close()
    return web.Response()


async def _cut_off(request: web.BaseRequest, whole: web.Response) -> web.StreamResponse:
    body = whole.body if isinstance(whole.body, bytes) else b""
    response = await _begun(request, whole, len(body))
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _dripped(
    request: web.BaseRequest, loopback: Loopback, whole: web.Response, seconds: float
) -> web.StreamResponse:
    body = whole.body if isinstance(whole.body, bytes) else b""
    response = await _begun(request, whole, len(body))
    for at in range(len(body)):
        await response.write(body[at : at + 1])
        if not await loopback.hold(seconds):
            return cut(request)
    return response


async def _begun(request: web.BaseRequest, whole: web.Response, length: int) -> web.StreamResponse:
    headers = {"Content-Type": whole.headers["Content-Type"], "Content-Length": str(length)}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    return response


async def _foreign(
    request: web.BaseRequest, fault: Redirect | Huge | GzipBomb
) -> web.StreamResponse:
    """Answer as something between the bot and WeChat would."""
    match fault:
        case Redirect(to, status):
            return web.Response(status=status, headers={"Location": to})
        case GzipBomb():
            packed = gzip.compress(bytes(BOMB_BYTES), compresslevel=1)
            return web.Response(body=packed, headers={"Content-Encoding": "gzip"})
        case Huge(size):
            response = web.StreamResponse(headers={"Content-Length": str(size)})
            await response.prepare(request)
            for at in range(0, size, PIECE):
                await response.write(b" " * min(PIECE, size - at))
            return response
        case _:
            assert_never(fault)
