"""The session with which the doctor asks, with short deadlines; the headers of the answers tell it the time."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from email.utils import parsedate_to_datetime
from types import SimpleNamespace
from typing import TypeVar
from urllib.request import getproxies

import aiohttp
import httpx

DEADLINE = 5.0
"""Seconds for each check that asks somebody."""

T = TypeVar("T")

_TIMEOUT = aiohttp.ClientTimeout(total=DEADLINE, connect=DEADLINE * 0.8)


def origin_of(url: str) -> str:
    """Return the server that an address names, the same however it is written."""
    parts = httpx.URL(url)  # which writes every host as the DNS does
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{parts.raw_host.decode()}:{port}"


class HeardHeaders:
    """What headers told; `ahead` has how many seconds each server's clock is ahead of this machine's, by origin."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.ahead: dict[str, float] = {}

    async def listen(
        self,
        _session: aiohttp.ClientSession,
        _context: SimpleNamespace,
        request: aiohttp.TraceRequestEndParams,
    ) -> None:
        """Take note of an answer's headers."""
        try:
            told = parsedate_to_datetime(request.response.headers.get("Date", "")).timestamp()
        except ValueError:
            return
        ahead = told + 0.5 - self._now()  # the header has whole seconds
        origin = origin_of(str(request.url))
        # An answer that took long looks like a clock that is behind, so the best one counts.
        self.ahead[origin] = min(ahead, self.ahead.get(origin, ahead), key=abs)


def session(heard: HeardHeaders | None = None) -> aiohttp.ClientSession:
    """Return the session for all that the doctor asks; proxies as in the bot's own."""
    trace = aiohttp.TraceConfig()
    if heard:
        trace.on_request_end.append(heard.listen)
    return aiohttp.ClientSession(
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_TIMEOUT,
        trust_env=bool(getproxies()),
        trace_configs=[trace],
    )


async def each(
    ids: Iterable[str],
    ask: Callable[[str], Awaitable[T]],
    at_once: int,
    within: float = DEADLINE,
) -> dict[str, T]:
    """Return the answers that came within so many seconds, asking for a few at once."""
    turns = asyncio.Semaphore(at_once)
    found: dict[str, T] = {}

    async def in_turn(each: str) -> None:
        async with turns:
            found[each] = await ask(each)

    with suppress(TimeoutError):
        async with asyncio.timeout(within):
            await asyncio.gather(*map(in_turn, ids))
    return found
