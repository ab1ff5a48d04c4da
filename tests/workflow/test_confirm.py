"""Confirmations by the requester, under a rule with `confirm = true`."""

import pytest

from bot.domain.outcome import Denied, Expired, Ground, Skipped, SkipReason
from bot.messages import modals
from bot.messages.words import when, why_command
from bot.playground.world import APPID, OWNER
from tests.conftest import ENV, RELEASES, REQUESTER, kinds, ledger_down, opened, soon, states
from tests.rig import (
    APPROVALS,
    APPROVER,
    BOTH,
    CONFIRM,
    DENY,
    SECOND,
    SECRET,
    Rig,
    has_button,
)
from tests.said import (
    NEEDS_APPROVAL,
    NOT_RECORDED,
    SHARED,
    answer_to,
)

TEN_MINUTES = 600.0


async def test_the_requester_sees_what_will_be_shared_before_it_is(rig: Rig) -> None:
    async with rig.bot(CONFIRM):
        said = await rig.ask()
        assert f"Share `{ENV}`, which `{OWNER}` owns, with `{APPID}`?" in said
        assert "Nothing happens until you confirm" in said
        assert f"You can confirm until {when(float(str(rig.column('until'))))};" in said
        shown = rig.shown()
        assert has_button(shown, "confirm")
        assert has_button(shown, "cancel")
    assert states(rig.database) == ["confirming"]
    assert [message.ephemeral_to for message in rig.slack.messages] == [REQUESTER]
    assert rig.wechat.calls == []


async def test_a_request_by_the_form_is_asked_to_be_confirmed_too(rig: Rig) -> None:
    async with rig.bot(CONFIRM):
        await rig.slack.command(REQUESTER, RELEASES, "")
        view = await opened(rig.slack, REQUESTER)
        await rig.slack.options(REQUESTER, view, modals.ENV, ENV)
        await rig.slack.submit(REQUESTER, view, {modals.ENV: ENV, modals.APPIDS: APPID})
        await rig.slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
        await rig.click(REQUESTER, rig.shown(), "confirm")
        await rig.over()
        assert rig.wechat.shared == [(OWNER, ENV, APPID)]


async def test_a_confirmed_request_is_shared_and_its_question_disappears(rig: Rig) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask()
        assert (await rig.click(REQUESTER, rig.shown(), "confirm")).startswith("On it")
        await rig.over()
    assert rig.wechat.shared == [(OWNER, ENV, APPID)]
    assert rig.parent().startswith("✅")
    (shown,) = rig.slack.shown_to(REQUESTER)
    assert shown.text.startswith("On it")
    assert not has_button(shown, "confirm")
    assert kinds(rig.database)[:2] == ["accepted", "confirmed"]


async def test_a_cancelled_request_ends_without_a_message_to_others(rig: Rig) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask()
        assert (await rig.click(REQUESTER, rig.shown(), "cancel")).startswith("Cancelled")
    assert states(rig.database) == ["ended"]
    assert (rig.column("outcome"), rig.column("decided_by")) == ("cancelled", REQUESTER)
    assert rig.slack.parents(RELEASES) == []
    assert not has_button(rig.shown(), "confirm")
    assert rig.wechat.calls == []


@pytest.mark.parametrize(
    ("button", "operators"),
    [("confirm", 'operators = { users = ["U0SECOND"] }'), ("cancel", "")],
    ids=["confirm", "cancel"],
)
async def test_nobody_else_can_confirm_for_the_requester(
    rig: Rig, button: str, operators: str
) -> None:
    async with rig.bot(operators + CONFIRM):
        await rig.ask()
        # Nobody else sees the button, so this click is forged.
        ack = await rig.slack.click(REQUESTER, rig.shown(), button, team="T0NOBODY")
        told = await rig.forge(
            ack,
            SECOND,
            user={"id": SECOND, "team_id": rig.slack.world.team_id},
            team={"id": rig.slack.world.team_id},
            response_url=rig.slack.response_url(SECOND, RELEASES),
        )
    assert f"Only <@{REQUESTER}>" in told
    assert states(rig.database) == ["confirming"]
    assert rig.wechat.calls == []


