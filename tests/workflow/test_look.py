"""The look at WeChat's lists of envs: after a failure, in a dry run, `why` and the form, and what it may not cost."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from bot.domain.outcome import Failed
from bot.domain.request import Act
from bot.guidance import EnvList, for_code
from bot.messages.modals import ENV as ENV_FIELD
from bot.playground.faults import Code, Slow
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.world import APPID, OWNER
from bot.policy.kinds import Effect, Policy, Rule
from bot.workflow.deadline import within
from bot.workflow.judge import Judge
from bot.workflow.look import cause_after
from bot.workflow.ports import PolicyInForce
from tests.conftest import ASK, ENV, RELEASES, REQUESTER, opened, request_of
from tests.rig import ALLOW, APPROVE, DENY, SECRET, Rig, for_platform_team, has_button
from tests.workflow.test_batches import line

OTHER = "wxfedcba9876543210"
TWO_OWNERS = f"""
[[owner]]
appid = "{OTHER}"
envs = ["theirs-*"]
[[owner]]
appid = "{OWNER}"
envs = ["*"]
"""
ONLY_PROD_1 = ALLOW + 'envs = ["prod-1*"]\n'


def reads(rig: Rig) -> list[str]:
    """Return the owners whose lists were read."""
    lines = rig.wechat.transcript().splitlines()
    return [each.split()[2].rstrip(":") for each in lines if each.startswith("getenvinfo")]


async def failed(rig: Rig, code: int, env: str = ENV, rules: str = ALLOW) -> PostedMessage:
    """Return the answer to a share that WeChat refuses."""
    rig.wechat.fail("shareenv", Code(code))
    async with rig.bot(rules):
        await rig.ask(f"{APPID} {env}")
        await rig.over()
        (parent,) = rig.slack.parents(RELEASES)
    return rig.slack.thread(parent.channel, parent.ts)[-1]


@pytest.mark.parametrize(
    ("code", "env", "owners", "said"),
    [
        (40097, "prod-11", {OWNER: {"prod-1": "NORMAL"}}, "The nearest that you may share is `prod-1`."),
        (40097, "prod-1", {OWNER: {"prod-1": "NORMAL"}}, "the appid is mistyped, or another company's"),
        (-501018, "prod-1", {OWNER: {"prod-1": "HALTED"}}, "as `HALTED`; it must be NORMAL."),
        (85088, "prod-1", {OWNER: {}}, f"WeChat lists none for `{OWNER}`"),
        (-601012, "prod-1", {OWNER: {"test-1": "NORMAL"}, OTHER: {"prod-1": "NORMAL"}}, f"lists `prod-1` for `{OTHER}`"),
        (40097, "prod-1", {OWNER: {"theirs-1": "NORMAL"}, OTHER: {"theirs-1": "NORMAL"}}, f"WeChat lists the envs of `{OTHER}`"),
    ],
)  # fmt: skip
async def test_an_answer_names_what_wechats_list_shows_to_be_wrong(
    rig: Rig, code: int, env: str, owners: dict[str, dict[str, str]], said: str
) -> None:
    rig.wechat.envs |= owners
    answer = await failed(rig, code, env, TWO_OWNERS + ALLOW)
    assert said in answer.text
    assert reads(rig).count(OWNER) == 1


async def test_no_env_is_named_that_the_requester_may_not_share(rig: Rig) -> None:
    rig.wechat.envs[OWNER] = {"prod-2": "NORMAL"}
    answer = await failed(rig, 40097, rules=ONLY_PROD_1)
    assert "WeChat lists no env with this id" in answer.text
    assert "prod-2" not in answer.text


async def test_what_operators_mend_can_be_tried_again_although_the_code_alone_would_be_the_requesters(
    rig: Rig,
) -> None:
    rig.wechat.envs[OWNER] = {ENV: "HALTED"}
    rig.wechat.fail("shareenv", Code(40097))
    async with rig.bot(for_platform_team(ALLOW)):
        await rig.ask()
        await rig.over()
        (parent,) = rig.slack.parents(RELEASES)
        answer = rig.slack.thread(parent.channel, parent.ts)[-1]
        assert has_button(answer, Act.RETRY.value)
        assert (await rig.click(REQUESTER, answer, Act.RETRY.value)).startswith("On it")
        await rig.over(2)
    assert rig.wechat.shared == [(OWNER, ENV, APPID)]


async def test_nothing_is_read_after_a_share_or_a_code_that_is_not_about_the_env(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        await rig.ask()
        await rig.over()
        rig.wechat.fail("shareenv", Code(48001))
        await rig.ask(f"{APPID} test-1")
        await rig.over(2)
    assert reads(rig) == []


async def test_a_batch_is_looked_into_once_and_only_if_none_of_it_was_shared(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        rig.wechat.fail("shareenv", Code(40097))
        await rig.ask(line(3))
        await rig.over(4)
        assert reads(rig) == []
        rig.wechat.envs[OWNER] = {ENV: "HALTED"}
        rig.wechat.fail("shareenv", Code(-501018), times=3)
        await rig.ask(f"{line(3)} --again")
        await rig.over(8)
        first, second = rig.slack.parents(RELEASES)
    told, again = (rig.slack.thread(RELEASES, each.ts) for each in (first, second))
    assert "The env and its owner are right" in texts(told)
    assert "as `HALTED`; it must be NORMAL" in texts(again)
    assert reads(rig) == [OWNER]


def texts(messages: Sequence[PostedMessage]) -> str:
    return "\n".join(each.text for each in messages)


async def test_each_appid_of_a_batch_of_sixty_failures_is_told_under_its_cause(rig: Rig) -> None:
    rig.wechat.fail("shareenv", Code(40097), times=60)
    async with rig.bot(ALLOW):
        await rig.ask(line(60))
        await rig.over(61)
        (parent,) = rig.slack.parents(RELEASES)
    answer, listed = rig.slack.thread(RELEASES, parent.ts)[-2:]
    assert "and 40 more, listed below" in answer.text
    assert listed.text.startswith("WeChat rejected the appid\n")
    assert all(appid in listed.text for appid in line(60).split()[:-1])


async def test_without_a_thread_the_appids_are_listed_below_the_direct_message(rig: Rig) -> None:
    rig.wechat.fail("shareenv", Code(40097), times=25)
    async with rig.bot(ALLOW):
        await rig.ask(line(25), channel=SECRET)
        await rig.over(26)
        answer = rig.told_directly()
    (listed,) = rig.slack.thread(answer.channel, answer.ts)
    assert all(appid in listed.text for appid in line(25).split()[:-1])


async def test_a_late_answer_waits_for_no_list(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.workflow.worker._ANSWER_SECONDS", 0.0)
    rig.wechat.envs[OWNER] = {ENV: "HALTED"}
    answer = await failed(rig, 40097)
    assert "HALTED" not in answer.text


async def test_nothing_is_read_for_somebody_who_may_not_share_the_env_any_more(
    judge: Judge, slack: LocalSlack
) -> None:
    read = list[str]()

    async def listing(owner: str) -> EnvList:
        read.append(owner)
        return {}

    frozen = PolicyInForce(Policy((Rule("freeze", Effect.DENY),), default_owner=OWNER))
    judge = replace(judge, in_force=frozen)
    failed = Failed(for_code(40097))
    assert await cause_after(judge, listing, request_of(slack), failed, within(5)) is None
    assert read == []


async def test_while_wechat_does_not_list_the_answer_comes_in_time_without_a_cause(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.workflow.deadline.LOOK_SECONDS", 0.3)
    rig.wechat.fail("getenvinfo", Slow(), times=None)
    answer = await failed(rig, 40097)
    assert "One is mistyped, or the two may not be shared." in answer.text


@pytest.mark.parametrize("command", [f"{ASK} --dry-run", f"why {ASK}"])
@pytest.mark.parametrize("rules", [ALLOW, APPROVE], ids=["allow", "approve"])
async def test_whoever_may_share_an_env_is_told_beforehand_that_it_would_fail(
    rig: Rig, rules: str, command: str
) -> None:
    rig.wechat.envs[OWNER] = {"prod-11": "NORMAL"}
    async with rig.bot(rules):
        told = await rig.ask(command)
        again = await rig.ask(command)
    assert "It would fail: WeChat lists no such env, but one like it." in told
    assert "`prod-11`" in told
    assert again == told
    assert reads(rig) == [OWNER]


async def test_whoever_may_not_share_an_env_learns_nothing_of_it(rig: Rig) -> None:
    rig.wechat.envs[OWNER] = {"prod-11": "NORMAL"}
    async with rig.bot(DENY):
        assert "prod-11" not in await rig.ask(f"why {ASK}")
    assert reads(rig) == []


async def test_the_form_says_what_is_wrong_with_the_env_that_is_typed(rig: Rig) -> None:
    rig.wechat.envs[OWNER] = {"prod-1": "NORMAL", "pay-1": "HALTED"}
    async with rig.bot(ALLOW):
        await rig.slack.command(REQUESTER, RELEASES, "")
        view = await opened(rig.slack, REQUESTER)
        said = dict[str, str]()
        for typed in ("prod-11", "pay-1", "prod-1"):
            for each in await rig.slack.options(REQUESTER, view, ENV_FIELD, typed):
                said[str(each["value"])] = str(each.get("description"))
    assert "no such env, but one like it" in said["prod-11"]
    assert "The env is not in service" in said["pay-1"]
    assert said["prod-1"] == "None"
