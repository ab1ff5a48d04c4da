"""What the ledger does not tell in time is done without, and stands in the log."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.ledger import LedgerDownError
from bot.workflow.deadline import in_time, within

MISSING = "the ledger does not tell the weather"


async def sunny() -> str:
    return "sunny"


async def down() -> str:
    raise LedgerDownError("disk is full")


async def never() -> str:
    return str(await asyncio.Event().wait())


async def broken() -> str:
    raise ValueError("a mistake of ours")


async def test_what_the_ledger_tells_is_passed_on(caplog: pytest.LogCaptureFixture) -> None:
    assert await in_time(sunny(), MISSING) == "sunny"
    assert caplog.records == []


@pytest.mark.parametrize(
    ("asking", "reason"), [(down, "disk is full"), (never, "no answer in time")]
)
async def test_what_it_does_not_tell_is_logged_once_with_its_facts_and_why(
    caplog: pytest.LogCaptureFixture, asking: Callable[[], Awaitable[str]], reason: str
) -> None:
    assert await in_time(asking(), MISSING, lambda: {"what": "noted"}, until=within(0)) is None
    (record,) = caplog.records
    assert (record.getMessage(), record.levelname) == (MISSING, "ERROR")
    assert (vars(record)["what"], vars(record)["reason"]) == ("noted", reason)
    assert record.exc_info is None


async def test_a_mistake_of_the_bots_own_is_not_hidden_behind_the_ledger() -> None:
    with pytest.raises(ValueError, match="ours"):
        await in_time(broken(), MISSING)
