"""After a share, and before one: can the env be used by whoever it is shared with."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain.outcome import Readiness
from bot.playground.faults import Code, Drop
from bot.playground.world import APPID, OWNER
from bot.workflow.deadline import readiness_in_time, within
from tests.conftest import ENV, REQUESTER, soon, states
from tests.scenes import ALLOW, ASK, DENY, Scene, has_button

OTHER_ENV = "test-1"
SNIPPET = f"new wx.cloud.Cloud({{resourceAppid: '{OWNER}', resourceEnv: '{ENV}'}})"


@pytest.mark.parametrize(
    ("functions", "told", "steps"),
    [
        ({"cloudbase_auth": "Active"}, "✅ *Shared, ready to use.*", False),
        ({"login": "Active"}, f"`{ENV}` has no cloud function `cloudbase_auth`.", True),
        ({}, "✅ *Shared, not usable yet.*", True),
        ({"cloudbase_auth": "CreateFailed"}, "is not active.", True),
        ({**{f"f{n}": "Active" for n in range(120)}, "cloudbase_auth": "Active"}, "ready", False),
    ],
)
async def test_the_answer_says_whether_the_env_can_be_used(
    scene: Scene, functions: dict[str, str], told: str, *, steps: bool
) -> None:
    scene.wechat.functions[ENV] = functions
    async with scene.bot(ALLOW):
        await scene.ask()
        await scene.over()
    (answer,) = scene.replies()
    assert told in answer
    assert SNIPPET in answer
    assert ("deploy a cloud function" in answer) is steps


@pytest.mark.parametrize("fault", [Code(48001), Code(-1), Drop()])
async def test_what_cannot_be_found_out_leaves_the_answer_as_it_is(
    scene: Scene, fault: Code | Drop
) -> None:
    scene.wechat.fail("listfunctions", fault)
    async with scene.bot(ALLOW):
        await scene.ask()
        await scene.over()
    (answer,) = scene.replies()
    assert answer.startswith("✅ *Shared.* WeChat accepted")
    assert "deploy a cloud function" in answer


async def test_the_steps_stand_once_per_owner_and_receiver_and_then_behind_a_button(
    scene: Scene,
) -> None:
    scene.wechat.functions |= {ENV: {}, OTHER_ENV: {}}
    async with scene.bot(ALLOW):
        await scene.ask()
        await scene.over()
        await scene.ask(f"{APPID} {OTHER_ENV}")
        await scene.over(2)
        first, second = (
            scene.slack.thread(parent.channel, parent.ts)[0]
            for parent in scene.slack.parents("C0RELEASES")
        )
        assert "1. " in first.text
        assert not has_button(first, "steps")
        assert f"`{OTHER_ENV}` has no cloud function" in second.text
        assert "1. " not in second.text
        told = await scene.click(REQUESTER, second, "steps")
    assert "What is left to do" in told
    assert f"resourceEnv: '{OTHER_ENV}'" in told


@pytest.mark.parametrize("text", [APPID, f"{APPID} wx0123456789abcdef"])
async def test_where_the_first_env_was_ready_the_steps_stand_with_the_first_that_is_not(
    scene: Scene, text: str
) -> None:
    last = "test-2"
    scene.wechat.functions |= {ENV: {"cloudbase_auth": "Active"}, OTHER_ENV: {}, last: {}}
    async with scene.bot(ALLOW):
        for env in (ENV, OTHER_ENV, last):
            await scene.ask(f"{text} {env}")
            await soon(lambda: set(states(scene.database)) == {"ended"})
        ready, missing, later = (
            scene.slack.thread(parent.channel, parent.ts)[-1]
            for parent in scene.slack.parents("C0RELEASES")
        )
    assert "ready to use" in ready.text
    assert "deploy a cloud function" in missing.text
    assert "deploy a cloud function" not in later.text
    assert [has_button(each, "steps") for each in (ready, missing, later)] == [False, False, True]


async def test_a_batch_asks_once(scene: Scene) -> None:
    scene.wechat.functions[ENV] = {}
    appids = " ".join(f"wx{n:016x}" for n in range(3))
    async with scene.bot(ALLOW):
        await scene.ask(f"{appids} {ENV}")
        await scene.over(4)
    (answer,) = scene.replies()
    assert f"`{ENV}` has no cloud function `cloudbase_auth`." in answer
    assert answer.count("deploy a cloud function") == 1
    assert sum("listfunctions" in line for line in scene.wechat.transcript().splitlines()) == 1


async def test_a_batch_asks_while_its_last_items_are_called(scene: Scene) -> None:
    scene.wechat.functions[ENV] = {}
    appids = " ".join(f"wx{n:016x}" for n in range(3))
    async with scene.bot(ALLOW):
        with scene.wechat.thinking():
            await scene.ask(f"{appids} {ENV}")
            await soon(lambda: "listfunctions" in scene.wechat.transcript())
            assert scene.wechat.shared == []
        await scene.over(4)
    (answer,) = scene.replies()
    assert f"`{ENV}` has no cloud function `cloudbase_auth`." in answer


async def test_a_batch_has_the_steps_behind_a_button_once_all_its_receivers_have_had_them(
    scene: Scene,
) -> None:
    scene.wechat.functions |= {ENV: {}, OTHER_ENV: {}}
    one, two, three = (f"wx{n:016x}" for n in range(3))
    async with scene.bot(ALLOW):
        await scene.ask(f"{one} {two} {ENV}")
        await scene.over(3)
        await scene.ask(f"{one} {two} {OTHER_ENV}")
        await scene.over(6)
        await scene.ask(f"{two} {three} {OTHER_ENV}")
        await scene.over(9)
        first, later, with_a_new_one = (
            scene.slack.thread(parent.channel, parent.ts)[-1]
            for parent in scene.slack.parents("C0RELEASES")
        )
        assert "deploy a cloud function" in first.text
        assert f"`{OTHER_ENV}` has no cloud function" in later.text
        assert "deploy a cloud function" not in later.text
        assert "deploy a cloud function" in with_a_new_one.text
        assert [has_button(each, "steps") for each in (first, later, with_a_new_one)] == [
            False,
            True,
            False,
        ]
        told = await scene.click(REQUESTER, later, "steps")
    assert f"resourceEnv: '{OTHER_ENV}'" in told


@pytest.mark.parametrize("words", [f"{ASK} --dry-run", f"why {ASK}"])
async def test_whoever_may_share_hears_it_beforehand(scene: Scene, words: str) -> None:
    scene.wechat.functions[ENV] = {}
    scene.runtime = replace(scene.runtime, ready_for=0.0)
    async with scene.bot(ALLOW):
        assert "it would not be usable yet" in await scene.ask(words)
        scene.wechat.functions[ENV] = {"cloudbase_auth": "Active"}
        assert "is ready to use" in await scene.ask(words)


async def test_whoever_may_not_share_hears_nothing_of_the_env(scene: Scene) -> None:
    scene.wechat.functions[ENV] = {}
    async with scene.bot(DENY):
        assert "cloudbase_auth" not in await scene.ask(f"why {ASK}")


async def test_nobody_waits_longer_than_there_is_time() -> None:
    never = asyncio.Event()

    async def look(owner: str, env: str) -> Readiness:
        del owner, env
        await never.wait()
        return Readiness.READY

    assert await readiness_in_time(look, OWNER, ENV, within(0.41)) is Readiness.UNKNOWN


async def test_an_error_that_nobody_foresaw_is_no_trouble_for_the_answer() -> None:
    async def look(owner: str, env: str) -> Readiness:
        raise RuntimeError(owner, env)

    assert await readiness_in_time(look, OWNER, ENV) is Readiness.UNKNOWN
