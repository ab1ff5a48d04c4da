"""The buttons “Try again” and “Share it again”."""

from dataclasses import replace

import pytest

from bot.domain.outcome import Expired
from bot.playground.faults import Code, Slow, Status
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID, OWNER
from tests.conftest import ASK, ENV, RELEASES, REQUESTER, ledger_down, rows, soon, states
from tests.languages import CHINESE
from tests.rig import (
    ALLOW,
    APPROVE,
    APPROVER,
    BOTH,
    DENY,
    SECOND,
    SECOND_APPROVER,
    SECRET,
    Rig,
    has_button,
)
from tests.said import (
    NEEDS_APPROVAL,
    NO_SUCH_REQUEST,
    NOT_RECORDED,
    RETRIED_ALREADY,
    SHARED,
    answer_to,
    late_answer,
)

HELP = 85088


def answers(rig: Rig) -> list[PostedMessage]:
    """Return the replies below the first parent, without the parents of later requests."""
    first = rig.slack.parents(RELEASES)[0]
    return [m for m in rig.slack.thread(RELEASES, first.ts) if "asked to share" not in m.text]


async def failed(rig: Rig) -> PostedMessage:
    """Let a request fail, and return its answer."""
    rig.wechat.fail("shareenv", Code(HELP))
    await rig.ask(f'{APPID} {ENV} --reason "for the launch"')
    await rig.over()
    return answers(rig)[-1]


async def failed_once_approved(rig: Rig) -> PostedMessage:
    """Let a request fail after its approval, and return its answer."""
    rig.wechat.fail("shareenv", Code(HELP))
    await rig.ask()
    await rig.decide(APPROVER, "approve")
    await rig.over()
    return answers(rig)[-1]


async def expired(rig: Rig, text: str = ASK) -> PostedMessage:
    """Let a request expire without a decision, and return its answer."""
    async with rig.bot(APPROVE):
        await rig.ask(text)
        await rig.question()
        rig.pass_time(7200)
    async with rig.bot(APPROVE):
        await rig.over()
    return answers(rig)[-1]


