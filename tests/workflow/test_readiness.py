"""Whether a shared env is ready to use: told with the answer to a share, and in a dry run."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain.outcome import Readiness
from bot.playground.faults import Code, Drop
from bot.playground.world import APPID, OWNER
from bot.workflow.deadline import readiness_in_time, within
from tests.conftest import ASK, ENV, RELEASES, REQUESTER, appids, calls_of, soon, states
from tests.rig import ALLOW, DENY, Rig, for_platform_team, has_button
from tests.workflow.test_batches import line

OTHER_ENV = "test-1"
SNIPPET = f"new wx.cloud.Cloud({{resourceAppid: '{OWNER}', resourceEnv: '{ENV}'}})"


@pytest.mark.parametrize(
    ("functions", "said", "steps"),
    [
        ({"cloudbase_auth": "Active"}, "is active; it must let", False),
        ({"login": "Active"}, f"deploy a cloud function `cloudbase_auth` in `{ENV}`", True),
        ({}, "✅ *Shared, not usable yet.*", True),
        ({"cloudbase_auth": "CreateFailed"}, "not usable yet", True),
        (
            {**{f"f{n}": "Active" for n in range(120)}, "cloudbase_auth": "Active"},
            "is active; it must let",
            False,
        ),
    ],
)
async def test_the_answer_says_whether_the_env_can_be_used(
    rig: Rig, functions: dict[str, str], said: str, *, steps: bool
) -> None:
    rig.wechat.functions[ENV] = functions
    async with rig.bot(ALLOW):
        await rig.ask()
        await rig.over()
    (answer,) = rig.replies()
    assert said in answer
    assert (SNIPPET in answer) is steps
    assert ("deploy a cloud function" in answer) is steps


@pytest.mark.parametrize("fault", [Code(48001), Code(-1), Drop()])
async def test_the_answer_does_not_mention_readiness_if_wechat_does_not_tell_it(
    rig: Rig, fault: Code | Drop
) -> None:
    rig.wechat.fail("listfunctions", fault)
    async with rig.bot(ALLOW):
        await rig.ask()
        await rig.over()
    (answer,) = rig.replies()
    assert answer.startswith("✅ *Shared.* WeChat accepted")
    assert "deploy a cloud function" in answer


async def test_the_remaining_steps_are_listed_once_per_owner_and_receiver_and_then_behind_a_button(
    rig: Rig,
) -> None:
    rig.wechat.functions |= {ENV: {}, OTHER_ENV: {}}
    async with rig.bot(for_platform_team(ALLOW)):
        await rig.ask()
        await rig.over()
        await rig.ask(f"{APPID} {OTHER_ENV}")
        await rig.over(2)
        first, second = (
            rig.slack.thread(parent.channel, parent.ts)[0] for parent in rig.slack.parents(RELEASES)
        )
        assert "1. " in first.text
        assert not has_button(first, "steps")
        assert f"`{OTHER_ENV}` has no active cloud function" in second.text
        assert "1. " not in second.text
        read = calls_of(rig.slack, "usergroups.list")
        told = await rig.click(REQUESTER, second, "steps")
        assert calls_of(rig.slack, "usergroups.list") == read  # some twenty a minute, for everybody
    assert "What is left to do" in told
    assert f"resourceEnv: '{OTHER_ENV}'" in told


@pytest.mark.parametrize("text", [APPID, f"{APPID} wx0123456789abcdef"])
async def test_if_the_first_env_was_ready_the_steps_are_listed_with_the_first_that_is_not(
    rig: Rig, text: str
) -> None:
    last = "test-2"
    rig.wechat.functions |= {ENV: {"cloudbase_auth": "Active"}, OTHER_ENV: {}, last: {}}
    async with rig.bot(ALLOW):
        for env in (ENV, OTHER_ENV, last):
            await rig.ask(f"{text} {env}")
            await soon(lambda: set(states(rig.database)) == {"ended"})
        ready, missing, later = (
            rig.slack.thread(parent.channel, parent.ts)[-1]
            for parent in rig.slack.parents(RELEASES)
        )
    assert "must let the appid in" in ready.text
    assert "deploy a cloud function" in missing.text
    assert "deploy a cloud function" not in later.text
    assert [has_button(each, "steps") for each in (ready, missing, later)] == [True, False, True]


async def test_a_batch_checks_readiness_once(rig: Rig) -> None:
    rig.wechat.functions[ENV] = {}
    async with rig.bot(ALLOW):
        await rig.ask(line(3))
        await rig.over(4)
    (answer,) = rig.replies()
    assert f"deploy a cloud function `cloudbase_auth` in `{ENV}`" in answer
    assert answer.count("deploy a cloud function") == 1
    assert sum("listfunctions" in line for line in rig.wechat.transcript().splitlines()) == 1


async def test_a_batch_checks_readiness_while_its_last_items_are_shared(rig: Rig) -> None:
    rig.wechat.functions[ENV] = {}
    async with rig.bot(ALLOW):
        with rig.wechat.thinking():
            await rig.ask(line(3))
            await soon(lambda: "listfunctions" in rig.wechat.transcript())
            assert rig.wechat.shared == []
        await rig.over(4)
    (answer,) = rig.replies()
    assert f"deploy a cloud function `cloudbase_auth` in `{ENV}`" in answer


async def test_a_batch_has_the_steps_behind_a_button_if_all_its_receivers_were_told_them(
    rig: Rig,
) -> None:
    rig.wechat.functions |= {ENV: {}, OTHER_ENV: {}}
    one, two, three = appids(3)
    async with rig.bot(ALLOW):
        await rig.ask(f"{one} {two} {ENV}")
        await rig.over(3)
        await rig.ask(f"{one} {two} {OTHER_ENV}")
        await rig.over(6)
        await rig.ask(f"{two} {three} {OTHER_ENV}")
        await rig.over(9)
        first, later, with_a_new_one = (
            rig.slack.thread(parent.channel, parent.ts)[-1]
            for parent in rig.slack.parents(RELEASES)
        )
        assert "deploy a cloud function" in first.text
        assert f"`{OTHER_ENV}` has no active cloud function" in later.text
        assert "deploy a cloud function" not in later.text
        assert "deploy a cloud function" in with_a_new_one.text
        assert [has_button(each, "steps") for each in (first, later, with_a_new_one)] == [
            False,
            True,
            False,
        ]
        told = await rig.click(REQUESTER, later, "steps")
    assert f"resourceEnv: '{OTHER_ENV}'" in told


@pytest.mark.parametrize("command", [f"{ASK} --dry-run", f"why {ASK}"])
async def test_a_person_who_may_share_is_told_beforehand_whether_the_env_is_ready(
    rig: Rig, command: str
) -> None:
    rig.wechat.functions[ENV] = {}
    rig.runtime = replace(rig.runtime, ready_for=0.0)
    async with rig.bot(ALLOW):
        assert "it would not be usable yet" in await rig.ask(command)
        rig.wechat.functions[ENV] = {"cloudbase_auth": "Active"}
        assert "is active; it must let" in await rig.ask(command)


async def test_a_person_who_may_not_share_is_told_nothing_about_the_env(rig: Rig) -> None:
    rig.wechat.functions[ENV] = {}
    async with rig.bot(DENY):
        assert "cloudbase_auth" not in await rig.ask(f"why {ASK}")


async def test_readiness_is_unknown_if_it_is_not_found_out_in_time() -> None:
    async def look(_owner: str, _env: str) -> Readiness:
        await asyncio.Event().wait()
        return Readiness.READY

    assert await readiness_in_time(look, OWNER, ENV, within(0.41)) is Readiness.UNKNOWN


async def test_readiness_is_unknown_after_an_unforeseen_error() -> None:
    async def look(owner: str, env: str) -> Readiness:
        raise RuntimeError(owner, env)

    assert await readiness_in_time(look, OWNER, ENV) is Readiness.UNKNOWN
