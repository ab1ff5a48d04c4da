"""Batches of hundreds: every appid can be read before a decision."""

import re

import pytest

from bot.playground.loopback import Json
from bot.playground.slack.server import LocalSlack, PostedMessage
from tests.conftest import RELEASES, REQUESTER, appids, rows, soon
from tests.rig import ALLOW, APPROVALS, APPROVE, APPROVER, CONFIRM, Rig, history_of
from tests.workflow.test_batches import line

MOST = appids(500)


def listed(shown: Json) -> list[str]:
    """Return the listed appids, in order."""
    if isinstance(shown, dict):
        own = re.findall(r"^wx[0-9a-f]{16}$", str(shown.get("text")), re.MULTILINE)
        return own if isinstance(shown.get("text"), str) else listed([*shown.values()])
    return [appid for each in shown for appid in listed(each)] if isinstance(shown, list) else []


def below(slack: LocalSlack, parent: PostedMessage) -> list[str]:
    """Return the appids that are listed in a message's thread, in order; the blocks and the texts must agree."""
    replies = slack.thread(parent.channel, parent.ts)
    in_blocks = listed([block for reply in replies for block in reply.blocks])
    assert listed([{"text": reply.text} for reply in replies]) == in_blocks
    return in_blocks


def address(message: PostedMessage) -> str:
    return f"archives/{message.channel}/p{message.ts.replace('.', '')}"


@pytest.mark.parametrize("button", ["Approve", "Reject"])
async def test_approvers_can_read_all_of_five_hundred_in_the_thread_and_in_the_modal(
    rig: Rig, button: str
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask(line(500))
        question = await rig.question()
        assert below(rig.slack, question) == MOST
        view = await rig.open(APPROVER, button)
        assert listed([*view.blocks]) == MOST


async def test_the_requester_can_read_all_of_five_hundred_in_the_confirmation(rig: Rig) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask(line(500))
        assert listed([*rig.shown().blocks]) == MOST


@pytest.mark.parametrize("rules", [ALLOW, APPROVE], ids=["at once", "once approved"])
async def test_the_requesters_history_links_to_a_thread_that_lists_all_appids(
    rig: Rig, rules: str
) -> None:
    async with rig.bot(rules):
        await rig.ask(line(500))
        placed = "SELECT 1 FROM requests WHERE batch IS NULL AND place IS NOT NULL"
        await soon(lambda: rows(rig.database, placed))
        (parent,) = rig.slack.parents(RELEASES)
        assert below(rig.slack, parent) == MOST
        assert f"{address(parent)}|thread>" in await history_of(rig.slack, REQUESTER)
        assert f"{address(parent)}|thread>" in await rig.open_home()


async def test_the_approvers_home_links_to_the_question_that_lists_all_appids(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask(line(500))
        question = await rig.question()
        link = f"<https://playground.slack.com/{address(question)}|this thread>"
        assert f"All of them are listed in {link}." in await rig.open_home(APPROVER)


async def test_ten_appids_are_listed_in_the_messages_themselves(rig: Rig) -> None:
    ten = " ".join(f"`{appid}`" for appid in MOST[:10])
    async with rig.bot(APPROVE):
        await rig.ask(line(10))
        question = await rig.question()
        (parent,) = rig.slack.parents(RELEASES)
        view = await rig.open(APPROVER, "Approve")
        for shown in (question.text, parent.text, str(view.blocks)):
            assert ten in shown
        await rig.send(APPROVER, view)
        await rig.over(11)
    assert ten in rig.parent()
    assert ten in rig.slack.parents(APPROVALS)[0].text
    assert len(rig.replies()) == 1
    assert rig.slack.thread(APPROVALS, question.ts) == []
