"""The doctor's HTTP session, with short deadlines; it also notes the servers' clocks."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from concurrent.futures import Executor
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeVar, TypeVarTuple

import aiohttp
import httpx

from bot.runtime.tasks import in_daemon_thread

DEADLINE = 5.0
"""Seconds for each check that makes a call."""

T = TypeVar("T")
_Arguments = TypeVarTuple("_Arguments")

_TIMEOUT = aiohttp.ClientTimeout(total=DEADLINE, connect=DEADLINE * 0.8)


class _Loop(asyncio.SelectorEventLoop):
    """A loop that makes blocking calls in daemon threads, since Python waits for asyncio's own before it exits."""

    def run_in_executor(
        self,
        executor: Executor | None,  # noqa: ARG002  # asyncio passes it
        func: Callable[[*_Arguments], T],
        *args: *_Arguments,
    ) -> asyncio.Future[T]:
        """Call `func` in a thread of its own."""
        return in_daemon_thread(partial(func, *args))


def promptly(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of `work`; what its threads still wait for, such as a name server, is abandoned."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(work)


def origin_of(url: str) -> str:
    """Return the origin of a URL, in a normal form."""
    parts = httpx.URL(url)  # converts the host to its DNS form
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.raw_host.decode()}:{port}"


class Traffic:
    """By how many seconds each server's clock is `ahead` of this one, by origin, as the doctor's calls show."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.ahead: dict[str, float] = {}

    async def answer(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        request: aiohttp.TraceRequestEndParams,
    ) -> None:
        """Note the Date header of a server that answers."""
        try:
            sent = parsedate_to_datetime(request.response.headers.get("Date", "")).timestamp()
        except ValueError:
            return
        ahead = sent + 0.5 - self._now()  # the header is in whole seconds
        # A slow response makes its server's clock look behind, so the smallest difference counts.
        origin = origin_of(str(request.url))
        self.ahead[origin] = min(ahead, self.ahead.get(origin, ahead), key=abs)


def session(traffic: Traffic | None = None) -> aiohttp.ClientSession:
    """Return the session for the doctor's calls."""
    trace = aiohttp.TraceConfig()
    if traffic:
        trace.on_request_end.append(traffic.answer)
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_TIMEOUT,
        trace_configs=[trace],
    )


async def each(
    ids: Iterable[str],
    call: Callable[[str], Awaitable[T]],
    at_once: int,
    within: float = DEADLINE,
) -> dict[str, T]:
    """Return the answers that arrive `within` so many seconds, with at most `at_once` calls at a time."""
    turns = asyncio.Semaphore(at_once)
    found: dict[str, T] = {}

    async def in_turn(each: str) -> None:
        async with turns:
            found[each] = await call(each)

    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await asyncio.gather(*map(in_turn, ids))
    return found
