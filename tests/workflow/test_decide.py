"""Approvals, under a rule with `effect = "approve"`."""

import asyncio
import json
from dataclasses import replace

import aiohttp
import pytest

from bot.domain.outcome import Cancelled, Denied, Rejected, Shared
from bot.playground.faults import Code, Hang, Slow, Status
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID, OWNER
from tests.conftest import ENV, RELEASES, REQUESTER, kinds, ledger_down, rows, soon, states
from tests.said import (
    CANNOT_TELL_WHO,
    CLICK_NOT_RECORDED,
    NEEDS_APPROVAL,
    NO_SUCH_REQUEST,
    NOT_AN_APPROVER,
    OWN_REQUEST,
    TOO_LATE,
    YOU_APPROVED,
    YOU_REJECTED,
    answer_to,
    late_answer,
    verdict_on,
)
from tests.scenes import (
    ALLOW,
    APPROVALS,
    APPROVE,
    APPROVER,
    DENY,
    SECOND_APPROVER,
    Scene,
    has_button,
)

SECRET = "C0SECRET"
TWO = f"wx0123456789abcdef {APPID} {ENV}"
SELF = f"{APPROVE}self_approval = true\n"
EVERYBODY = APPROVE.replace('groups = ["S0APPROVERS"]', 'users = ["*"]')
NOBODY = APPROVE.replace('groups = ["S0APPROVERS"]', 'users = ["U0GONE", "U0GUEST"]')
UNINVITED = APPROVE.replace(APPROVALS, "C0LOUNGE")
DECISIONS = pytest.mark.parametrize("button", ["approve", "reject"])


async def settled(scene: Scene) -> str:
    """Return the text that has replaced the question once everything has ended."""
    await scene.over()
    (question,) = scene.slack.parents(APPROVALS)
    assert not has_button(question, "approve")
    assert not has_button(question, "reject")
    return question.text


# The question.


