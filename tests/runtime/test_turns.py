import asyncio

import pytest

from bot.runtime.turns import AcksFirst

A_WHILE = 3600.0


@pytest.fixture
def acks(monkeypatch: pytest.MonkeyPatch) -> AcksFirst:
    monkeypatch.setattr("bot.runtime.turns._LONGEST", A_WHILE)
    return AcksFirst()


def begun(acks: AcksFirst, count: int) -> tuple[list[int], list[asyncio.Task[None]]]:
    """Let so many steps ask for their turn; return those that have begun, as they do, and the tasks."""
    seen: list[int] = []

    async def step(number: int) -> None:
        await acks.step()
        seen.append(number)

    return seen, [asyncio.create_task(step(number)) for number in range(count)]


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def begins_at_once(acks: AcksFirst) -> None:
    """Fail if a step gives the loop to others before it begins."""
    with pytest.raises(StopIteration):
        acks.step().send(None)


async def test_while_no_ack_is_in_hand_a_step_begins_at_once(acks: AcksFirst) -> None:
    begins_at_once(acks)
    with acks.pending():
        pass
    begins_at_once(acks)


async def test_while_an_ack_is_in_hand_every_step_waits(acks: AcksFirst) -> None:
    with acks.pending():
        with acks.pending():
            seen, tasks = begun(acks, 3)
            await turns(9)
        await turns(9)
        assert seen == []
    await asyncio.gather(*tasks)
    assert seen == [0, 1, 2]


async def test_after_the_ack_one_step_begins_at_each_turn_of_the_loop(acks: AcksFirst) -> None:
    with acks.pending():
        seen, tasks = begun(acks, 3)
        await turns(1)
    per_turn = []
    while len(seen) < len(tasks):
        before = len(seen)
        await turns(1)
        per_turn.append(len(seen) - before)
    assert max(per_turn) == 1
    assert seen == [0, 1, 2]


async def test_an_ack_that_comes_between_goes_first_too(acks: AcksFirst) -> None:
    with acks.pending():
        seen, tasks = begun(acks, 3)
        await turns(1)
    while not seen:
        await turns(1)
    with acks.pending():
        await turns(2)  # what was let in begins
        there = len(seen)
        await turns(9)
        assert len(seen) == there < len(tasks)
    await asyncio.gather(*tasks)
    assert seen == [0, 1, 2]


async def test_a_step_that_is_cut_short_takes_nobodys_turn(acks: AcksFirst) -> None:
    with acks.pending():
        seen, (first, second) = begun(acks, 2)
        await turns(1)
        first.cancel()
    await second
    assert first.cancelled()
    assert seen == [1]


async def test_no_step_waits_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.runtime.turns._LONGEST", 0.01)
    acks = AcksFirst()
    with acks.pending():
        seen, tasks = begun(acks, 3)
        await asyncio.gather(*tasks)
        assert sorted(seen) == [0, 1, 2]
