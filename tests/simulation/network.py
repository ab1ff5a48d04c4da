"""The network between a replica and Slack, WeChat and the token server: an HTTP session without sockets.

Each exchange has a fate: when it arrives, whether it has its effect, and what the client sees. What has been sent takes
its effect whatever becomes of the sender.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol, cast

import aiohttp
from multidict import CIMultiDict

from tests.simulation.loop import Process, SimulatedLoop

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter

_SLACKS_SECONDS = 15.0  # of the bot's session
_OUT_OF_REACH = 3.0


class Ending(Enum):
    """How an exchange ends; in the words of the story."""

    ANSWERED = auto()
    UNREACHABLE = auto()
    """There is no connection: nothing was sent."""
    BROKEN = auto()
    """The connection breaks before anything is done."""
    CUT = auto()
    """It is done, and the connection breaks before the answer."""
    BAD_GATEWAY = auto()
    """A gateway answers, and nothing is done."""
    CUT_GATEWAY = auto()
    """It is done, and a gateway answers in place of the answer."""
    LATE = auto()
    """It is done up to half a minute later, when the client has given up."""
    SILENT = auto()
    """It is never done, and never answered."""
    LIMITED = auto()
    """Too many calls: nothing is done."""


NO_EFFECT = {
    Ending.UNREACHABLE,
    Ending.BROKEN,
    Ending.BAD_GATEWAY,
    Ending.SILENT,
    Ending.LIMITED,
}


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of an exchange, and the seconds until it arrives and until its answer is back."""

    ending: Ending
    there: float
    back: float


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP response."""

    status: int
    headers: Mapping[str, str]
    body: bytes


NOT_SENT = Reply(0, {}, b"")
"""What a client gets that finds no connection."""


@dataclass(frozen=True, slots=True)
class Sent:
    """An HTTP request that a replica sends."""

    replica: str
    method: str
    url: str
    headers: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


class Service(Protocol):
    """What answers at an address."""

    def perform(self, sent: Sent, *, late: bool = False) -> Reply:
        """Carry out a request, and answer; nobody counts a `late` one, which was sent long ago."""

    def limited(self, sent: Sent) -> Reply:
        """Answer that there are too many calls."""


Route = Callable[[Sent], Service]
"""Finds what answers a request."""

Begin = Callable[[Sent, bool], Callable[[Reply | None], None]]
"""Is told of a request that begins, and whether it gets anywhere; what it returns is called with what the client gets."""


class Network:
    """Carries requests; `fate_of` decides how each ends."""

    def __init__(
        self,
        loop: SimulatedLoop,
        route: Route,
        fate_of: Callable[[Sent], Fate],
        begin: Begin,
        note: Callable[[str, str], None],
    ) -> None:
        self._loop = loop
        self._route = route
        self._fate_of = fate_of
        self._begin = begin
        self._note = note

    def session(self, process: Process) -> aiohttp.ClientSession:
        """Return the session of one replica."""
        return cast("aiohttp.ClientSession", _Session(self, process))

    async def exchange(self, process: Process, sent: Sent, body: object) -> "_Response":
        """Send a request and return the response; raises as aiohttp does."""
        fate = self._fate_of(sent)
        if fate.ending is not Ending.ANSWERED:
            path = sent.url.partition("//")[2].partition("/")[2].partition("?")[0]
            self._note(process.name, f"{path}: {fate.ending.name.lower().replace('_', ' ')}")
        reaches = fate.ending is not Ending.UNREACHABLE
        if isinstance(body, aiohttp.BytesPayload):
            wire = _Wire()
            if reaches:  # which notes that it is sent
                await body.write_with_length(cast("AbstractStreamWriter", wire), None)
            sent = replace(sent, body=bytes(wire.written) or body.decode().encode())
        over, reply = self._begin(sent, reaches), None if reaches else NOT_SENT
        try:
            if not reaches:
                await asyncio.sleep(fate.there + _OUT_OF_REACH)
                raise aiohttp.ConnectionTimeoutError
            answer: asyncio.Future[Reply] = self._loop.create_future()
            self._loop.world.later(fate.there, self._arrive, process, sent, fate, answer)
            reply = await answer
        finally:
            over(reply)
        return _Response(reply)

    def _arrive(
        self, process: Process, sent: Sent, fate: Fate, answer: asyncio.Future[Reply]
    ) -> None:
        """Carry the request out where it arrives, and send the answer back."""
        service = self._route(sent)
        reply: Reply | None = None
        if fate.ending is Ending.LIMITED:
            reply = service.limited(sent)
        elif fate.ending not in NO_EFFECT:
            reply = service.perform(sent, late=fate.ending is Ending.LATE)
        if fate.ending in {Ending.LATE, Ending.SILENT}:
            return
        if fate.ending in {Ending.BAD_GATEWAY, Ending.CUT_GATEWAY}:
            reply = Reply(502, {"Content-Type": "text/html"}, b"<html>Bad Gateway</html>")
        if fate.ending in {Ending.BROKEN, Ending.CUT}:
            reply = None
        process.later(fate.back, _resolve, answer, reply)


def _resolve(answer: asyncio.Future[Reply], reply: Reply | None) -> None:
    if answer.done():
        return
    if reply is None:
        answer.set_exception(aiohttp.ServerDisconnectedError())
    else:
        answer.set_result(reply)


class _Wire:
    """Where the body of a request is written."""

    def __init__(self) -> None:
        self.written = bytearray()

    async def write(self, part: bytes) -> None:
        """Take a part of a body."""
        self.written += part


class _Session:
    """What the bot uses of aiohttp's session."""

    def __init__(self, network: Network, process: Process) -> None:
        self._network = network
        self._process = process

    def request(  # aiohttp's
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        params: Mapping[str, str] | None = None,
        data: bytes | aiohttp.BytesPayload | None = None,
        proxy: str | None = None,
        allow_redirects: bool = False,
        auto_decompress: bool = True,
        timeout: aiohttp.ClientTimeout | None = None,
    ) -> "_Exchange":
        """Return the exchange, to be awaited or entered."""
        del proxy, allow_redirects, auto_decompress
        raw = data if isinstance(data, bytes) else b""  # else it is written
        sent = Sent(self._process.name, method, str(url), headers, params or {}, raw)
        seconds = None if timeout else _SLACKS_SECONDS
        return _Exchange(self._network, self._process, sent, data, seconds)


class _Exchange:
    """One request and its response, as aiohttp offers them."""

    def __init__(  # what is sent, by whom, over what
        self, network: Network, process: Process, sent: Sent, body: object, seconds: float | None
    ) -> None:
        self._network = network
        self._process = process
        self._sent = sent
        self._body = body
        self._seconds = seconds

    def __await__(self) -> Generator[None, None, "_Response"]:
        return self._run().__await__()

    async def __aenter__(self) -> "_Response":
        return await self._run()

    async def __aexit__(self, *_: object) -> None:
        """Nothing has to be closed."""

    async def _run(self) -> "_Response":
        async with asyncio.timeout(self._seconds):
            return await self._network.exchange(self._process, self._sent, self._body)


class _Response:
    """What the bot uses of aiohttp's response."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers = CIMultiDict(reply.headers)
        self.content = self
        self._body = reply.body

    async def readany(self) -> bytes:
        """Return the rest of the body; nothing at its end."""
        rest, self._body = self._body, b""
        return rest

    def release(self) -> None:
        """Nothing has to be released."""