async def test_the_question_has_everything_that_approvers_need_to_know(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        await scene.ask(f"wx0123456789abcdef {ENV}", user="U0SECOND")
        await scene.over()
    async with scene.bot(APPROVE):
        said = await scene.ask(f'{APPID} {ENV} --reason "release <4.2>"')
        assert NEEDS_APPROVAL in said
        question = await scene.question()
    (before, waiting) = scene.slack.parents(RELEASES)
    link = f"https://playground.slack.com/archives/{RELEASES}/p{before.ts.replace('.', '')}"
    for part in (
        "<!subteam^S0APPROVERS>",
        f"<@{REQUESTER}> asks to share `{ENV}` with `{APPID}`",
        "*Why:* release &lt;4.2&gt;",
        f"*From:* <#{RELEASES}>",
        f"*Owner of the env:* `{OWNER}`",
        "*Rule:* “four eyes”",
        f"with `{OWNER}` by <@U0SECOND>",
        f"<{link}|thread>",
        "cannot be undone",
    ):
        assert part in question.text, part
    assert has_button(question, "approve")
    assert has_button(question, "reject")
    assert waiting.text.startswith(f"🕓 <@{REQUESTER}> asks to share")
    assert has_button(waiting, "cancel")
    assert len(scene.wechat.calls) == 1


async def test_a_question_says_if_there_is_no_reason_and_no_earlier_share(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
    assert "no reason was given" in question.text
    assert "have not shared this env before" in question.text


async def test_an_earlier_failure_does_not_count_as_an_earlier_share(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        scene.wechat.fail("shareenv", Code(85088))
        await scene.ask()
        await scene.over()
    async with scene.bot(APPROVE):
        await scene.ask()
        assert "have not shared this env before" in (await scene.question()).text


async def test_a_question_to_everybody_mentions_nobody(scene: Scene) -> None:
    async with scene.bot(EVERYBODY):
        await scene.ask()
        assert (await scene.question()).text.startswith("🕓 Everybody here: <@U0REQUESTER>")
        assert YOU_APPROVED in await scene.decide("U0SECOND", "approve")
        await scene.over()
    assert len(scene.wechat.calls) == 1


async def test_an_approver_is_not_asked_about_their_own_request_unless_they_may_approve_it(
    scene: Scene,
) -> None:
    named = APPROVE.replace('groups = ["S0APPROVERS"]', f'users = ["{REQUESTER}", "{APPROVER}"]')
    async with scene.bot(named):
        await scene.ask()
        assert (await scene.question()).text.startswith(f"🕓 <@{APPROVER}>: ")


async def test_a_request_that_nobody_can_approve_is_refused_at_once(scene: Scene) -> None:
    async with scene.bot(NOBODY):
        said = await scene.ask()
    assert "nobody can give it" in said
    assert states(scene.database) == []
    assert kinds(scene.database)[-1] == "denied"
    assert scene.slack.parents(RELEASES) == scene.slack.parents(APPROVALS) == []


async def test_the_requester_is_told_in_the_thread_if_the_approvers_cannot_be_asked(
    scene: Scene,
) -> None:
    async with scene.bot(UNINVITED):
        await scene.ask()
        await scene.over()
    assert scene.parent().startswith("❌")
    (reply,) = scene.replies()
    assert "Nobody who could approve this can be asked" in reply
    assert "Invite the bot" in reply
    ending = json.loads(str(scene.column("ending")))
    assert (ending["kind"], ending["guidance"]) == ("failed", "no-approver")
    assert scene.wechat.calls == []


# Approvers' channels that others can read.


@pytest.fixture
def shared(scene: Scene) -> Scene:
    """The approvers' channel is shared with another organisation."""
    channel = scene.slack.channels[APPROVALS]
    scene.slack.channels[APPROVALS] = replace(channel, ext_shared=True)
    return scene


def asked_directly(scene: Scene, user: str) -> list[PostedMessage]:
    """Return the questions to one approver."""
    direct = scene.slack.direct_message(user)
    assert direct
    return [
        each for each in scene.slack.parents(direct.id) if "I ask approvers directly" in each.text
    ]


async def resting(scene: Scene) -> None:
    await soon(lambda: scene.column("wake") is not None and scene.column("holder") is None)


@DECISIONS
async def test_approvers_whose_channel_others_can_read_are_asked_by_direct_message_and_one_decides_for_all(
    shared: Scene, button: str
) -> None:
    async with shared.bot(APPROVE):
        assert NEEDS_APPROVAL in await shared.ask()
        await resting(shared)
        for user in (APPROVER, SECOND_APPROVER):
            (question,) = asked_directly(shared, user)
            assert question.text.startswith(f"🕓 <@{user}>: <@{REQUESTER}> asks to share `{ENV}`")
        view = await shared.open(SECOND_APPROVER, button, question)
        await shared.slack.submit(SECOND_APPROVER, view)
        await shared.over()
        for user in (APPROVER, SECOND_APPROVER):
            assert asked_directly(shared, user) == []
            direct = shared.slack.direct_message(user)
            assert direct
            (settled,) = shared.slack.parents(direct.id)
            assert f"<@{SECOND_APPROVER}> {button}" in settled.text
            assert not has_button(settled, button)
    assert shared.slack.parents(APPROVALS) == []
    assert shared.column("decided_by") == SECOND_APPROVER
    assert len(shared.wechat.calls) == (button == "approve")


async def test_approvers_who_were_asked_by_direct_message_are_reminded_there(shared: Scene) -> None:
    async with shared.bot(APPROVE):
        await shared.ask()
        await resting(shared)
        questions = [asked_directly(shared, user)[0] for user in (APPROVER, SECOND_APPROVER)]
        shared.pass_time(3600)
    async with shared.bot(APPROVE):
        for at in questions:
            await soon(lambda at=at: shared.slack.thread(at.channel, at.ts))  # type: ignore[misc]  # its default
            (reminder,) = shared.slack.thread(at.channel, at.ts)
            assert "still waits for a decision" in reminder.text


async def test_guests_and_the_requester_are_not_asked_by_direct_message(
    shared: Scene,
) -> None:
    named = f'users = ["{REQUESTER}", "U0GUEST", "U0GONE", "U0ELSEWHERE", "{APPROVER}"]'
    async with shared.bot(APPROVE.replace('groups = ["S0APPROVERS"]', named)):
        await shared.ask()
        await resting(shared)
        assert len(asked_directly(shared, APPROVER)) == 1
    assert str(shared.column("asked")).count(".") == 1


async def test_the_requester_is_told_in_the_thread_if_no_approver_can_be_asked_by_direct_message(
    shared: Scene,
) -> None:
    async with shared.bot(EVERYBODY):
        await shared.ask()
        await shared.over()
    assert "Nobody who could approve this can be asked" in shared.replies()[-1]
    assert shared.slack.parents(APPROVALS) == []
    assert shared.wechat.calls == []


async def test_approvers_are_asked_by_direct_message_while_their_channel_cannot_be_looked_up(
    scene: Scene,
) -> None:
    scene.slack.fail("conversations.info", Code("missing_scope"), channel=APPROVALS)
    async with scene.bot(APPROVE):
        await scene.ask()
        await resting(scene)
        assert len(asked_directly(scene, APPROVER)) == 1
    assert scene.slack.parents(APPROVALS) == []


# The decision.


@DECISIONS
@pytest.mark.parametrize("comment", [None, "as discussed <today> & so on"])
async def test_a_decision_replaces_the_question_and_is_told_in_the_thread(
    scene: Scene, button: str, comment: str | None
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        told = await scene.decide(APPROVER, button, comment)
        verdict = await settled(scene)
    assert told.startswith(YOU_APPROVED if button == "approve" else YOU_REJECTED)
    assert f"<@{APPROVER}> {button}" in verdict
    assert "<!date^" in verdict
    assert f"<@{REQUESTER}> asked to share `{ENV}` with `{APPID}`" in verdict
    (reply,) = scene.replies()
    assert f"pproved by <@{APPROVER}>" in reply or f"*Rejected* by <@{APPROVER}>" in reply
    quoted = "“as discussed &lt;today&gt; &amp; so on”"
    assert (quoted in verdict, quoted in reply) == (bool(comment), bool(comment))
    assert (scene.column("decided_by"), scene.column("comment")) == (APPROVER, comment)
    assert scene.parent().startswith("✅" if button == "approve" else "🚫")
    assert len(scene.wechat.calls) == (button == "approve")
    assert kinds(scene.database).count(f"{button}{'d' if button == 'approve' else 'ed'}") == 1


async def test_the_result_is_not_overwritten_by_a_late_edit_about_the_decision(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        scene.slack.fail("chat.update", Slow(0.3))
        await scene.send(APPROVER, view)
        assert "it was shared." in await settled(scene)


@pytest.mark.parametrize(("text", "button"), [(f"{APPID} {ENV}", None), (TWO, "Cancel the rest")])
async def test_no_message_says_that_a_request_waits_while_it_is_being_shared(
    scene: Scene, text: str, button: str | None
) -> None:
    scene.wechat.fail("shareenv", *[Slow()] * 2)
    async with scene.bot(APPROVE):
        await scene.ask(text)
        await scene.decide(APPROVER, "approve")
        await scene.slack.until(lambda _: "is sharing" in scene.parent())
        (under_way,) = scene.slack.parents(RELEASES)
        assert states(scene.database)[0] == "placed"
        assert "Cancel the request" not in json.dumps(under_way.blocks)
        assert has_button(under_way, "cancel") is (button is not None)
        assert scene.replies() == []
        scene.wechat.clear()
        await soon(lambda: set(states(scene.database)) == {"ended"})
    assert scene.parent().startswith("✅")
    assert len(scene.replies()) == 1


@pytest.mark.parametrize(
    ("code", "says"),
    [(None, "it was shared."), (85088, "it did not succeed"), (-1, "it may or may not have")],
)
async def test_the_approvers_see_the_result(scene: Scene, code: int | None, says: str) -> None:
    if code == -1:
        scene.wechat.fail("shareenv", *[Hang(30)] * 5)
        scene.environ["WECHAT_TIMEOUT"] = "0.5"
    elif code:
        scene.wechat.fail("shareenv", Code(code))
    async with scene.bot(APPROVE):
        await scene.ask()
        await scene.decide(APPROVER, "approve")
        verdict = await settled(scene)
    assert f"<@{APPROVER}> approved this" in verdict
    assert says in verdict


async def test_a_modal_can_be_closed_without_a_decision(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        scene.slack.close(APPROVER, view)
        assert states(scene.database) == ["waiting"]
        await scene.decide(SECOND_APPROVER, "reject")
        await scene.over()


async def test_a_request_survives_a_restart_between_asking_and_deciding(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        await scene.question()
    async with scene.bot(APPROVE):
        await scene.decide(APPROVER, "approve")
        await settled(scene)
    assert len(scene.slack.parents(RELEASES)) == 1
    assert len(scene.replies()) == 1
    assert "restarted" not in scene.replies()[0]
    assert len(scene.wechat.calls) == 1


async def test_a_modal_survives_a_restart(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
    async with scene.bot(APPROVE):
        await scene.send(APPROVER, view, "fine")
        await settled(scene)
    assert "“fine”" in scene.replies()[0]


# Who may decide.


@DECISIONS
@pytest.mark.parametrize(
    ("rules", "user", "says"),
    [
        pytest.param(APPROVE, "U0SECOND", NOT_AN_APPROVER, id="somebody"),
        pytest.param(
            APPROVE.replace('"U0REQUESTER"', f'"{APPROVER}"', 1), APPROVER, "own", id="own"
        ),
        pytest.param(EVERYBODY, REQUESTER, OWN_REQUEST, id="own, as everybody"),
        pytest.param(EVERYBODY, "U0GUEST", NOT_AN_APPROVER, id="guest"),
        pytest.param(EVERYBODY, "U0GONE", NOT_AN_APPROVER, id="deactivated"),
    ],
)
async def test_a_person_who_may_not_decide_is_told_so(
    scene: Scene, rules: str, user: str, says: str, button: str
) -> None:
    channel = scene.slack.channels[APPROVALS]
    everybody = channel.members | {user}
    scene.slack.channels[APPROVALS] = replace(channel, members=everybody)
    async with scene.bot(rules):
        await scene.ask(user=APPROVER if says == "own" else REQUESTER)
        assert says in await scene.click(user, await scene.question(), button)
        [shown] = scene.slack.views(user)
        assert not shown.body["submit"]
        assert states(scene.database) == ["waiting"]
        assert has_button(await scene.question(), button)
    [(asked,)] = rows(scene.database, "SELECT id FROM requests")
    refused = "SELECT request, user, channel, rule FROM events WHERE kind = 'not an approver'"
    assert rows(scene.database, refused) == [(asked, user, APPROVALS, "four eyes")]


async def test_a_requester_may_approve_if_the_rule_permits_it(scene: Scene) -> None:
    async with scene.bot(SELF):
        await scene.ask(user=APPROVER)
        await scene.decide(APPROVER, "approve")
        await settled(scene)
    assert len(scene.wechat.calls) == 1


@DECISIONS
async def test_a_person_who_left_the_approvers_meanwhile_decides_nothing(
    scene: Scene, button: str
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, button)
        group = scene.slack.groups["S0APPROVERS"]
        scene.slack.groups["S0APPROVERS"] = replace(group, members=frozenset({SECOND_APPROVER}))
        assert NOT_AN_APPROVER in await scene.send(APPROVER, view)
        assert states(scene.database) == ["waiting"]
        await scene.decide(SECOND_APPROVER, button)
        await scene.over()


async def test_an_approver_who_was_deactivated_meanwhile_decides_nothing(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        scene.slack.people[APPROVER] = replace(scene.slack.people[APPROVER], deleted=True)
        assert NOT_AN_APPROVER in await scene.send(APPROVER, view)
    assert states(scene.database) == ["waiting"]


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
@DECISIONS
async def test_nothing_is_decided_while_the_clicker_cannot_be_looked_up(
    scene: Scene, method: str, button: str
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, button)
        scene.slack.fail(method, Status(503))
        assert CANNOT_TELL_WHO in await scene.send(APPROVER, view)
        assert states(scene.database) == ["waiting"]
    async with scene.bot(APPROVE):
        await scene.decide(APPROVER, button)
        await scene.over()


# The current policy.


GROUP_RULE = APPROVE.replace(
    'users = ["U0REQUESTER", "U0SECOND", "U0CHINESE", "U0APPROVER"]', 'groups = ["S0PLATFORM"]'
)


@pytest.mark.parametrize(
    "rules", [DENY + APPROVE, DENY, ALLOW.replace("U0REQUESTER", "U0APPROVER")]
)
async def test_a_request_that_the_policy_no_longer_allows_cannot_be_approved(
    scene: Scene, rules: str
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        await scene.question()
    async with scene.bot(rules):
        told = await scene.decide(APPROVER, "approve")
        assert f"does not let <@{REQUESTER}> share" in told
        assert verdict_on(Denied()) in await settled(scene)
    assert scene.column("outcome") == "denied"
    assert scene.parent().startswith("🚫")
    assert answer_to(Denied()) in scene.replies()[0]
    assert scene.wechat.calls == []


async def test_a_click_by_a_person_who_is_no_approver_does_not_end_a_request_that_is_denied_now(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        await scene.question()
    async with scene.bot(DENY + APPROVE):
        question = await scene.question()
        assert NOT_AN_APPROVER in await scene.click("U0SECOND", question, "approve")
    assert states(scene.database) == ["waiting"]


async def test_the_request_of_a_person_who_left_the_group_cannot_be_approved(scene: Scene) -> None:
    async with scene.bot(GROUP_RULE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        group = scene.slack.groups["S0PLATFORM"]
        scene.slack.groups["S0PLATFORM"] = replace(group, members=frozenset())
        assert f"does not let <@{REQUESTER}> share" in await scene.send(APPROVER, view)
        await scene.over()
    assert scene.column("outcome") == "denied"


async def test_the_request_of_a_deactivated_person_cannot_be_approved(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        gone = replace(scene.slack.people[REQUESTER], deleted=True)
        scene.slack.people[REQUESTER] = gone
        assert f"does not let <@{REQUESTER}> share" in await scene.send(APPROVER, view)
        await scene.over()
    assert scene.column("outcome") == "denied"
    assert scene.wechat.calls == []


async def test_a_request_is_not_denied_because_the_requesters_group_cannot_be_read(
    scene: Scene,
) -> None:
    async with scene.bot(GROUP_RULE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        del scene.slack.groups["S0PLATFORM"]
        assert f"find out from Slack who <@{REQUESTER}> is" in await scene.send(APPROVER, view)
    assert states(scene.database) == ["waiting"]


async def test_the_approvers_of_the_current_rule_decide(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        await scene.question()
    other = APPROVE.replace("four eyes", "six eyes").replace(
        'groups = ["S0APPROVERS"]', 'users = ["U0SECOND"]'
    )
    async with scene.bot(other):
        question = await scene.question()
        assert NOT_AN_APPROVER in await scene.click(APPROVER, question, "approve")
        await scene.decide("U0SECOND", "approve")
        await settled(scene)
    assert len(scene.wechat.calls) == 1


# Several approvers.


async def test_of_two_approvers_one_decides_and_the_other_is_told(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        views = {
            APPROVER: await scene.open(APPROVER, "approve"),
            SECOND_APPROVER: await scene.open(SECOND_APPROVER, "reject"),
        }
        told = await asyncio.gather(*(scene.send(user, view) for user, view in views.items()))
        await settled(scene)
    late = [said for said in told if said.startswith(TOO_LATE)]
    assert len(late) == 1
    by = scene.column("decided_by")
    assert any(how in late[0] for how in (f"<@{by}>", late_answer(Shared())))
    assert len(scene.wechat.calls) == (by == APPROVER)
    assert len(scene.replies()) == 1


@DECISIONS
@pytest.mark.parametrize("first", ["approve", "reject", "cancel"])
async def test_an_approver_who_clicks_after_a_decision_is_told_of_it(
    scene: Scene, first: str, button: str
) -> None:
    says = {
        "approve": late_answer(Shared()),
        "reject": late_answer(Rejected("")),
        "cancel": late_answer(Cancelled("")),
    }
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        view = await scene.open(SECOND_APPROVER, button)
        if first == "cancel":
            await scene.click(REQUESTER, scene.slack.parents(RELEASES)[0], "cancel")
        else:
            await scene.decide(APPROVER, first)
        await scene.over()
        assert says[first] in await scene.send(SECOND_APPROVER, view)
        assert says[first] in await scene.click(SECOND_APPROVER, question, button)


async def test_an_approver_who_clicks_during_the_call_is_told_who_approved(scene: Scene) -> None:
    scene.wechat.fail("shareenv", Slow(after_effect=True))
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        (waiting,) = scene.slack.parents(RELEASES)
        await scene.decide(APPROVER, "approve")
        await scene.wechat.until(lambda wechat: bool(wechat.calls))
        late = f"<@{APPROVER}> approved it already"
        assert late in await scene.click(SECOND_APPROVER, question, "reject")
        assert late in await scene.click(REQUESTER, waiting, "cancel")
        scene.wechat.clear("shareenv")
        await scene.over()
    assert len(scene.wechat.calls) == 1


async def test_a_decision_that_is_delivered_twice_takes_effect_once(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        ack = await scene.slack.submit(APPROVER, view)
        await scene.slack.redeliver(ack)
        await scene.over()
        await scene.slack.redeliver(ack)
    assert len(scene.wechat.calls) == 1
    assert len(scene.heard[APPROVER]) == 1
    assert kinds(scene.database).count("approved") == 1


# Withdrawal.


async def test_a_requester_can_withdraw_a_waiting_request(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        await scene.question()
        (waiting,) = scene.slack.parents(RELEASES)
        assert (await scene.click(REQUESTER, waiting, "cancel")).startswith("Cancelled")
        assert f"<@{REQUESTER}> cancelled this" in await settled(scene)
    assert "*Cancelled*" in scene.replies()[0]
    assert scene.parent().startswith("🚫")
    assert not has_button(scene.slack.parents(RELEASES)[0], "cancel")
    assert scene.wechat.calls == []


# Private places, and deleted messages.


async def test_a_requester_in_a_private_place_is_told_in_private(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask(channel=SECRET)
        assert "*From:* <#C0SECRET>" in (await scene.question()).text
        await scene.decide(APPROVER, "reject", "not today")
        await settled(scene)
    assert "*Rejected*" in scene.told_directly().text
    assert "“not today”" in scene.told_directly().text
    assert scene.slack.parents(SECRET) == []


async def test_a_requester_in_a_private_place_is_told_by_direct_message_once_the_response_url_is_used_up(
    scene: Scene, http: aiohttp.ClientSession
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask(channel=SECRET)
        await scene.question()
        for _ in range(4):  # after the one that says that it waits
            await http.post(str(scene.column("response_url")), json={"text": "used"})
        await scene.decide(APPROVER, "approve")
        await settled(scene)
    (direct,) = scene.slack.parents("D0BOT")
    assert direct.text.startswith("✅")
    assert f"Approved by <@{APPROVER}>" in direct.text


async def test_a_deleted_question_can_still_be_decided_by_a_person_who_sees_it(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        view = await scene.open(APPROVER, "approve", question)
        scene.slack.delete(question.ts)
        await scene.send(APPROVER, view)
        await scene.over()
    assert len(scene.wechat.calls) == 1
    assert scene.parent().startswith("✅")
    assert scene.slack.parents(APPROVALS) == []


@DECISIONS
async def test_a_button_of_another_workspace_decides_nothing(scene: Scene, button: str) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        told = await scene.click(APPROVER, question, button, team="T0ELSEWHERE")
        assert NO_SUCH_REQUEST in told
    assert states(scene.database) == ["waiting"]


@pytest.mark.parametrize("button", ["approve", "reject", "cancel"])
async def test_a_button_of_a_deleted_request_says_so(scene: Scene, button: str) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        rows(scene.database, "DELETE FROM requests")
        where = question if button != "cancel" else scene.slack.parents(RELEASES)[0]
        user = APPROVER if button != "cancel" else REQUESTER
        assert NO_SUCH_REQUEST in await scene.click(user, where, button)


async def test_a_modal_of_a_deleted_request_says_so(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        rows(scene.database, "DELETE FROM requests")
        assert NO_SUCH_REQUEST in await scene.send(APPROVER, view)


@DECISIONS
async def test_a_decision_that_cannot_be_recorded_has_no_effect(scene: Scene, button: str) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        view = await scene.open(APPROVER, button)
        with ledger_down(scene.database):
            assert CLICK_NOT_RECORDED in await scene.send(APPROVER, view)
            assert CLICK_NOT_RECORDED in await scene.click(SECOND_APPROVER, question, button)
        assert states(scene.database) == ["waiting"]
        await scene.decide(APPROVER, button)
        await soon(lambda: states(scene.database) == ["ended"])


async def test_a_crash_before_the_call_is_not_reported_as_one_during_the_call(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        question = await scene.question()
        rows(scene.database, "UPDATE requests SET taken_over = 1")
        await scene.decide(APPROVER, "approve", where=question)
        await scene.over()
    assert "once more" not in scene.replies()[-1]
    assert len(scene.wechat.calls) == 1
