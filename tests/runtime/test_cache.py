import asyncio

import pytest

from bot.playground.loopback import Watched
from bot.runtime.cache import Cache, Recent
from tests.conftest import Clock


class Source(Watched):
    """What is read: each reading counts, waits at the gate, and is good for ten seconds."""

    def __init__(self) -> None:
        super().__init__()
        self.readings: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: str) -> tuple[str, float]:
        """Return the key and the number of the reading."""
        self.readings.append(key)
        number = len(self.readings)
        self.changed()
        await self.gate.wait()
        return f"{key}{number}", 10.0

    def transcript(self) -> str:
        """Return what was read."""
        return " ".join(self.readings)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def memory(source: Source, clock: Clock) -> Cache[str]:
    return Cache(source, clock)


async def test_a_fresh_value_is_not_read_again(
    memory: Cache[str], source: Source, clock: Clock
) -> None:
    assert await memory.get("a") == "a1"
    clock.now += 4.9
    assert await memory.get("a") == "a1"
    assert source.readings == ["a"]


async def test_past_half_its_time_a_value_is_read_again_and_nobody_waits(
    memory: Cache[str], source: Source, clock: Clock
) -> None:
    await memory.get("a")
    clock.now += 5
    source.gate.clear()
    assert await memory.get("a") == "a1"
    assert await memory.get("a") == "a1"
    await source.until(lambda source: source.readings == ["a", "a"])
    source.gate.set()
    clock.now += 5  # now the old value is of no use, and the reading under way is waited for
    assert await memory.get("a") == "a2"
    clock.now += 4.9
    assert await memory.get("a") == "a2"
    assert source.readings == ["a", "a"]


async def test_a_value_is_never_older_than_it_is_good_for(memory: Cache[str], clock: Clock) -> None:
    await memory.get("a")
    clock.now += 10
    assert await memory.get("a") == "a2"


async def test_however_many_ask_it_is_read_once(memory: Cache[str], source: Source) -> None:
    source.gate.clear()
    asking = asyncio.gather(*(memory.get("a") for _ in range(20)), memory.get("b"))
    await source.until(lambda source: len(source.readings) == 2)
    source.gate.set()
    assert await asking == ["a1"] * 20 + ["b2"]
    assert source.readings == ["a", "b"]


async def test_a_reader_that_gives_up_leaves_the_value_for_the_next(
    memory: Cache[str], source: Source
) -> None:
    source.gate.clear()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(memory.get("a"), 0.01)
    second = memory.get("a")
    await asyncio.sleep(0)
    source.gate.set()
    assert await second == "a1"
    assert source.readings == ["a"]


async def test_a_failed_reading_is_told_and_not_remembered(clock: Clock) -> None:
    broken = [True, False]

    async def read(_key: str) -> tuple[str, float]:
        if broken.pop(0):
            raise ValueError("broken")
        return "fine", 10.0

    memory = Cache(read, clock)
    with pytest.raises(ValueError, match="broken"):
        await memory.get("a")
    assert await memory.get("a") == "fine"


async def test_what_is_wanted_anew_is_read_however_fresh_the_memory_is(
    memory: Cache[str], source: Source
) -> None:
    await memory.get("a")
    assert await memory.reread("a") == "a2"
    assert await memory.get("a") == "a2"  # and is remembered
    assert source.readings == ["a", "a"]


async def test_what_is_wanted_anew_was_begun_to_be_read_after_it_was_wanted(
    memory: Cache[str], source: Source
) -> None:
    source.gate.clear()
    early = memory.get("a")
    await source.until(lambda source: source.readings == ["a"])
    wanted = asyncio.gather(*(memory.reread("a") for _ in range(20)))
    await asyncio.sleep(0)
    source.gate.set()
    assert await early == "a1"
    assert await wanted == ["a2"] * 20  # one reading for all of them
    assert source.readings == ["a", "a"]


async def test_what_failed_while_something_newer_was_wanted_fails_nobody_else(
    clock: Clock,
) -> None:
    gate, broken = asyncio.Event(), [True, False]

    async def read(_key: str) -> tuple[str, float]:
        await gate.wait()
        if broken.pop(0):
            raise ValueError("broken")
        return "fine", 10.0

    memory = Cache(read, clock)
    early = memory.get("a")
    await asyncio.sleep(0)
    wanted = memory.reread("a")
    await asyncio.sleep(0)
    gate.set()
    assert await wanted == "fine"
    with pytest.raises(ValueError, match="broken"):
        await early


async def test_what_is_not_kept_is_being_read_as_soon_as_it_is_asked_for(
    memory: Cache[str], source: Source
) -> None:
    source.gate.clear()
    first, second = memory.get("a"), memory.get("b")
    await source.until(lambda source: source.readings == ["a", "b"])
    source.gate.set()
    assert (await second, await first) == ("b2", "a1")
    kept = memory.get("a")
    assert kept.done()  # nobody waits for what is kept


async def test_memory_has_a_bound(clock: Clock) -> None:
    readings: list[str] = []

    async def read(key: str) -> tuple[str, float]:
        readings.append(key)
        return key, 10.0

    memory = Cache(read, clock, most=3)
    for key in "abcabcd":
        await memory.get(key)
    assert readings == ["a", "b", "c", "d"]
    await memory.get("a")
    assert readings == ["a", "b", "c", "d", "a"]


async def test_once_closed_nothing_is_read_for_those_who_waited_for_a_reading_to_end(
    memory: Cache[str], source: Source
) -> None:
    source.gate.clear()
    early, wanted = memory.get("a"), memory.reread("a")
    await source.until(lambda source: source.readings == ["a"])
    await memory.close()
    source.gate.set()
    await asyncio.wait([early, wanted])
    assert source.readings == ["a"]


def test_a_recent_key_is_new_once_and_again_after_so_many_others() -> None:
    recent = Recent(2)
    assert [recent.add(key) for key in "aabbaca"] == [True, False, True, False, False, True, True]