async def test_a_request_that_is_not_confirmed_within_ten_minutes_ends_and_the_requester_is_told(
    rig: Rig,
) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask()
        shown = rig.shown()
        rig.pass_time(TEN_MINUTES - 30)
    async with rig.bot(CONFIRM):
        assert states(rig.database) == ["confirming"]
        rig.pass_time(30)
        await rig.over()
        assert answer_to(Expired("confirmation")) in rig.told_directly().text
        assert has_button(rig.told_directly(), "retry")
        assert ": expired." in await rig.click(REQUESTER, shown, "confirm")
        await soon(lambda: not has_button(rig.slack.sought(shown.ts) or shown, "confirm"))
    assert rig.column("outcome") == "expired"
    assert rig.slack.parents(RELEASES) == []
    assert rig.wechat.calls == []


async def test_a_request_that_the_policy_no_longer_allows_cannot_be_confirmed(rig: Rig) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask()
    async with rig.bot(DENY + CONFIRM):
        shown = rig.shown()
        assert "“freeze” denies it" in await rig.click(REQUESTER, shown, "confirm")
        # Nothing else tells it, and Slack shows this one in place of the first.
        again = await rig.click(REQUESTER, shown, "confirm")
        assert answer_to(Denied(Ground.NOT_ALLOWED)) in again
        assert why_command(APPID, ENV) in again
    assert (states(rig.database), rig.column("outcome")) == (["ended"], "denied")
    assert not has_button(rig.shown(), "confirm")
    assert rig.wechat.calls == []


async def test_a_rule_with_confirmation_and_approval_asks_the_requester_first(
    rig: Rig,
) -> None:
    async with rig.bot(BOTH):
        assert "Nothing happens until you confirm" in await rig.ask()
        assert rig.slack.parents(APPROVALS) == rig.slack.parents(RELEASES) == []
        assert NEEDS_APPROVAL in await rig.click(REQUESTER, rig.shown(), "confirm")
        await rig.question()
        assert rig.wechat.calls == []
        await rig.decide(APPROVER, "approve")
        await rig.over()
    assert len(rig.wechat.calls) == 1
    assert kinds(rig.database)[:2] == ["accepted", "confirmed"]
    assert kinds(rig.database).count("approved") == 1


async def test_a_confirmation_in_a_private_place_is_answered_by_direct_message(
    rig: Rig,
) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask(channel=SECRET)
        await rig.click(REQUESTER, rig.shown(), "confirm")
        await rig.over()
    shown = [message.text for message in rig.slack.shown_to(REQUESTER)]
    assert [text.split(" ")[0] for text in shown] == ["On", "⏳"]
    assert SHARED in rig.told_directly().text
    assert rig.slack.parents(SECRET) == []


@pytest.mark.parametrize("button", ["confirm", "cancel"])
async def test_a_click_that_cannot_be_recorded_changes_nothing_and_says_so(
    rig: Rig, button: str
) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask()
        shown = rig.shown()
        with ledger_down(rig.database):
            assert NOT_RECORDED in await rig.click(REQUESTER, shown, button)
        assert states(rig.database) == ["confirming"]
        assert has_button(rig.slack.sought(shown.ts) or shown, "confirm")
        await rig.click(REQUESTER, shown, button)
        await rig.over()


async def test_a_confirmation_of_an_env_that_was_shared_meanwhile_is_told_so_once(
    rig: Rig,
) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask()
        mine = rig.shown()
        await rig.ask(user=SECOND)
        await rig.click(SECOND, rig.shown(SECOND), "confirm")
        await soon(lambda: rig.column("state") == "ended")
        before = len(rig.heard[REQUESTER])
        told = await rig.click(REQUESTER, mine, "confirm")
        assert told.startswith(answer_to(Skipped(SkipReason.SHARED_BEFORE)))
        assert "`--again`" in told
        await rig.over(2)
    assert len(rig.heard[REQUESTER]) == before + 1
    assert len(rig.wechat.calls) == 1
