"""Clicks while bots are killed: a recorded decision is carried out once, and an open question can still be decided."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL, SIGTERM

import pytest

from bot.playground.faults import Drop
from bot.playground.slack.server import LocalSlack
from bot.playground.slack.surfaces import View
from bot.playground.world import APPID, World
from tests.conftest import RELEASES, REQUESTER, address_at, opened, soon
from tests.databases import PostgreSQL
from tests.faults.bots import (
    Bot,
    all_ended,
    assert_recorded_once,
    environ,
    rows,
    two_bots,
    until_none,
)
from tests.rig import APPROVALS, APPROVER, SECOND_APPROVER
from tests.said import NEEDS_APPROVAL
from tests.token_server import TokenWeChat

pytestmark = pytest.mark.slow

WITHIN = 30.0  # seconds; a lease and a margin
POLICY = """
[[rule]]
name = "four eyes"
users = ["U0REQUESTER"]
effect = "approve"
approvers = { groups = ["S0APPROVERS"], channel = "C0APPROVALS" }
"""


@dataclass
class Pair:
    """Two replicas in HTTP mode on one database; each action says which of them gets it."""

    slack: LocalSlack
    wechat: TokenWeChat
    database: str
    bots: tuple[Bot, Bot]
    addresses: list[str]

    async def request_share(self, env: str, to: int) -> str:
        """Request a share, and return the ts of the question to the approvers."""
        self.slack.request_url = self.addresses[to]
        asked = len(self.slack.parents(APPROVALS))
        ack = await self.slack.command(REQUESTER, RELEASES, f"{APPID} {env}")
        assert NEEDS_APPROVAL in str(ack.payload), ack.error
        await self.slack.until(lambda slack: len(slack.parents(APPROVALS)) > asked)
        return self.slack.parents(APPROVALS)[-1].ts

    async def open_modal(self, user: str, question: str, button: str, to: int) -> View:
        """Open a decision's modal."""
        self.slack.request_url = self.addresses[to]
        ack = await self.slack.click(user, question, button)
        assert ack.error is None
        return await opened(self.slack, user)

    async def submit(self, user: str, view: View, to: int) -> None:
        """Submit a decision."""
        self.slack.request_url = self.addresses[to]
        ack = await self.slack.submit(user, view)
        assert ack.error is None

    async def last_messages(self, times: int) -> list[str]:
        """Return what each approver was told last, once both were told something this many times."""
        both = APPROVER, SECOND_APPROVER
        await self.slack.until(
            lambda slack: all(len(slack.shown_to(user)) == times for user in both)
        )
        return [self.slack.shown_to(user)[-1].text for user in both]

    async def all_ended(self) -> None:
        """Wait until all requests have ended."""
        await all_ended(self.database, WITHIN)

    async def none_leased(self) -> None:
        """Wait until the waiting requests have no lease."""
        await until_none(self.database, "holder IS NOT NULL OR wake IS NULL", WITHIN)

    def events(self, kind: str) -> int:
        """Return how many events of a kind are recorded."""
        return len(rows(self.database, f"SELECT id FROM events WHERE kind = '{kind}'"))  # noqa: S608

    def assert_answered_once(self) -> None:
        """Check that each request has one parent with one answer, and one decided question."""
        for parent in self.slack.parents(RELEASES):
            assert parent.text.startswith(("✅", "🚫")), parent.text
            assert len(self.slack.thread(RELEASES, parent.ts)) == 1
        for question in self.slack.parents(APPROVALS):
            assert not any(block["type"] == "actions" for block in question.blocks)
        assert_recorded_once(self.database, set(rows(self.database, "SELECT id FROM requests")))
        assert self.slack.violations == []


@pytest.fixture
async def pair(
    postgresql: PostgreSQL, tmp_path: Path, unused_tcp_port_factory: Callable[[], int]
) -> AsyncIterator[Pair]:
    database = postgresql.new()
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY, encoding="utf-8")
    ports = unused_tcp_port_factory(), unused_tcp_port_factory()
    async with LocalSlack(World()) as slack, TokenWeChat() as wechat:
        both = environ(slack, wechat, database) | {"POLICY_FILE": str(policy)}
        del both["SHARE_ENV_ALLOWED_USERS"]
        async with two_bots(both, tmp_path, *ports) as bots:
            yield Pair(slack, wechat, database, bots, [*map(address_at, ports)])


