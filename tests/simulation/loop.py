"""An event loop whose time is virtual, and processes on it that can be killed, frozen and thawed at any await.

Waiting costs nothing: the selector moves the clock ahead instead. Each callback belongs to the process that a context
variable names, and tasks inherit it. Callbacks of one process run in their order; of several that could run, the seed
chooses whose.
"""

import asyncio
import gc
import selectors
import sys
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from math import inf, nextafter
from random import Random
from typing import Any, NoReturn, TypeVar, TypeVarTuple, Unpack, cast
from weakref import WeakSet

_TOLERANCE = 1e-6
"""Seconds by which a timer may be early: more than what is lost in rounding."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

PROCESS: ContextVar["Process"] = ContextVar("process")
"""The process that runs; only the loop and the processes set it."""


MOST_TURNS = 600_000
"""Three times as many as the longest run takes."""


class NothingHappensError(Exception):
    """All tasks wait for each other: no timer is left, and nothing comes from outside."""


class NeverEndsError(Exception):
    """It has gone on for longer than it may; the message tells what the world waits for."""


_MOST_CLOSES = 100


@dataclass(slots=True, eq=False)
class _Turn:
    """A callback that is to run in its context, unless its handle was cancelled."""

    callback: Callable[..., object]
    args: tuple[Any, ...]
    context: Context
    handle: asyncio.Handle | None = None
    when: float = -inf
    """Not before this time by the clock of its process."""


@dataclass(eq=False)
class Process:
    """What dies and freezes as a whole; `turns` counts its callbacks so far.

    What it had begun stays as it was when it died: no `finally` and no `except` of it runs, unlike after a cancellation.
    """

    name: str
    loop: "SimulatedLoop"
    alive: bool = True
    frozen: bool = False
    freezes: int = 0
    seconds_frozen: float = 0.0
    """For how long it has been frozen until it thawed, in all."""
    seconds_asleep: float = 0.0
    """For how long its machine has been suspended until it woke up, in all: its clock stood still."""
    fell_asleep: float | None = None
    """When its machine was suspended, while it is."""
    turns: int = 0
    dies_at: int | None = None
    """The turn before which it dies."""
    on_death: Callable[[], object] = bool
    ready: deque[_Turn] = field(default_factory=deque)
    late: list[_Turn] = field(default_factory=list)
    """What fell due while its clock stood still."""
    tasks: WeakSet[asyncio.Task[Any]] = field(default_factory=WeakSet)

    def __post_init__(self) -> None:
        self.context = Context()
        self.context.run(PROCESS.set, self)
        self.loop.processes.append(self)

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run `work` in a task of this process."""
        return self.loop.create_task(work, context=self.context.copy())

    def later(self, seconds: float, call: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Call this in `seconds`, if the process lives then; it is how anything from outside arrives."""
        self.loop.arrive(seconds, call, args, self.context.copy())

    def kill(self) -> None:
        """End the process at once; its tasks stay where they are."""
        if self.alive:
            self.alive = False
            self.loop.bury(self)
            self.on_death()

    @property
    def clock(self) -> float:
        """The time by its own clock."""
        now = self.loop.true_time() if self.fell_asleep is None else self.fell_asleep
        return now - self.seconds_asleep

    def freeze(self, *, suspended: bool = False) -> None:
        """Hold back all that it would do; if its machine is suspended, its clock stands still meanwhile."""
        now = self.loop.true_time()
        if not self.frozen:
            self.seconds_frozen -= now
        if suspended and self.fell_asleep is None:
            self.fell_asleep = now
        self.frozen = True
        self.freezes += 1

    def thaw(self) -> None:
        """Let a frozen process go on, with all that came meanwhile, in order."""
        now = self.loop.true_time()
        if self.frozen:
            self.seconds_frozen += now
        if self.fell_asleep is not None:
            self.seconds_asleep += now - self.fell_asleep
            self.fell_asleep = None
        self.frozen = False
        late, self.late = self.late, []
        for turn in late:
            self.loop.queue_at(turn)
        self.loop.wake()

    @property
    def unfinished(self) -> list[asyncio.Task[Any]]:
        """Its tasks that are not done."""
        return [task for task in self.tasks if not task.done()]


class SimulatedLoop(asyncio.SelectorEventLoop):
    """The loop; `world` is the process that everything outside of the replicas belongs to."""

    def __init__(self, seed: int | str) -> None:
        self.ends_at = inf
        """By when all has to be over, by its time."""
        self.turns = 0
        self._now = 1000.0
        self._choice = Random(f"order {seed}")  # noqa: S311  # no secret
        self._own = Context()
        self._awake = False
        """Whether the next turns will be taken."""
        self._over = False
        self._graves: list[tuple[Process, list[asyncio.Task[Any]]]] = []
        self.processes: list[Process] = []
        self.troubles: list[str] = []
        """What asyncio would have logged, such as an exception that nobody awaits."""
        super().__init__(_Selector(self._pass))
        self.world = Process("the world", self)
        self.set_task_factory(self._new_task)
        self.set_exception_handler(self._note)

    def time(self) -> float:
        """Return the virtual time in seconds, by the clock of the process that asks."""
        process = PROCESS.get(None)
        return process.clock if process else self._now

    def true_time(self) -> float:
        """Return the virtual time in seconds, which never stands still."""
        return self._now

    def call_soon(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Queue a callback behind those of its process."""
        context = context or copy_context()
        handle = asyncio.Handle(callback, args, self, context)
        self._queue(_Turn(callback, args, context, handle))
        return handle

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Do as `call_soon`: there are no threads."""
        return self.call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Queue a callback at this time; once due, it waits for its process like any other."""
        if self._over:  # what is thrown away still asks for this
            return asyncio.TimerHandle(when, callback, args, self)
        return self.queue_at(_Turn(callback, args, context or copy_context(), when=when))

    def queue_at(self, turn: _Turn) -> asyncio.TimerHandle:
        """Queue a turn when it is due by the clock of its process."""
        process = turn.context.get(PROCESS, None)
        when = turn.when + (process.seconds_asleep if process else 0.0)
        timer = super().call_at(when, self._queue_due, turn, context=self._own)
        turn.handle = turn.handle or timer
        return timer

    def arrive(
        self, seconds: float, call: Callable[..., object], args: tuple[Any, ...], context: Context
    ) -> None:
        """Queue a callback in so many seconds, whatever its process's clock says then."""
        turn = _Turn(call, args, context)
        super().call_at(self._now + seconds, self._queue, turn, context=self._own)

    def run_in_executor(self, *_: object) -> NoReturn:
        """Refuse: a thread would run by the machine's time."""
        raise NotImplementedError("no threads in a simulation")

    def wake(self) -> None:
        """Let the turns be taken that can be."""
        if not self._awake:
            self._awake = True
            super().call_soon(self._take_turns, context=self._own)

    def bury(self, process: Process) -> None:
        """Drop what a dead process was to do; its tasks are kept, since Python would run their `finally` otherwise."""
        self._graves.append((process, process.unfinished))
        self.processes.remove(process)
        process.ready.clear()

    def close(self) -> None:
        """Close the loop; the tasks that are left are thrown away, and whatever they still do is ignored."""
        self._over = True
        self._graves += [(each, each.unfinished) for each in self.processes]
        usual, sys.unraisablehook = sys.unraisablehook, _ignore
        # What awaits in a `finally` looks for its loop; if there is none, asyncio makes one that nobody closes.
        asyncio._set_running_loop(self)  # noqa: SLF001  # documented for those who write loops
        try:
            for process, tasks in self._graves:
                for task in tasks:
                    process.context.copy().run(_throw_away, task)
            self._graves.clear()
            gc.collect()
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001  # see above
            sys.unraisablehook = usual
        super().close()

    def _pass(self, seconds: float) -> None:
        if self._now > self.ends_at or self.turns > MOST_TURNS:
            waiting = sorted(filter(None, map(_place_of, self.world.unfinished)))
            raise NeverEndsError(f"after {self.turns} turns: {', '.join(waiting)}")
        # Past the timer's time in any case: with a large clock, asyncio's own tolerance is lost in rounding.
        self._now = nextafter(self._now + seconds, inf) if seconds else self._now

    def _queue_due(self, turn: _Turn) -> None:
        """Queue a timer's turn, but not before its process's clock has come so far."""
        process = turn.context.get(PROCESS, None)
        if process is None or process.clock + _TOLERANCE >= turn.when:
            self._queue(turn)
        elif process.fell_asleep is not None:
            process.late.append(turn)
        else:
            self.queue_at(turn)

    def _queue(self, turn: _Turn) -> None:
        process = turn.context.get(PROCESS, self.world) if self.processes else None
        if process and process.alive and not self._over:
            process.ready.append(turn)
            self.wake()

    def _take_turns(self) -> None:
        """Take as many turns as can be taken now, and let those that follow from them be taken next."""
        self._awake = False
        for _ in range(sum(len(process.ready) for process in self._able())):
            if able := self._able():
                self._take_turn(able[0] if len(able) == 1 else self._choice.choice(able))
        if self._able():
            self.wake()

    def _able(self) -> list[Process]:
        return [each for each in self.processes if each.ready and not each.frozen]

    def _take_turn(self, process: Process) -> None:
        """Run the next callback of a process."""
        turn = process.ready.popleft()
        if turn.handle and turn.handle.cancelled():
            return
        process.turns += 1
        self.turns += 1
        if process.dies_at is not None and process.turns >= process.dies_at:
            process.kill()
            return
        try:
            turn.context.run(turn.callback, *turn.args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as error:  # noqa: BLE001  # as asyncio's own handles do
            self.call_exception_handler({"message": "in a callback", "exception": error})

    def _new_task(
        self,
        _loop: asyncio.AbstractEventLoop,
        work: Coroutine[Any, Any, T] | Generator[Any, None, T],
        /,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        task: asyncio.Task[T] = asyncio.Task(
            cast("Coroutine[Any, Any, T]", work), loop=self, context=context
        )
        (context or copy_context()).get(PROCESS, self.world).tasks.add(task)
        return task

    def _note(self, _loop: asyncio.AbstractEventLoop, facts: dict[str, Any]) -> None:
        if not self._over:
            self.troubles.append(f"{facts.get('message')}: {facts.get('exception') or facts!r}")


def _ignore(_: object) -> None:
    """Ignore an exception in what is thrown away."""


def _place_of(task: asyncio.Task[Any]) -> str:
    """Return where a task waits."""
    return "".join(
        f"{at.f_code.co_qualname} in line {at.f_lineno}" for at in task.get_stack(limit=1)
    )


class _Selector(selectors.SelectSelector):
    """Lets virtual time pass instead of waiting; nothing ever comes over a socket."""

    def __init__(self, advance: Callable[[float], None]) -> None:
        super().__init__()
        self._advance = advance

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Move the clock ahead by the timeout."""
        if timeout is None:
            raise NothingHappensError
        self._advance(timeout)
        return []


def _throw_away(task: asyncio.Task[Any]) -> None:
    """Close a task's coroutine, and again after each `finally` that awaits."""
    coroutine = task.get_coro()
    for _ in range(_MOST_CLOSES):
        with suppress(Exception):  # such as RuntimeError for one that awaits
            coroutine.close()
            return
