import asyncio
import logging

import pytest

from bot.runtime.single_flight import Flights


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
    flights, work = Flights[str](), Work()
    waiting = [asyncio.create_task(flights.join("a", work)) for _ in range(1000)]
    await until_begun(work)
    work.go_on.set()
    assert set(await asyncio.gather(*waiting)) == {"done"}
    assert work.begun == 1


async def test_what_is_wanted_afterwards_is_done_again() -> None:
    flights, work = Flights[str](), Work()
    work.go_on.set()
    assert await flights.join("a", work) == await flights.join("a", work) == "done"
    assert work.begun == 2


async def test_flights_of_other_names_do_not_wait_for_each_other() -> None:
    flights, slow, quick = Flights[str](), Work(), Work("other")
    waiting = asyncio.create_task(flights.join("a", slow))
    await until_begun(slow)
    quick.go_on.set()
    assert await flights.join("b", quick) == "other"
    assert not waiting.done()
    slow.go_on.set()
    assert await waiting == "done"


async def test_a_flight_goes_on_for_the_others_when_who_began_it_has_gone() -> None:
    flights, work = Flights[str](), Work()
    first = asyncio.create_task(flights.join("a", work))
    await until_begun(work)
    second = asyncio.create_task(flights.join("a", work))
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    work.go_on.set()
    assert await second == "done"
    assert work.begun == 1


async def test_a_flight_goes_on_when_nobody_waits_any_more() -> None:
    flights, work = Flights[str](), Work()
    only = asyncio.create_task(flights.join("a", work))
    await until_begun(work)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    assert not work.ended.is_set()
    joined = asyncio.create_task(flights.join("a", work))
    work.go_on.set()
    assert await joined == "done"
    assert work.begun == 1


async def test_all_who_wait_get_what_went_wrong_and_the_next_begins_anew() -> None:
    flights, broken, sound = Flights[str](), Work("broken"), Work()
    waiting = [asyncio.create_task(flights.join("a", broken)) for _ in range(3)]
    await until_begun(broken)
    broken.go_on.set()
    got = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in got] == [ValueError] * 3
    sound.go_on.set()
    assert await flights.join("a", sound) == "done"


async def test_nothing_is_complained_of_when_nobody_waited_for_what_went_wrong(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    flights, broken = Flights[str](), Work("broken")
    only = asyncio.create_task(flights.join("a", broken))
    await until_begun(broken)
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    broken.go_on.set()
    await flights.land(1)
    del only
    assert [record for record in caplog.records if record.levelno > logging.DEBUG] == []


async def test_a_landing_waits_for_what_is_under_way() -> None:
    flights, work = Flights[str](), Work()
    waiting = asyncio.create_task(flights.join("a", work))
    await until_begun(work)
    landing = asyncio.create_task(flights.land(60))
    await asyncio.sleep(0)
    assert not landing.done()
    work.go_on.set()
    await landing
    assert await waiting == "done"


async def test_a_landing_cuts_short_what_takes_longer() -> None:
    flights, work = Flights[str](), Work()
    waiting = asyncio.create_task(flights.join("a", work))
    await until_begun(work)
    await flights.land(0)
    assert work.ended.is_set()
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_a_landing_with_nothing_under_way_is_over_at_once() -> None:
    await Flights[str]().land(60)
