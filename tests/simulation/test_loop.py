import asyncio
from collections.abc import Iterator
from functools import partial
from time import perf_counter

import pytest

from tests.simulation.loop import NeverEndsError, NothingHappensError, Process, SimulatedLoop


@pytest.fixture
def loop() -> Iterator[SimulatedLoop]:
    loop = SimulatedLoop(1)
    yield loop
    loop.close()


def test_a_year_passes_in_a_moment(loop: SimulatedLoop) -> None:
    began, at = perf_counter(), loop.time()
    loop.run_until_complete(asyncio.sleep(365 * 86_400))
    assert loop.time() - at == pytest.approx(365 * 86_400)
    assert perf_counter() - began < 5


async def _count(seen: list[str], name: str, times: int) -> None:
    try:
        for n in range(times):
            seen.append(f"{name} {n}")
            await asyncio.sleep(1)
    finally:
        seen.append(f"{name} cleans up")


def test_a_killed_process_never_runs_again_and_cleans_nothing_up(loop: SimulatedLoop) -> None:
    seen = list[str]()
    process = Process("one", loop)
    process.spawn(_count(seen, "a", 5))
    loop.call_later(2.5, process.kill)
    loop.run_until_complete(asyncio.sleep(10))
    assert seen == ["a 0", "a 1", "a 2"]


def test_a_process_can_die_before_any_of_its_turns(loop: SimulatedLoop) -> None:
    seen = list[str]()
    process = Process("one", loop, dies_at=2)
    process.spawn(_count(seen, "a", 5))
    loop.run_until_complete(asyncio.sleep(10))
    assert seen == ["a 0"]
    assert not process.alive


def test_a_frozen_process_goes_on_in_order_when_it_thaws(loop: SimulatedLoop) -> None:
    seen = list[str]()
    process = Process("one", loop)
    for n in (1, 2, 3):
        process.later(n, seen.append, str(n))
    process.freeze()
    loop.call_later(2.5, seen.append, "thaws")
    loop.call_later(2.5, process.thaw)
    loop.run_until_complete(asyncio.sleep(10))
    assert seen == ["thaws", "1", "2", "3"]


def test_the_clock_of_a_suspended_process_stands_still_and_its_timers_wait_for_it(
    loop: SimulatedLoop,
) -> None:
    seen = list[str]()

    async def sleep(seconds: float) -> None:
        began = loop.time()
        await asyncio.sleep(seconds)
        seen.append(f"{seconds} for {loop.time() - began:.1f} at {loop.true_time() - start:.1f}")

    start, process = loop.true_time(), Process("one", loop)
    for seconds in (1.0, 3.0, 30.0):
        process.spawn(sleep(seconds))
    process.later(4, seen.append, "a packet")
    loop.call_later(2, partial(process.freeze, suspended=True))
    loop.call_later(12, process.thaw)
    loop.run_until_complete(asyncio.sleep(100))
    assert seen == [
        "1.0 for 1.0 at 1.0",
        "a packet",
        "3.0 for 3.0 at 13.0",
        "30.0 for 30.0 at 40.0",
    ]


def test_a_timer_that_is_cancelled_after_a_suspension_does_not_run(loop: SimulatedLoop) -> None:
    seen, process = list[str](), Process("one", loop)

    async def time_out() -> None:
        async with asyncio.timeout(5):
            await asyncio.sleep(4)
        seen.append("in time")
        await asyncio.sleep(60)
        seen.append("later")

    process.spawn(time_out())
    loop.call_later(3, partial(process.freeze, suspended=True))
    loop.call_later(20, process.thaw)
    loop.run_until_complete(asyncio.sleep(100))
    assert seen == ["in time", "later"]


def test_a_timeout_that_fell_due_in_a_freeze_beats_the_answer_that_came_in_it(
    loop: SimulatedLoop,
) -> None:
    seen = list[str]()
    process = Process("one", loop)

    async def wait(answer: asyncio.Future[str]) -> None:
        try:
            async with asyncio.timeout(2):
                seen.append(await answer)
        except TimeoutError:
            seen.append("too late")

    answer = loop.create_future()
    process.spawn(wait(answer))
    process.later(1, answer.set_result, "answer")
    loop.call_later(0.5, process.freeze)
    loop.call_later(3, process.thaw)
    loop.run_until_complete(asyncio.sleep(10))
    assert seen == ["too late"]


def _orders(seed: int) -> list[str]:
    loop, seen = SimulatedLoop(seed), list[str]()
    for name in ("a", "b"):
        Process(name, loop).spawn(_count(seen, name, 6))
    loop.run_until_complete(asyncio.sleep(20))
    loop.close()
    return seen


def test_the_seed_decides_whose_turn_it_is() -> None:
    assert _orders(1) == _orders(1)
    assert len({tuple(_orders(seed)) for seed in range(5)}) > 1


def test_a_cancelled_callback_does_not_run_though_it_was_due(loop: SimulatedLoop) -> None:
    seen = list[str]()
    timer = loop.call_later(1, seen.append, "timer")
    loop.call_later(1, timer.cancel)
    first = loop.call_soon(seen.append, "soon")
    first.cancel()
    loop.run_until_complete(asyncio.sleep(2))
    assert seen in ([], ["timer"])


def test_a_deadlock_is_an_error(loop: SimulatedLoop) -> None:
    with pytest.raises(NothingHappensError):
        loop.run_until_complete(loop.create_future())


async def _wait(seconds: float) -> None:
    while True:  # noqa: ASYNC110  # nothing else is to happen
        await asyncio.sleep(seconds)


def test_what_waits_for_ever_ends_with_an_error_that_tells_where(loop: SimulatedLoop) -> None:
    loop.ends_at = loop.time() + 3600
    with pytest.raises(NeverEndsError, match="_wait in line"):
        loop.run_until_complete(_wait(60))


def test_what_takes_turns_for_ever_ends_with_an_error(
    loop: SimulatedLoop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.simulation.loop.MOST_TURNS", 1000)
    with pytest.raises(NeverEndsError, match="after 1001 turns"):
        loop.run_until_complete(_wait(0))


def test_there_are_no_threads(loop: SimulatedLoop) -> None:
    with pytest.raises(NotImplementedError):
        loop.run_until_complete(asyncio.to_thread(print))
