"""Reads of the ledger with a deadline: without an answer in time a default is used, and a line is logged."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from bot.domain.outcome import Cancelled, Outcome
from bot.domain.request import Origin, Request, State
from bot.ledger.acceptance import Accepted
from bot.ledger.click_moves import Move
from bot.ledger.ledger import Ledger
from bot.ledger.writer import InDoubtError, LedgerDownError
from bot.messages.click_replies import NothingDone
from bot.workflow.deadline import has_ended, in_time, recorded_in_time, within

MISSING = "the ledger does not tell the weather"


async def sunny() -> str:
    return "sunny"


async def down() -> str:
    raise LedgerDownError("disk is full")


async def in_doubt() -> str:
    raise InDoubtError("the connection broke")


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
    assert await in_time(asking(), MISSING, {"what": "noted"}, until=within(0)) is None
    (record,) = caplog.records
    assert (record.getMessage(), record.levelname) == (MISSING, "ERROR")
    assert (vars(record)["what"], vars(record)["reason"]) == ("noted", reason)
    assert record.exc_info is None


@pytest.mark.parametrize(
    ("asking", "told"),
    [
        (down, NothingDone.LEDGER_DOWN),
        (in_doubt, NothingDone.IN_DOUBT),
        (never, NothingDone.IN_DOUBT),
    ],
)
async def test_what_may_have_been_recorded_is_not_told_as_not_done(
    asking: Callable[[], Awaitable[str]], told: NothingDone
) -> None:
    assert await recorded_in_time(asking(), MISSING, until=within(0)) is told


async def test_an_error_in_the_bot_itself_is_raised() -> None:
    with pytest.raises(ValueError, match="a bug"):
        await in_time(broken(), MISSING)


@pytest.mark.parametrize(
    ("to", "outcome", "ended"),
    [
        (State.ACCEPTED, None, False),
        (State.ANSWERED, Cancelled("U1"), True),
        (State.ENDED, Cancelled("U1"), True),
    ],
)
async def test_a_request_has_ended_once_it_has_an_outcome(
    ledger: Ledger, to: State, outcome: Outcome | None, *, ended: bool
) -> None:
    asked = Origin(
        team_id="T1",
        user_id="U1",
        channel_id="C1",
        channel_name="releases",
        trigger_id="1.1",
        response_url="",
    )
    request = Request(
        id="r1",
        origin=asked,
        appid="wx5fe6bb43205e9e70",
        env="prod-1",
        owner="wx0123456789abcdef",
        rule="rule",
    )
    accepted = await ledger.accept(request, State.CONFIRMING, patience=600.0)
    assert isinstance(accepted, Accepted)
    assert not await has_ended(ledger, "r1")
    await ledger.clicks.move(accepted.entry, Move(to, "U1", "clicked", outcome=outcome))
    assert await has_ended(ledger, "r1") is ended
    assert not await has_ended(ledger, "unknown")


async def test_no_request_has_ended_as_long_as_the_ledger_is_down(ledger: Ledger) -> None:
    await ledger.close()
    assert not await has_ended(ledger, "r1")
