"""The buttons “Try again” and “Share it again”."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain.outcome import Expired
from bot.playground.faults import Code, Slow, Status
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID, OWNER
from tests.conftest import ENV, RELEASES, REQUESTER, ledger_down, rows, soon, states
from tests.languages import CHINESE
from tests.said import (
    CANNOT_TELL_WHO,
    CLICK_NOT_RECORDED,
    NEEDS_APPROVAL,
    NO_SUCH_REQUEST,
    RETRIED_ALREADY,
    SHARED,
    answer_to,
    late_answer,
)
from tests.scenes import (
    ALLOW,
    APPROVE,
    APPROVER,
    ASK,
    BOTH,
    CONFIRM,
    DENY,
    SECOND_APPROVER,
    Scene,
    has_button,
)

SECRET = "C0SECRET"
NO_HELP, HELP = 40097, 85088


def answers(scene: Scene) -> list[PostedMessage]:
    """Return the replies below the first parent, without the parents of later requests."""
    first = scene.slack.parents(RELEASES)[0]
    return [m for m in scene.slack.thread(RELEASES, first.ts) if "asked to share" not in m.text]


async def failed(scene: Scene, code: int = HELP) -> PostedMessage:
    """Let a request fail, and return its answer."""
    scene.wechat.fail("shareenv", Code(code))
    await scene.ask(f'{APPID} {ENV} --reason "for the launch"')
    await scene.over()
    return answers(scene)[-1]


@pytest.mark.parametrize(("code", "helps"), [(HELP, True), (NO_HELP, False)])
async def test_an_answer_has_the_button_only_if_a_retry_can_help(
    scene: Scene, code: int, helps: bool
) -> None:
    async with scene.bot(ALLOW):
        answer = await failed(scene, code)
    assert has_button(answer, "retry") is helps
    assert ("The same values would fail again" in answer.text) is not helps


async def test_the_answer_to_a_success_has_no_retry_button(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        await scene.ask()
        await scene.over()
    assert not has_button(answers(scene)[-1], "retry")


async def test_a_retry_by_the_requester_is_answered_in_the_same_thread(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        answer = await failed(scene)
        assert (await scene.click(REQUESTER, answer, "retry")).startswith("On it")
        await scene.over(2)
    assert scene.wechat.shared == [(OWNER, ENV, APPID)]
    (parent,) = scene.slack.parents(RELEASES)
    first, again, shared = scene.slack.thread(RELEASES, parent.ts)
    assert (first.text, has_button(first, "retry")) == (answer.text, False)
    assert [block["type"] for block in first.blocks] == [
        block["type"] for block in answer.blocks if block["type"] != "actions"
    ]
    assert again.text.startswith("✅")
    assert "Reason: for the launch" in again.text
    assert SHARED in shared.text
    assert scene.column("retried_by") is None
    assert rows(scene.database, "SELECT retried_by FROM requests ORDER BY created") == [
        (REQUESTER,),
        (None,),
    ]


async def test_a_request_is_retried_once_however_often_and_by_whom_the_button_is_clicked(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        scene.wechat.fail("shareenv", Code(HELP), Code(HELP))
        await scene.ask()
        await scene.decide(APPROVER, "approve")
        await scene.over()
        answer = answers(scene)[-1]
        await scene.click(REQUESTER, answer, "retry")
        await scene.decide(APPROVER, "approve")
        await scene.over(2)
        for user in (REQUESTER, APPROVER):
            assert RETRIED_ALREADY in await scene.click(user, answer, "retry")
        # The answer to the second try has its own button.
        await scene.click(REQUESTER, answers(scene)[-1], "retry")
        await scene.decide(APPROVER, "approve")
        await scene.over(3)
    assert len(scene.wechat.calls) == 3
    assert scene.column("outcome") == "shared"


async def test_a_button_stays_while_it_is_of_use_and_is_removed_afterwards(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        answer = await failed(scene)
        await scene.click("U0STRANGER", answer, "retry")
        assert has_button(answers(scene)[-1], "retry")  # for people who may use it
        await scene.click(REQUESTER, answer, "retry")
        await scene.over(2)
        (parent,) = scene.slack.parents(RELEASES)
        await scene.slack.until(
            lambda slack: not has_button(slack.thread(RELEASES, parent.ts)[0], "retry")
        )


async def test_of_two_people_who_click_at_once_one_is_told_that_the_other_did(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        scene.wechat.fail("shareenv", Code(HELP))
        await scene.ask()
        await scene.decide(APPROVER, "approve")
        await scene.over()
        answer = answers(scene)[-1]
        both = (scene.click(user, answer, "retry") for user in (REQUESTER, APPROVER))
        told = await asyncio.gather(*both)
        await scene.question()
    assert len(states(scene.database)) == 2
    assert sorted(NEEDS_APPROVAL in said for said in told) == [False, True]


async def test_a_click_that_is_delivered_twice_makes_one_retry(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        answer = await failed(scene)
        ack = await scene.slack.click(REQUESTER, answer, "retry")
        await scene.slack.redeliver(ack)
        await scene.over(2)
        await scene.slack.redeliver(ack)
    assert len(scene.wechat.calls) == 2
    assert [said for said in scene.heard[REQUESTER] if RETRIED_ALREADY in said] == []


async def test_an_approver_can_retry_for_the_requester(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        scene.wechat.fail("shareenv", Code(HELP))
        await scene.ask()
        await scene.decide(APPROVER, "approve")
        await scene.over()
        await scene.click(APPROVER, answers(scene)[-1], "retry")
        question = await scene.question()
        assert f"<@{REQUESTER}> asks to share" in question.text
        await scene.decide(SECOND_APPROVER, "approve")
        await scene.over(2)
    assert len(scene.wechat.shared) == 1
    assert rows(scene.database, "SELECT user, retried_by FROM requests ORDER BY created") == [
        (REQUESTER, APPROVER),
        (REQUESTER, None),
    ]
    [(earlier,), (later,)] = rows(scene.database, "SELECT id FROM requests ORDER BY created")
    retried = "SELECT request, user, detail FROM events WHERE kind = 'retried'"
    assert rows(scene.database, retried) == [(earlier, APPROVER, later)]


async def expired(scene: Scene, text: str = ASK) -> PostedMessage:
    """Let a request expire without a decision, and return its answer."""
    async with scene.bot(APPROVE):
        await scene.ask(text)
        await scene.question()
        scene.pass_time(7200)
    async with scene.bot(APPROVE):
        await scene.over()
    return answers(scene)[-1]


async def test_an_approver_who_retries_is_answered_in_their_own_language(scene: Scene) -> None:
    scene.slack.people[REQUESTER] = replace(scene.slack.people[REQUESTER], locale="zh-CN")
    answer = await expired(scene)
    async with scene.bot(APPROVE):
        assert NEEDS_APPROVAL in await scene.click(APPROVER, answer, "retry")
        await scene.question()
    assert scene.column("language") == "zh-CN"


@pytest.mark.parametrize("appids", [APPID, f"{APPID} wx00000000000000a1"])
async def test_an_approver_is_told_that_the_requester_may_no_longer_share(
    scene: Scene, appids: str
) -> None:
    answer = await expired(scene, f"{appids} {ENV}")
    asked_by = scene.slack.people[REQUESTER]
    scene.slack.people[REQUESTER] = replace(asked_by, deleted=True, locale="zh-CN")
    async with scene.bot(APPROVE):
        told = await scene.click(APPROVER, answer, "retry")
    assert f"The policy does not let <@{REQUESTER}> share `{ENV}` with" in told
    assert f"They can type `/share-env why {APPID} {ENV}`" in told
    assert "You" not in told
    assert states(scene.database) == ["ended"]


async def test_an_approver_is_told_if_the_requester_cannot_be_looked_up(
    scene: Scene,
) -> None:
    answer = await expired(scene)
    async with scene.bot(APPROVE):
        scene.slack.fail("users.info", Status(503), user=REQUESTER)
        told = await scene.click(APPROVER, answer, "retry")
    assert f"who <@{REQUESTER}> is, so I did nothing" in told


SURE = ALLOW.replace("platform team", "sure") + "confirm = true\n"


@pytest.mark.parametrize(
    ("rules", "becomes"),
    [pytest.param(BOTH, "waiting", id="both"), pytest.param(SURE + APPROVE, "ended", id="allowed")],
)
async def test_a_retry_by_an_approver_is_confirmed_by_the_requester_if_the_rule_says_so(
    scene: Scene, rules: str, becomes: str
) -> None:
    scene.slack.people[REQUESTER] = replace(scene.slack.people[REQUESTER], locale="zh-CN")
    answer = await expired(scene)
    async with scene.bot(rules):
        ack = await scene.slack.click(APPROVER, answer, "retry")
        direct = scene.slack.direct_message(REQUESTER)
        assert direct
        await soon(lambda: scene.slack.parents(direct.id))
        (question,) = scene.slack.parents(direct.id)
        asked = CHINESE(
            "<@{by}> tries this again for you, and you have to confirm it.", by=APPROVER
        )
        assert asked in question.text
        await soon(lambda: scene.slack.shown_to(APPROVER))
        assert f"The rule wants <@{REQUESTER}> to confirm this first" in scene.shown(APPROVER).text
        assert not has_button(scene.shown(APPROVER), "confirm")
        await scene.slack.redeliver(ack)
        await scene.click(REQUESTER, question, "confirm")
        if becomes == "waiting":
            await scene.question()
        await soon(lambda: states(scene.database) == ["ended", becomes])
    assert sum(asked in text for text in scene.heard[REQUESTER]) == 1


async def test_a_requester_who_left_the_channel_is_asked_by_direct_message_to_confirm_an_approvers_retry(
    scene: Scene,
) -> None:
    answer = await expired(scene)
    releases = scene.slack.channels[RELEASES]
    left = replace(releases, members=releases.members - {REQUESTER})
    scene.slack.channels[RELEASES] = left
    async with scene.bot(BOTH):
        await scene.click(APPROVER, answer, "retry")
        direct = scene.slack.direct_message(REQUESTER)
        assert direct
        await soon(lambda: scene.slack.parents(direct.id))
        (asked,) = scene.slack.parents(direct.id)
        await scene.click(REQUESTER, asked, "confirm")
        await scene.question()
    assert states(scene.database) == ["ended", "waiting"]


async def test_a_requester_is_told_that_they_did_not_confirm_an_approvers_retry(
    scene: Scene,
) -> None:
    answer = await expired(scene)
    async with scene.bot(BOTH):
        await scene.click(APPROVER, answer, "retry")
        scene.pass_time(600)
    async with scene.bot(BOTH):
        await scene.over(2)
    assert answer_to(Expired("confirmation")) in scene.heard[REQUESTER][-1]


@pytest.mark.parametrize("button", ["confirm", "cancel"])
async def test_a_late_click_removes_the_buttons_of_a_direct_question(
    scene: Scene, button: str
) -> None:
    answer = await expired(scene)
    async with scene.bot(BOTH):
        await scene.click(APPROVER, answer, "retry")
        direct = scene.slack.direct_message(REQUESTER)
        assert direct
        await soon(lambda: scene.slack.parents(direct.id))
        asked = scene.slack.parents(direct.id)[0]
        scene.let_expire()
        assert late_answer(Expired("confirmation")) in await scene.click(REQUESTER, asked, button)
        await soon(lambda: not has_button(scene.slack.parents(direct.id)[0], "confirm"))
    now = scene.slack.parents(direct.id)[0]
    assert (now.text, has_button(now, "cancel")) == (asked.text, False)


async def test_an_ephemeral_button_is_replaced_by_the_result(
    scene: Scene,
) -> None:
    async with scene.bot(ALLOW):
        scene.wechat.fail("shareenv", Code(HELP))
        shut = Code("messages_tab_disabled")
        scene.slack.fail("chat.postMessage", shut, shut, channel=REQUESTER)
        await scene.ask(channel=SECRET)
        await scene.over()
        shown = scene.shown()
        assert has_button(shown, "retry")
        await scene.click(REQUESTER, shown, "retry")
        # The new request's parent is private too, and either may come first.
        await soon(lambda: any(told.startswith("On it") for told in scene.heard[REQUESTER]))
        await scene.over(2)
    assert not has_button(scene.slack.sought(shown.ts) or shown, "retry")


@pytest.mark.parametrize("user", ["U0SECOND", "U0GUEST", APPROVER])
async def test_nobody_else_can_retry(scene: Scene, user: str) -> None:
    async with scene.bot('operators = { users = ["U0SECOND"] }' + ALLOW):
        answer = await failed(scene)
        told = await scene.click(user, answer, "retry")
        assert f"Only <@{REQUESTER}>" in told
    assert states(scene.database) == ["ended"]
    assert scene.column("retried_by") is None


@pytest.mark.parametrize("user", [REQUESTER, APPROVER])
async def test_nothing_is_retried_while_the_clicker_cannot_be_looked_up(
    scene: Scene, user: str
) -> None:
    async with scene.bot(APPROVE):
        scene.wechat.fail("shareenv", Code(HELP))
        await scene.ask()
        await scene.decide(APPROVER, "approve")
        await scene.over()
        answer = answers(scene)[-1]
        scene.slack.fail("users.info", Status(503))
        assert CANNOT_TELL_WHO in await scene.click(user, answer, "retry")
    assert states(scene.database) == ["ended"]


async def test_a_retry_that_the_policy_denies_is_not_used_up(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        answer = await failed(scene)
    async with scene.bot(DENY):
        assert "“freeze” says no" in await scene.click(REQUESTER, answer, "retry")
        assert states(scene.database) == ["ended"]
    async with scene.bot(ALLOW):
        await scene.click(REQUESTER, answer, "retry")
        await scene.over(2)
    assert len(scene.wechat.shared) == 1


async def test_a_retry_needs_a_confirmation_if_the_rule_says_so(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        scene.wechat.fail("shareenv", Code(HELP))
        await scene.ask()
        await scene.click(REQUESTER, scene.shown(), "confirm")
        await scene.over()
        assert "until you confirm" in await scene.click(REQUESTER, answers(scene)[-1], "retry")
        assert len(scene.wechat.calls) == 1
        await scene.click(REQUESTER, scene.shown(), "confirm")
        await scene.over(2)
    assert len(scene.wechat.shared) == 1
    assert len(scene.slack.parents(RELEASES)) == 1


async def test_a_retry_while_the_same_share_is_under_way_is_not_used_up(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        answer = await failed(scene)
        scene.wechat.fail("shareenv", Slow(after_effect=True))
        await scene.ask()
        await scene.wechat.until(lambda wechat: len(wechat.calls) == 2)
        assert "already" in await scene.click(REQUESTER, answer, "retry")
        scene.wechat.clear("shareenv")
        await scene.over(2)
    assert rows(scene.database, "SELECT retried_by FROM requests") == [(None,), (None,)]


async def test_a_retry_does_not_repeat_a_share_that_succeeded_meanwhile(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        answer = await failed(scene)
        await scene.ask(user="U0SECOND")
        await scene.over(2)
        assert "<@U0SECOND> shared" in await scene.click(REQUESTER, answer, "retry")
        assert states(scene.database) == ["ended", "ended"]
    assert len(scene.wechat.calls) == 2


async def test_a_retry_that_cannot_be_recorded_can_be_clicked_again(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        answer = await failed(scene)
        with ledger_down(scene.database):
            assert CLICK_NOT_RECORDED in await scene.click(REQUESTER, answer, "retry")
        await scene.click(REQUESTER, answer, "retry")
        await scene.over(2)
    assert len(scene.wechat.calls) == 2


@pytest.mark.parametrize("user", [REQUESTER, APPROVER])
async def test_an_expired_request_can_be_retried(scene: Scene, user: str) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        await scene.question()
        scene.pass_time(7200)
    async with scene.bot(APPROVE):
        await scene.over()
        (expired,) = answers(scene)
        assert answer_to(Expired("approval")) in expired.text
        await scene.click(user, expired, "retry")
        await scene.decide(APPROVER, "approve")
        await scene.over(2)
    assert len(scene.wechat.shared) == 1
    assert len(scene.slack.parents(RELEASES)) == 1


async def test_an_expired_batch_is_retried_as_a_whole(scene: Scene) -> None:
    appids = {APPID, "wx00000000000000a1"}
    async with scene.bot(APPROVE):
        await scene.ask(f"{' '.join(appids)} {ENV}")
        await scene.question()
        scene.pass_time(7200)
    async with scene.bot(APPROVE):
        await scene.over()
        await scene.click(REQUESTER, answers(scene)[-1], "retry")
        await scene.decide(APPROVER, "approve")
        await scene.over(4)  # two batches, and the items of the second
    assert {appid for _, _, appid in scene.wechat.shared} == appids


@pytest.mark.parametrize("outcome", ["reject", "cancel"])
async def test_a_request_that_people_ended_has_no_retry_button(scene: Scene, outcome: str) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        await scene.question()
        if outcome == "reject":
            await scene.decide(APPROVER, outcome)
        else:
            await scene.click(REQUESTER, scene.slack.parents(RELEASES)[0], outcome)
        await scene.over()
    assert not has_button(answers(scene)[-1], "retry")


async def test_a_retry_in_a_private_place_is_answered_by_direct_message(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        scene.wechat.fail("shareenv", Code(HELP))
        await scene.ask(channel=SECRET)
        await scene.over()
        await scene.click(REQUESTER, scene.told_directly(), "retry")
        await scene.over(2)
    assert SHARED in scene.told_directly().text
    assert scene.slack.parents(SECRET) == []


async def test_a_retry_from_a_direct_message_is_answered_in_the_channel_once_the_bot_is_in_it(
    scene: Scene,
) -> None:
    async with scene.bot(ALLOW):
        scene.wechat.fail("shareenv", Code(HELP))
        scene.slack.fail("response_url", *[Code("expired_url")] * 4)
        await scene.ask(channel=SECRET)
        await scene.over()
    direct = scene.slack.direct_message(REQUESTER)
    assert direct
    (parent,) = scene.slack.parents(direct.id)
    (answer,) = scene.slack.thread(direct.id, parent.ts)
    secret, bot = scene.slack.channels[SECRET], scene.slack.world.bot_user_id
    scene.slack.channels[SECRET] = replace(secret, members=secret.members | {bot})
    async with scene.bot(ALLOW):
        await scene.click(REQUESTER, answer, "retry")
        await scene.over(2)
    assert scene.parent(SECRET).startswith("✅")
    assert SHARED in scene.replies(SECRET)[-1]
    (now,) = scene.slack.thread(direct.id, parent.ts)
    assert (now.ts, now.text) == (answer.ts, answer.text)


async def test_a_button_of_another_workspace_or_an_unknown_request_retries_nothing(
    scene: Scene,
) -> None:
    async with scene.bot(ALLOW):
        answer = await failed(scene)
        unknown = NO_SUCH_REQUEST
        assert unknown in await scene.click(REQUESTER, answer, "retry", team="T0ELSEWHERE")
        rows(scene.database, "DELETE FROM requests")
        assert unknown in await scene.click(REQUESTER, answer, "retry")
    assert len(scene.wechat.calls) == 1


# Sharing again.


async def shared_before(scene: Scene) -> PostedMessage:
    """Request a share twice, and return the answer to the second request."""
    await scene.ask()
    await scene.over()
    assert "shared `prod-1`" in await scene.ask(user="U0SECOND")
    shown = scene.shown("U0SECOND")
    assert has_button(shown, "again")
    return shown


async def test_sharing_again_is_for_the_person_who_clicks(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        shown = await shared_before(scene)
        assert (await scene.click("U0SECOND", shown, "again")).startswith("On it")
        await scene.over(2)
    assert len(scene.wechat.calls) == 2
    assert scene.column("user") == "U0SECOND"
    assert not has_button(scene.slack.sought(shown.ts) or shown, "again")


@pytest.mark.parametrize(
    ("user", "typed", "reason"),
    [
        pytest.param(
            "U0SECOND", " --reason \"a <b> & 'c' 中文\"", "a <b> & 'c' 中文", id="another's"
        ),
        pytest.param("U0SECOND", "", None, id="another's, without one"),
        pytest.param(REQUESTER, ' --reason "once more"', "once more", id="a new one of one's own"),
        pytest.param(REQUESTER, "", "at first", id="one's own of before"),
    ],
)
async def test_sharing_again_has_the_new_reason_and_never_another_persons(
    scene: Scene, user: str, typed: str, reason: str | None
) -> None:
    async with scene.bot(ALLOW):
        await scene.ask(f'{APPID} {ENV} --reason "at first"')
        await scene.over()
        await scene.ask(f"{APPID} {ENV}{typed}", user)
        await scene.click(user, scene.shown(user), "again")
        await scene.over(2)
    assert (scene.column("user"), scene.column("reason")) == (user, reason)


@pytest.mark.parametrize(("user", "reason"), [(APPROVER, None), (REQUESTER, "at first")])
async def test_sharing_again_after_a_retry_never_has_another_persons_reason(
    scene: Scene, user: str, reason: str | None
) -> None:
    answer = await expired(scene, f'{ASK} --reason "at first"')
    async with scene.bot(ALLOW):
        await scene.ask(user="U0SECOND")
        await scene.over(2)
    async with scene.bot(APPROVE):
        told = await scene.click(user, answer, "retry")
        assert "<@U0SECOND> shared" in told
        assert ("at first" in told) == (reason is not None)
        await scene.click(user, scene.shown(user), "again")
        await scene.question()
    assert (scene.column("user"), scene.column("reason")) == (user, reason)


async def test_sharing_again_needs_what_sharing_needs(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        shown = await shared_before(scene)
    async with scene.bot(DENY):
        assert "“freeze” says no" in await scene.click("U0SECOND", shown, "again")
    assert states(scene.database) == ["ended"]
    assert len(scene.wechat.calls) == 1


async def test_sharing_again_needs_an_approval_if_the_rule_says_so(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        shown = await shared_before(scene)
    async with scene.bot(APPROVE):
        assert NEEDS_APPROVAL in await scene.click("U0SECOND", shown, "again")
        assert f"by <@{REQUESTER}>" in (await scene.question()).text
        await scene.decide(APPROVER, "approve")
        await scene.over(2)
    assert len(scene.wechat.calls) == 2


async def test_the_second_click_to_share_again_is_told_of_the_first(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        shown = await shared_before(scene)
        scene.wechat.fail("shareenv", Slow(after_effect=True))
        await scene.click("U0SECOND", shown, "again")
        await scene.wechat.until(lambda wechat: len(wechat.calls) == 2)
        assert "already" in await scene.click("U0SECOND", shown, "again")
        scene.wechat.clear("shareenv")
        await scene.over(2)
    assert len(scene.wechat.calls) == 2


async def test_sharing_again_is_answered_if_the_request_is_unknown_or_the_ledger_is_down(
    scene: Scene,
) -> None:
    async with scene.bot(ALLOW):
        shown = await shared_before(scene)
        with ledger_down(scene.database):
            assert CLICK_NOT_RECORDED in await scene.click("U0SECOND", shown, "again")
        rows(scene.database, "DELETE FROM requests")
        unknown = NO_SUCH_REQUEST
        assert unknown in await scene.click("U0SECOND", shown, "again")
    assert len(scene.wechat.calls) == 1


async def test_a_retry_in_a_channel_is_answered_there_in_the_channels_language(
    scene: Scene,
) -> None:
    scene.slack.people[REQUESTER] = replace(scene.slack.people[REQUESTER], locale="zh-CN")
    async with scene.bot(ALLOW):
        scene.wechat.fail("shareenv", Code(HELP))
        await scene.ask()
        await scene.over()
        await scene.click(REQUESTER, answers(scene)[-1], "retry")
        await scene.over(2)
    (parent,) = scene.slack.parents(RELEASES)
    failed, _, shared = (m.text for m in scene.slack.thread(RELEASES, parent.ts))
    assert "Nothing for you to fix" in failed
    assert SHARED in shared
    assert SHARED not in failed
