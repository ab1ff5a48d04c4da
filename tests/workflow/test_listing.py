"""Batches of hundreds: every appid can be read before a decision."""

import re

import pytest

from bot.playground.loopback import Json
from bot.playground.slack.server import LocalSlack, PostedMessage
from tests.conftest import RELEASES, REQUESTER, rows, soon
from tests.scenes import ALLOW, APPROVALS, APPROVE, APPROVER, CONFIRM, Scene

MOST = [f"wx{number * 7919:016x}" for number in range(1, 501)]


def line(appids: list[str]) -> str:
    return f"{' '.join(appids)} prod-1"


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
    scene: Scene, button: str
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask(line(MOST))
        question = await scene.question()
        assert below(scene.slack, question) == MOST
        view = await scene.open(APPROVER, button)
        assert listed([*view.blocks]) == MOST


async def test_the_requester_can_read_all_of_five_hundred_in_the_confirmation(scene: Scene) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask(line(MOST))
        assert listed([*scene.shown().blocks]) == MOST


@pytest.mark.parametrize("rules", [ALLOW, APPROVE], ids=["at once", "once approved"])
async def test_the_requesters_history_links_to_a_thread_that_lists_all_appids(
    scene: Scene, rules: str
) -> None:
    async with scene.bot(rules):
        await scene.ask(line(MOST))
        placed = "SELECT 1 FROM requests WHERE batch IS NULL AND place IS NOT NULL"
        await soon(lambda: rows(scene.database, placed))
        (parent,) = scene.slack.parents(RELEASES)
        assert below(scene.slack, parent) == MOST
        assert f"{address(parent)}|thread>" in await scene.ask("history")
        await scene.slack.open_home(REQUESTER)
        await soon(lambda: f"{address(parent)}|thread>" in home(scene.slack, REQUESTER))


async def test_the_approvers_home_links_to_the_question_that_lists_all_appids(
    scene: Scene,
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask(line(MOST))
        question = await scene.question()
        await scene.slack.open_home(APPROVER)
        await soon(lambda: home(scene.slack, APPROVER))
        link = f"{address(question)}|this thread>"
        assert f"All of them are listed in <https://playground.slack.com/{link}." in home(
            scene.slack, APPROVER
        )


async def test_ten_appids_are_listed_in_the_messages_themselves(scene: Scene) -> None:
    ten = " ".join(f"`{appid}`" for appid in MOST[:10])
    async with scene.bot(APPROVE):
        await scene.ask(line(MOST[:10]))
        question = await scene.question()
        (parent,) = scene.slack.parents(RELEASES)
        view = await scene.open(APPROVER, "Approve")
        for shown in (question.text, parent.text, str(view.blocks)):
            assert ten in shown
        await scene.send(APPROVER, view)
        await scene.over(11)
    assert ten in scene.parent()
    assert ten in scene.slack.parents(APPROVALS)[0].text
    assert len(scene.replies()) == 1
    assert scene.slack.thread(APPROVALS, question.ts) == []


def home(slack: LocalSlack, user: str) -> str:
    """Return all that stands on somebody's page."""
    shown = slack.home(user)
    return str(shown.blocks) if shown else ""
