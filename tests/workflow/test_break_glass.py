"""Requests whose requester need not wait for the approval, if they say why."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.messages import modals
from bot.ops.ledger_command import audit
from bot.playground.faults import Code, Slow, Status
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID, BOT
from bot.runtime.clock import Runtime
from bot.slack.preflight import MENTIONS
from tests.conftest import (
    ENV,
    RELEASES,
    REQUESTER,
    Change,
    Clock,
    appids,
    calls_of,
    kinds,
    opened,
    soon,
    states,
)
from tests.rig import APPROVALS, APPROVE, APPROVER, DENY, SECOND, SECOND_APPROVER, Rig, has_button
from tests.workflow.test_batches import line

GLASS = f'{APPROVE}break_glass = {{ users = ["{REQUESTER}"] }}\n'
FREEZE = (
    '[[freeze]]\nfrom = 2020-01-01T00:00:00Z\nuntil = 2099-01-01T00:00:00Z\nreason = "year end"\n'
)
BUTTON = "break-glass"
WHY = "the shop is down"


async def break_glass(rig: Rig, why: str = WHY, where: PostedMessage | None = None) -> str:
    """Click the button in the private answer, the last one unless `where` says another, say why, and return the reply."""
    ack = await rig.slack.click(REQUESTER, where or rig.shown(), BUTTON)
    assert ack.error is None
    return await rig.send(REQUESTER, await opened(rig.slack, REQUESTER), why)


def below(rig: Rig) -> list[str]:
    """Return what stands below the only question."""
    (question,) = rig.slack.parents(APPROVALS)
    return [reply.text for reply in rig.slack.thread(APPROVALS, question.ts)]


async def test_it_is_shared_at_once_and_the_approvers_are_told_who_what_and_why(rig: Rig) -> None:
    async with rig.bot(GLASS):
        why = await rig.ask("why wx5fe6bb43205e9e70 prod-1")
        assert "you may share it without the approval" in why
        await rig.ask()
        await rig.question()
        assert (await break_glass(rig)).startswith("On it, without an approval")
        await rig.over()
    assert len(rig.wechat.calls) == 1
    (told,) = below(rig)
    assert told.startswith(
        "🚨 <!subteam^S0APPROVERS>: <@U0REQUESTER> did not wait for your approval"
    )
    assert f"*Why it could not wait:* {WHY}" in told
    (question,) = rig.slack.parents(APPROVALS)
    assert f"<@{REQUESTER}> did not wait for an approval" in question.text
    assert not has_button(question, "approve")
    assert f"<@{REQUESTER}> did not wait for an approval\nThey said: “{WHY}”" in rig.replies()[-1]
    assert "broke glass" in kinds(rig.database)


async def test_the_audit_lists_who_did_not_wait(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig.bot(GLASS):
        await rig.ask()
        await break_glass(rig)
        await rig.over()
    capsys.readouterr()
    assert await asyncio.to_thread(audit, rig.environ, {"outcome": BUTTON}, "jsonl") == 0
    (listed,) = capsys.readouterr().out.splitlines()
    assert '"kind":"broke glass"' in listed
    assert WHY in listed


async def test_a_whole_batch_is_shared_and_its_approvers_are_told_before_it_ends(rig: Rig) -> None:
    async with rig.bot(GLASS):
        with rig.wechat.thinking():
            await rig.ask(line(30))
            await rig.question()
            await break_glass(rig)
            await soon(lambda: len(below(rig)) == 2)  # below the list of its appids
        await rig.over(31)
    assert sorted(call.appid for call in rig.wechat.calls) == sorted(appids(30))
    assert len(below(rig)) == 2


async def test_only_whom_the_rule_names_is_offered_it(rig: Rig) -> None:
    async with rig.bot(GLASS.replace(REQUESTER, SECOND)):
        await rig.ask()
        assert not has_button(rig.shown(), BUTTON)
        assert "without the approval" not in await rig.ask("why wx5fe6bb43205e9e70 prod-1")


@pytest.mark.parametrize(
    ("rules", "told", "state"),
    [
        (DENY + GLASS, "The policy does not allow this any more", "ended"),
        (GLASS + FREEZE, "freeze", "ended"),
        (APPROVE, "does not let you share this without waiting", "waiting"),
        (GLASS.replace(f'["{REQUESTER}"]', f'["{SECOND}"]'), "does not let you", "waiting"),
    ],
    ids=["a rule denies", "a freeze is on", "nobody may", "others may"],
)
async def test_what_the_policy_says_by_then_counts(
    rig: Rig, change: Change, rules: str, told: str, state: str
) -> None:
    async with rig.bot(GLASS):
        await rig.ask()
        await rig.question()
        await change(rules)
        reply = await break_glass(rig)
        assert told in reply
        await soon(lambda: states(rig.database) == [state])
    assert rig.wechat.calls == []


async def test_who_left_the_group_since_waits_for_the_approval(rig: Rig) -> None:
    rules = f'{APPROVE}break_glass = {{ groups = ["S0PLATFORM"] }}\n'
    async with rig.bot(rules):
        await rig.ask()
        await rig.question()
        group = rig.slack.groups["S0PLATFORM"]
        rig.slack.groups["S0PLATFORM"] = replace(group, members=group.members - {REQUESTER})
        await break_glass(rig)
        assert states(rig.database) == ["waiting"]
    assert rig.wechat.calls == []


@pytest.mark.parametrize(
    ("method", "unknown"),
    [("users.info", "who you are"), ("usergroups.list", "which groups you are in")],
)
async def test_nothing_is_done_while_slack_does_not_tell_who_the_requester_is(
    rig: Rig, method: str, unknown: str
) -> None:
    async with rig.bot(f'{APPROVE}break_glass = {{ groups = ["S0PLATFORM"] }}\n'):
        await rig.ask()
        await rig.question()
        offer = rig.shown()
        rig.slack.fail(method, Status(503), times=None)
        assert (await break_glass(rig)).startswith(f"I could not find out {unknown}")
        assert states(rig.database) == ["waiting"]
        rig.slack.clear(method)
        await break_glass(rig, where=offer)
        await rig.over()
    assert "not an approver" not in kinds(rig.database)
    assert len(rig.wechat.calls) == 1


async def test_outside_of_the_hours_it_waits_and_is_told_from_when_it_may_be(
    rig: Rig, runtime: Runtime
) -> None:
    time = Clock()
    time.now = datetime(2026, 12, 3, 17, 55, tzinfo=UTC).timestamp()
    rig.runtime = replace(runtime, now=time)
    async with rig.bot(GLASS + 'hours = "Mon-Fri 09:00-18:00 UTC"\n'):
        await rig.ask()
        await rig.question()
        time.now += 600
        assert "2026-12-04 09:00 UTC" in await break_glass(rig)
        assert states(rig.database) == ["waiting"]
    assert rig.wechat.calls == []


async def test_what_failed_waits_for_the_approval_when_it_is_tried_again(rig: Rig) -> None:
    rig.wechat.fail("shareenv", Code(85088))
    async with rig.bot(GLASS):
        await rig.ask()
        await rig.question()
        await break_glass(rig)
        await rig.over()
        (parent,) = rig.slack.parents(RELEASES)
        answer = rig.slack.thread(RELEASES, parent.ts)[-1]
        await rig.click(REQUESTER, answer, "retry")
        await soon(lambda: sorted(states(rig.database)) == ["ended", "waiting"])
        assert len(rig.wechat.calls) == 1
        await rig.question()
        await break_glass(rig, "it still is")
        await rig.over(2)
    assert len(rig.wechat.calls) == 2
    told = [rig.slack.thread(APPROVALS, each.ts) for each in rig.slack.parents(APPROVALS)]
    assert [len(each) for each in told] == [1, 1]
    assert ":* it still is" in told[1][0].text


async def by_form(rig: Rig) -> None:
    """Ask by the form."""
    await rig.slack.command(REQUESTER, RELEASES, "")
    view = await opened(rig.slack, REQUESTER)
    await rig.slack.options(REQUESTER, view, modals.ENV, ENV)
    await rig.slack.submit(REQUESTER, view, {modals.ENV: ENV, modals.APPIDS: APPID})


async def by_mention(rig: Rig) -> None:
    """Ask by a mention."""
    await rig.slack.say(REQUESTER, RELEASES, f"<@{BOT}> {APPID} {ENV}")


@pytest.mark.parametrize("ask", [by_form, by_mention])
async def test_whoever_asks_in_another_way_is_offered_it_too(
    rig: Rig, ask: Callable[[Rig], Awaitable[None]]
) -> None:
    rig.slack.scopes.add(MENTIONS)
    async with rig.bot(GLASS):
        await ask(rig)
        await rig.question()
        await soon(lambda: rig.slack.shown_to(REQUESTER))
        await break_glass(rig)
        await rig.over()
    assert len(rig.wechat.calls) == 1


async def test_approvers_who_were_asked_directly_are_told_directly(rig: Rig) -> None:
    rig.slack.channels[APPROVALS] = replace(rig.slack.channels[APPROVALS], ext_shared=True)
    async with rig.bot(GLASS):
        await rig.ask()
        await soon(lambda: rig.column("wake") is not None)
        await break_glass(rig)
        await rig.over()
    for user in (APPROVER, SECOND_APPROVER):
        (question,) = rig.direct_messages(user)
        (told,) = rig.slack.thread(question.channel, question.ts)
        assert f"<@{REQUESTER}> did not wait for your approval" in told.text
        assert WHY in told.text


async def test_approvers_who_were_not_asked_yet_are_told_where_they_would_be(rig: Rig) -> None:
    rig.slack.fail("chat.postMessage", Slow(), channel=APPROVALS)
    async with rig.bot(GLASS):
        await rig.ask()
        await rig.slack.until(lambda slack: calls_of(slack, "chat.postMessage") > 1)
        await break_glass(rig)
        await rig.over()
        rig.slack.clear("chat.postMessage")
        told = [each.text for each in rig.slack.parents(APPROVALS)]
    assert sum("did not wait for your approval" in each for each in told) == 1
    assert len(rig.wechat.calls) == 1


async def test_a_reason_of_which_nothing_can_be_seen_is_none(rig: Rig) -> None:
    async with rig.bot(GLASS):
        await rig.ask()
        assert "Say why it cannot wait" in await break_glass(rig, "\u3164")
        assert states(rig.database) == ["waiting"]


async def test_the_approvers_are_told_once_slack_is_back_and_once_only(rig: Rig) -> None:
    async with rig.bot(GLASS):
        await rig.ask()
        await rig.question()
        ack = await rig.slack.click(REQUESTER, rig.shown(), BUTTON)
        assert ack.error is None
        view = await opened(rig.slack, REQUESTER)
        rig.slack.fail("chat.postMessage", Status(503), times=None)
        await rig.slack.submit(REQUESTER, view, {"comment": WHY})
        await soon(lambda: len(rig.wechat.calls) == 1)
        await soon(lambda: rig.column("owed") is not None)
        assert below(rig) == []
    rig.slack.clear("chat.postMessage")
    async with rig.bot(GLASS):
        await rig.over()
    assert len(below(rig)) == 1


async def test_what_was_being_posted_when_the_glass_was_broken_stands_once(rig: Rig) -> None:
    rig.slack.fail("chat.postMessage", Slow())
    async with rig.bot(GLASS):
        await rig.ask()
        await rig.slack.until(lambda slack: calls_of(slack, "chat.postMessage") > 0)
        await break_glass(rig)
        await rig.over()
        rig.slack.clear("chat.postMessage")
        await soon(lambda: len(rig.slack.parents(RELEASES)) == 2)
        await soon(lambda: len(rig.slack.parents(RELEASES)) == 1)
    assert rig.parent().startswith("✅")


async def test_who_cannot_be_told_is_in_the_log(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    async with rig.bot(GLASS):
        await rig.ask()
        await rig.question()
        rig.slack.fail("chat.postMessage", Code("is_archived"), times=None)
        await break_glass(rig)
        await rig.over()
    assert "approvers are not told that they were skipped" in caplog.messages


async def test_an_approver_and_the_requester_at_once_share_once(rig: Rig) -> None:
    async with rig.bot(GLASS):
        await rig.ask()
        approves = await rig.open(APPROVER, "approve")
        await rig.slack.click(REQUESTER, rig.shown(), BUTTON)
        breaks = await opened(rig.slack, REQUESTER)
        await asyncio.gather(
            rig.slack.submit(APPROVER, approves, {}),
            rig.slack.submit(REQUESTER, breaks, {"comment": WHY}),
        )
        await rig.over()
    assert len(rig.wechat.calls) == 1
    moved = [kind for kind in kinds(rig.database) if kind in {"approved", "broke glass"}]
    assert len(moved) == 1
    assert len(below(rig)) == moved.count("broke glass")
