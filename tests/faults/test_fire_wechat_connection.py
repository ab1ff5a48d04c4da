"""Faults of the connection to WeChat."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from bot.playground.faults import Code, Drip, Drop, Hang, Slow
from bot.playground.faults import Fault as Trouble
from tests.faults.burning import MAYBE, NO, Lit, burning, each_twice, hold_true, marks, plain
from tests.faults.fire import fire
from tests.faults.gate import State, gate, spoilt
from tests.faults.table import Fault

pytestmark = pytest.mark.slow

WECHAT = "WeChat"
LOST = f"{MAYBE} The connection broke before WeChat answered"
LATE = f"{MAYBE} WeChat did not answer in time"
YES = "✅ Shared"

BROKEN: Mapping[Fault, Sequence[Trouble]] = {
    Fault(WECHAT, "the connection closed or reset before the answer, done or not", LOST): (
        *(Drop(), Drop(after_effect=True), Drop(reset=True), Drop(after_effect=True, reset=True)),
    ),
    Fault(WECHAT, "the connection closed or reset within the body, which is done", LOST): (
        *(Drop(part=0.5), Drop(part=0.5, reset=True)),
    ),
}
WHOLE = {Fault(WECHAT, "the connection reset after the body", YES): (Drop(part=1.0, reset=True),)}
SLOW: Mapping[Fault, Sequence[Trouble]] = {
    Fault(WECHAT, "accept and hang, done or not", LATE): (Hang(60), Slow(60, after_effect=True)),
    Fault(WECHAT, "a slow drip, which is done", LATE): (Drip(0.1),),
}
AFTERWARDS = Fault(WECHAT, "one of these once, and a yes to the next try", YES)
UNTRUSTED = f"{NO} The bot's connection to WeChat is not secure"
UNREACHED = f"{NO} The bot could not reach WeChat"
GATES: Mapping[Fault, tuple[State, State]] = {
    Fault(WECHAT, "a certificate that nobody trusts", UNTRUSTED): (State.TRUSTED, State.UNTRUSTED),
    Fault(WECHAT, "no TLS where the bot expects it", UNTRUSTED): (State.TRUSTED, State.PLAIN),
    Fault(WECHAT, "TLS where the bot does not expect it", LOST): (State.PLAIN, State.UNTRUSTED),
    Fault(WECHAT, "connection refused", UNREACHED): (State.TRUSTED, State.REFUSING),
    Fault(WECHAT, "a host that DNS does not know", UNREACHED): (State.PLAIN, State.NAMELESS),
}
EXPIRING = Fault(WECHAT, "any of the above in the call after a token has expired", "the same")
FAULTS = (*BROKEN, *WHOLE, *SLOW, AFTERWARDS, *GATES, EXPIRING)


async def test_a_broken_connection_is_reported_as_unknown(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    once = [*(each for answers in BROKEN.values() for each in answers), Code(-1), Code(-1000)]
    lit = each_twice(BROKEN)
    lit += [
        Lit(AFTERWARDS, len(lit) + 2 * number + expiring, (answer, Code(0)), expiring=expiring)
        for number, answer in enumerate(once)
        for expiring in (False, True)
    ]
    async with burning(tmp_path) as scene:
        await hold_true(scene, lit, subtests)
        tries = [call.env for call in scene.wechat.calls]
        for one in lit:
            if one.fault is AFTERWARDS:
                assert tries.count(one.env) == len(one.answers) + one.expiring
        # Separately, since the next user of such a connection learns too late that it is closed.
        await hold_true(scene, each_twice(WHOLE, first=len(lit)), subtests)


async def test_a_timeout_is_reported_as_unknown(tmp_path: Path, subtests: pytest.Subtests) -> None:
    async with burning(tmp_path, WECHAT_TIMEOUT="1") as scene:
        await hold_true(scene, each_twice(SLOW), subtests)


async def test_a_call_that_never_reached_wechat_is_reported_as_such(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    folders = [tmp_path_factory.mktemp("gate") for _ in GATES]
    told = await asyncio.gather(*(burnt(*GATES[f], d) for f, d in zip(GATES, folders, strict=True)))
    for fault, texts in zip(GATES, told, strict=True):
        for text in texts:
            with subtests.test(str(fault)):
                assert fault.told in plain(text)
                assert marks(text) == {fault.told[0]}


async def burnt(usual: State, then: State, folder: Path) -> list[str]:
    """Break the connection to WeChat, check that the bot works afterwards, and return what was told."""
    async with (
        gate(folder, usual) as way,
        fire(folder, WECHAT_API_URL=way.url, **way.settings) as scene,
    ):
        told = await spoilt(scene, way, then)
        await scene.stands()
        return told
