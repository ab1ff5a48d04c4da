import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

import pytest
from sqlalchemy import NullPool, create_engine, text

from bot.ledger.lease import LEASE
from bot.playground.faults import Slow, Status
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.slack.surfaces import View
from bot.playground.world import APPID, BOT, HARBOUR, ORGANISATION, SCOPES, TEAM, World
from bot.slack.preflight import MENTIONS
from tests.conftest import RELEASES, REQUESTER, opened, soon
from tests.databases import PostgreSQL
from tests.faults.bots import (
    Bot,
    Load,
    all_ended,
    assert_answered_once,
    assert_recorded_once,
    environ,
    rows,
    two_bots,
)
from tests.pgbouncer import pgbouncer
from tests.rig import APPROVALS, APPROVER, SECOND_APPROVER, has_button
from tests.token_server import TokenWeChat

pytestmark = pytest.mark.slow

TAKEN_OVER_WITHIN = 20.0  # seconds
FROZEN = 2 * LEASE + 2  # seconds
# Seconds that WeChat takes: first long, so that many calls are in progress, then short.
LONG, SHORT = 10.0, 0.5
PATIENT = {"WECHAT_TIMEOUT": "30"}
MANY = 200  # more than one take-over handles


@pytest.fixture
def database(postgresql: PostgreSQL, request: pytest.FixtureRequest) -> Iterator[str]:
    url, pool = postgresql.new(), request.config.getoption("--pgbouncer")
    with pgbouncer(url, pool) if pool else nullcontext(url) as address:
        yield address


def held(database: str, bot: Bot) -> set[str]:
    """Return a replica's requests according to the ledger; its log may lack the latest, since acks come before log lines."""
    known = ", ".join(f"'{id_}'" for id_ in bot.logged("accepted"))
    holder = f"SELECT holder FROM requests WHERE id IN ({known})"  # noqa: S608  # ids of the bot's own
    return set(rows(database, f"SELECT id FROM requests WHERE holder IN ({holder})"))  # noqa: S608  # ids of the bot's own


async def test_requests_of_a_killed_replica_are_finished_by_the_other_within_20_seconds(
    database: str, tmp_path: Path
) -> None:
    async with (
        LocalSlack(World()) as slack,
        TokenWeChat(latency=LONG) as wechat,
        two_bots(environ(slack, wechat, database) | PATIENT, tmp_path) as (one, other),
    ):
        async with Load(slack) as load:
            await load.more_accepted(40)
            await asyncio.gather(*(load.type_command() for _ in range(MANY)))
            await one.end(SIGKILL)
            wechat.latency = SHORT
            orphans = held(database, one) & load.under_way()
            assert len(orphans) > MANY / 3
            await slack.until(lambda _: orphans <= load.finals.keys(), TAKEN_OVER_WITHIN)
        await load.all_answered(10)
        assert await other.end(SIGTERM) == 0
        assert orphans <= other.logged("taken over")
        assert_answered_once(slack, load.accepted)
        assert_recorded_once(database, load.accepted)


async def test_a_replica_that_was_frozen_for_longer_than_its_lease_overwrites_nothing_and_works_again(
    database: str, tmp_path: Path
) -> None:
    async with (
        LocalSlack(World()) as slack,
        TokenWeChat(latency=LONG) as wechat,
        two_bots(environ(slack, wechat, database) | PATIENT, tmp_path) as (one, other),
    ):
        load = Load(slack)
        await asyncio.gather(*(load.type_command() for _ in range(40)))
        # Frozen during a call to WeChat: frozen while posting, it could not avoid a second message.
        await slack.until(lambda _: load.accepted <= load.shown)
        await soon(lambda: one.logged("accepted"))
        one.send(SIGSTOP)
        wechat.latency = SHORT
        frozen = time.monotonic()
        orphans = held(database, one) & load.under_way()
        assert len(orphans) > 5
        async with load:
            await slack.until(lambda _: orphans <= load.finals.keys(), TAKEN_OVER_WITHIN)
            await asyncio.sleep(frozen + FROZEN - time.monotonic())
            one.send(SIGCONT)
            await load.more_accepted(20)
            # It is alone now, so it accepts all requests.
            assert await other.end(SIGTERM) == 0
            await load.more_accepted(20)
        await load.all_answered(30)
        assert await one.end(SIGTERM) == 0
        assert orphans <= other.logged("taken over")
        assert_answered_once(slack, load.accepted)
        assert_recorded_once(database, load.accepted)


