"""Confirmations by the requester, under a rule with `confirm = true`."""

import pytest

from bot.domain.outcome import Expired
from bot.messages.words import when
from bot.playground.faults import Status
from bot.playground.world import APPID, OWNER
from tests.conftest import ENV, RELEASES, REQUESTER, kinds, ledger_down, soon, states
from tests.said import (
    CANNOT_TELL_WHO,
    CLICK_NOT_RECORDED,
    NEEDS_APPROVAL,
    SHARED,
    TOO_LATE,
    answer_to,
)
from tests.scenes import (
    ALLOW,
    APPROVALS,
    APPROVE,
    APPROVER,
    BOTH,
    CONFIRM,
    DENY,
    Scene,
    has_button,
)

TEN_MINUTES = 600.0
SECRET = "C0SECRET"


async def test_the_requester_sees_what_will_be_shared_before_it_is(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        said = await scene.ask()
        assert f"Share `{ENV}`, which `{OWNER}` owns, with `{APPID}`?" in said
        assert "Nothing happens until you confirm" in said
        assert f"You can confirm until {when(float(str(scene.column('until'))))};" in said
        shown = scene.shown()
        assert has_button(shown, "confirm")
        assert has_button(shown, "cancel")
    assert states(scene.database) == ["confirming"]
    assert scene.slack.parents(RELEASES) == []
    assert scene.wechat.calls == []


async def test_a_confirmed_request_is_shared_and_its_question_disappears(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        assert (await scene.click(REQUESTER, scene.shown(), "confirm")).startswith("On it")
        await scene.over()
    assert scene.wechat.shared == [(OWNER, ENV, APPID)]
    assert scene.parent().startswith("✅")
    (shown,) = scene.slack.shown_to(REQUESTER)
    assert shown.text.startswith("On it")
    assert not has_button(shown, "confirm")
    assert kinds(scene.database)[:2] == ["accepted", "confirmed"]


async def test_a_cancelled_request_ends_without_a_message_to_others(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        assert (await scene.click(REQUESTER, scene.shown(), "cancel")).startswith("Cancelled")
    assert states(scene.database) == ["ended"]
    assert (scene.column("outcome"), scene.column("decided_by")) == ("cancelled", REQUESTER)
    assert scene.slack.parents(RELEASES) == []
    assert not has_button(scene.shown(), "confirm")
    assert scene.wechat.calls == []


@pytest.mark.parametrize("first", ["confirm", "cancel"])
@pytest.mark.parametrize("then", ["confirm", "cancel"])
async def test_only_the_first_of_two_clicks_counts(scene: Scene, first: str, then: str) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        shown = scene.shown()
        await scene.click(REQUESTER, shown, first)
        await scene.over()
        told = await scene.click(REQUESTER, shown, then)
    assert told.startswith(TOO_LATE)
    assert ("cancelled" in told) == (first == "cancel")
    assert len(scene.wechat.calls) == (first == "confirm")


async def test_a_click_that_is_delivered_twice_takes_effect_once(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        ack = await scene.slack.click(REQUESTER, scene.shown(), "confirm")
        await scene.slack.redeliver(ack)
        await scene.over()
        await scene.slack.redeliver(ack)
    assert len(scene.wechat.calls) == 1
    assert [said for said in scene.heard[REQUESTER] if TOO_LATE in said] == []
    assert kinds(scene.database).count("confirmed") == 1


@pytest.mark.parametrize(
    ("button", "operators"),
    [("confirm", 'operators = { users = ["U0SECOND"] }'), ("cancel", "")],
    ids=["confirm", "cancel"],
)
async def test_nobody_else_can_confirm_for_the_requester(
    scene: Scene, button: str, operators: str
) -> None:
    async with scene.bot(operators + CONFIRM):
        await scene.ask()
        # Nobody else sees the button, so this click is forged.
        ack = await scene.slack.click(REQUESTER, scene.shown(), button, team="T0NOBODY")
        told = await scene.forge(
            ack,
            "U0SECOND",
            user={"id": "U0SECOND", "team_id": scene.slack.world.team_id},
            team={"id": scene.slack.world.team_id},
            response_url=scene.slack.response_url("U0SECOND", RELEASES),
        )
    assert f"Only <@{REQUESTER}>" in told
    assert states(scene.database) == ["confirming"]
    assert scene.wechat.calls == []


async def test_a_confirmation_after_the_deadline_does_not_count_even_if_the_request_is_still_open(
    scene: Scene,
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        scene.let_expire()
        assert "it has expired" in await scene.click(REQUESTER, scene.shown(), "confirm")
    assert states(scene.database) == ["confirming"]
    assert scene.wechat.calls == []


async def test_a_request_that_is_not_confirmed_within_ten_minutes_ends_and_the_requester_is_told(
    scene: Scene,
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        shown = scene.shown()
        scene.pass_time(TEN_MINUTES - 30)
    async with scene.bot(CONFIRM):
        assert states(scene.database) == ["confirming"]
        scene.pass_time(30)
        await scene.over()
        assert answer_to(Expired("confirmation")) in scene.told_directly().text
        assert has_button(scene.told_directly(), "retry")
        assert "it has expired" in await scene.click(REQUESTER, shown, "confirm")
        await soon(lambda: not has_button(scene.slack.sought(shown.ts) or shown, "confirm"))
    assert scene.column("outcome") == "expired"
    assert scene.slack.parents(RELEASES) == []
    assert scene.wechat.calls == []


async def test_a_question_survives_a_restart(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
    async with scene.bot(CONFIRM):
        await scene.click(REQUESTER, scene.shown(), "confirm")
        await scene.over()
    assert len(scene.wechat.calls) == 1


async def test_a_request_that_the_policy_no_longer_allows_cannot_be_confirmed(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
    async with scene.bot(DENY + CONFIRM):
        told = await scene.click(REQUESTER, scene.shown(), "confirm")
        assert "“freeze” says no" in told
    assert (states(scene.database), scene.column("outcome")) == (["ended"], "denied")
    assert not has_button(scene.shown(), "confirm")
    assert scene.wechat.calls == []


async def test_a_confirmed_request_that_needs_an_approval_now_goes_to_the_approvers(
    scene: Scene,
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
    async with scene.bot(APPROVE):
        assert NEEDS_APPROVAL in await scene.click(REQUESTER, scene.shown(), "confirm")
        assert "“four eyes”" in (await scene.question()).text
        assert scene.column("rule") == "four eyes"
        await scene.decide(APPROVER, "approve")
        await scene.over()
    assert len(scene.wechat.calls) == 1


async def test_a_confirmed_request_that_no_longer_needs_an_approval_is_shared(
    scene: Scene,
) -> None:
    async with scene.bot(BOTH):
        await scene.ask()
    async with scene.bot(ALLOW):
        await scene.click(REQUESTER, scene.shown(), "confirm")
        await scene.over()
    assert len(scene.wechat.calls) == 1
    assert scene.slack.parents(APPROVALS) == []


async def test_a_rule_with_confirmation_and_approval_asks_the_requester_first(
    scene: Scene,
) -> None:
    async with scene.bot(BOTH):
        assert "Nothing happens until you confirm" in await scene.ask()
        assert scene.slack.parents(APPROVALS) == scene.slack.parents(RELEASES) == []
        assert NEEDS_APPROVAL in await scene.click(REQUESTER, scene.shown(), "confirm")
        await scene.question()
        assert scene.wechat.calls == []
        await scene.decide(APPROVER, "approve")
        await scene.over()
    assert len(scene.wechat.calls) == 1
    assert kinds(scene.database)[:2] == ["accepted", "confirmed"]
    assert kinds(scene.database).count("approved") == 1


async def test_the_approvers_time_begins_with_the_confirmation(scene: Scene) -> None:
    async with scene.bot(BOTH):
        await scene.ask()
        scene.pass_time(TEN_MINUTES - 60)
        await scene.click(REQUESTER, scene.shown(), "confirm")
        await scene.question()
    left = float(str(scene.column("until"))) - float(str(scene.column("created")))
    assert left == pytest.approx(7200, abs=60)


async def test_a_confirmation_in_a_private_place_is_answered_by_direct_message(
    scene: Scene,
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask(channel=SECRET)
        await scene.click(REQUESTER, scene.shown(), "confirm")
        await scene.over()
    shown = [message.text for message in scene.slack.shown_to(REQUESTER)]
    assert [text.split(" ")[0] for text in shown] == ["On", "⏳"]
    assert SHARED in scene.told_directly().text
    assert scene.slack.parents(SECRET) == []


async def test_a_cancellation_in_a_private_place_is_answered_by_direct_message(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask(channel=SECRET)
        await scene.question()
        waiting = scene.shown()
        assert "waits for an approval" in waiting.text
        assert (await scene.click(REQUESTER, waiting, "cancel")).startswith("Cancelled")
        await scene.over()
    assert "*Cancelled*" in scene.told_directly().text
    assert f"<@{REQUESTER}> cancelled this" in scene.slack.parents(APPROVALS)[0].text


@pytest.mark.parametrize("button", ["confirm", "cancel"])
async def test_a_click_that_cannot_be_recorded_changes_nothing_and_says_so(
    scene: Scene, button: str
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        shown = scene.shown()
        with ledger_down(scene.database):
            assert CLICK_NOT_RECORDED in await scene.click(REQUESTER, shown, button)
        assert states(scene.database) == ["confirming"]
        assert has_button(scene.slack.sought(shown.ts) or shown, "confirm")
        await scene.click(REQUESTER, shown, button)
        await scene.over()


async def test_a_person_who_cannot_be_looked_up_confirms_nothing(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        shown = scene.shown()
        scene.slack.fail("users.info", Status(503))
        assert CANNOT_TELL_WHO in await scene.click(REQUESTER, shown, "confirm")
        assert states(scene.database) == ["confirming"]
        await scene.click(REQUESTER, shown, "confirm")
        await scene.over()
    assert len(scene.wechat.calls) == 1


GROUP = CONFIRM.replace(
    'users = ["U0REQUESTER", "U0SECOND", "U0CHINESE"]', 'groups = ["S0PLATFORM"]'
)


async def test_an_unreadable_group_at_the_click_does_not_end_the_request(scene: Scene) -> None:
    async with scene.bot(GROUP):
        await scene.ask()
        shown = scene.shown()
        scene.slack.fail("usergroups.list", Status(503))
        assert "could not find out" in await scene.click(REQUESTER, shown, "confirm")
        assert states(scene.database) == ["confirming"]
        await scene.click(REQUESTER, shown, "confirm")
        await scene.over()
    assert len(scene.wechat.calls) == 1


async def test_a_confirmation_of_an_env_that_was_shared_meanwhile_is_told_so_once(
    scene: Scene,
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        mine = scene.shown()
        await scene.ask(user="U0SECOND")
        await scene.click("U0SECOND", scene.shown("U0SECOND"), "confirm")
        await soon(lambda: scene.column("state") == "ended")
        before = len(scene.heard[REQUESTER])
        assert "Another request shared" in await scene.click(REQUESTER, mine, "confirm")
        await scene.over(2)
    assert len(scene.heard[REQUESTER]) == before + 1
    assert len(scene.wechat.calls) == 1