async def test_a_retry_by_the_requester_is_answered_in_the_same_thread(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        answer = await failed(rig)
        assert "listfunctions" not in rig.wechat.transcript()  # only a share asks what is ready
        assert (await rig.click(REQUESTER, answer, "retry")).startswith("On it")
        await rig.over(2)
    assert rig.wechat.shared == [(OWNER, ENV, APPID)]
    (parent,) = rig.slack.parents(RELEASES)
    first, again, shared = rig.slack.thread(RELEASES, parent.ts)
    assert (first.text, has_button(first, "retry")) == (answer.text, False)
    assert [block["type"] for block in first.blocks] == [
        block["type"] for block in answer.blocks if block["type"] != "actions"
    ]
    assert again.text.startswith("✅")
    assert "Reason: for the launch" in again.text
    assert SHARED in shared.text
    assert rig.column("retried_by") is None
    assert rows(rig.database, "SELECT retried_by FROM requests ORDER BY created") == [
        (REQUESTER,),
        (None,),
    ]


async def test_a_request_is_retried_once_however_often_and_by_whom_the_button_is_clicked(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        answer = await failed_once_approved(rig)
        rig.wechat.fail("shareenv", Code(HELP))
        await rig.click(REQUESTER, answer, "retry")
        await rig.decide(APPROVER, "approve")
        await rig.over(2)
        for user in (REQUESTER, APPROVER):
            assert RETRIED_ALREADY in await rig.click(user, answer, "retry")
        # The answer to the second try has its own button.
        await rig.click(REQUESTER, answers(rig)[-1], "retry")
        await rig.decide(APPROVER, "approve")
        await rig.over(3)
    assert len(rig.wechat.calls) == 3
    assert rig.column("outcome") == "shared"


async def test_a_button_stays_while_it_is_of_use_and_is_removed_afterwards(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        answer = await failed(rig)
        await rig.click("U0STRANGER", answer, "retry")
        assert has_button(answers(rig)[-1], "retry")  # for people who may use it
        await rig.click(REQUESTER, answer, "retry")
        await rig.over(2)
        (parent,) = rig.slack.parents(RELEASES)
        await rig.slack.until(
            lambda slack: not has_button(slack.thread(RELEASES, parent.ts)[0], "retry")
        )


async def test_an_approver_can_retry_for_the_requester(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.click(APPROVER, await failed_once_approved(rig), "retry")
        question = await rig.question()
        assert f"<@{REQUESTER}> asks to share" in question.text
        await rig.decide(SECOND_APPROVER, "approve")
        await rig.over(2)
    assert len(rig.wechat.shared) == 1
    assert rows(rig.database, "SELECT user, retried_by FROM requests ORDER BY created") == [
        (REQUESTER, APPROVER),
        (REQUESTER, None),
    ]
    [(earlier,), (later,)] = rows(rig.database, "SELECT id FROM requests ORDER BY created")
    retried = "SELECT request, user, detail FROM events WHERE kind = 'retried'"
    assert rows(rig.database, retried) == [(earlier, APPROVER, later)]


async def test_an_approver_who_retries_is_answered_in_their_own_language(rig: Rig) -> None:
    rig.slack.people[REQUESTER] = replace(rig.slack.people[REQUESTER], locale="zh-CN")
    answer = await expired(rig)
    async with rig.bot(APPROVE):
        assert NEEDS_APPROVAL in await rig.click(APPROVER, answer, "retry")
        await rig.question()
    assert rig.column("language") == "zh-CN"


@pytest.mark.parametrize("appids", [APPID, f"{APPID} wx00000000000000a1"])
async def test_an_approver_is_told_that_the_requester_may_no_longer_share(
    rig: Rig, appids: str
) -> None:
    answer = await expired(rig, f"{appids} {ENV}")
    asked_by = rig.slack.people[REQUESTER]
    rig.slack.people[REQUESTER] = replace(asked_by, deleted=True, locale="zh-CN")
    async with rig.bot(APPROVE):
        told = await rig.click(APPROVER, answer, "retry")
    assert f"<@{REQUESTER}> may not share `{ENV}` with" in told
    assert f"They can type `/share-env why {APPID} {ENV}`" in told
    assert "You" not in told
    assert states(rig.database) == ["ended"]


async def test_an_approver_is_told_if_the_requester_cannot_be_looked_up(
    rig: Rig,
) -> None:
    answer = await expired(rig)
    async with rig.bot(APPROVE):
        rig.slack.fail("users.info", Status(503), times=None, user=REQUESTER)
        told = await rig.click(APPROVER, answer, "retry")
    assert f"I could not find out who <@{REQUESTER}> is, so I did nothing" in told


SURE = ALLOW.replace("platform team", "sure") + "confirm = true\n"


@pytest.mark.parametrize(
    ("rules", "becomes"),
    [pytest.param(BOTH, "waiting", id="both"), pytest.param(SURE + APPROVE, "ended", id="allowed")],
)
async def test_a_retry_by_an_approver_is_confirmed_by_the_requester_if_the_rule_says_so(
    rig: Rig, rules: str, becomes: str
) -> None:
    rig.slack.people[REQUESTER] = replace(rig.slack.people[REQUESTER], locale="zh-CN")
    answer = await expired(rig)
    async with rig.bot(rules):
        ack = await rig.slack.click(APPROVER, answer, "retry")
        await soon(rig.direct_messages)
        (question,) = rig.direct_messages()
        asked = CHINESE(
            "<@{by}> tries this again for you, and you have to confirm it.", by=APPROVER
        )
        assert asked in question.text
        await soon(lambda: rig.slack.shown_to(APPROVER))
        assert f"The rule requires <@{REQUESTER}> to confirm this first" in rig.shown(APPROVER).text
        assert not has_button(rig.shown(APPROVER), "confirm")
        await rig.slack.redeliver(ack)
        await rig.click(REQUESTER, question, "confirm")
        if becomes == "waiting":
            await rig.question()
        await soon(lambda: states(rig.database) == ["ended", becomes])
    assert sum(asked in text for text in rig.heard[REQUESTER]) == 1


async def test_a_requester_is_told_that_they_did_not_confirm_an_approvers_retry_below_the_question(
    rig: Rig,
) -> None:
    answer = await expired(rig)
    async with rig.bot(BOTH):
        await rig.click(APPROVER, answer, "retry")
        await soon(rig.direct_messages)
        (asked,) = rig.direct_messages()
        rig.pass_time(600)
    async with rig.bot(BOTH):
        await rig.over(2)
    (reply,) = rig.slack.thread(asked.channel, asked.ts)
    assert answer_to(Expired("confirmation")) in reply.text
    assert has_button(reply, "retry")
    assert not has_button(rig.slack.sought(asked.ts) or asked, "confirm")


@pytest.mark.parametrize("button", ["confirm", "cancel"])
async def test_a_late_click_removes_the_buttons_of_a_direct_question(rig: Rig, button: str) -> None:
    answer = await expired(rig)
    async with rig.bot(BOTH):
        await rig.click(APPROVER, answer, "retry")
        await soon(rig.direct_messages)
        (asked,) = rig.direct_messages()
        rig.let_expire()
        assert late_answer(Expired("confirmation")) in await rig.click(REQUESTER, asked, button)
        await soon(lambda: not has_button(rig.told_directly(), "confirm"))
    now = rig.told_directly()
    assert (now.text, has_button(now, "cancel")) == (asked.text, False)


async def test_an_ephemeral_button_is_replaced_by_the_result(
    rig: Rig,
) -> None:
    async with rig.bot(ALLOW):
        rig.wechat.fail("shareenv", Code(HELP))
        shut = Code("messages_tab_disabled")
        rig.slack.fail("chat.postMessage", shut, shut, channel=REQUESTER)
        await rig.ask(channel=SECRET)
        await rig.over()
        shown = rig.shown()
        assert has_button(shown, "retry")
        await rig.click(REQUESTER, shown, "retry")
        # The new request's parent is private too, and either may come first.
        await soon(lambda: any(told.startswith("On it") for told in rig.heard[REQUESTER]))
        await rig.over(2)
    assert not has_button(rig.slack.sought(shown.ts) or shown, "retry")


async def test_nobody_else_can_retry(rig: Rig) -> None:
    async with rig.bot('operators = { users = ["U0SECOND"] }' + ALLOW):
        answer = await failed(rig)
        told = await rig.click(SECOND, answer, "retry")
        assert f"Only <@{REQUESTER}>" in told
    assert states(rig.database) == ["ended"]
    assert rig.column("retried_by") is None


async def test_a_retry_that_the_policy_denies_is_not_used_up(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        answer = await failed(rig)
    async with rig.bot(DENY):
        assert "“freeze” denies it" in await rig.click(REQUESTER, answer, "retry")
        assert states(rig.database) == ["ended"]
    async with rig.bot(ALLOW):
        await rig.click(REQUESTER, answer, "retry")
        await rig.over(2)
    assert len(rig.wechat.shared) == 1


@pytest.mark.parametrize("user", [REQUESTER, APPROVER])
async def test_a_retry_is_refused_if_the_receiver_owns_the_env_now(rig: Rig, user: str) -> None:
    async with rig.bot(APPROVE):
        button = await failed_once_approved(rig)
    async with rig.bot(f'[[owner]]\nappid = "{APPID}"\nenvs = ["{ENV}"]\n{APPROVE}'):
        assert f"`{APPID}` owns `{ENV}`" in await rig.click(user, button, "retry")
    assert rig.wechat.shared == []


async def test_a_retry_while_the_same_share_is_under_way_is_not_used_up(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        answer = await failed(rig)
        rig.wechat.fail("shareenv", Slow(after_effect=True))
        await rig.ask()
        await rig.wechat.until(lambda wechat: len(wechat.calls) == 2)
        assert "already" in await rig.click(REQUESTER, answer, "retry")
        rig.wechat.clear("shareenv")
        await rig.over(2)
    assert rows(rig.database, "SELECT retried_by FROM requests") == [(None,), (None,)]


@pytest.mark.parametrize("user", [REQUESTER, APPROVER])
async def test_an_expired_request_can_be_retried(rig: Rig, user: str) -> None:
    answer = await expired(rig)
    assert answer_to(Expired("approval")) in answer.text
    async with rig.bot(APPROVE):
        await rig.click(user, answer, "retry")
        await rig.decide(APPROVER, "approve")
        await rig.over(2)
    assert len(rig.wechat.shared) == 1
    assert len(rig.slack.parents(RELEASES)) == 1


async def test_an_expired_batch_is_retried_as_a_whole(rig: Rig) -> None:
    appids = {APPID, "wx00000000000000a1"}
    answer = await expired(rig, f"{' '.join(appids)} {ENV}")
    async with rig.bot(APPROVE):
        await rig.click(REQUESTER, answer, "retry")
        await rig.decide(APPROVER, "approve")
        await rig.over(4)  # two batches, and the items of the second
    assert {appid for _, _, appid in rig.wechat.shared} == appids


async def test_a_retry_in_a_private_place_is_answered_by_direct_message(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        rig.wechat.fail("shareenv", Code(HELP))
        await rig.ask(channel=SECRET)
        await rig.over()
        await rig.click(REQUESTER, rig.told_directly(), "retry")
        await rig.over(2)
    assert SHARED in rig.told_directly().text
    assert rig.slack.parents(SECRET) == []


async def test_a_retry_from_a_direct_message_is_answered_in_the_channel_once_the_bot_is_in_it(
    rig: Rig,
) -> None:
    async with rig.bot(ALLOW):
        rig.wechat.fail("shareenv", Code(HELP))
        rig.slack.fail("response_url", *[Code("expired_url")] * 4)
        await rig.ask(channel=SECRET)
        await rig.over()
    (parent,) = rig.direct_messages()
    (answer,) = rig.slack.thread(parent.channel, parent.ts)
    secret, bot = rig.slack.channels[SECRET], rig.slack.world.bot_user_id
    rig.slack.channels[SECRET] = replace(secret, members=secret.members | {bot})
    async with rig.bot(ALLOW):
        await rig.click(REQUESTER, answer, "retry")
        await rig.over(2)
    assert rig.parent(SECRET).startswith("✅")
    assert SHARED in rig.replies(SECRET)[-1]
    (now,) = rig.slack.thread(parent.channel, parent.ts)
    assert (now.ts, now.text) == (answer.ts, answer.text)


async def test_a_button_of_another_workspace_or_an_unknown_request_retries_nothing(
    rig: Rig,
) -> None:
    async with rig.bot(ALLOW):
        answer = await failed(rig)
        assert NO_SUCH_REQUEST in await rig.click(REQUESTER, answer, "retry", team="T0ELSEWHERE")
        rows(rig.database, "DELETE FROM requests")
        assert NO_SUCH_REQUEST in await rig.click(REQUESTER, answer, "retry")
    assert len(rig.wechat.calls) == 1


# Sharing again.


async def shared_before(rig: Rig) -> PostedMessage:
    """Request a share twice, and return the answer to the second request."""
    await rig.ask()
    await rig.over()
    assert "shared `prod-1`" in await rig.ask(user=SECOND)
    shown = rig.shown(SECOND)
    assert has_button(shown, "again")
    return shown


async def test_sharing_again_is_for_the_person_who_clicks(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        shown = await shared_before(rig)
        assert (await rig.click(SECOND, shown, "again")).startswith("On it")
        await rig.over(2)
    assert len(rig.wechat.calls) == 2
    assert rig.column("user") == SECOND
    assert not has_button(rig.slack.sought(shown.ts) or shown, "again")


@pytest.mark.parametrize(("user", "reason"), [(APPROVER, None), (REQUESTER, "at first")])
async def test_sharing_again_after_a_retry_never_has_another_persons_reason(
    rig: Rig, user: str, reason: str | None
) -> None:
    answer = await expired(rig, f'{ASK} --reason "at first"')
    async with rig.bot(ALLOW):
        await rig.ask(user=SECOND)
        await rig.over(2)
    async with rig.bot(APPROVE):
        told = await rig.click(user, answer, "retry")
        assert "<@U0SECOND> shared" in told
        await rig.click(user, rig.shown(user), "again")
        await rig.question()
    assert (rig.column("user"), rig.column("reason")) == (user, reason)


async def test_sharing_again_is_answered_if_the_request_is_unknown_or_the_ledger_is_down(
    rig: Rig,
) -> None:
    async with rig.bot(ALLOW):
        shown = await shared_before(rig)
        with ledger_down(rig.database):
            assert NOT_RECORDED in await rig.click(SECOND, shown, "again")
        rows(rig.database, "DELETE FROM requests")
        assert NO_SUCH_REQUEST in await rig.click(SECOND, shown, "again")
    assert len(rig.wechat.calls) == 1
