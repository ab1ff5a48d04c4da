import asyncio

import pytest

from bot.runtime.cache import Cache
from tests.conftest import Clock, soon


class Source:
    """The source of the cached values: it counts its reads, holds them while `gate` is closed; values live ten seconds."""

    def __init__(self) -> None:
        self.readings: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, key: str) -> tuple[str, float]:
        """Return the key with the number of this read."""
        self.readings.append(key)
        number = len(self.readings)
        await self.gate.wait()
        return f"{key}{number}", 10.0


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def cache(source: Source, clock: Clock) -> Cache[str]:
    return Cache(source, clock)


async def test_a_fresh_value_is_not_read_again(
    cache: Cache[str], source: Source, clock: Clock
) -> None:
    assert await cache.get("a") == "a1"
    clock.now += 4.9
    assert await cache.get("a") == "a1"
    assert source.readings == ["a"]


async def test_past_half_its_lifetime_a_value_is_refreshed_while_the_old_one_is_still_served(
    cache: Cache[str], source: Source, clock: Clock
) -> None:
    await cache.get("a")
    clock.now += 5
    source.gate.clear()
    assert await cache.get("a") == "a1"
    assert await cache.get("a") == "a1"
    await soon(lambda: source.readings == ["a", "a"])
    source.gate.set()
    clock.now += 5  # now the old value has expired, and the read in progress is awaited
    assert await cache.get("a") == "a2"
    clock.now += 4.9
    assert await cache.get("a") == "a2"
    assert source.readings == ["a", "a"]


async def test_an_expired_value_is_never_served(cache: Cache[str], clock: Clock) -> None:
    await cache.get("a")
    clock.now += 10
    assert await cache.get("a") == "a2"


async def test_a_failed_read_raises_and_is_not_cached(clock: Clock) -> None:
    broken = [True, False]

    async def read(_key: str) -> tuple[str, float]:
        if broken.pop(0):
            raise ValueError("broken")
        return "fine", 10.0

    cache = Cache(read, clock)
    with pytest.raises(ValueError, match="broken"):
        await cache.get("a")
    assert await cache.get("a") == "fine"


async def test_reread_reads_even_if_the_cached_value_is_fresh(
    cache: Cache[str], source: Source
) -> None:
    await cache.get("a")
    assert await cache.reread("a") == "a2"
    assert await cache.get("a") == "a2"  # and is cached
    assert source.readings == ["a", "a"]


async def test_reread_joins_a_read_in_progress(cache: Cache[str], source: Source) -> None:
    source.gate.clear()
    early = cache.get("a")
    await soon(lambda: source.readings == ["a"])
    wanted = asyncio.gather(*(cache.reread("a") for _ in range(20)))
    source.gate.set()
    assert await wanted == ["a1"] * 20
    assert await early == "a1"
    assert source.readings == ["a"]


async def test_get_starts_the_read_at_once_without_being_awaited(
    cache: Cache[str], source: Source
) -> None:
    source.gate.clear()
    first, second = cache.get("a"), cache.get("b")
    await soon(lambda: source.readings == ["a", "b"])
    source.gate.set()
    assert (await second, await first) == ("b2", "a1")
    kept = cache.get("a")
    assert kept.done()  # a cached value needs no waiting


async def test_the_cache_has_a_maximum_size(clock: Clock) -> None:
    readings: list[str] = []

    async def read(key: str) -> tuple[str, float]:
        readings.append(key)
        return key, 10.0

    cache = Cache(read, clock, most=3)
    for key in "abcabcd":
        await cache.get(key)
    assert readings == ["a", "b", "c", "d"]
    await cache.get("a")
    assert readings == ["a", "b", "c", "d", "a"]


async def test_a_value_that_says_nothing_replaces_only_an_expired_one(
    source: Source, clock: Clock
) -> None:
    cache = Cache(source, clock, lambda value: value != "a1")
    await cache.get("a")
    clock.now += 5
    assert await cache.reread("a") == "a2"
    clock.now += 4.9
    assert await cache.get("a") == "a1"
    await asyncio.sleep(0)
    assert source.readings == ["a", "a"]
    clock.now += 0.1
    assert await cache.get("a") == await cache.get("a") == "a3"


async def test_a_closed_cache_has_no_read_in_progress(cache: Cache[str], source: Source) -> None:
    source.gate.clear()
    early = cache.get("a")
    await soon(lambda: source.readings == ["a"])
    await cache.close()
    assert early.cancelled()
