"""Reads of the ledger with a deadline: without an answer in time a default is used, and a line is logged."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.ledger.writer import LedgerDownError
from bot.workflow.deadline import in_time, within

MISSING = "the ledger does not tell the weather"


async def sunny() -> str:
    return "sunny"


async def down() -> str:
    raise LedgerDownError("disk is full")


async def never() -> str:
    return str(await asyncio.Event().wait())


async def broken() -> str:
    raise ValueError("a bug")


async def test_the_ledgers_answer_is_returned(caplog: pytest.LogCaptureFixture) -> None:
    assert await in_time(sunny(), MISSING) == "sunny"
    assert caplog.records == []


@pytest.mark.parametrize(
    ("asking", "reason"), [(down, "disk is full"), (never, "no answer in time")]
)
async def test_a_missing_answer_is_logged_once_with_its_facts_and_the_reason(
    caplog: pytest.LogCaptureFixture, asking: Callable[[], Awaitable[str]], reason: str
) -> None:
    assert await in_time(asking(), MISSING, lambda: {"what": "noted"}, until=within(0)) is None
    (record,) = caplog.records
    assert (record.getMessage(), record.levelname) == (MISSING, "ERROR")
    assert (vars(record)["what"], vars(record)["reason"]) == ("noted", reason)
    assert record.exc_info is None


async def test_an_error_in_the_bot_itself_is_raised() -> None:
    with pytest.raises(ValueError, match="a bug"):
        await in_time(broken(), MISSING)
