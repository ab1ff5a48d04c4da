"""The health of the bot, part by part, from state that it keeps anyway: a check itself does no I/O and never waits."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import NotRequired, TypedDict

from aiohttp import web

from bot.domain.link import Link, LinkState

PartCheck = Callable[[], str | None]
"""Returns in a few words what is wrong with a part, without names or secrets; None if nothing is."""
_EVERY = 1.0  # seconds
_TOO_LATE = 3.0  # seconds, after which Slack gives up on the ack
_IN_A_ROW = 3  # a single pause, of the process or the machine, is no failure


class PartHealth(TypedDict):
    """The state of one part; `why` says what is wrong."""

    ok: bool
    why: NotRequired[str]


class Report(TypedDict):
    """What /healthz and /readyz show: `ok` if all major parts are; `status` is degraded if only minor ones are not."""

    ok: bool
    status: str
    parts: Mapping[str, PartHealth]


HEALTHZ, READYZ, METRICS = "/healthz", "/readyz", "/metrics"
"""The paths that operators and probes read."""


class Health:
    """Checks the parts; `minor` ones are reported, but do not make the whole fail.

    `before` is awaited by `prove`, for what has to be tried to be known.
    """

    def __init__(
        self,
        parts: Mapping[str, PartCheck],
        *,
        minor: Mapping[str, PartCheck] | None = None,
        before: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._major = parts
        self._minor = minor or {}
        self._before = before

    async def prove(self) -> None:
        """Try what has to be tried before somebody is told."""
        if self._before:
            await self._before()

    def check(self) -> Report:
        """Return the state as far as it is known."""
        troubles = {name: trouble() for name, trouble in {**self._major, **self._minor}.items()}
        ok = all(troubles[name] is None for name in self._major)
        well = all(why is None for why in troubles.values())
        status = "ok" if well else "degraded" if ok else "failing"
        return {"ok": ok, "status": status, "parts": {n: _part(w) for n, w in troubles.items()}}

    async def respond(self, _: web.Request) -> web.Response:
        """Respond with the state: 200 if it is ok, else 503."""
        await self.prove()
        report = self.check()
        status = HTTPStatus.OK if report["ok"] else HTTPStatus.SERVICE_UNAVAILABLE
        return web.json_response(report, status=status, headers={"Cache-Control": "no-store"})


def _part(why: str | None) -> PartHealth:
    return {"ok": True} if why is None else {"ok": False, "why": why}


def unless(fine: Callable[[], bool], why: str) -> PartCheck:
    """Return a PartCheck that reports `why` unless `fine` returns true."""
    return lambda: None if fine() else why


def chain_trouble(states: Sequence[LinkState]) -> str | None:
    """Return why no env at all can be shared.

    One of several owners without a valid token does not affect the envs of the others.
    """
    if not states:
        return "the tokens have not been looked at yet"
    if not is_good(states, Link.PLATFORM):
        return "the platform's token is not good"
    return None if is_good(states, Link.OWNER) else "no owner's token is good"


def token_trouble(states: Sequence[LinkState]) -> str | None:
    """Return the most recent trouble with a token that others keep."""
    return next((state.trouble.title for state in reversed(states) if state.trouble), None)


def is_good(states: Sequence[LinkState], link: Link) -> bool:
    """Return whether there is anything valid of this link of the chain."""
    return any(state.link is link and state.good_until is not None for state in states)


def ended(tasks: Sequence[asyncio.Task[None]]) -> str | None:
    """Return that a task that runs until the stop has ended."""
    died = any(task.done() and not task.cancelled() and task.exception() for task in tasks)
    return "a task that must go on has died" if died else None


class Watch:
    """Measures every second by how much the event loop is late."""

    def __init__(
        self,
        lagged: Callable[[float], None],
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._lagged = lagged
        self._clock = clock
        self._sleep = sleep
        self._lags = deque[float](maxlen=_IN_A_ROW)

    async def run(self, *each_second: Callable[[], None]) -> None:
        """Measure every second, and call the others then, until cancelled."""
        while True:
            due = self._clock() + _EVERY
            await self._sleep(_EVERY)
            lag = max(0.0, self._clock() - due)
            self._lags.append(lag)
            self._lagged(lag)
            for call in each_second:
                call()

    def trouble(self) -> str | None:
        """Return that the loop was too late several times in a row."""
        late = len(self._lags) == _IN_A_ROW and min(self._lags) > _TOO_LATE
        return "the loop does not keep up" if late else None
