"""Approvals, under a rule with `effect = "approve"`."""

import json
from dataclasses import replace

import pytest

from bot.domain.outcome import Cancelled, Denied, Rejected, Shared
from bot.playground.faults import Code, Slow, Status
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID, OWNER
from bot.workflow.clicks import WAITS_FOR_SLACK
from tests.conftest import ENV, RELEASES, REQUESTER, Sleep, kinds, rows, soon, states
from tests.rig import (
    ALLOW,
    APPROVALS,
    APPROVE,
    APPROVER,
    DENY,
    SECOND,
    SECOND_APPROVER,
    SECRET,
    Rig,
    approved_by,
    for_platform_team,
    has_button,
)
from tests.said import (
    ASKED_DIRECTLY,
    NEEDS_APPROVAL,
    NO_APPROVER,
    NO_SUCH_REQUEST,
    NOT_A_MEMBER,
    NOT_AN_APPROVER,
    OWN_REQUEST,
    STILL_WAITS,
    YOU_APPROVED,
    YOU_REJECTED,
    answer_to,
    late_answer,
    verdict_on,
)

ANOTHER = "wx00000000000000bb"
TWO = f"{ANOTHER} {APPID} {ENV}"
EVERYBODY, NOBODY = approved_by("*"), approved_by("U0GONE", "U0GUEST")
UNINVITED = APPROVE.replace(APPROVALS, "C0LOUNGE")
DECISIONS = pytest.mark.parametrize("button", ["approve", "reject"])


async def settled(rig: Rig) -> str:
    """Return the text that has replaced the question once everything has ended."""
    await rig.over()
    (question,) = rig.slack.parents(APPROVALS)
    assert not has_button(question, "approve")
    assert not has_button(question, "reject")
    return question.text


# The question.