async def test_of_two_approvers_at_two_replicas_one_decides_and_the_other_is_told(
    pair: Pair,
) -> None:
    races = 10
    for number in range(races):
        question = await pair.request_share(f"race-{number}", to=number % 2)
        views = [
            await pair.open_modal(APPROVER, question, "approve", to=0),
            await pair.open_modal(SECOND_APPROVER, question, "approve", to=1),
        ]
        sending = []
        for user, view, to in zip((APPROVER, SECOND_APPROVER), views, (0, 1), strict=True):
            sending.append(asyncio.create_task(pair.submit(user, view, to)))
            await asyncio.sleep(0)  # the payload has its URL before the next one gets another
        await asyncio.gather(*sending)
        said = sorted(await pair.last_messages(number + 1))
        assert said[0].startswith("That came too late"), said
        assert said[1].startswith("You approved"), said
    await pair.all_ended()
    for bot in pair.bots:
        assert await bot.end(SIGTERM) == 0
    assert pair.events("approved") == races
    assert len(pair.wechat.calls) == len(pair.wechat.shared) == races
    pair.assert_answered_once()


async def test_an_approved_request_is_carried_out_once_by_the_successor_of_a_killed_bot(
    pair: Pair,
) -> None:
    killed, successor = pair.bots
    question = await pair.request_share("killed-1", to=0)
    view = await pair.open_modal(APPROVER, question, "approve", to=0)
    # The call has no effect before the bot is killed.
    pair.wechat.fail("shareenv", Drop(silence=WITHIN))
    await pair.submit(APPROVER, view, to=0)
    await pair.wechat.until(lambda wechat: bool(wechat.calls))
    await killed.end(SIGKILL)
    assert pair.events("approved") == 1
    await pair.all_ended()
    await soon(lambda: successor.logged("taken over"))  # its log is written a moment later
    assert len(pair.wechat.shared) == 1
    (reply,) = pair.slack.thread(RELEASES, pair.slack.parents(RELEASES)[0].ts)
    assert f"Approved by <@{APPROVER}>" in reply.text
    assert f"<@{APPROVER}> approved this" in pair.slack.parents(APPROVALS)[0].text
    pair.assert_answered_once()


async def test_a_recorded_decision_is_carried_out_after_a_crash(pair: Pair) -> None:
    killed, _ = pair.bots
    question = await pair.request_share("killed-1", to=0)
    await pair.none_leased()
    view = await pair.open_modal(APPROVER, question, "reject", to=0)
    await pair.submit(APPROVER, view, to=0)
    while not pair.events("rejected"):  # noqa: ASYNC110  # a database sends no event
        await asyncio.sleep(0)
    await killed.end(SIGKILL)
    await pair.all_ended()
    assert "*Rejected*" in pair.slack.thread(RELEASES, pair.slack.parents(RELEASES)[0].ts)[0].text
    assert pair.wechat.calls == []
    pair.assert_answered_once()


async def test_waiting_requests_can_still_be_decided_after_all_bots_were_killed(pair: Pair) -> None:
    questions = [
        await pair.request_share(f"waiting-{number}", to=number % 2) for number in range(4)
    ]
    await pair.none_leased()
    for bot in pair.bots:
        await bot.end(SIGKILL)
    await pair.bots[1].start()
    for number, question in enumerate(questions):
        button = "approve" if number % 2 else "reject"
        view = await pair.open_modal(APPROVER, question, button, to=1)
        await pair.submit(APPROVER, view, to=1)
    await pair.all_ended()
    assert sorted(env for _, env, _ in pair.wechat.shared) == ["waiting-1", "waiting-3"]
    assert len(pair.slack.parents(APPROVALS)) == len(questions)
    pair.assert_answered_once()


async def test_a_question_that_a_killed_bot_was_asking_is_asked_once_and_can_be_decided(
    pair: Pair,
) -> None:
    killed, _ = pair.bots
    requesting = [
        asyncio.create_task(pair.request_share(f"asking-{number}", to=0)) for number in range(4)
    ]
    await pair.slack.until(lambda slack: bool(slack.parents(APPROVALS)))
    await killed.end(SIGKILL)
    await asyncio.gather(*requesting, return_exceptions=True)
    await pair.none_leased()
    waiting = rows(pair.database, "SELECT id FROM requests WHERE state = 'waiting'")
    questions = pair.slack.parents(APPROVALS)
    assert len(questions) == len(pair.slack.parents(RELEASES)) == len(waiting)
    for question in questions:
        view = await pair.open_modal(APPROVER, question.ts, "approve", to=1)
        await pair.submit(APPROVER, view, to=1)
    await pair.all_ended()
    assert len(pair.wechat.shared) == len(waiting)
    pair.assert_answered_once()
