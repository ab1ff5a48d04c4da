"""Messages that Slack does not accept are owed until they are posted; who asks meanwhile is told the answer."""

from dataclasses import replace

import pytest

from bot.playground.faults import Code, RateLimited, Slow, Status
from bot.playground.world import APPID
from tests.conftest import ENV, RELEASES, REQUESTER, rows, soon
from tests.said import SHARED
from tests.scenes import ALLOW, APPROVALS, APPROVE, APPROVER, SECOND_APPROVER, Scene, has_button

AWAY = [Status(503)] * 3  # the number of tries of one message
ANSWER = SHARED
ONE_OF_TWO = f"""
[[rule]]
name = "the second"
users = ["U0SECOND"]
effect = "allow"
{APPROVE}"""


async def owed(scene: Scene) -> None:
    """Wait until a message is owed and its request waits."""
    await soon(lambda: scene.column("owed") is not None and scene.column("holder") is None)


def due(scene: Scene, *, after: float = 0.0) -> None:
    """End the pause, as if the outage had begun this many seconds ago."""
    rows(scene.database, f"UPDATE requests SET wake = 1, owed = owed - {after}")  # noqa: S608  # a number of ours


def kinds(scene: Scene) -> list[str]:
    return [kind for (kind,) in rows(scene.database, "SELECT kind FROM events ORDER BY id")]


async def ask_while_the_answer_is_lost(scene: Scene) -> None:
    """Request a share whose answer Slack does not accept."""
    with scene.wechat.thinking():
        await scene.ask()
        await scene.slack.until(lambda slack: len(slack.parents(RELEASES)) == 1)
        scene.slack.fail("chat.postMessage", *AWAY)
    await owed(scene)


