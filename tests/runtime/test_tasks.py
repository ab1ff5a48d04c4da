"""Background work: failures are logged, and a stop waits for what has begun."""

import asyncio
import logging

import pytest

from bot.runtime.tasks import Tasks, current_request_id, log_request


async def test_background_work_that_fails_is_logged_with_its_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fails() -> None:
        raise RuntimeError("made up")

    named, tasks = list[str | None](), Tasks()

    def name(_: logging.LogRecord) -> bool:
        named.append(current_request_id())
        return True

    caplog.handler.addFilter(name)
    with log_request("7kq2mhx4"):
        tasks.start(fails())
    await tasks.drain(5)
    assert (caplog.messages, named) == (["unforeseen error"], ["7kq2mhx4"])


async def test_no_background_work_starts_after_the_stop() -> None:
    seen: list[str] = []

    async def work() -> None:
        seen.append("begun")

    tasks = Tasks()
    await tasks.drain(0)
    tasks.start(work())
    await tasks.drain(0)
    assert seen == []


async def test_background_work_that_starts_during_the_stop_is_awaited_too() -> None:
    seen: list[str] = []
    tasks = Tasks()

    async def work(more: int) -> None:
        await asyncio.sleep(0)
        seen.append(f"done {more}")
        if more:
            tasks.start(work(more - 1))

    tasks.start(work(2))
    await tasks.drain(5)
    assert seen == ["done 2", "done 1", "done 0"]


async def test_background_work_is_not_cancelled_before_it_has_begun() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            seen.append("begun")
            await asyncio.sleep(30)
        finally:
            seen.append("cut short")

    tasks = Tasks()
    tasks.start(work())
    await tasks.drain(0)
    assert seen == ["begun", "cut short"]


async def test_background_work_that_ignores_its_cancellation_is_abandoned_in_the_end() -> None:
    going = asyncio.Event()

    async def stubborn() -> None:
        for _ in range(2):
            try:
                going.set()
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                continue

    tasks = Tasks()
    tasks.start(stubborn())
    await going.wait()
    began = asyncio.get_running_loop().time()
    await tasks.drain(0)
    assert asyncio.get_running_loop().time() - began < 20


async def test_the_number_of_pieces_of_work_is_that_of_those_under_way() -> None:
    tasks, end = Tasks(), asyncio.Event()

    async def work() -> None:
        await end.wait()

    for _ in range(2):
        tasks.start(work())
    assert len(tasks) == 2
    end.set()
    await tasks.drain(5)
    assert len(tasks) == 0


async def test_what_only_waits_is_told_of_the_stop_while_it_is_waited_for() -> None:
    tasks, seen = Tasks(), list[bool]()

    async def work() -> None:
        seen.append(tasks.stopping())

    tasks.start(work())
    assert not tasks.stopping()
    await tasks.drain(5)
    assert seen == [True]


async def test_work_that_goes_on_until_the_stop_is_kept_and_not_waited_for() -> None:
    async def work() -> None:
        await asyncio.Event().wait()

    tasks = Tasks()
    task = tasks.keep(work())
    await tasks.drain(5)
    assert tasks.kept == [task]
    assert not task.done()
    task.cancel()


def test_log_lines_have_the_request_of_the_innermost_context_only() -> None:
    with log_request("outer"):
        with log_request("inner"):
            assert current_request_id() == "inner"
        with log_request(""):
            assert current_request_id() is None
        assert current_request_id() == "outer"
    assert current_request_id() is None