async def test_replicas_that_are_stopped_under_load_leave_the_rest_to_the_next_start_at_once(
    database: str, tmp_path: Path
) -> None:
    async with (
        LocalSlack(World()) as slack,
        TokenWeChat(latency=LONG) as wechat,
        two_bots(
            environ(slack, wechat, database) | PATIENT | {"SHUTDOWN_GRACE": "0"}, tmp_path
        ) as (one, other),
    ):
        async with Load(slack) as load:
            await load.more_accepted(40)
            await asyncio.gather(*(load.type_command() for _ in range(MANY)))
            codes = await asyncio.gather(one.end(SIGTERM), other.end(SIGTERM))
            assert set(codes) == {0}
            assert len(load.under_way()) > MANY / 2
        # No lease has to expire first.
        assert rows(database, "SELECT id FROM replicas") == []
        wechat.latency = SHORT
        await other.start()
        await load.all_answered(30)
        # People see the last answer a moment before its end is recorded; a stop without grace prevents the latter.
        await all_ended(database, 10)
        assert await other.end(SIGTERM) == 0
        assert_answered_once(slack, load.accepted)
        assert_recorded_once(database, load.accepted)


async def test_a_mention_that_slack_delivers_to_both_replicas_is_shared_and_answered_once(
    database: str, tmp_path: Path
) -> None:
    async with (
        LocalSlack(World(scopes=SCOPES | {MENTIONS})) as slack,
        TokenWeChat() as wechat,
        two_bots(environ(slack, wechat, database), tmp_path) as bots,
    ):
        for number in range(6):
            said = f"<@{BOT}> {APPID} prod-{number}"
            ack = await slack.say("U0REQUESTER", RELEASES, said)
            assert ack
            assert (await slack.redeliver(ack)).error is None
            await slack.command("U0REQUESTER", RELEASES, "help")  # the other is first next time
        await all_ended(database, 10)
        assert len(rows(database, "SELECT id FROM requests")) == 6
        assert all(bot.logged("accepted") for bot in bots)
        assert len(wechat.calls) == 6
        for parent in slack.parents(RELEASES):
            answers = [each.text[:1] for each in slack.thread(RELEASES, parent.ts)]
            assert answers.count("✅") == 2  # the message about the request, and the answer


APPROVE = """
[[rule]]
name = "four eyes"
users = ["U0REQUESTER"]
effect = "approve"
approvers = { groups = ["S0APPROVERS"], channel = "C0APPROVALS" }
"""
STARTED_WITHIN = 25  # seconds, in which two bots start and record requests


async def test_an_approval_at_either_replica_during_a_freeze_that_began_after_the_request_shares_nothing(
    database: str, tmp_path: Path
) -> None:
    begins = int(time.time()) + STARTED_WITHIN
    at = [datetime.fromtimestamp(begins + hours * 3600, UTC).isoformat() for hours in (0, 1)]
    freeze = f'[[freeze]]\nfrom = {at[0]}\nuntil = {at[1]}\nreason = "the year ends"\n'
    policy = tmp_path / "policy.toml"
    policy.write_text(f"{APPROVE}{freeze}", encoding="utf-8")
    async with LocalSlack(World()) as slack, TokenWeChat() as wechat:
        settings = environ(slack, wechat, database) | {"POLICY_FILE": str(policy)}
        del settings["SHARE_ENV_ALLOWED_USERS"]
        async with two_bots(settings, tmp_path) as bots:
            for number in range(8):
                ack = await slack.command("U0REQUESTER", RELEASES, f"{APPID} prod-{number}")
                assert "needs an approval" in str(ack.payload)
            await slack.until(lambda slack: len(slack.parents(APPROVALS)) == 8)
            assert time.time() < begins
            await asyncio.sleep(begins - time.time())
            for question in slack.parents(APPROVALS):
                for approver in ("U0APPROVER", "U0APPROVER2"):
                    assert (await slack.click(approver, question.ts, "approve")).error is None
                views = [await opened(slack, each) for each in ("U0APPROVER", "U0APPROVER2")]
                await asyncio.gather(*(slack.submit(view.user, view, {}) for view in views))
            await all_ended(database, 20)
            assert all(bot.logged("denied") for bot in bots)
    endings = rows(database, "SELECT ending FROM requests")
    assert [json.loads(each) for each in endings] == [
        {"kind": "denied", "ground": "frozen", "until": begins + 3600.0}
    ] * 8
    assert wechat.calls == []


SEVERAL = """
[[rule]]
name = "three agree"
users = ["U0REQUESTER"]
effect = "approve"
[rule.approvers]
users = ["U0CHINESE", "U0SECOND"]
groups = ["S0APPROVERS"]
approvals = 3
channel = "C0APPROVALS"
"""


