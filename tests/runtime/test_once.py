import asyncio

import pytest

from bot.runtime import once as room
from bot.runtime.once import Once


class Work:
    """Work that takes until it is let go on, and counts how often it was begun."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = asyncio.Event()

    async def __call__(self) -> int:
        """Return how often it was begun."""
        self.begun += 1
        await self.go_on.wait()
        return self.begun


async def test_who_brings_the_same_key_gets_the_same_answer() -> None:
    once, work = Once[int](), Work()
    both = [asyncio.create_task(once("a", work)) for _ in range(5)]
    work.go_on.set()
    assert await asyncio.gather(*both) == [1] * 5
    assert await once("a", work) == 1
    assert work.begun == 1


async def test_another_key_is_another_answer() -> None:
    once, work = Once[int](), Work()
    work.go_on.set()
    assert [await once("a", work), await once("b", work)] == [1, 2]


async def test_who_gives_up_waiting_leaves_the_work_to_the_others() -> None:
    once, work = Once[int](), Work()
    first = asyncio.create_task(once("a", work))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    work.go_on.set()
    assert await once("a", work) == 1
    assert first.cancelled()


async def test_what_went_wrong_is_the_answer_too() -> None:
    once = Once[None]()

    async def wrong() -> None:
        raise LookupError

    for _ in range(2):
        with pytest.raises(LookupError):
            await once("a", wrong)


async def test_only_so_many_answers_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_KEPT", 2)
    once, work = Once[int](), Work()
    work.go_on.set()
    for key in "abc":
        await once(key, work)
    assert [await once(key, work) for key in "cb"] == [3, 2]
    assert await once("a", work) == 4
