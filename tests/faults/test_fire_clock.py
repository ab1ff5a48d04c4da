"""A clock that jumps: monotonic waits are unaffected, and checks of the time of day report it."""

from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import pytest_asyncio

from bot.playground.faults import Slow
from bot.playground.world import APPID
from tests.conftest import free_port
from tests.faults import bots, chained
from tests.faults.bots import CHANNEL
from tests.faults.fire import REQUESTER, Fire, fire
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
class Shifted:
    """A bot whose clock can be moved."""

    burning: Fire
    clock: Path

    def shift(self, hours: float) -> None:
        """Set its clock off by this many hours."""
        new = self.clock.with_suffix(".new")
        new.write_text(str(hours * HOUR), encoding="ascii")
        new.replace(self.clock)

    async def ask(self, kind: str) -> None:
        """Request a share that waits for people."""
        command = f"{APPID} {kind}-{next(_numbers)}"
        ack = await self.burning.slack.command(REQUESTER, CHANNEL, command)
        assert ack.error is None

    async def told(self, words: str) -> str:
        """Wait for a message with these words, and return it."""
        slack = self.burning.slack
        await slack.until(lambda _: any(words in m.text for m in slack.messages))
        return next(m.text for m in slack.messages if words in m.text)


Act = Callable[[Shifted], Coroutine[None, None, str]]


def asked(hours: float) -> Act:
    """Return an action that requests a share while the clock is off by this many hours."""

    async def act(it: Shifted) -> str:
        it.shift(hours)
        return await it.burning.answer()

    return act


def renewed(hours: float) -> Act:
    """Return an action that requests a share while the clock is off and WeChat rejects the token."""

    async def act(it: Shifted) -> str:
        await it.burning.stands()
        it.shift(hours)
        it.burning.wechat.expire(it.burning.wechat.calls[-1].token)
        return await it.burning.answer()

    return act


def jumped(hours: float) -> Act:
    """Return an action whose clock jumps during the call to WeChat, and whose payload is then delivered again."""

    async def act(it: Shifted) -> str:
        slack, wechat = it.burning.slack, it.burning.wechat
        wechat.fail("shareenv", Slow(0.5, after_effect=True))
        asked = len(wechat.calls)
        ack = await slack.command(REQUESTER, CHANNEL, it.burning.command())
        await wechat.until(lambda wechat: len(wechat.calls) > asked)
        it.shift(hours)
        assert (await slack.redeliver(ack)).payload == ack.payload
        env = str(ack.request["text"]).split()[-1]
        told = await it.told(f"shared `{env}` with")
        assert len(wechat.calls) == asked + 1
        return told

    return act


async def pushed(it: Shifted) -> str:
    """Let WeChat push while the clock is off."""
    it.shift(48)
    status, words = await it.burning.wechat.platform.push_ticket()
    it.shift(0)
    assert await it.burning.wechat.platform.push_ticket() == (200, "success")
    return f"{status} {words}"


async def unconfirmed(it: Shifted) -> str:
    """Move the clock ahead while a request waits for a confirmation."""
    await it.ask("live")
    it.shift(1)
    return await it.told("You did not confirm")


async def confirmed(it: Shifted) -> str:
    """Move the clock back while a request waits for a confirmation, and confirm it."""
    await it.ask("live")
    question = it.burning.slack.shown_to(REQUESTER)[-1]
    it.shift(-48)
    assert (await it.burning.slack.click(REQUESTER, question, "Share it")).error is None
    return await it.told("shared `live-")


async def undecided(it: Shifted) -> str:
    """Move the clock ahead while a request waits for an approval."""
    await it.ask("core")
    await it.told("I have not shared this env before.")
    it.shift(3)
    return await it.told("No approver decided")


FIRES: dict[Fault, Act] = rows_of(
    "The clock",
    ("two days ahead", WORKED, asked(48)),
    ("two days behind", WORKED, asked(-48)),
    ("two days ahead, and the token is dead", WORKED, renewed(48)),
    ("two days behind, and the token is dead", WORKED, renewed(-48)),
    ("jumps two days ahead while WeChat is asked", "✅", jumped(48)),
    ("jumps two days back while WeChat is asked", "✅", jumped(-48)),
    ("two days ahead, and WeChat pushes a ticket", "403 not understood", pushed),
    ("jumps an hour ahead before a confirmation", "You did not confirm in time.", unconfirmed),
    ("jumps two days back before a confirmation", "✅", confirmed),
    ("jumps three hours ahead before an approval", "No approver decided in time.", undecided),
)
OVER_HTTP: dict[Fault, Act] = rows_of(
    "The clock",
    ("six minutes ahead, in HTTP mode", "http_client_error", asked(0.1)),
    ("six minutes behind, in HTTP mode", "http_client_error", asked(-0.1)),
)
FAULTS = (*FIRES, *OVER_HTTP)


def settings(clock: Path) -> dict[str, str]:
    """Return the environment of a bot that uses this clock."""
    clock.write_text("0", encoding="ascii")
    return {"CLOCK": str(clock), "PYTHONPATH": f"{ROOT}/tests/faults/shifted:{ROOT}"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shifted(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shifted]:
    """Run a bot that keeps the token chain, with requests that wait for people."""
    folder = tmp_path_factory.mktemp("clock")
    rules = folder / "policy.toml"
    rules.write_text(RULES, encoding="utf-8")
    more = {"POLICY_FILE": str(rules), **settings(folder / "clock")}
    async with chained.chained(folder, free_port(), owners=0, **more) as burning:
        await chained.renewed(burning, 0)
        yield Shifted(burning, folder / "clock")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def over_http(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shifted]:
    """Run a bot in HTTP mode."""
    folder, port = tmp_path_factory.mktemp("clock"), free_port()
    async with fire(folder, **bots.over_http(port), **settings(folder / "clock")) as burning:
        burning.slack.request_url = bots.address_at(port)
        yield Shifted(burning, folder / "clock")


@pytest.mark.parametrize("fault", FIRES, ids=str)
async def test_whatever_the_clock_does_the_requester_is_told_the_truth(
    fault: Fault, shifted: Shifted
) -> None:
    assert fault.told in await FIRES[fault](shifted)
    shifted.shift(0)
    await shifted.burning.stands()


@pytest.mark.parametrize("fault", OVER_HTTP, ids=str)
async def test_a_signature_that_is_too_old_by_a_wrong_clock_is_refused(
    fault: Fault, over_http: Shifted
) -> None:
    assert fault.told in await OVER_HTTP[fault](over_http)
    over_http.shift(0)
    await over_http.burning.stands()
