"""A new policy comes into force while people request, wait, decide and look at their App Home."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from itertools import cycle

import pytest

from bot.domain.outcome import Denied, Ground
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Slow, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from tests.conftest import ENV, REQUESTER, Change, free_port, soon
from tests.said import (
    NEEDS_APPROVAL,
    NOT_AN_APPROVER,
    YOU_APPROVED,
    YOU_REJECTED,
    answer_to,
    late_answer,
    nothing_to_decide,
)
from tests.scenes import (
    ALLOW,
    APPROVE,
    APPROVER,
    BOTH,
    CONFIRM,
    DENY,
    SECOND_APPROVER,
    Scene,
)

BY_ANOTHER = APPROVE.replace('groups = ["S0APPROVERS"]', f'users = ["{SECOND_APPROVER}"]')
OPEN = '[[rule]]\nname = "open"\nusers = ["*"]\neffect = "allow"\n'
FREEZE = f'[[rule]]\nname = "freeze"\ngroups = ["S0PLATFORM"]\neffect = "deny"\n{OPEN}'

OTHER_APPID = "wx00000000000000aa"
THEIRS = f'[[owner]]\nappid = "{OTHER_APPID}"\nenvs = ["{ENV}"]\n'


async def test_a_new_policy_decides_the_next_command(scene: Scene, change: Change) -> None:
    async with scene.bot(DENY):
        assert (await scene.ask()).startswith("🚫")
        await change(ALLOW)
        assert (await scene.ask()).startswith("On it")
        await scene.over()
        await change(DENY)
        assert (await scene.ask()).startswith("🚫")
    assert scene.wechat.shared == [(OWNER, ENV, APPID)]


async def test_a_request_whose_rule_was_removed_ends_at_the_click_that_would_approve_it(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        await change(DENY)
        assert "any more, so nothing was shared" in await scene.send(APPROVER, view)
        await scene.over()
    assert scene.column("outcome") == "denied"
    assert scene.wechat.calls == []


async def test_a_person_who_is_no_longer_an_approver_decides_nothing(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        await change(BY_ANOTHER)
        assert NOT_AN_APPROVER in await scene.send(APPROVER, view)
        assert scene.wechat.calls == []
        assert YOU_APPROVED in await scene.decide(SECOND_APPROVER, "approve")
        await scene.over()
    assert scene.column("decided_by") == SECOND_APPROVER
    assert len(scene.wechat.calls) == 1


async def test_a_confirmation_does_not_count_once_the_rule_was_removed(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        await change(DENY)
        assert (await scene.click(REQUESTER, scene.shown(), "confirm")).startswith("🚫")
        await scene.over()
    assert scene.column("outcome") == "denied"
    assert scene.wechat.calls == []


@pytest.mark.parametrize("asked", [f"{APPID} {ENV}", f"{APPID} {OTHER_APPID} {ENV}"])
async def test_an_approval_does_not_count_if_the_env_has_another_owner_than_the_question_says(
    scene: Scene, change: Change, asked: str
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask(asked)
        assert OWNER in (await scene.question()).text
        view = await scene.open(APPROVER, "approve")
        await change(f"{APPROVE}{THEIRS}")
        said = await scene.send(APPROVER, view)
        assert f"does not name `{OWNER}` as the owner" in said
        await scene.over()
        assert answer_to(Denied(Ground.OTHER_OWNER)) in scene.replies()[-1]
        assert "send the command again" in scene.replies()[-1]
    assert (scene.column("outcome"), scene.column("kind", "events")) == ("denied", "delivered")
    assert scene.wechat.calls == []


async def test_a_confirmation_does_not_count_if_the_env_has_another_owner_than_the_question_says(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        assert OWNER in scene.shown().text
        await change(f"{CONFIRM}{THEIRS}")
        said = await scene.click(REQUESTER, scene.shown(), "confirm")
        assert answer_to(Denied(Ground.OTHER_OWNER)) in said
        assert "send the command again" in said
        await scene.over()
        assert scene.column("outcome") == "denied"
        assert scene.wechat.calls == []
        await scene.ask()
        assert OTHER_APPID in scene.shown().text


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
    scene: Scene, change: Change, user: str, button: str
) -> None:
    first = APPROVE.replace('groups = ["S0APPROVERS"]', f'users = ["{APPROVER}"]')
    async with scene.bot(BY_ANOTHER.replace(SECOND_APPROVER, user)):
        await scene.ask(BATCH)
        view = await scene.open(user, button)
        await change(f"{BY_OTHERS}{first}")
        assert nothing_to_decide(Ground.SEVERAL_RULES) in await scene.send(user, view)
        await scene.over()
        assert answer_to(Denied(Ground.SEVERAL_RULES)) in scene.replies()[-1]
        assert "one command for each rule" in scene.replies()[-1]
    assert scene.column("outcome") == "denied"
    assert scene.wechat.calls == []


@pytest.mark.parametrize("button", ["approve", "reject"])
async def test_an_open_modal_of_a_batch_that_several_rules_decide_now_ends_it_and_decides_nothing(
    scene: Scene, change: Change, button: str
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask(BATCH)
        question = await scene.question()
        await change(f"{BY_OTHERS}{APPROVE}")
        assert NOT_AN_APPROVER in await scene.click("U0SECOND", question, button)
        assert nothing_to_decide(Ground.SEVERAL_RULES) in await scene.click(
            APPROVER, question, button
        )
        assert [view.body["submit"] for view in scene.slack.views(APPROVER)] == [None]
        await scene.over()
        assert late_answer(Denied(Ground.SEVERAL_RULES)) in await scene.click(
            SECOND_APPROVER, question, button
        )
    assert scene.column("outcome") == "denied"
    assert scene.wechat.calls == []


async def test_a_batch_that_several_rules_without_approvers_decide_now_is_ended_by_any_click(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask(BATCH)
        question = await scene.question()
        await change(f"{OF_OTHERS}{ALLOW}")
        assert nothing_to_decide(Ground.SEVERAL_RULES) in await scene.click(
            "U0SECOND", question, "approve"
        )
        await scene.over()
    assert scene.column("outcome") == "denied"


async def test_a_batch_is_decided_by_several_rules_once_the_requester_left_a_group(
    scene: Scene,
) -> None:
    people = 'users = ["U0REQUESTER", "U0SECOND", "U0CHINESE", "U0APPROVER"]'
    team = APPROVE.replace("four eyes", "team").replace(people, 'groups = ["S0PLATFORM"]')
    rules = f"{team}{OF_OTHERS}{APPROVE}"
    async with scene.bot(rules):
        await scene.ask(BATCH)
        view = await scene.open(APPROVER, "approve")
        group = scene.slack.groups["S0PLATFORM"]
        scene.slack.groups["S0PLATFORM"] = replace(group, members=frozenset())
        assert nothing_to_decide(Ground.SEVERAL_RULES) in await scene.send(APPROVER, view)
        await scene.over()
    assert scene.wechat.calls == []


async def test_a_batch_that_several_rules_decide_now_cannot_be_confirmed(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask(BATCH)
        await change(f"{BY_OTHERS}{CONFIRM}")
        told = await scene.click(REQUESTER, scene.shown(), "confirm")
        assert answer_to(Denied(Ground.SEVERAL_RULES)) in told
    assert (scene.column("state"), scene.column("outcome")) == ("ended", "denied")
    assert scene.slack.parents("C0APPROVALS") == []
    assert scene.wechat.calls == []


async def test_a_rejection_counts_even_if_the_env_has_another_owner_now(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "reject")
        await change(f"{APPROVE}{THEIRS}")
        assert YOU_REJECTED in await scene.send(APPROVER, view)
        await scene.over()
    assert scene.column("outcome") == "rejected"


async def test_a_new_owner_of_another_env_changes_nothing(scene: Scene, change: Change) -> None:
    async with scene.bot(APPROVE):
        await scene.ask()
        view = await scene.open(APPROVER, "approve")
        await change(APPROVE + THEIRS.replace(ENV, "other-*"))
        assert YOU_APPROVED in await scene.send(APPROVER, view)
        await scene.over()
    assert scene.wechat.shared == [(OWNER, ENV, APPID)]


async def test_a_confirmation_goes_to_the_approvers_of_a_new_rule(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(CONFIRM):
        await scene.ask()
        await change(APPROVE)
        await scene.click(REQUESTER, scene.shown(), "confirm")
        assert "asks to share" in (await scene.question()).text
        await scene.decide(APPROVER, "approve")
        await scene.over()
    assert len(scene.wechat.calls) == 1


async def test_a_click_is_decided_by_the_policy_at_its_beginning(
    scene: Scene, change: Change
) -> None:
    def asked_who() -> int:
        return sum(call.method == "users.info" for call in scene.slack.calls)

    async def meanwhile(click: Awaitable[str], rules: str) -> str:
        """Put rules into force while the clicker is being looked up."""
        scene.slack.fail("users.info", Slow())
        before, clicking = asked_who(), asyncio.ensure_future(click)
        await soon(lambda: asked_who() > before)
        await change(rules)
        scene.slack.clear("users.info")
        return await clicking

    async with scene.bot(BOTH):
        await scene.ask()
        confirming = scene.click(REQUESTER, scene.shown(), "confirm")
        # The rule stays, behind the denying one, since its approvers may be asked before the next change.
        assert NEEDS_APPROVAL in await meanwhile(confirming, DENY + BOTH)
        await change(BOTH)
        view = await scene.open(APPROVER, "approve")
        assert YOU_APPROVED in await meanwhile(scene.send(APPROVER, view), DENY)
        await scene.over()
        assert (await scene.ask()).startswith("🚫")
    assert len(scene.wechat.calls) == 1


async def test_a_call_in_progress_continues(scene: Scene, change: Change) -> None:
    scene.wechat.fail("shareenv", Slow(after_effect=True))
    async with scene.bot(ALLOW):
        await scene.ask()
        await scene.wechat.until(lambda wechat: bool(wechat.calls))
        await change(DENY)
        scene.wechat.clear("shareenv")
        await scene.over()
    assert scene.parent().startswith("✅")


async def test_a_cached_person_without_the_group_of_a_new_rule_does_not_evade_it(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(OPEN):
        assert (await scene.ask(f"{APPID} {ENV} --dry-run")).startswith("🧪")
        await change(FREEZE)
        assert "“freeze”" in await scene.ask()
    assert scene.wechat.calls == []


async def test_a_cached_person_does_not_evade_a_new_rule_whose_group_cannot_be_read(
    scene: Scene, change: Change
) -> None:
    async with scene.bot(OPEN):
        await scene.ask("whoami")
        scene.slack.fail("usergroups.list", *[Status(503)] * 5)
        await change(FREEZE)
        said = await scene.ask()
        assert said.startswith("🚫")
        assert "“freeze”" in said
    assert scene.wechat.calls == []


async def test_open_homes_are_updated_for_a_new_policy(scene: Scene, change: Change) -> None:
    def page() -> str:
        home = scene.slack.home(REQUESTER)
        return str(home.blocks) if home else ""

    async with scene.bot(ALLOW):
        await scene.slack.open_home(REQUESTER)
        await soon(lambda: "platform team" in page())
        await change(OPEN)
        await soon(lambda: "“open”" in page())


async def test_a_new_owner_gets_a_token_before_the_first_request(
    slack: LocalSlack, wechat: LocalWeChat, scene: Scene, change: Change
) -> None:
    def has_a_token(owner: str) -> bool:
        return any(c.owner == owner and c.gave_token for c in wechat.platform.calls)

    wechat.platform.authorize(APPID)
    chain = slack_environment(slack) | chain_environment(wechat, free_port())
    kept = {name: scene.environ[name] for name in ("DATABASE_URL", "WECHAT_AUTHORIZER_APPID")}
    scene.environ = chain | kept
    async with scene.bot(ALLOW):
        await wechat.until(lambda _: has_a_token(OWNER))
        assert not has_a_token(APPID)
        await change(f'{ALLOW}[[owner]]\nappid = "{APPID}"\nenvs = ["other-*"]\n')
        await wechat.until(lambda _: has_a_token(APPID))


async def test_each_answer_of_a_burst_follows_one_policy_while_the_policy_keeps_changing(
    scene: Scene, change: Change
) -> None:
    async def answers(times: int) -> set[str]:
        why = (scene.ask(f"why {APPID} {ENV}") for _ in range(times))
        return set(await asyncio.gather(*why))

    async def flip() -> None:
        for rules in cycle((OPEN, FREEZE)):
            await change(rules)

    async with scene.bot(OPEN):
        [opened] = await answers(1)
        await change(FREEZE)
        [frozen] = await answers(1)
        assert opened != frozen
        flipping, said = asyncio.create_task(flip()), set[str]()
        for _ in range(10):
            said |= await answers(20)
        while len(said) < 2:
            said |= await answers(20)
        flipping.cancel()
    assert said == {opened, frozen}
