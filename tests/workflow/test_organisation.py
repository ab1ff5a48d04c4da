"""The app installed for an organisation with two workspaces: one bot, and one person in both."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest

from bot.messages.modals import APPIDS, ENV
from bot.playground.slack.server import Ack, LocalSlack
from bot.playground.world import APPID, HARBOUR, ORGANISATION, TEAM, World
from bot.slack.forms import SHORTCUT
from bot.slack.preflight import MENTIONS
from tests.conftest import ASK, RELEASES, REQUESTER, opened, rows, soon, states
from tests.rig import ALLOW, APPROVER, SECOND, Rig, approved_by
from tests.said import (
    NO_SUCH_REQUEST,
    NOT_AN_APPROVER,
    OWN_REQUEST,
    SHARED,
    YOU_APPROVED,
    YOU_DECIDE,
)

if TYPE_CHECKING:
    from bot.playground.loopback import Json

PORT = "C0HARBOUR"
PILOT = "U0HARBOUR"
"""A member of the second workspace only."""
ELSEWHERE = "U0ELSEWHERE"
"""Somebody of another organisation, in a channel that both share."""
APPROVE = """
[[rule]]
name = "four eyes"
users = ["*"]
effect = "approve"
approvers = { groups = ["T0HARBOUR/S0HARBOUR"], channel = "C0HARBOUR", expires = "2h" }
"""
TWO = APPROVE.replace("groups =", "approvals = 2, groups =")
HARBOUR_ONLY = '[[rule]]\nusers = ["*"]\nworkspaces = ["T0HARBOUR"]\neffect = "allow"\n'


@pytest.fixture
def world() -> World:
    return ORGANISATION


async def asked(rig: Rig) -> str:
    """Ask for an approval in the first workspace, and return the ts of the question in the second."""
    await rig.ask()
    await soon(lambda: rig.column("wake") is not None and rig.column("holder") is None)
    return rig.slack.parents(PORT)[-1].ts


def teams(rig: Rig) -> list[str]:
    """Return the workspaces of all requests, oldest first."""
    return [team for (team,) in rows(rig.database, "SELECT team FROM requests ORDER BY created")]


async def submitted(slack: LocalSlack, user: str, ack: Ack) -> Ack:
    """Fill in and submit the form that this opened."""
    assert ack.error is None
    view = await opened(slack, user)
    await slack.options(user, view, ENV, "prod-1")
    return await slack.submit(user, view, {ENV: "prod-1", APPIDS: APPID})


@pytest.mark.parametrize("team", [TEAM, HARBOUR])
async def test_people_of_every_workspace_share(rig: Rig, team: str) -> None:
    rig.slack.switch(REQUESTER, team)
    channel = {TEAM: RELEASES, HARBOUR: PORT}[team]
    async with rig.bot(ALLOW):
        await rig.ask(channel=channel)
        await rig.over()
        assert SHARED in rig.replies(channel)[-1]
        assert team in await rig.ask("whoami")
    assert teams(rig) == [team]


async def test_a_request_is_approved_from_another_workspace(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        question = await asked(rig)
        rig.slack.switch(APPROVER, HARBOUR)
        assert YOU_APPROVED in await rig.decide(APPROVER, "approve", where=question)
        await rig.over()
    assert SHARED in rig.replies()[-1]
    assert teams(rig) == [TEAM]


async def test_an_approver_of_another_workspace_alone_decides_in_app_home(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await asked(rig)
        assert YOU_DECIDE in await rig.open_home(PILOT)
        home = rig.slack.home(PILOT)
        assert home
        assert YOU_APPROVED in await rig.decide(PILOT, "approve", where=home)
        await rig.over()


async def test_one_person_in_two_workspaces_is_one_approver(rig: Rig) -> None:
    async with rig.bot(TWO):
        question = await asked(rig)
        assert "You agreed" in await rig.decide(APPROVER, "approve", where=question)
        await soon(lambda: rig.column("wake") is not None and rig.column("holder") is None)
        rig.slack.switch(APPROVER, HARBOUR)
        assert "You agreed already" in await rig.decide(APPROVER, "approve", where=question)
        assert states(rig.database) == ["waiting"]
        assert YOU_APPROVED in await rig.decide(PILOT, "approve", where=question)
        await rig.over()
    assert len(rig.wechat.calls) == 1


async def test_a_requester_does_not_approve_their_own_request_from_another_workspace(
    rig: Rig,
) -> None:
    async with rig.bot(APPROVE.replace("groups =", f'users = ["{REQUESTER}"], groups =')):
        question = await asked(rig)
        rig.slack.switch(REQUESTER, HARBOUR)
        assert OWN_REQUEST in await rig.decide(REQUESTER, "approve", where=question)
    assert states(rig.database) == ["waiting"]


async def test_who_is_not_named_approves_from_no_workspace(rig: Rig) -> None:
    async with rig.bot(APPROVE.replace(PORT, RELEASES)):
        await rig.ask()
        await soon(lambda: rig.column("wake") is not None and rig.column("holder") is None)
        question = rig.slack.parents(RELEASES)[-1]
        assert NOT_AN_APPROVER in await rig.decide(SECOND, "approve", where=question)
    assert states(rig.database) == ["waiting"]


@pytest.mark.parametrize("organisation", ["E0ELSEWHERE", None])
async def test_a_click_from_another_organisation_finds_no_such_request(
    rig: Rig, organisation: str | None
) -> None:
    async with rig.bot(APPROVE):
        question = await asked(rig)
        mine = await rig.slack.click(APPROVER, question, "approve")
        theirs: Json = {"id": organisation} if organisation else None
        assert NO_SUCH_REQUEST in await rig.forge(mine, APPROVER, enterprise=theirs)
    assert states(rig.database) == ["waiting"]


async def test_a_stranger_of_another_organisation_is_refused(rig: Rig) -> None:
    async with rig.bot(f"{ALLOW}{HARBOUR_ONLY}{APPROVE}"):
        assert "🚫" in await rig.ask(ASK, ELSEWHERE, "C0PARTNERS")
        assert "another workspace" in await rig.ask("whoami", ELSEWHERE, "C0PARTNERS")
    assert states(rig.database) == []


async def test_a_persons_equal_requests_from_two_workspaces_are_one(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await asked(rig)
        rig.slack.switch(REQUESTER, HARBOUR)
        await rig.ask(channel=PORT)
    assert teams(rig) == [TEAM]


async def test_a_rule_for_a_workspace_decides_about_what_is_asked_there(rig: Rig) -> None:
    async with rig.bot(HARBOUR_ONLY):
        assert "from here" in await rig.ask()
        rig.slack.switch(REQUESTER, HARBOUR)
        await rig.ask()
        await rig.over()
    assert teams(rig) == [HARBOUR]


async def test_the_form_and_the_shortcut_ask_in_the_workspace_where_they_are_used(rig: Rig) -> None:
    async with rig.bot(HARBOUR_ONLY):
        assert "🚫" in str(await _refusal(rig, await rig.slack.command(REQUESTER, RELEASES, "")))
        rig.slack.switch(REQUESTER, HARBOUR)
        await submitted(rig.slack, REQUESTER, await rig.slack.command(REQUESTER, PORT, ""))
        await rig.over()
        rows(rig.database, "DELETE FROM requests")
        await submitted(rig.slack, REQUESTER, await rig.slack.shortcut(REQUESTER, SHORTCUT))
        await rig.over()
    assert teams(rig) == [HARBOUR]


async def _refusal(rig: Rig, ack: Ack) -> str:
    before = len(rig.heard[REQUESTER])
    await submitted(rig.slack, REQUESTER, ack)
    await rig.slack.until(lambda _: len(rig.heard[REQUESTER]) > before)
    return rig.heard[REQUESTER][-1]


async def test_a_mention_asks_in_the_workspace_of_the_person(rig: Rig) -> None:
    rig.slack.scopes.add(MENTIONS)
    rig.slack.switch(REQUESTER, HARBOUR)
    async with rig.bot(HARBOUR_ONLY):
        await rig.slack.say(REQUESTER, PORT, f"<@U0SHAREENV> {ASK}")
        await rig.over()
    assert teams(rig) == [HARBOUR]


async def test_history_and_app_home_have_a_persons_own_requests_of_one_workspace(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        for team, env in ((TEAM, "first-1"), (HARBOUR, "second-1")):
            rig.slack.switch(REQUESTER, team)
            await rig.ask(f"{APPID} {env}")
        await rig.over(2)
        for team, mine, other in ((TEAM, "first-1", "second-1"), (HARBOUR, "second-1", "first-1")):
            rig.slack.switch(REQUESTER, team)
            await rig.open_home()
            await soon(partial(_has, rig.home, mine))
            assert other not in rig.home()
            await rig.slack.command(REQUESTER, RELEASES, "history")
            await soon(partial(_has, lambda: rig.heard[REQUESTER][-1], mine))
            assert other not in rig.heard[REQUESTER][-1]
    others_only = ALLOW.replace(f'"{REQUESTER}", ', "")
    async with rig.bot(others_only):
        rig.slack.switch(REQUESTER, TEAM)
        rig.heard[REQUESTER].append("")
        await rig.slack.command(REQUESTER, RELEASES, "history second-1")
        await soon(lambda: bool(rig.heard[REQUESTER][-1]))
        assert "There are no requests about" not in rig.heard[REQUESTER][-1]


def _has(shown: Callable[[], str], env: str) -> bool:
    return env in shown()


async def test_only_the_workspaces_that_the_policy_names_are_asked_for_their_groups(
    rig: Rig,
) -> None:
    bare = ALLOW.replace("users = [", 'groups = ["S0HARBOUR"]\nusers = [')
    async with rig.bot(f"{bare}{APPROVE}"):
        told = await rig.ask(f"why {APPID} prod-1", PILOT)
    assert "I could not find out whether you are in its groups (Slack does not know the id)" in told
    calls = [each.args for each in rig.slack.calls if each.method == "usergroups.list"]
    assert {each["team_id"] for each in calls} == {HARBOUR}


async def test_what_was_asked_while_the_app_was_in_one_workspace_goes_on_in_its_organisation(
    rig: Rig,
) -> None:
    rules = approved_by(APPROVER)
    rig.slack.world = replace(ORGANISATION, organisation=None)
    async with rig.bot(rules):
        await rig.ask()
        question = await rig.question()
    rig.slack.world = ORGANISATION
    rig.slack.switch(APPROVER, HARBOUR)
    async with rig.bot(rules):
        assert YOU_APPROVED in await rig.decide(APPROVER, "approve", where=question)
        await rig.over()
    assert teams(rig) == [TEAM]