async def test_an_answer_is_owed_across_a_restart_and_then_posted_once(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        await ask_while_the_answer_is_lost(scene)
    assert scene.parent().startswith("⏳")
    due(scene)
    async with scene.bot(ALLOW):
        await scene.over()
    assert scene.parent().startswith("✅")
    (reply,) = scene.replies()
    assert reply.startswith(ANSWER)
    assert kinds(scene)[-4:] == ["answered", "owed", "taken over", "delivered"]
    assert len(scene.wechat.calls) == 1


async def test_an_owed_answer_does_not_repeat_steps_that_other_answers_told(scene: Scene) -> None:
    scene.wechat.functions |= {ENV: {}, "test-1": {}}
    async with scene.bot(ALLOW):
        await scene.ask(f"{APPID} test-1")
        await scene.over()
        with scene.wechat.thinking():
            await scene.ask()
            await scene.slack.until(lambda slack: len(slack.parents(RELEASES)) == 2)
            scene.slack.fail("chat.postMessage", *AWAY)
        await soon(lambda: "owed" in kinds(scene))
    due(scene)
    async with scene.bot(ALLOW):
        await scene.over(2)
    _, parent = scene.slack.parents(RELEASES)
    (answer,) = scene.slack.thread(RELEASES, parent.ts)
    assert f"`{ENV}` has no cloud function" in answer.text
    assert has_button(answer, "steps")


async def test_an_owed_message_is_retried_within_an_hour_whatever_retry_after_says(
    scene: Scene,
) -> None:
    """A proxy may send the time of day, in seconds."""
    async with scene.bot(ALLOW):
        scene.slack.fail("chat.postMessage", RateLimited(1_800_000_000))
        await scene.ask()
        await owed(scene)
    wake, since = scene.column("wake"), scene.column("owed")
    assert isinstance(wake, float)
    assert isinstance(since, float)
    assert 3000 < wake - since < 3700


async def test_a_parent_is_owed_and_no_call_is_made_before_it_is_posted(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        scene.slack.fail("chat.postMessage", *AWAY)
        await scene.ask()
        await owed(scene)
        assert scene.wechat.calls == []
        due(scene)
        await scene.over()
    assert scene.parent().startswith("✅")
    assert len(scene.replies()) == len(scene.wechat.calls) == 1


async def test_an_edit_of_the_parent_is_owed_and_the_answer_is_not_repeated(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        scene.slack.fail("chat.update", *AWAY)
        await scene.ask()
        await owed(scene)
        assert scene.parent().startswith("⏳")
        due(scene)
        await scene.over()
    assert scene.parent().startswith("✅")
    assert len(scene.replies()) == 1


async def test_the_question_to_the_approvers_and_its_reminder_are_owed(scene: Scene) -> None:
    async with scene.bot(APPROVE):
        scene.slack.fail("chat.postMessage", *AWAY, channel=APPROVALS)
        await scene.ask()
        await owed(scene)
        due(scene)
        await scene.slack.until(lambda slack: bool(slack.parents(APPROVALS)))
        question = await scene.question()
        scene.slack.fail("chat.postMessage", *AWAY, channel=APPROVALS)
        rows(scene.database, "UPDATE requests SET wake = 1")
        await owed(scene)
        due(scene)
        await soon(lambda: bool(scene.slack.thread(APPROVALS, question.ts)))
        await soon(lambda: scene.column("owed") is None)
        (reminder,) = scene.slack.thread(APPROVALS, question.ts)
        assert "still waits" in reminder.text
        scene.slack.fail("chat.update", *AWAY, channel=APPROVALS)
        scene.slack.fail("chat.update", *AWAY, channel=APPROVALS)
        await scene.decide(APPROVER, "approve", where=question)
        await owed(scene)
        due(scene)
        await scene.over()
    (settled,) = scene.slack.parents(APPROVALS)
    assert not has_button(settled, "Approve")
    assert len(scene.replies()) == 1


@pytest.mark.parametrize("user", [REQUESTER, "U0SECOND"])
async def test_a_person_who_asks_again_while_the_answer_is_owed_is_told_the_answer(
    scene: Scene, user: str
) -> None:
    async with scene.bot(ALLOW):
        await ask_while_the_answer_is_lost(scene)
        said = await scene.ask(user=user)
        assert "The answer has not reached Slack yet" in said
        assert ANSWER in said
    assert len(scene.wechat.calls) == 1


async def test_a_failure_whose_answer_is_owed_can_be_retried(scene: Scene) -> None:
    scene.wechat.fail("shareenv", Code(85088))
    async with scene.bot(ALLOW):
        await ask_while_the_answer_is_lost(scene)
        assert "CloudBase (云开发) is off" in await scene.ask()
        assert "On it" in await scene.click(REQUESTER, scene.shown(), "retry")
        await soon(lambda: len(scene.wechat.calls) == 2)
        due(scene)
        await scene.over(2)


@pytest.mark.parametrize(("days", "why"), [(6.9, None), (7.1, "too late")])
async def test_an_answer_is_owed_for_seven_days(scene: Scene, days: float, why: str | None) -> None:
    async with scene.bot(ALLOW):
        await ask_while_the_answer_is_lost(scene)
        due(scene, after=days * 86_400)
        await scene.over()
    last = rows(scene.database, "SELECT kind, detail FROM events ORDER BY id")[-1]
    assert last == (("not delivered", why) if why else ("delivered", "ready"))
    assert len(scene.replies()) == (0 if why else 1)


async def test_an_answer_that_slack_refuses_by_every_means_is_not_owed(scene: Scene) -> None:
    async with scene.bot(ALLOW):
        with scene.wechat.thinking():
            await scene.ask()
            await scene.slack.until(lambda slack: len(slack.parents(RELEASES)) == 1)
            scene.slack.fail("response_url", Code("used_url"))
            scene.slack.fail("chat.postMessage", Code("is_archived"))
            scene.slack.fail("chat.postMessage", Code("messages_tab_disabled"))
        await scene.over()
    last = rows(scene.database, "SELECT kind, detail FROM events ORDER BY id")[-1]
    assert last == ("not delivered", "refused")


async def test_a_waiting_request_does_not_block_others_and_the_env_is_not_shared_twice(
    scene: Scene,
) -> None:
    async with scene.bot(ONE_OF_TWO):
        await scene.ask()
        question = await scene.question()
        assert "On it" in await scene.ask(user="U0SECOND")
        await soon(lambda: len(scene.wechat.calls) == 1)
        await soon(lambda: scene.column("state") == "ended")
        told = await scene.decide(APPROVER, "approve", where=question)
        assert told.startswith("Another request shared")
        await scene.over(2)
    assert len(scene.wechat.calls) == 1
    first, _ = scene.slack.parents(RELEASES)
    assert "Another request shared it meanwhile" in first.text
    (answer,) = scene.slack.thread(RELEASES, first.ts)
    assert answer.text.startswith("✅ *Another request shared it*")
    (settled,) = scene.slack.parents(APPROVALS)
    assert "another request shared it meanwhile" in settled.text


async def test_of_two_equal_waiting_requests_the_second_approval_finds_the_env_shared(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        for user in (REQUESTER, "U0SECOND"):
            assert "needs an approval" in await scene.ask(user=user)
            await soon(lambda: scene.column("wake") is not None)
        first, second = scene.slack.parents(APPROVALS)
        await scene.decide(APPROVER, "approve", where=first)
        await soon(lambda: len(scene.wechat.calls) == 1)
        told = await scene.decide(SECOND_APPROVER, "approve", where=second)
        assert told.startswith("Another request")
        await scene.over(2)
    assert len(scene.wechat.calls) == 1


async def test_the_second_approval_finds_the_env_shared_even_while_the_first_answer_is_owed(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        for user in (REQUESTER, "U0SECOND"):
            await scene.ask(user=user)
            await soon(lambda: scene.column("wake") is not None)
        first, second = scene.slack.parents(APPROVALS)
        scene.slack.fail("chat.postMessage", *AWAY, channel=RELEASES)
        await scene.decide(APPROVER, "approve", where=first)
        await soon(lambda: "owed" in kinds(scene))
        told = await scene.decide(SECOND_APPROVER, "approve", where=second)
        assert told.startswith("Another request")
    assert len(scene.wechat.calls) == 1


@pytest.mark.parametrize("told", [True, False], ids=["midway", "who they are"])
async def test_direct_questions_to_approvers_are_owed_and_asked_once(
    scene: Scene, told: bool
) -> None:
    approvals = scene.slack.channels[APPROVALS]
    scene.slack.channels[APPROVALS] = replace(approvals, ext_shared=True)
    if told:
        scene.slack.fail("chat.postMessage", *AWAY, channel=SECOND_APPROVER)
    else:
        scene.slack.fail("usergroups.list", *AWAY)
    async with scene.bot(APPROVE):
        await scene.ask()
        await owed(scene)
        due(scene)
        await soon(lambda: scene.column("asked") is not None, 20.0)
        await soon(lambda: scene.column("holder") is None)
        for user in (APPROVER, SECOND_APPROVER):
            direct = scene.slack.direct_message(user)
            assert direct
            assert len(scene.slack.parents(direct.id)) == 1
    assert scene.wechat.calls == []


async def test_a_question_with_an_owed_list_is_closed_with_its_request(scene: Scene) -> None:
    many = [f"wx{number:016x}" for number in range(12)]
    scene.slack.fail("chat.postMessage", Slow(0.0), *AWAY, channel=APPROVALS)  # its list is owed
    async with scene.bot(APPROVE):
        await scene.ask(f"{' '.join(many)} {ENV}")
        await owed(scene)
        (question,) = scene.slack.parents(APPROVALS)
        assert has_button(question, "approve")
        await scene.click(REQUESTER, scene.slack.parents(RELEASES)[0], "cancel")
        await scene.over()
    (settled,) = scene.slack.parents(APPROVALS)
    assert settled.text.startswith(f"🚫 <@{REQUESTER}> cancelled this")
    assert not has_button(settled, "approve")


async def test_a_decision_before_all_direct_questions_were_sent_closes_those_that_were(
    scene: Scene,
) -> None:
    approvals = scene.slack.channels[APPROVALS]
    scene.slack.channels[APPROVALS] = replace(approvals, ext_shared=True)
    many = [f"wx{number:016x}" for number in range(12)]
    async with scene.bot(APPROVE):
        scene.slack.fail("chat.postMessage", *AWAY, channel="D0APPROVER2")
        await scene.ask(f"{' '.join(many)} {ENV}")
        await owed(scene)
        await scene.decide(APPROVER, "reject", where=scene.told_directly(APPROVER))
        await scene.over()
    for user in (APPROVER, SECOND_APPROVER):
        settled = scene.told_directly(user)
        assert settled.text.startswith(f"🚫 <@{APPROVER}> rejected this")
        assert not has_button(settled, "approve")


async def test_a_parent_with_an_owed_list_shows_the_result(scene: Scene) -> None:
    many = [f"wx{number:016x}" for number in range(12)]
    scene.slack.fail("chat.postMessage", Slow(0.0), *AWAY, channel=RELEASES)  # its list is owed
    async with scene.bot(APPROVE):
        await scene.ask(f"{' '.join(many)} {ENV}")
        await owed(scene)
        assert scene.parent().startswith("🕓")
        scene.let_expire()
        due(scene)
        await scene.over()
    assert scene.parent().startswith("⌛")
    assert scene.replies()[-1].startswith("⌛")
