"""A wall clock that jumps: monotonic waits are unaffected, and checks of the time of day report it."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from bot.playground.faults import Slow
from bot.playground.loopback import free_port
from bot.playground.world import APPID
from tests.conftest import RELEASES, REQUESTER, address_at, over_http
from tests.faults import token_chain
from tests.faults.rig import ProcessRig, start_rig
from tests.faults.table import WORKED, Fault, rows_of
from tests.processes import ROOT

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

HOUR = 3600.0
RULES = """
[[rule]]
name = "sure"
users = ["U0REQUESTER"]
envs = ["live-*"]
effect = "allow"
confirm = true

[[rule]]
name = "four eyes"
users = ["U0REQUESTER"]
envs = ["core-*"]
effect = "approve"
approvers = { groups = ["S0APPROVERS"], channel = "C0APPROVALS", expires = "2h" }

[[rule]]
name = "rest"
users = ["U0REQUESTER"]
effect = "allow"
"""
_numbers = count(1)


@dataclass(frozen=True)
class ShiftedRig:
    """A bot whose clock can be moved."""

    rig: ProcessRig
    clock: Path

    def shift(self, hours: float) -> None:
        """Shift its clock by this many hours."""
        new = self.clock.with_suffix(".new")
        new.write_text(str(hours * HOUR), encoding="ascii")
        new.replace(self.clock)

    async def request_share(self, kind: str) -> None:
        """Request a share that waits for people."""
        command = f"{APPID} {kind}-{next(_numbers)}"
        ack = await self.rig.slack.command(REQUESTER, RELEASES, command)
        assert ack.error is None

    async def wait_for_message(self, words: str) -> str:
        """Wait for a message with these words, and return it."""
        slack = self.rig.slack
        await slack.until(lambda _: any(words in m.text for m in slack.messages))
        return next(m.text for m in slack.messages if words in m.text)


Action = Callable[[ShiftedRig], Coroutine[None, None, str]]


def share_with_clock_off(hours: float) -> Action:
    """Return an action that requests a share while the clock is off by this many hours."""

    async def action(shifted: ShiftedRig) -> str:
        shifted.shift(hours)
        return await shifted.rig.answer()

    return action


def renew_with_clock_off(hours: float) -> Action:
    """Return an action that requests a share while the clock is off and WeChat rejects the token."""

    async def action(shifted: ShiftedRig) -> str:
        await shifted.rig.check_healthy()
        shifted.shift(hours)
        shifted.rig.wechat.expire(shifted.rig.wechat.calls[-1].token)
        return await shifted.rig.answer()

    return action


def jump_during_call(hours: float) -> Action:
    """Return an action whose clock jumps during the call to WeChat, and whose payload is then delivered again."""

    async def action(shifted: ShiftedRig) -> str:
        slack, wechat = shifted.rig.slack, shifted.rig.wechat
        wechat.fail("shareenv", Slow(0.5, after_effect=True))
        asked = len(wechat.calls)
        ack = await slack.command(REQUESTER, RELEASES, shifted.rig.command())
        await wechat.until(lambda wechat: len(wechat.calls) > asked)
        shifted.shift(hours)
        assert (await slack.redeliver(ack)).payload == ack.payload
        env = str(ack.request["text"]).split()[-1]
        told = await shifted.wait_for_message(f"shared `{env}` with")
        assert len(wechat.calls) == asked + 1
        return told

    return action


async def push_ticket(shifted: ShiftedRig) -> str:
    """Let WeChat push while the clock is off."""
    shifted.shift(48)
    status, words = await shifted.rig.wechat.platform.push_ticket()
    shifted.shift(0)
    assert await shifted.rig.wechat.platform.push_ticket() == (200, "success")
    return f"{status} {words}"


async def let_confirmation_expire(shifted: ShiftedRig) -> str:
    """Move the clock ahead while a request waits for a confirmation."""
    await shifted.request_share("live")
    shifted.shift(1)
    return await shifted.wait_for_message("You did not confirm")


async def confirm(shifted: ShiftedRig) -> str:
    """Move the clock back while a request waits for a confirmation, and confirm it."""
    await shifted.request_share("live")
    question = shifted.rig.slack.shown_to(REQUESTER)[-1]
    shifted.shift(-48)
    assert (await shifted.rig.slack.click(REQUESTER, question, "Share it")).error is None
    return await shifted.wait_for_message("shared `live-")


async def let_approval_expire(shifted: ShiftedRig) -> str:
    """Move the clock ahead while a request waits for an approval."""
    await shifted.request_share("core")
    await shifted.wait_for_message("I have not shared this env before.")
    shifted.shift(3)
    return await shifted.wait_for_message("No approver decided")


CASES: dict[Fault, Action] = rows_of(
    "The clock",
    ("two days ahead", WORKED, share_with_clock_off(48)),
    ("two days behind", WORKED, share_with_clock_off(-48)),
    ("two days ahead, and the token is dead", WORKED, renew_with_clock_off(48)),
    ("two days behind, and the token is dead", WORKED, renew_with_clock_off(-48)),
    ("jumps two days ahead while WeChat is asked", "✅", jump_during_call(48)),
    ("jumps two days back while WeChat is asked", "✅", jump_during_call(-48)),
    ("two days ahead, and WeChat pushes a ticket", "403 not understood", push_ticket),
    (
        "jumps an hour ahead before a confirmation",
        "You did not confirm in time.",
        let_confirmation_expire,
    ),
    ("jumps two days back before a confirmation", "✅", confirm),
    (
        "jumps three hours ahead before an approval",
        "No approver decided in time.",
        let_approval_expire,
    ),
)
OVER_HTTP: dict[Fault, Action] = rows_of(
    "The clock",
    ("six minutes ahead, in HTTP mode", "http_client_error", share_with_clock_off(0.1)),
    ("six minutes behind, in HTTP mode", "http_client_error", share_with_clock_off(-0.1)),
)
FAULTS = (*CASES, *OVER_HTTP)


def settings(clock: Path) -> dict[str, str]:
    """Return the environment of a bot that uses this clock."""
    clock.write_text("0", encoding="ascii")
    return {"CLOCK": str(clock), "PYTHONPATH": f"{ROOT}/tests/faults/shifted_clock:{ROOT}"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shifted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShiftedRig]:
    """Run a bot that maintains the token chain, with rules whose requests wait for people."""
    folder = tmp_path_factory.mktemp("clock")
    rules = folder / "policy.toml"
    rules.write_text(RULES, encoding="utf-8")
    more = {"POLICY_FILE": str(rules), **settings(folder / "clock")}
    async with token_chain.chain_rig(folder, free_port(), owners=0, **more) as rig:
        await token_chain.wait_for_renewals(rig, 0)
        yield ShiftedRig(rig, folder / "clock")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ShiftedRig]:
    """Run a bot in HTTP mode."""
    folder, port = tmp_path_factory.mktemp("clock"), free_port()
    async with start_rig(folder, **over_http(port), **settings(folder / "clock")) as rig:
        rig.slack.request_url = address_at(port)
        yield ShiftedRig(rig, folder / "clock")


@pytest.mark.parametrize("fault", CASES, ids=str)
async def test_whatever_the_clock_does_the_requester_is_told_the_truth(
    fault: Fault, shifted: ShiftedRig
) -> None:
    assert fault.told in await CASES[fault](shifted)
    shifted.shift(0)
    await shifted.rig.check_healthy()


@pytest.mark.parametrize("fault", OVER_HTTP, ids=str)
async def test_a_bot_whose_clock_is_wrong_by_six_minutes_refuses_slacks_signature(
    fault: Fault, http: ShiftedRig
) -> None:
    assert fault.told in await OVER_HTTP[fault](http)
    http.shift(0)
    await http.rig.check_healthy()
