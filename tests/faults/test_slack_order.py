"""Envelopes delivered twice or out of order, and groups that Slack does not return at a click."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
import pytest_asyncio

from bot.domain.outcome import Cancelled, Shared
from bot.playground.faults import Fault as Injected
from bot.playground.slack.server import PostedMessage
from bot.playground.world import APPID
from tests.conftest import REQUESTER, opened
from tests.faults.bots import request_of
from tests.faults.slack_actions import twice
from tests.faults.table import WORKED, Fault
from tests.faults.test_slack_api import READING
from tests.faults.workspace import RULES, Member, Workspace, open_workspace
from tests.said import CANCELLED, NO_SUCH_REQUEST, TOO_LATE, answer_to, late_answer

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


async def request_with_confirmation(member: Member, env: str = "sure") -> PostedMessage:
    """Request a share that needs a confirmation, and return the question."""
    number = member.new_env().removeprefix("prod-")
    await member.command(f"{APPID} {env}-{number}")
    return member.slack.shown_to(member.user)[-1]


async def messages_at_end(member: Member, question: PostedMessage) -> str:
    """Return all messages about a request once it has ended, and what only its requester was shown."""
    (id_,) = [word for word in question.text.split("`") if len(word) == 8 and word.isalnum()]
    await member.slack.until(lambda _: id_ in member.workspace.ended, 30)
    about = [m.text for m in member.slack.messages if id_ in m.text]
    return "\n".join([member.private_text, *about])


async def command_twice(member: Member) -> str:
    ack = await member.command(f"{APPID} {member.new_env()}")
    again = await member.slack.redeliver(ack)
    assert request_of(again) == request_of(ack)
    said = await member.answer(ack)
    assert request_of(await member.slack.redeliver(ack)) == request_of(ack)
    return said


async def click_twice(member: Member) -> str:
    question = await request_with_confirmation(member)
    await member.slack.redeliver(await member.slack.click(member.user, question, "confirm"))
    return await messages_at_end(member, question)


async def commands_swapped(member: Member) -> str:
    earlier, later = member.slack.next_trigger(), member.slack.next_trigger()
    second = await member.command(f"{APPID} {member.new_env()}", later)
    first = await member.command(f"{APPID} {member.new_env()}", earlier)
    said = await member.answer(first)
    assert WORKED in await member.answer(second)
    return said


async def cancel_before_confirm(member: Member) -> str:
    question = await request_with_confirmation(member)
    await member.slack.click(member.user, question, "cancel")
    await member.wait_for_words(CANCELLED)
    await member.slack.click(member.user, question, "confirm")
    return await member.wait_for_words(answer_to(Cancelled("")))


async def confirm_before_cancel(member: Member) -> str:
    question = await request_with_confirmation(member)
    await member.slack.click(member.user, question, "confirm")
    await messages_at_end(member, question)
    await member.slack.click(member.user, question, "cancel")
    return await member.wait_for_words(TOO_LATE)


async def click_before_its_request(member: Member) -> str:
    question = await request_with_confirmation(member)
    (buttons,) = [block for block in question.blocks if block["type"] == "actions"]
    elements = buttons["elements"]
    assert isinstance(elements, list)
    unknown = [e | {"value": "unknown0"} for e in elements if isinstance(e, dict)]
    forged = replace(question, blocks=({**buttons, "elements": [*unknown]},))
    await member.slack.click(member.user, forged, "confirm")
    return await member.wait_for_words(NO_SUCH_REQUEST)


async def form_twice(member: Member) -> str:
    trigger = member.slack.next_trigger()
    ack = await member.command("", trigger)
    await member.slack.redeliver(ack)
    view = await opened(member.slack, member.user)
    (env,) = await member.slack.options(member.user, view, "env", member.new_env())
    filled = member.slack.fill(member.user, view, {"env": env["value"], "appids": APPID})
    await member.slack.redeliver(await member.slack.submit(member.user, filled))
    await member.slack.until(lambda slack: bool(slack.parents(member.channel)), 30)
    id_ = member.slack.parents(member.channel)[0].text.split("Request `")[-1].split("`")[0]
    await member.slack.until(lambda _: id_ in member.workspace.ended, 30)
    assert len(member.slack.parents(member.channel)) == 1
    return "\n".join(m.text for m in member.slack.messages if id_ in m.text)


Action = Callable[[Member], Awaitable[str]]
ORDERS: dict[Fault, Action] = {
    Fault("Slack", "the same command twice", WORKED): command_twice,
    Fault("Slack", "the same click twice", WORKED): click_twice,
    Fault("Slack", "the same form twice", WORKED): form_twice,
    Fault("Slack", "the later of two commands comes first", WORKED): commands_swapped,
    Fault("Slack", "a click on “Cancel”, then one on “Share it”", answer_to(Cancelled(""))): (
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
SILENCE = Fault("Slack", f"{AT_A_CLICK} silence", "I could not find out who you are")
GROUPS: dict[Fault, Injected] = {
    **{
        Fault("Slack", f"{AT_A_CLICK} {kind}", WORKED): trouble
        for kind, trouble in READING.items()
        if kind != "silence"
    },
    SILENCE: READING["silence"],  # last, since no click is possible during it
}
FAULTS = (*ORDERS, *GROUPS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with open_workspace(tmp_path_factory.mktemp("faults"), CLICKS + RULES) as opened:
        yield opened


@pytest.mark.parametrize("fault", ORDERS, ids=str)
async def test_payloads_delivered_twice_or_out_of_order_take_effect_once(
    fault: Fault, workspace: Workspace
) -> None:
    said = await ORDERS[fault](workspace.new_member())
    assert fault.told in said, said
    assert said.count(WORKED) <= 1, said
    assert WORKED in await workspace.new_member().request_share()


@pytest.mark.parametrize("fault", GROUPS, ids=str)
async def test_a_click_waits_once_for_a_group_and_does_nothing_without_it(
    fault: Fault, workspace: Workspace
) -> None:
    member, trouble = replace(workspace.new_member(), user=REQUESTER), GROUPS[fault]
    slack, shared = member.slack, len(workspace.rig.wechat.shared)
    question = await request_with_confirmation(member, "group")
    before = len(member.private_text)
    slack.fail("usergroups.list", *twice(trouble))
    await slack.click(member.user, question, "confirm")
    if fault is SILENCE:
        await slack.until(lambda _: fault.told in member.private_text[before:], 30)
        assert len(workspace.rig.wechat.shared) == shared
    else:
        assert fault.told in await messages_at_end(member, question)
