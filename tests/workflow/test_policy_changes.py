"""A new policy comes into force while people request, wait, decide and look at their App Home."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

import pytest

from bot.domain.outcome import Denied, Ground
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Slow, Status
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from tests.conftest import ENV, RELEASES, REQUESTER, Change, calls_of, soon
from tests.rig import (
    ALLOW,
    APPROVALS,
    APPROVE,
    APPROVER,
    BOTH,
    DENY,
    SECOND_APPROVER,
    Rig,
    approved_by,
    for_platform_team,
)
from tests.said import (
    NEEDS_APPROVAL,
    YOU_APPROVED,
    answer_to,
    late_answer,
)

OPEN = '[[rule]]\nname = "open"\nusers = ["*"]\neffect = "allow"\n'
FREEZE = f'[[rule]]\nname = "freeze"\ngroups = ["S0PLATFORM"]\neffect = "deny"\n{OPEN}'

OTHER_APPID = "wx00000000000000aa"


async def test_a_new_policy_decides_the_next_command(rig: Rig, change: Change) -> None:
    async with rig.bot(DENY):
        assert (await rig.ask()).startswith("🚫")
        await change(ALLOW)
        assert (await rig.ask()).startswith("On it")
        await rig.over()
        await change(DENY)
        assert (await rig.ask()).startswith("🚫")
    assert rig.wechat.shared == [(OWNER, ENV, APPID)]


THEIRS = f'[[owner]]\nappid = "{OTHER_APPID}"\nenvs = ["{ENV}"]\n'


@pytest.mark.parametrize("asked", [f"{OTHER_APPID} {ENV}", f"{APPID} {OTHER_APPID} {ENV}"])
async def test_an_approval_does_not_count_if_a_receiver_has_become_the_owner(
    rig: Rig, change: Change, asked: str
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask(asked)
        view = await rig.open(APPROVER, "approve")
        await change(f"{APPROVE}{THEIRS}")
        assert late_answer(Denied(Ground.OWN_RECEIVER)) in await rig.send(APPROVER, view)
        await rig.over()
        assert answer_to(Denied(Ground.OWN_RECEIVER)) in rig.replies()[-1]
    assert rig.wechat.calls == []


BATCH = f"{APPID} {OTHER_APPID} {ENV}"
OTHERS = """
[[rule]]
name = "others"
users = ["U0REQUESTER"]
appids = ["wx00000000000000aa"]
"""
BY_OTHERS = f'{OTHERS}effect = "approve"\napprovers = {{ users = ["{SECOND_APPROVER}"], channel = "C0APPROVALS" }}\n'
OF_OTHERS = f'{OTHERS}effect = "allow"\n'


@pytest.mark.parametrize("user", [APPROVER, SECOND_APPROVER])
@pytest.mark.parametrize("button", ["approve", "reject"])
async def test_a_batch_that_several_rules_decide_now_ends_when_an_approver_of_any_of_them_decides(
    rig: Rig, change: Change, user: str, button: str
) -> None:
    async with rig.bot(approved_by(user)):
        await rig.ask(BATCH)
        view = await rig.open(user, button)
        await change(BY_OTHERS + approved_by(APPROVER))
        assert late_answer(Denied(Ground.SEVERAL_RULES)) in await rig.send(user, view)
        await rig.over()
        assert answer_to(Denied(Ground.SEVERAL_RULES)) in rig.replies()[-1]
        assert "one command for each rule" in rig.replies()[-1]
    assert rig.column("outcome") == "denied"
    assert rig.wechat.calls == []


async def test_a_batch_is_decided_by_several_rules_once_the_requester_left_a_group(
    rig: Rig,
) -> None:
    team = for_platform_team(APPROVE).replace("four eyes", "team")
    async with rig.bot(team + OF_OTHERS + APPROVE):
        await rig.ask(BATCH)
        view = await rig.open(APPROVER, "approve")
        group = rig.slack.groups["S0PLATFORM"]
        rig.slack.groups["S0PLATFORM"] = replace(group, members=frozenset())
        assert late_answer(Denied(Ground.SEVERAL_RULES)) in await rig.send(APPROVER, view)
        await rig.over()
    assert rig.wechat.calls == []


async def test_a_request_that_needs_no_approval_any_more_is_left_to_its_requester(
    rig: Rig, change: Change
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        view = await rig.open(APPROVER, "approve")
        await change(ALLOW)
        said = await rig.send(APPROVER, view)
        assert "nothing to decide" in said
        assert f"<@{REQUESTER}>, who asked for it, can cancel the request" in said
        assert rig.wechat.calls == []
        await rig.click(REQUESTER, rig.slack.parents(RELEASES)[0], "cancel")
        await rig.over()
        await rig.ask()
        await rig.over(2)
    assert rig.wechat.shared == [(OWNER, ENV, APPID)]


async def test_a_request_whose_rule_was_renamed_before_its_approvers_were_asked_can_be_tried_again(
    rig: Rig, change: Change
) -> None:
    rig.slack.fail("chat.postMessage", Slow())
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.slack.until(lambda slack: calls_of(slack, "chat.postMessage") > 0)
        await change(APPROVE.replace("four eyes", "six eyes"))
        rig.slack.clear("chat.postMessage")
        await rig.over()
        assert "*The rule that asks for an approval has changed.*" in rig.replies()[-1]
        assert rig.slack.parents(APPROVALS) == []
        (parent,) = rig.slack.parents(RELEASES)
        answer = rig.slack.thread(RELEASES, parent.ts)[-1]
        assert NEEDS_APPROVAL in await rig.click(REQUESTER, answer, "retry")
        assert "“six eyes”" in (await rig.question()).text
    assert rig.wechat.calls == []


async def test_a_click_is_decided_by_the_policy_at_its_beginning(rig: Rig, change: Change) -> None:
    async def meanwhile(click: Awaitable[str], rules: str) -> str:
        """Put rules into force while the clicker is being looked up."""
        rig.slack.fail("users.info", Slow())
        before, clicking = calls_of(rig.slack, "users.info"), asyncio.ensure_future(click)
        await rig.slack.until(lambda slack: calls_of(slack, "users.info") > before)
        await change(rules)
        rig.slack.clear("users.info")
        return await clicking

    async with rig.bot(BOTH):
        await rig.ask()
        confirming = rig.click(REQUESTER, rig.shown(), "confirm")
        # The rule stays, behind the denying one, since its approvers may be asked before the next change.
        assert NEEDS_APPROVAL in await meanwhile(confirming, DENY + BOTH)
        await change(BOTH)
        view = await rig.open(APPROVER, "approve")
        assert YOU_APPROVED in await meanwhile(rig.send(APPROVER, view), DENY)
        await rig.over()
        assert (await rig.ask()).startswith("🚫")
    assert len(rig.wechat.calls) == 1


async def test_a_call_in_progress_continues(rig: Rig, change: Change) -> None:
    rig.wechat.fail("shareenv", Slow(after_effect=True))
    async with rig.bot(ALLOW):
        await rig.ask()
        await rig.wechat.until(lambda wechat: bool(wechat.calls))
        await change(DENY)
        rig.wechat.clear("shareenv")
        await rig.over()
    assert rig.parent().startswith("✅")


async def test_a_cached_person_without_the_group_of_a_new_rule_does_not_evade_it(
    rig: Rig, change: Change
) -> None:
    async with rig.bot(OPEN):
        assert (await rig.ask(f"{APPID} {ENV} --dry-run")).startswith("🧪")
        await change(FREEZE)
        assert "“freeze”" in await rig.ask()
    assert rig.wechat.calls == []


async def test_a_cached_person_does_not_evade_a_new_rule_whose_group_cannot_be_read(
    rig: Rig, change: Change
) -> None:
    async with rig.bot(OPEN):
        await rig.ask("whoami")
        rig.slack.fail("usergroups.list", *[Status(503)] * 5)
        await change(FREEZE)
        said = await rig.ask()
        assert said.startswith("🚫")
        assert "“freeze”" in said
    assert rig.wechat.calls == []


async def test_open_homes_are_updated_for_a_new_policy(rig: Rig, change: Change) -> None:
    async with rig.bot(ALLOW):
        assert "platform team" in await rig.open_home()
        await change(OPEN)
        await soon(lambda: "“open”" in rig.home())


async def test_a_new_owner_gets_a_token_before_the_first_request(
    slack: LocalSlack, wechat: LocalWeChat, rig: Rig, change: Change
) -> None:
    def has_a_token(owner: str) -> bool:
        return any(c.owner == owner and c.gave_token for c in wechat.platform.calls)

    wechat.platform.authorize(APPID)
    chain = slack_environment(slack) | chain_environment(wechat, free_port())
    kept = {name: rig.environ[name] for name in ("DATABASE_URL", "WECHAT_AUTHORIZER_APPID")}
    rig.environ = chain | kept
    async with rig.bot(ALLOW):
        await wechat.until(lambda _: has_a_token(OWNER))
        assert not has_a_token(APPID)
        await change(f'{ALLOW}[[owner]]\nappid = "{APPID}"\nenvs = ["other-*"]\n')
        await wechat.until(lambda _: has_a_token(APPID))
