"""Fault injection for both stand-ins: what can go wrong with a call, for which calls, and what the client sees."""

import asyncio
import socket
import struct
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias, assert_never

from aiohttp import web

from bot.playground.loopback import Json, cut

_AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds, so that closing sends a RST


@dataclass(frozen=True, slots=True)
class Code:
    """The API's own error, with HTTP 200: Slack's `error` or WeChat's `errcode`; the call has no effect.

    WeChat's errcode is a number, or a string as in some of its APIs. `Code(0)` is the usual answer.
    """

    after_effect: ClassVar = False
    code: int | str
    text: str | None = None


@dataclass(frozen=True, slots=True)
class RateLimited:
    """HTTP 429 with Retry-After, in seconds; the call has no effect."""

    after_effect: ClassVar = False
    retry_after: int


@dataclass(frozen=True, slots=True)
class Status:
    """Any HTTP response, as from a gateway or a proxy; with `after_effect`, the call has its effect first."""

    code: int
    body: bytes = field(default=b"<html><body>Bad Gateway</body></html>", repr=False)
    content_type: str = "text/html"
    after_effect: bool = False
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """Raw bytes in place of a response, often none; then the connection is closed, or reset (RST).

    With `after_effect`, the call has its effect first. Before the bytes comes a silence of so many seconds, as for Slow;
    `apart` is the one after each byte of a body. A complete response should have `Connection: close`; else the client may
    reuse a connection that is closed.
    """

    after_effect: bool = False
    sent: bytes = b""
    reset: bool = False
    silence: float | None = 0.0
    apart: float = 0.0


@dataclass(frozen=True, slots=True)
class Slow:
    """The usual response after this many seconds, or once the faults are cleared; with None, only then.

    The call has its effect after the silence, even if the client has disconnected; with `after_effect`, before it.
    """

    seconds: float | None = None
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Late:
    """The effect of a call this many seconds after it arrived, or once the faults are cleared; with None, only then.

    It comes whatever has become of the client, which sees `seen` and never the answer; `Slow` is late with its answer. What
    the call finds and returns is that of the moment at which it has its effect. With `after_effect`, `seen` has one too, so
    the call has two.
    """

    seconds: float | None
    seen: Code | Status | Drop


Fault: TypeAlias = Code | RateLimited | Status | Drop | Slow | Late

Hold: TypeAlias = Callable[[float | None], Awaitable[bool]]
"""Waits so many seconds, with None until the faults are cleared; returns False if the server was stopped meanwhile."""


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """A fault that waits for one call, or for all until it is cleared; only for calls with these arguments."""

    fault: Fault
    lasts: bool
    only: Mapping[str, str]


class Faults:
    """The planned faults of a stand-in, by method, which can be named by its path: `/tcb/shareenv` is `shareenv`.

    `late` has the calls that have arrived and are yet to be carried out.
    """

    def __init__(self, methods: Collection[str]) -> None:
        self.late: dict[asyncio.Task[web.Response | None], None] = {}
        self._planned: dict[str, list[Planned]] = {_name(method): [] for method in methods}
        self._cleared: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def plan(self, method: str, *faults: Fault, times: int | None = 1, **only: str) -> None:
        """Plan faults for the next calls of a method, in order: each for so many calls, or None for all until it is cleared.

        `only` restricts them to calls with these arguments.
        """
        try:
            planned = self._planned[_name(method)]
        except KeyError:
            raise ValueError(f"there is no method {method}") from None
        for fault in faults:
            planned += [Planned(fault, times is None, only) for _ in range(times or 1)]

    @property
    def waiting(self) -> bool:
        """Whether any fault is still to be met."""
        return any(self._planned.values())

    def clear(self, method: str | None = None, **only: str) -> None:
        """Remove planned faults, of one method or for certain arguments; calls that are silent go on at once."""
        for each in list(self._planned) if method is None else [_name(method)]:
            self._planned[each] = [
                planned
                for planned in self._planned[each]
                if not only.items() <= planned.only.items()
            ]
            self._cleared.pop(each, asyncio.Event()).set()

    def meet(self, method: str, args: Mapping[str, Json]) -> Fault | None:
        """Return the fault for a call, and remove it unless it lasts; None for the usual answer.

        Those for certain arguments come first, and lasting ones last.
        """
        planned = self._planned.get(_name(method), [])
        fitting = [each for each in planned if each.only.items() <= args.items()]
        if not fitting:
            return None
        met = min(fitting, key=lambda each: (not each.only, each.lasts))
        if not met.lasts:
            planned.remove(met)
        return met.fault

    def cleared(self, method: str) -> asyncio.Event:
        """Return the event that is set when this method's faults are cleared."""
        return self._cleared[_name(method)]

    async def answer(  # one case for each fault
        self,
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
        if isinstance(fault, Late):
            self._carry_out(hold(fault.seconds), usual)
            return await self.answer(fault.seen, request, hold, usual, failed)
        whole = usual() if fault.after_effect else failed(fault)
        match fault:
            case Code():
                return whole
            case RateLimited(seconds):
                whole.set_status(429)
                whole.headers["Retry-After"] = str(seconds)
                return whole
            case Slow(seconds, after_effect=True):
                return whole if await hold(seconds) else cut(request)
            case Slow(seconds):
                late = await self._carry_out(hold(seconds), usual)
                return cut(request) if late is None else late
            case Status(code, body, content_type, headers=headers):
                return web.Response(
                    status=code, body=body, content_type=content_type, headers=headers
                )
            case Drop(silence=seconds):
                await hold(seconds)
                return await _dropped(request, hold, fault)
            case _:
                assert_never(fault)

    def _carry_out(
        self, held: Awaitable[bool], usual: Callable[[], web.Response]
    ) -> asyncio.Task[web.Response | None]:
        """Return a task that performs a call after a pause, even if its client has disconnected; not if the server was stopped."""

        async def landing() -> web.Response | None:
            return usual() if await held else None

        task = asyncio.create_task(landing())
        self.late[task] = None
        task.add_done_callback(self.late.pop)
        return task

    async def settled(self) -> None:
        """Wait until each call that has arrived was carried out, however late; those without a time wait for `clear`."""
        while self.late:
            await asyncio.wait(self.late)


def _name(method: str) -> str:
    return method.rpartition("/")[2]


async def _dropped(request: web.BaseRequest, hold: Hold, fault: Drop) -> web.Response:
    head, blank, body = fault.sent.partition(b"\r\n\r\n")
    parts = (head + blank, *(bytes([each]) for each in body)) if fault.apart else (fault.sent,)
    for part in parts:
        if request.transport is not None:
            request.transport.write(part)
            await hold(fault.apart)
    if request.transport is not None:
        if fault.reset:
            connection: socket.socket = request.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        request.transport.close()
    return web.Response()  # never sent
