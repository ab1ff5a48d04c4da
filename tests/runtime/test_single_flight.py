import asyncio
import gc

import pytest

from bot.runtime.cache import SingleFlight


class Work:
    """Work that is done when it is told to be, and counts how often it was begun."""

    def __init__(self, result: str = "done") -> None:
        self.begun = 0
        self.ended = asyncio.Event()
        self.go_on = asyncio.Event()
        self._result = result

    async def __call__(self) -> str:
        """Wait, then return the result or raise it."""
        self.begun += 1
        try:
            await self.go_on.wait()
        finally:
            self.ended.set()
        if self._result == "broken":
            raise ValueError(self._result)
        return self._result


async def until_begun(work: Work) -> None:
    while not work.begun:  # noqa: ASYNC110  # it begins at the next turn of the loop
        await asyncio.sleep(0)


async def test_what_a_thousand_want_at_once_is_done_once() -> None:
    flights, work = SingleFlight[str](), Work()
    waiting = [asyncio.create_task(flights.do("a", work)) for _ in range(1000)]
    await until_begun(work)
    work.go_on.set()
    assert set(await asyncio.gather(*waiting)) == {"done"}
    assert work.begun == 1


async def test_what_is_wanted_afterwards_is_done_again() -> None:
    flights, work = SingleFlight[str](), Work()
    work.go_on.set()
    assert await flights.do("a", work) == await flights.do("a", work) == "done"
    assert work.begun == 2


async def test_flights_of_other_names_do_not_wait_for_each_other() -> None:
    flights, slow, quick = SingleFlight[str](), Work(), Work("other")
    waiting = asyncio.create_task(flights.do("a", slow))
    await until_begun(slow)
    quick.go_on.set()
    assert await flights.do("b", quick) == "other"
    assert not waiting.done()
    slow.go_on.set()
    assert await waiting == "done"


async def test_a_flight_goes_on_for_the_others_when_who_began_it_has_gone() -> None:
    flights, work = SingleFlight[str](), Work()
    first = asyncio.create_task(flights.do("a", work))
    await until_begun(work)
    second = asyncio.create_task(flights.do("a", work))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.go_on.set()
    assert await second == "done"
    assert work.begun == 1


async def test_a_flight_goes_on_when_nobody_waits_any_more() -> None:
    flights, work = SingleFlight[str](), Work()
    only = asyncio.create_task(flights.do("a", work))
    await until_begun(work)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    assert not work.ended.is_set()
    joined = asyncio.create_task(flights.do("a", work))
    work.go_on.set()
    assert await joined == "done"
    assert work.begun == 1


async def test_all_who_wait_get_what_went_wrong_and_the_next_begins_anew() -> None:
    flights, broken, sound = SingleFlight[str](), Work("broken"), Work()
    waiting = [asyncio.create_task(flights.do("a", broken)) for _ in range(3)]
    await until_begun(broken)
    broken.go_on.set()
    got = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in got] == [ValueError] * 3
    sound.go_on.set()
    assert await flights.do("a", sound) == "done"


async def test_what_goes_wrong_while_nobody_waits_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    flights, broken = SingleFlight[str](), Work("broken")
    flights.begin("a", broken)
    broken.go_on.set()
    await flights.wait("a")
    gc.collect()
    assert "never retrieved" in caplog.text


async def test_what_settles_is_over_or_was_never_begun() -> None:
    flights, broken = SingleFlight[str](), Work("broken")
    await flights.wait("a")
    waiting = asyncio.create_task(flights.do("a", broken))
    await until_begun(broken)
    settling = asyncio.create_task(flights.wait("a"))
    await asyncio.sleep(0)
    assert not settling.done()
    broken.go_on.set()
    await settling
    assert broken.ended.is_set()
    with pytest.raises(ValueError, match="broken"):
        await waiting


async def test_a_close_waits_for_what_is_under_way() -> None:
    flights, work = SingleFlight[str](), Work()
    waiting = asyncio.create_task(flights.do("a", work))
    await until_begun(work)
    landing = asyncio.create_task(flights.close(60))
    await asyncio.sleep(0)
    assert not landing.done()
    work.go_on.set()
    await landing
    assert await waiting == "done"


async def test_a_close_cuts_short_what_takes_longer() -> None:
    flights, work = SingleFlight[str](), Work()
    waiting = asyncio.create_task(flights.do("a", work))
    await until_begun(work)
    await flights.close(0)
    assert work.ended.is_set()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_close_with_nothing_under_way_is_over_at_once() -> None:
    await SingleFlight[str]().close(60)


async def test_a_kept_result_stands_for_whoever_comes_later() -> None:
    flights, work = SingleFlight[str](kept=1), Work()
    work.go_on.set()
    assert [await flights.do("a", work) for _ in range(3)] == ["done"] * 3
    assert work.begun == 1


async def test_what_went_wrong_is_a_result_to_keep_too() -> None:
    flights, broken = SingleFlight[str](kept=1), Work("broken")
    broken.go_on.set()
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            await flights.do("a", broken)
    assert broken.begun == 1


async def test_only_the_last_results_are_kept_and_never_those_under_way() -> None:
    flights, slow = SingleFlight[str](kept=2), Work()
    waiting = asyncio.create_task(flights.do("slow", slow))
    await until_begun(slow)
    works = {key: Work(key) for key in "abc"}
    for key, work in works.items():
        work.go_on.set()
        assert await flights.do(key, work) == key
    joined = asyncio.create_task(flights.do("slow", slow))
    assert [await flights.do(key, works[key]) for key in "cba"] == ["c", "b", "a"]
    assert [work.begun for work in works.values()] == [2, 1, 1]
    slow.go_on.set()
    assert await waiting == await joined == "done"
    assert slow.begun == 1


async def test_what_is_done_here_is_done_once_for_all_who_want_it() -> None:
    flights, work = SingleFlight[str](kept=1), Work()
    waiting = [asyncio.create_task(flights.do_inline("a", work)) for _ in range(3)]
    await until_begun(work)
    work.go_on.set()
    assert set(await asyncio.gather(*waiting)) == {"done"}
    assert await flights.do_inline("a", work) == "done"
    assert work.begun == 1


async def test_what_goes_wrong_here_is_told_to_all_who_want_it() -> None:
    flights, work = SingleFlight[str](kept=1), Work("broken")
    waiting = [asyncio.create_task(flights.do_inline("a", work)) for _ in range(3)]
    await until_begun(work)
    work.go_on.set()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert [repr(error) for error in told] == [repr(ValueError("broken"))] * 3
    with pytest.raises(ValueError, match="broken"):
        await flights.do_inline("a", work)


async def test_what_is_done_here_ends_with_who_began_it_and_is_done_anew_for_the_next() -> None:
    flights, work = SingleFlight[str](), Work()
    first = asyncio.create_task(flights.do_inline("a", work))
    await until_begun(work)
    second = asyncio.create_task(flights.do_inline("a", work))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first, second])
    assert first.cancelled()
    assert second.cancelled()
    work.go_on.set()
    assert await flights.do_inline("a", work) == "done"
    assert work.begun == 2
