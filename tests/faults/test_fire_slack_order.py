"""Envelopes delivered twice or out of order, and groups that Slack does not return at a click."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
import pytest_asyncio

from bot.domain.outcome import Cancelled, Shared
from bot.playground.faults import Fault as Trouble
from bot.playground.faults import RateLimited
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID
from tests.faults.bots import request_of
from tests.faults.corners import RULES, Corner, Workspace, workspace
from tests.faults.fire import REQUESTER
from tests.faults.slack_scenes import twice
from tests.faults.table import WORKED, Fault
from tests.faults.test_fire_slack import LATER, READING
from tests.said import CANCELLED, NO_SUCH_REQUEST, TOO_LATE, late_answer

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

CLICKS = """
[[rule]]
name = "ask first"
users = ["*"]
envs = ["sure-*"]
effect = "allow"
confirm = true

[[rule]]
name = "the group"
groups = ["S0PLATFORM"]
envs = ["group-*"]
effect = "allow"
confirm = true

[[rule]]
name = "nobody else"
envs = ["group-*"]
effect = "deny"
"""


async def ask_first(corner: Corner, env: str = "sure") -> PostedMessage:
    """Request a share that needs a confirmation, and return the question."""
    number = corner.new_env().removeprefix("prod-")
    await corner.command(f"{APPID} {env}-{number}")
    return corner.slack.shown_to(corner.user)[-1]


async def ended(corner: Corner, question: PostedMessage) -> str:
    """Return all messages about a request at its end, and what its requester was told."""
    (id_,) = [word for word in question.text.split("`") if len(word) == 8 and word.isalnum()]
    await corner.slack.until(lambda _: id_ in corner.workspace.ended, 30)
    about = [m.text for m in corner.slack.messages if id_ in m.text]
    return "\n".join([corner.told, *about])


async def command_twice(corner: Corner) -> str:
    ack = await corner.command(f"{APPID} {corner.new_env()}")
    again = await corner.slack.redeliver(ack)
    assert request_of(again) == request_of(ack)
    said = await corner.answer(ack)
    assert request_of(await corner.slack.redeliver(ack)) == request_of(ack)
    return said


async def click_twice(corner: Corner) -> str:
    question = await ask_first(corner)
    await corner.slack.redeliver(await corner.slack.click(corner.user, question, "confirm"))
    return await ended(corner, question)


async def commands_swapped(corner: Corner) -> str:
    earlier, later = corner.slack.next_trigger(), corner.slack.next_trigger()
    second = await corner.command(f"{APPID} {corner.new_env()}", later)
    first = await corner.command(f"{APPID} {corner.new_env()}", earlier)
    said = await corner.answer(first)
    assert WORKED in await corner.answer(second)
    return said


async def cancel_before_confirm(corner: Corner) -> str:
    question = await ask_first(corner)
    await corner.slack.click(corner.user, question, "cancel")
    await corner.hears(CANCELLED)
    await corner.slack.click(corner.user, question, "confirm")
    return await corner.hears(TOO_LATE)


async def confirm_before_cancel(corner: Corner) -> str:
    question = await ask_first(corner)
    await corner.slack.click(corner.user, question, "confirm")
    await ended(corner, question)
    await corner.slack.click(corner.user, question, "cancel")
    return await corner.hears(TOO_LATE)


async def click_before_its_request(corner: Corner) -> str:
    question = await ask_first(corner)
    (buttons,) = [block for block in question.blocks if block["type"] == "actions"]
    elements = buttons["elements"]
    assert isinstance(elements, list)
    unheard = [e | {"value": "unheard0"} for e in elements if isinstance(e, dict)]
    forged = replace(question, blocks=({**buttons, "elements": [*unheard]},))
    await corner.slack.click(corner.user, forged, "confirm")
    return await corner.hears(NO_SUCH_REQUEST)


async def form_twice(corner: Corner) -> str:
    trigger = corner.slack.next_trigger()
    ack = await corner.command("", trigger)
    await corner.slack.redeliver(ack)
    await corner.slack.until(lambda slack: bool(slack.views(corner.user)))
    (view,) = corner.slack.views(corner.user)
    (env,) = await corner.slack.options(corner.user, view, "env", corner.new_env())
    filled = corner.slack.fill(corner.user, view, {"env": env["value"], "appids": APPID})
    await corner.slack.redeliver(await corner.slack.submit(corner.user, filled))
    await corner.slack.until(lambda slack: bool(slack.parents(corner.channel)), 30)
    id_ = corner.slack.parents(corner.channel)[0].text.split("Request `")[-1].split("`")[0]
    await corner.slack.until(lambda _: id_ in corner.workspace.ended, 30)
    assert len(corner.slack.parents(corner.channel)) == 1
    return "\n".join(m.text for m in corner.slack.messages if id_ in m.text)


Scene = Callable[[Corner], Awaitable[str]]
ORDERS: dict[Fault, Scene] = {
    Fault("Slack", "the same command twice", WORKED): command_twice,
    Fault("Slack", "the same click twice", WORKED): click_twice,
    Fault("Slack", "the same form twice", WORKED): form_twice,
    Fault("Slack", "the later of two commands comes first", WORKED): commands_swapped,
    Fault("Slack", "a click on “Cancel”, then one on “Share it”", late_answer(Cancelled(""))): (
        cancel_before_confirm
    ),
    Fault("Slack", "a click on “Share it”, then one on “Cancel”", late_answer(Shared())): (
        confirm_before_cancel
    ),
    Fault(
        "Slack",
        "a click on a request that nobody has heard of",
        NO_SUCH_REQUEST,
    ): click_before_its_request,
}
AT_A_CLICK = "`usergroups.list` at a click:"
SILENCE = Fault("Slack", f"{AT_A_CLICK} silence", "I could not find out from Slack who you are")
SAID = {LATER: "Slack asked me to slow down"}
GROUPS: dict[Fault, Trouble] = {
    **{
        Fault("Slack", f"{AT_A_CLICK} {kind}", SAID.get(kind, "Slack did not tell me")): trouble
        for kind, trouble in READING.items()
        if kind != "silence"
    },
    SILENCE: READING["silence"],  # last, since no click is possible during it
}
FAULTS = (*ORDERS, *GROUPS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def burning(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with workspace(tmp_path_factory.mktemp("fire"), CLICKS + RULES) as space:
        yield space


@pytest.mark.parametrize("fault", ORDERS, ids=str)
async def test_payloads_delivered_twice_or_out_of_order_take_effect_once(
    fault: Fault, burning: Workspace
) -> None:
    said = await ORDERS[fault](burning.corner())
    assert fault.told in said, said
    assert said.count(WORKED) <= 1, said
    assert WORKED in await burning.corner().ask()


@pytest.mark.parametrize("fault", GROUPS, ids=str)
async def test_an_unreadable_group_permits_no_click(fault: Fault, burning: Workspace) -> None:
    corner, trouble = replace(burning.corner(), user=REQUESTER), GROUPS[fault]
    slack, shared = corner.slack, len(burning.fire.wechat.shared)
    question = await ask_first(corner, "group")
    before = len(corner.told)
    slack.fail("usergroups.list", *twice(trouble))
    await slack.click(corner.user, question, "confirm")
    await slack.until(lambda _: fault.told in corner.told[before:])
    assert len(burning.fire.wechat.shared) == shared
    if isinstance(trouble, RateLimited):
        await asyncio.sleep(trouble.retry_after)  # no click during the rate limit
    if fault is not SILENCE:
        await slack.click(corner.user, question, "confirm")
        assert WORKED in await ended(corner, question)
