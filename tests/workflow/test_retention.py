"""A bot that runs deletes what ended long ago, and goes on knowing what was shared."""

import asyncio
import time
from dataclasses import dataclass, replace

import pytest

from bot.domain.kept import KeptShare
from bot.ledger.deletion import DAY
from bot.messages.history import kept_request, shared_long_ago
from bot.ops.ledger_command import tell_request
from bot.playground.world import APPID, OWNER
from tests.conftest import ENV, RELEASES, REQUESTER, ended, rows, soon
from tests.languages import ENGLISH
from tests.rig import ALLOW, APPROVALS, APPROVE, SECOND, Rig, history_of


@dataclass
class Calendar:
    """The time of the machine and of its database, which days may pass at once."""

    passed: float = 0.0

    def now(self) -> float:
        """Return Unix time, and what has passed."""
        return time.time() + self.passed


@pytest.fixture
def calendar(rig: Rig) -> Calendar:
    """The calendar of a bot that keeps requests for thirty days."""
    calendar = Calendar()
    rig.runtime = replace(rig.runtime, now=calendar.now, delete_every=0.02)
    rig.environ["AUDIT_KEEP_DAYS"] = "30"
    return calendar


def kinds(rig: Rig) -> list[str]:
    return [str(kind) for (kind,) in rows(rig.database, "SELECT kind FROM events ORDER BY id")]


def kept(rig: Rig) -> list[KeptShare]:
    found = rows(rig.database, "SELECT request, env, appid, owner, ended FROM kept_shares")
    return [KeptShare(*row) for row in found]


async def test_what_a_running_bot_deleted_is_known_as_shared_to_all_who_ask(
    rig: Rig, calendar: Calendar, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig.bot(ALLOW):
        await rig.ask()
        await soon(lambda: "delivered" in kinds(rig))
        calendar.passed += 30 * DAY
        await rig.ask("whoami")
        assert kept(rig) == []
        calendar.passed += DAY
        await soon(lambda: "deleted" in kinds(rig))
        (share,) = kept(rig)
        assert (share.request, share.env, share.appid, share.owner) == (
            *("request1", ENV, APPID),
            OWNER,
        )
        assert kinds(rig) == ["asked", "deleted"]
        assert await rig.ask() == shared_long_ago(ENGLISH, share).text
        assert await rig.ask(user=SECOND) == shared_long_ago(ENGLISH, share).text
        assert await rig.ask("history request1") == kept_request(ENGLISH, share).text
        for about in (ENV, APPID):
            assert "request1" in await history_of(rig.slack, REQUESTER, about)
        assert "request1" not in await history_of(rig.slack, REQUESTER)
        assert await asyncio.to_thread(tell_request, rig.environ, "request1") == 0
        out = capsys.readouterr().out
        assert out.startswith(f"Request request1 shared {ENV} with {APPID} on 20")
        assert kinds(rig).count("shared before") == 2
        assert "On it" in await rig.ask(f"{APPID} {ENV} --again")
        await rig.slack.until(lambda slack: len(slack.parents(RELEASES)) == 2 and ended(slack))
    async with rig.bot(APPROVE):
        await rig.ask(f"wx00000000000000bb {ENV}")
        await rig.slack.until(lambda slack: bool(slack.parents(APPROVALS)))
        question = rig.slack.parents(APPROVALS)[-1].text
        assert question.count(f"with `{APPID}`") == 2  # by somebody, and by nobody any more


async def test_a_bot_that_keeps_all_deletes_nothing(rig: Rig, calendar: Calendar) -> None:
    del rig.environ["AUDIT_KEEP_DAYS"]
    async with rig.bot(ALLOW):
        await rig.ask()
        await soon(lambda: "delivered" in kinds(rig))
        calendar.passed += 40_000 * DAY
        await asyncio.sleep(0.2)
        assert "deleted" not in kinds(rig)
