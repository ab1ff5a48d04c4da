"""Requests that several people have to agree to: each counts once, and only while they may decide."""

import asyncio

from bot.playground.faults import Code, Status
from tests.conftest import REQUESTER, kinds, rows, soon, states
from tests.rig import APPROVALS, APPROVER, SECOND_APPROVER, Rig, approved_by

TWO = approved_by(APPROVER, SECOND_APPROVER, REQUESTER).replace(
    'users = ["U0APPROVER"', 'approvals = 2, users = ["U0APPROVER"'
)


def shown(rig: Rig) -> str:
    """Return the text of the only question."""
    (question,) = rig.slack.parents(APPROVALS)
    return question.text


async def test_the_second_who_agrees_lets_the_request_go_on_and_all_are_named(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        await rig.question()
        told = await rig.decide(APPROVER, "approve", "fine")
        assert "You agreed" in told
        assert "1 approval of" in told
        await soon(lambda: f"<@{APPROVER}> agreed" in shown(rig))
        assert "1 approval of" in shown(rig)
        assert states(rig.database) == ["waiting"]
        assert rig.wechat.calls == []
        await rig.decide(SECOND_APPROVER, "approve", "me too")
        await rig.over()
    assert len(rig.wechat.calls) == 1
    for text in (shown(rig), rig.replies()[-1]):
        assert f"<@{APPROVER}> agreed\nThey said: “fine”" in text
        assert "pproved" in text
        assert f"<@{SECOND_APPROVER}>" in text
        assert "me too" in text
    assert [kind for kind in kinds(rig.database) if kind in {"agreed", "approved"}] == [
        "agreed",
        "approved",
    ]


async def test_twice_by_one_is_one(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        await rig.question()
        await rig.decide(APPROVER, "approve")
        await rig.question()
        assert "You agreed already" in await rig.decide(APPROVER, "approve")
        assert states(rig.database) == ["waiting"]
    assert kinds(rig.database).count("agreed") == 1


async def test_two_at_once_are_two(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        await rig.question()
        views = [await rig.open(each, "approve") for each in (APPROVER, SECOND_APPROVER)]
        await asyncio.gather(rig.send(APPROVER, views[0]), rig.send(SECOND_APPROVER, views[1]))
        await rig.over()
    assert len(rig.wechat.calls) == 1


async def test_the_requester_does_not_count(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        await rig.question()
        await rig.decide(APPROVER, "approve")
        await rig.question()
        assert "your own request" in await rig.decide(REQUESTER, "approve")
        assert states(rig.database) == ["waiting"]


async def test_who_may_decide_no_more_counts_no_more(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        await rig.question()
        await rig.decide(APPROVER, "approve")
        await rig.question()
    third = TWO.replace(APPROVER + '"', 'U0CHINESE"')
    async with rig.bot(third):
        assert "1 approval of" in await rig.decide(SECOND_APPROVER, "approve")
        assert states(rig.database) == ["waiting"]
    assert rig.wechat.calls == []


async def test_who_agrees_does_not_put_off_the_reminder(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        question = await rig.question()
        rig.pass_time(3500)
        await rig.decide(APPROVER, "approve")
        await rig.question()
        rig.pass_time(100)
        await soon(lambda: rig.column("wake") == rig.column("until"))
        assert len(rig.slack.thread(APPROVALS, question.ts)) == 1
        await rig.decide(APPROVER, "approve")
    async with rig.bot(TWO.replace(APPROVER, "U0CHINESE")):
        assert "2 approvals of" not in await rig.decide(SECOND_APPROVER, "approve")
        await soon(lambda: rig.column("wake") == rig.column("until"))
        assert len(rig.slack.thread(APPROVALS, question.ts)) == 1


async def test_the_reminder_and_the_end_name_who_agreed_and_who_is_missing(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        question = await rig.question()
        await rig.decide(APPROVER, "approve", "fine")
        await rig.question()
        assert f"<@{APPROVER}> agreed" in await rig.open_home(SECOND_APPROVER)
        rig.pass_time(3600)
        await soon(lambda: rig.column("wake") == rig.column("until"))
        (reminder,) = rig.slack.thread(APPROVALS, question.ts)
        rig.pass_time(3600)
        await rig.over()
    missing = f"1 approval of <@{SECOND_APPROVER}> is missing"
    for text in (reminder.text, shown(rig)):
        assert f"<@{APPROVER}> agreed\nThey said: “fine”" in text
        assert missing in text
    told = rig.replies()[-1]
    assert f"<@{APPROVER}> agreed" in told
    assert "1 approval was missing." in told
    assert SECOND_APPROVER not in told


async def test_one_rejection_ends_what_another_agreed_to_and_names_them(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        await rig.question()
        await rig.decide(APPROVER, "approve")
        await rig.question()
        await rig.decide(SECOND_APPROVER, "reject")
        await rig.over()
    assert rig.column("outcome") == "rejected"
    assert rig.wechat.calls == []
    for text in (shown(rig), rig.replies()[-1]):
        assert f"<@{APPROVER}> agreed" in text
        assert "ejected" in text


async def test_an_agreement_is_shown_once_slack_is_back(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        await rig.question()
        for _ in range(3):
            rig.slack.fail("chat.update", Status(503), channel=APPROVALS)
        await rig.decide(APPROVER, "approve")
        await soon(lambda: rig.column("owed") is not None)
        assert "agreed" not in shown(rig)
        rows(rig.database, "UPDATE requests SET wake = 1")
        await soon(lambda: f"<@{APPROVER}> agreed" in shown(rig))
        await rig.question()
        await rig.decide(SECOND_APPROVER, "approve")
        await rig.over()
    assert len(rig.wechat.calls) == 1


async def test_an_agreement_counts_though_slack_refuses_to_show_it(rig: Rig) -> None:
    async with rig.bot(TWO):
        await rig.ask()
        question = await rig.question()
        rig.slack.fail("chat.update", Code("edit_window_closed"), channel=APPROVALS)
        assert "You agreed" in await rig.decide(APPROVER, "approve")
        assert await rig.question() == question
        await rig.decide(SECOND_APPROVER, "approve")
        await rig.over()
    assert len(rig.slack.parents(APPROVALS)) == len(rig.wechat.calls) == 1
    assert f"<@{APPROVER}> agreed" in shown(rig)