async def test_the_question_has_everything_that_approvers_need_to_know(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        await rig.ask(f"{ANOTHER} {ENV}", user=SECOND)
        await rig.over()
    async with rig.bot(APPROVE):
        said = await rig.ask(f'{APPID} {ENV} --reason "release <4.2>"')
        assert NEEDS_APPROVAL in said
        question = await rig.question()
    (before, waiting) = rig.slack.parents(RELEASES)
    link = f"https://playground.slack.com/archives/{RELEASES}/p{before.ts.replace('.', '')}"
    for part in (
        "<!subteam^S0APPROVERS>",
        f"<@{REQUESTER}> asks to share `{ENV}` with `{APPID}`",
        "*Why:* release &lt;4.2&gt;",
        f"*From:* <#{RELEASES}>",
        f"*Owner of the env:* `{OWNER}`",
        "*Rule:* “four eyes”",
        f"with `{ANOTHER}` by <@U0SECOND>",
        f"<{link}|thread>",
        "cannot be undone",
    ):
        assert part in question.text, part
    assert has_button(question, "approve")
    assert has_button(question, "reject")
    assert waiting.text.startswith(f"🕓 <@{REQUESTER}> asks to share")
    assert has_button(waiting, "cancel")
    assert len(rig.wechat.calls) == 1


async def test_an_earlier_failure_does_not_count_as_an_earlier_share(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        rig.wechat.fail("shareenv", Code(85088))
        await rig.ask()
        await rig.over()
    async with rig.bot(APPROVE):
        await rig.ask()
        assert "have not shared this env before" in (await rig.question()).text


async def test_the_question_tells_of_earlier_batches_by_how_many_they_shared(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        rig.wechat.fail("shareenv", Code(85088))
        await rig.ask(TWO)
        await soon(lambda: set(states(rig.database)) == {"ended"})
    async with rig.bot(APPROVE):
        await rig.ask(f"{APPID} {ENV} --again")
        text = (await rig.question()).text
        assert "This env was shared before" in text
        assert f"with 1 app by <@{REQUESTER}>" in text


async def test_a_request_that_nobody_can_approve_is_refused_at_once(rig: Rig) -> None:
    async with rig.bot(NOBODY):
        said = await rig.ask()
    assert NO_APPROVER in said
    assert states(rig.database) == []
    assert kinds(rig.database)[-1] == "denied"
    assert rig.slack.parents(RELEASES) == rig.slack.parents(APPROVALS) == []


async def test_the_requester_is_told_in_the_thread_if_the_approvers_cannot_be_asked(
    rig: Rig,
) -> None:
    async with rig.bot(UNINVITED):
        await rig.ask()
        await rig.over()
    assert rig.parent().startswith("❌")
    (reply,) = rig.replies()
    assert "Nobody who could approve this can be asked" in reply
    assert "invite the bot" in reply
    ending = json.loads(str(rig.column("ending")))
    assert (ending["kind"], ending["guidance"]) == ("failed", "no-approver")
    assert rig.wechat.calls == []


# Approvers' channels that others can read.


@pytest.fixture
def shared(rig: Rig) -> Rig:
    """The approvers' channel is shared with another organisation."""
    channel = rig.slack.channels[APPROVALS]
    rig.slack.channels[APPROVALS] = replace(channel, ext_shared=True)
    return rig


def asked_directly(rig: Rig, user: str) -> list[PostedMessage]:
    """Return the questions to one approver."""
    return [each for each in rig.direct_messages(user) if ASKED_DIRECTLY in each.text]


async def waits(rig: Rig) -> None:
    """Wait until the approvers were asked and no replica holds the request."""
    await soon(lambda: rig.column("wake") is not None and rig.column("holder") is None)


@DECISIONS
async def test_approvers_whose_channel_others_can_read_are_asked_by_direct_message_and_one_decides_for_all(
    shared: Rig, button: str
) -> None:
    async with shared.bot(APPROVE):
        assert NEEDS_APPROVAL in await shared.ask()
        await waits(shared)
        for user in (APPROVER, SECOND_APPROVER):
            (question,) = asked_directly(shared, user)
            assert question.text.startswith(f"🕓 <@{user}>: <@{REQUESTER}> asks to share `{ENV}`")
        view = await shared.open(SECOND_APPROVER, button, question)
        await shared.slack.submit(SECOND_APPROVER, view)
        await shared.over()
        for user in (APPROVER, SECOND_APPROVER):
            assert asked_directly(shared, user) == []
            (settled,) = shared.direct_messages(user)
            assert f"<@{SECOND_APPROVER}>" in settled.text
            assert button in settled.text
            assert not has_button(settled, button)
    assert shared.slack.parents(APPROVALS) == []
    assert shared.column("decided_by") == SECOND_APPROVER
    assert len(shared.wechat.calls) == (button == "approve")


async def test_approvers_who_were_asked_by_direct_message_are_reminded_there(shared: Rig) -> None:
    async with shared.bot(APPROVE):
        await shared.ask()
        await waits(shared)
        questions = [asked_directly(shared, user)[0] for user in (APPROVER, SECOND_APPROVER)]
        shared.pass_time(3600)
    async with shared.bot(APPROVE):
        for at in questions:
            await soon(lambda at=at: shared.slack.thread(at.channel, at.ts))  # type: ignore[misc]  # its default
            (reminder,) = shared.slack.thread(at.channel, at.ts)
            assert STILL_WAITS in reminder.text


async def test_the_requester_is_told_in_the_thread_if_no_approver_can_be_asked_by_direct_message(
    shared: Rig,
) -> None:
    async with shared.bot(EVERYBODY):
        await shared.ask()
        await shared.over()
    assert "Nobody who could approve this can be asked" in shared.replies()[-1]
    assert shared.slack.parents(APPROVALS) == []
    assert shared.wechat.calls == []


async def test_approvers_are_asked_by_direct_message_while_their_channel_cannot_be_looked_up(
    rig: Rig,
) -> None:
    rig.slack.fail("conversations.info", Code("missing_scope"), channel=APPROVALS)
    async with rig.bot(APPROVE):
        await rig.ask()
        await waits(rig)
        assert len(asked_directly(rig, APPROVER)) == 1
    assert rig.slack.parents(APPROVALS) == []


# The decision.


@DECISIONS
@pytest.mark.parametrize("comment", [None, "as discussed <today> & so on"])
async def test_a_decision_replaces_the_question_and_is_told_in_the_thread(
    rig: Rig, button: str, comment: str | None
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        told = await rig.decide(APPROVER, button, comment)
        verdict = await settled(rig)
    assert told.startswith(YOU_APPROVED if button == "approve" else YOU_REJECTED)
    assert f"<@{APPROVER}>" in verdict
    assert button in verdict
    assert "<!date^" in verdict
    assert f"<@{REQUESTER}> asked to share `{ENV}` with `{APPID}`" in verdict
    (reply,) = rig.replies()
    assert f"pproved by <@{APPROVER}>" in reply or f"*Rejected* by <@{APPROVER}>" in reply
    quoted = "“as discussed &lt;today&gt; &amp; so on”"
    assert (quoted in verdict, quoted in reply) == (bool(comment), bool(comment))
    assert (rig.column("decided_by"), rig.column("comment")) == (APPROVER, comment)
    assert rig.parent().startswith("✅" if button == "approve" else "🚫")
    assert len(rig.wechat.calls) == (button == "approve")
    assert kinds(rig.database).count(f"{button}{'d' if button == 'approve' else 'ed'}") == 1


async def test_the_result_is_not_overwritten_by_a_late_edit_about_the_decision(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        rig.slack.fail("chat.update", Slow(0.3))
        await rig.send(APPROVER, view)
        assert ": shared." in await settled(rig)


@pytest.mark.parametrize(("text", "button"), [(f"{APPID} {ENV}", None), (TWO, "Cancel the rest")])
async def test_no_message_says_that_a_request_waits_while_it_is_being_shared(
    rig: Rig, text: str, button: str | None
) -> None:
    rig.wechat.fail("shareenv", *[Slow()] * 2)
    async with rig.bot(APPROVE):
        await rig.ask(text)
        await rig.question()
        (waiting,) = rig.slack.parents(RELEASES)
        assert "Cancel the request" in json.dumps(waiting.blocks)
        await rig.decide(APPROVER, "approve")
        await rig.slack.until(lambda _: "is sharing" in rig.parent())
        (under_way,) = rig.slack.parents(RELEASES)
        assert states(rig.database)[0] == "placed"
        assert "Cancel the request" not in json.dumps(under_way.blocks)
        assert has_button(under_way, "cancel") is (button is not None)
        assert rig.replies() == []
        rig.wechat.clear()
        await soon(lambda: set(states(rig.database)) == {"ended"})
    assert rig.parent().startswith("✅")
    assert len(rig.replies()) == 1


async def test_a_modal_survives_a_restart(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
    async with rig.bot(APPROVE):
        await rig.send(APPROVER, view, "fine")
        await settled(rig)
    assert "“fine”" in rig.replies()[0]


async def test_a_modal_that_is_closed_decides_nothing_and_can_be_opened_again(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        rig.slack.close(APPROVER, await rig.open(APPROVER, "reject"))
        await rig.decide(APPROVER, "approve")
        await settled(rig)
    assert len(rig.wechat.calls) == 1


# Who may decide.


@pytest.mark.parametrize(
    ("rules", "user", "says"),
    [
        pytest.param(APPROVE, SECOND, NOT_AN_APPROVER, id="somebody"),
        pytest.param(
            APPROVE.replace('"U0REQUESTER"', f'"{APPROVER}"', 1), APPROVER, "own", id="own"
        ),
        pytest.param(EVERYBODY, REQUESTER, OWN_REQUEST, id="own, as everybody"),
        pytest.param(EVERYBODY, "U0GUEST", NOT_A_MEMBER, id="guest"),
        pytest.param(EVERYBODY, "U0GONE", NOT_A_MEMBER, id="deactivated"),
        pytest.param(EVERYBODY, "U0ELSEWHERE", NOT_A_MEMBER, id="of another organisation"),
    ],
)
async def test_a_person_who_may_not_decide_is_told_so(
    rig: Rig, rules: str, user: str, says: str
) -> None:
    channel = rig.slack.channels[APPROVALS]
    everybody = channel.members | {user}
    rig.slack.channels[APPROVALS] = replace(channel, members=everybody)
    async with rig.bot(rules):
        await rig.ask(user=APPROVER if says == "own" else REQUESTER)
        assert says in await rig.decide(user, "reject")
        assert states(rig.database) == ["waiting"]
        assert has_button(await rig.question(), "reject")
    [(asked,)] = rows(rig.database, "SELECT id FROM requests")
    refused = "SELECT request, user, channel, rule FROM events WHERE kind = 'not an approver'"
    assert rows(rig.database, refused) == [(asked, user, APPROVALS, "four eyes")]


async def test_a_person_who_left_the_approvers_meanwhile_decides_nothing(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        group = rig.slack.groups["S0APPROVERS"]
        rig.slack.groups["S0APPROVERS"] = replace(group, members=frozenset({SECOND_APPROVER}))
        assert NOT_AN_APPROVER in await rig.send(APPROVER, view)
        assert states(rig.database) == ["waiting"]
        await rig.decide(SECOND_APPROVER, "reject")
        await rig.over()


async def test_a_person_who_just_joined_the_approvers_may_decide(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask("whoami", SECOND)  # the group is cached
        await rig.ask()
        group = rig.slack.groups["S0APPROVERS"]
        rig.slack.groups["S0APPROVERS"] = replace(group, members=group.members | {SECOND})
        await rig.decide(SECOND, "approve")
        await rig.over()
    assert "not an approver" not in kinds(rig.database)


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
async def test_nothing_is_decided_while_the_clicker_cannot_be_looked_up(
    rig: Rig, sleep: Sleep, method: str
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "reject")
        rig.slack.fail(method, Status(503), times=None)
        told = await rig.send(APPROVER, view)
        unknown = "who you are" if method == "users.info" else "which groups you are in"
        why = "Slack did not answer; try again in a minute"
        assert told.startswith(f"I could not find out {unknown}, so I did nothing: {why}.\n")
        assert states(rig.database) == ["waiting"]
        assert sleep.naps.count(WAITS_FOR_SLACK) == 1
        rig.slack.clear(method)
        await rig.decide(APPROVER, "reject")
        await rig.over()


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
async def test_a_click_waits_once_for_slack_to_tell_who_clicked(rig: Rig, method: str) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        rig.slack.fail(method, Status(503))
        assert YOU_APPROVED in await rig.send(APPROVER, view)
        await rig.over()


async def test_a_click_does_not_wait_for_what_slack_will_never_tell(rig: Rig, sleep: Sleep) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        rig.slack.fail("usergroups.list", Code("missing_scope"), times=None)
        assert "I lack a scope" in await rig.send(APPROVER, view)
    assert WAITS_FOR_SLACK not in sleep.naps


# The current policy.


async def test_a_request_that_the_policy_no_longer_allows_cannot_be_approved(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
    async with rig.bot(DENY + APPROVE):
        told = await rig.decide(APPROVER, "approve")
        assert told.startswith(f"Nothing was shared: {late_answer(Denied())}")
        assert f"<@{REQUESTER}> is told." in told
        assert verdict_on(Denied()) in await settled(rig)
    assert rig.column("outcome") == "denied"
    assert rig.parent().startswith("🚫")
    assert answer_to(Denied()) in rig.replies()[0]
    assert rig.wechat.calls == []


async def test_the_request_of_a_person_who_left_the_group_cannot_be_approved(rig: Rig) -> None:
    async with rig.bot(for_platform_team(APPROVE)):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        group = rig.slack.groups["S0PLATFORM"]
        rig.slack.groups["S0PLATFORM"] = replace(group, members=frozenset())
        assert late_answer(Denied()) in await rig.send(APPROVER, view)
        await rig.over()
    assert rig.column("outcome") == "denied"


# Several approvers.


@pytest.mark.parametrize("first", ["approve", "reject", "cancel"])
async def test_an_approver_who_clicks_after_a_decision_is_told_of_it(rig: Rig, first: str) -> None:
    says = {
        "approve": late_answer(Shared()),
        "reject": late_answer(Rejected("")),
        "cancel": late_answer(Cancelled("")),
    }
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        view = await rig.open(SECOND_APPROVER, "reject")
        if first == "cancel":
            await rig.click(REQUESTER, rig.slack.parents(RELEASES)[0], "cancel")
        else:
            await rig.decide(APPROVER, first)
        await rig.over()
        assert says[first] in await rig.send(SECOND_APPROVER, view)
        assert says[first] in await rig.click(SECOND_APPROVER, question, "approve")


async def test_an_approver_who_clicks_during_the_call_is_told_who_approved(rig: Rig) -> None:
    rig.wechat.fail("shareenv", Slow(after_effect=True))
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        (waiting,) = rig.slack.parents(RELEASES)
        await rig.decide(APPROVER, "approve")
        await rig.wechat.until(lambda wechat: bool(wechat.calls))
        late = f": approved by <@{APPROVER}>"
        assert late in await rig.click(SECOND_APPROVER, question, "reject")
        assert late in await rig.click(REQUESTER, waiting, "cancel")
        rig.wechat.clear("shareenv")
        await rig.over()
    assert len(rig.wechat.calls) == 1


async def test_a_decision_that_is_delivered_twice_takes_effect_once(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        ack = await rig.slack.submit(APPROVER, view)
        await rig.slack.redeliver(ack)
        await rig.over()
        await rig.slack.redeliver(ack)
    assert len(rig.wechat.calls) == 1
    assert len(rig.heard[APPROVER]) == 1
    assert kinds(rig.database).count("approved") == 1


# Private places, and deleted messages.


async def test_a_requester_in_a_private_place_is_told_in_private(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask(channel=SECRET)
        assert "*From:* <#C0SECRET>" in (await rig.question()).text
        await rig.decide(APPROVER, "reject", "not today")
        await settled(rig)
    assert "*Rejected*" in rig.told_directly().text
    assert "“not today”" in rig.told_directly().text
    assert rig.slack.parents(SECRET) == []


async def test_a_button_of_another_workspace_decides_nothing(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        told = await rig.click(APPROVER, question, "approve", team="T0ELSEWHERE")
        assert NO_SUCH_REQUEST in told
    assert states(rig.database) == ["waiting"]


@pytest.mark.parametrize("button", ["approve", "cancel"])
async def test_a_button_or_modal_of_a_deleted_request_says_so(rig: Rig, button: str) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        question = await rig.question()
        view = await rig.open(APPROVER, "approve")
        rows(rig.database, "DELETE FROM requests")
        where = question if button != "cancel" else rig.slack.parents(RELEASES)[0]
        user = APPROVER if button != "cancel" else REQUESTER
        assert NO_SUCH_REQUEST in await rig.click(user, where, button)
        assert NO_SUCH_REQUEST in await rig.send(APPROVER, view)
