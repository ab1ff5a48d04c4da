import asyncio
import gc

import pytest

from bot.runtime.cache import SingleFlight


class Work:
    """Work that ends when the test lets it, and counts how often it was started."""

    def __init__(self, result: str = "done") -> None:
        self.begun = 0
        self.ended = asyncio.Event()
        self.may_end = asyncio.Event()
        self._result = result

    async def __call__(self) -> str:
        """Wait, then return the result or raise it."""
        self.begun += 1
        try:
            await self.may_end.wait()
        finally:
            self.ended.set()
        if self._result == "broken":
            raise ValueError(self._result)
        return self._result


async def until_begun(work: Work) -> None:
    while not work.begun:  # noqa: ASYNC110  # it begins at the next turn of the loop
        await asyncio.sleep(0)


async def test_a_thousand_concurrent_calls_do_the_work_once() -> None:
    flights, work = SingleFlight[str](), Work()
    waiting = [flights.do("a", work) for _ in range(1000)]
    await until_begun(work)
    work.may_end.set()
    assert set(await asyncio.gather(*waiting)) == {"done"}
    assert work.begun == 1


async def test_a_call_after_the_work_has_ended_does_it_again() -> None:
    flights, work = SingleFlight[str](), Work()
    work.may_end.set()
    assert await flights.do("a", work) == await flights.do("a", work) == "done"
    assert work.begun == 2


async def test_different_keys_do_not_wait_for_each_other() -> None:
    flights, slow, quick = SingleFlight[str](), Work(), Work("other")
    waiting = flights.do("a", slow)
    await until_begun(slow)
    quick.may_end.set()
    assert await flights.do("b", quick) == "other"
    assert not waiting.done()
    slow.may_end.set()
    assert await waiting == "done"


async def test_the_work_goes_on_for_the_others_when_its_first_caller_is_cancelled() -> None:
    flights, work = SingleFlight[str](), Work()
    first = flights.do("a", work)
    await until_begun(work)
    second = flights.do("a", work)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.may_end.set()
    assert await second == "done"
    assert work.begun == 1


async def test_the_work_goes_on_when_all_callers_are_cancelled() -> None:
    flights, work = SingleFlight[str](), Work()
    only = flights.do("a", work)
    await until_begun(work)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    assert not work.ended.is_set()
    joined = flights.do("a", work)
    work.may_end.set()
    assert await joined == "done"
    assert work.begun == 1


async def test_an_error_is_raised_to_all_waiting_callers_and_the_next_call_starts_anew() -> None:
    flights, broken, working = SingleFlight[str](), Work("broken"), Work()
    waiting = [flights.do("a", broken) for _ in range(3)]
    await until_begun(broken)
    broken.may_end.set()
    got = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in got] == [ValueError] * 3
    working.may_end.set()
    assert await flights.do("a", working) == "done"


async def test_an_error_without_a_caller_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flights, broken = SingleFlight[str](), Work("broken")
    nobody_waits = flights.do("a", broken)
    broken.may_end.set()
    await asyncio.wait([nobody_waits])
    del nobody_waits
    gc.collect()
    assert "never retrieved" in caplog.text


async def test_close_waits_for_work_in_progress() -> None:
    flights, work = SingleFlight[str](), Work()
    waiting = flights.do("a", work)
    await until_begun(work)
    closing = asyncio.create_task(flights.close(60))
    await asyncio.sleep(0)
    assert not closing.done()
    work.may_end.set()
    await closing
    assert await waiting == "done"


async def test_close_cancels_work_that_exceeds_its_limit() -> None:
    flights, work = SingleFlight[str](), Work()
    waiting = flights.do("a", work)
    await until_begun(work)
    await flights.close(0)
    assert work.ended.is_set()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_close_without_work_in_progress_returns_at_once() -> None:
    await SingleFlight[str]().close(60)