async def agree(slack: LocalSlack, question: str, *users: str) -> None:
    """Let these users approve at once; each payload goes to the next replica."""
    views = dict[str, View]()
    for user in dict.fromkeys(users):
        await slack.click(user, question, "approve")
        views[user] = await opened(slack, user)
    acks = await asyncio.gather(*(slack.submit(user, views[user]) for user in users))
    assert [ack.error for ack in acks] == [None] * len(users)


async def test_agreements_on_two_replicas_count_each_person_once_while_they_may_and_share_once(
    database: str, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text(SEVERAL, encoding="utf-8")

    async def agreed(count: int) -> None:
        events = "SELECT id FROM events WHERE kind = 'agreed'"
        asked = "SELECT id FROM requests WHERE all_asked AND holder IS NULL"
        await soon(lambda: (len(rows(database, events)), len(rows(database, asked))) == (count, 1))

    async with LocalSlack(World()) as slack, TokenWeChat() as wechat:
        ruled = environ(slack, wechat, database) | {"POLICY_FILE": str(tmp_path / "policy.toml")}
        del ruled["SHARE_ENV_ALLOWED_USERS"]
        async with two_bots(ruled, tmp_path) as (one, other):
            await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
            await agreed(0)
            (question,) = slack.parents(APPROVALS)
            await agree(slack, question.ts, APPROVER, APPROVER)
            await agreed(1)
            await agree(slack, question.ts, SECOND_APPROVER)
            await agreed(2)
            group = slack.groups["S0APPROVERS"]
            left = replace(group, members=group.members - {SECOND_APPROVER})
            slack.groups["S0APPROVERS"] = left
            await agree(slack, question.ts, "U0CHINESE", "U0SECOND")
            await all_ended(database, 10)
            for bot in (one, other):
                assert await bot.end(SIGTERM) == 0
                assert bot.logged("agreed") | bot.logged("approved")
    assert len(wechat.calls) == 1
    kinds = rows(database, "SELECT kind FROM events ORDER BY id")
    assert (kinds.count("agreed"), kinds.count("approved"), kinds.count("answered")) == (3, 1, 1)
    (question,) = slack.parents(APPROVALS)
    assert f"<@{APPROVER}> agreed" in question.text
    assert f"<@{SECOND_APPROVER}>" not in question.text


WIDE = """
[[rule]]
name = "two of the harbour"
users = ["U0REQUESTER"]
effect = "approve"
approvers = { groups = ["T0HARBOUR/S0HARBOUR"], approvals = 2, channel = "C0HARBOUR" }
"""


async def test_who_agrees_from_two_workspaces_of_an_organisation_at_once_agrees_once(
    database: str, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text(WIDE, encoding="utf-8")
    async with LocalSlack(ORGANISATION) as slack, TokenWeChat() as wechat:
        ruled = environ(slack, wechat, database) | {"POLICY_FILE": str(tmp_path / "policy.toml")}
        del ruled["SHARE_ENV_ALLOWED_USERS"]

        async def agree_from(team: str, view: View) -> None:
            slack.switch(APPROVER, team)
            assert (await slack.submit(APPROVER, view)).error is None

        async with two_bots(ruled, tmp_path) as (one, other):
            await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
            asked = "SELECT id FROM requests WHERE all_asked AND holder IS NULL"
            await soon(lambda: rows(database, asked))
            (question,) = slack.parents("C0HARBOUR")
            await slack.click(APPROVER, question.ts, "approve")
            view = await opened(slack, APPROVER)
            await asyncio.gather(agree_from(TEAM, view), agree_from(HARBOUR, view))
            await slack.until(lambda _: len(slack.shown_to(APPROVER)) == 2, 20)
            decided = "SELECT kind FROM events WHERE kind IN ('agreed', 'approved')"
            assert rows(database, decided) == ["agreed"]
            await soon(lambda: rows(database, asked))
            await agree(slack, question.ts, "U0HARBOUR")
            await all_ended(database, 10)
            for bot in (one, other):
                assert await bot.end(SIGTERM) == 0
    assert len(wechat.calls) == 1


LATER = """
[[rule]]
name = "four eyes"
users = ["U0REQUESTER"]
effect = "approve"
[rule.approvers]
users = ["U0APPROVER"]
channel = "C0APPROVALS"
escalate = { after = "30m", users = ["U0APPROVER2"], channel = "C0RELEASES" }
"""


async def test_a_request_escalates_once_though_the_replica_that_asks_is_killed(
    database: str, tmp_path: Path
) -> None:
    (tmp_path / "policy.toml").write_text(LATER, encoding="utf-8")
    async with LocalSlack(World()) as slack, TokenWeChat() as wechat:
        ruled = environ(slack, wechat, database) | {"POLICY_FILE": str(tmp_path / "policy.toml")}
        del ruled["SHARE_ENV_ALLOWED_USERS"]

        def asked() -> list[PostedMessage]:
            return [each for each in slack.parents(RELEASES) if has_button(each, "approve")]

        async with two_bots(ruled, tmp_path) as (one, other):
            await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
            waits = "SELECT id FROM requests WHERE all_asked AND holder IS NULL"
            await soon(lambda: rows(database, waits))
            slack.fail("chat.postMessage", Slow(3), channel=RELEASES)
            change(database, "UPDATE requests SET created = created - 1800, wake = wake - 1800")
            await soon(lambda: rows(database, "SELECT id FROM events WHERE kind = 'escalated'"))
            (holder,) = (bot for bot in (one, other) if bot.logged("escalated"))
            await holder.end(SIGKILL)
            await slack.until(lambda _: bool(asked()) and bool(rows(database, waits)), 60)
            (question,) = asked()
            await agree(slack, question.ts, SECOND_APPROVER)
            await all_ended(database, 20)
    assert len(wechat.calls) == 1
    assert rows(database, "SELECT kind FROM events").count("escalated") == 1


def change(database: str, statement: str) -> None:
    """Change a bot's database."""
    with create_engine(database, poolclass=NullPool).begin() as connection:
        connection.execute(text(statement))


OUTAGE = 20.0  # seconds; the simulation has outages of up to an hour
WHY = "the shop is down"


@pytest.mark.parametrize(
    ("channel", "asked"),
    [(APPROVALS, {APPROVALS}), ("C0PARTNERS", {APPROVER, SECOND_APPROVER})],
    ids=["in their channel", "directly"],
)
async def test_approvers_who_were_skipped_are_told_once_after_an_outage_in_which_a_replica_died(
    database: str, tmp_path: Path, channel: str, asked: set[str]
) -> None:
    glass = f'break_glass = {{ users = ["{REQUESTER}"] }}\n'
    rules = APPROVE.replace(APPROVALS, channel) + glass
    (tmp_path / "policy.toml").write_text(rules, encoding="utf-8")
    async with LocalSlack(World()) as slack, TokenWeChat() as wechat:
        ruled = environ(slack, wechat, database) | {"POLICY_FILE": str(tmp_path / "policy.toml")}
        del ruled["SHARE_ENV_ALLOWED_USERS"]

        def questions() -> list[PostedMessage]:
            direct = [slack.direct_message(each) for each in asked if each.startswith("U")]
            where = [each.id for each in direct if each] or [channel]
            return [question for each in where for question in slack.parents(each)]

        async with two_bots(ruled, tmp_path) as bots:
            await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
            await soon(lambda: len(questions()) == len(asked))
            await soon(lambda: rows(database, "SELECT holder FROM requests") == [None])
            await slack.click(REQUESTER, slack.shown_to(REQUESTER)[-1], "break-glass")
            view = await opened(slack, REQUESTER)
            slack.fail("chat.postMessage", Status(503), times=None)
            began = time.monotonic()
            assert (await slack.submit(REQUESTER, view, {"comment": WHY})).error is None
            outcome = "SELECT outcome FROM requests"
            await soon(lambda: rows(database, outcome) == ["shared"])
            (broke,) = (bot for bot in bots if bot.logged("broke glass"))
            await broke.end(SIGKILL)
            await asyncio.sleep(began + OUTAGE - time.monotonic())
            assert all(len(slack.thread(each.channel, each.ts)) == 0 for each in questions())
            slack.clear("chat.postMessage")
            await all_ended(database, 30)
            (other,) = (bot for bot in bots if bot is not broke)
            assert await other.end(SIGTERM) == 0
            assert other.logged("delivered")
    assert len(wechat.calls) == 1
    assert len(questions()) == len(asked)
    for question in questions():
        (told,) = slack.thread(question.channel, question.ts)
        assert f"<@{REQUESTER}> did not wait for your approval" in told.text
        assert "`prod-1`" in told.text
        assert WHY in told.text
    kinds = rows(database, "SELECT kind FROM events ORDER BY id")
    once = ("broke glass", "answered", "delivered")
    assert [kinds.count(kind) for kind in once] == [1, 1, 1]
    (parent,) = slack.parents(RELEASES)
    assert len(slack.thread(RELEASES, parent.ts)) == 1
    assert slack.violations == []
