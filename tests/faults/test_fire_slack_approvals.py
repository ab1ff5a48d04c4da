"""The question to the approvers and a decision's modal while Slack fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from bot.playground.faults import Fault as Trouble
from bot.playground.faults import RateLimited
from bot.playground.world import APPID, BOT, Channel, SlackUser
from tests.faults.corners import RULES, Corner, Workspace, workspace
from tests.faults.slack_scenes import POST
from tests.faults.table import WORKED, Fault
from tests.faults.test_fire_slack import LATER, WRITING

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

OPEN = "views.open"
KINDS = (
    *(LATER, "HTTP 503", "silence", "the connection drops"),
    *("HTTP 500 after the effect", "the connection drops after the effect"),
)
NOT_OPENED = "Slack did not confirm that the form opened. If you do not see it, please click again"


@dataclass(frozen=True)
class Desk:
    """A requester, and an approver with a channel of their own; `opening` allows one modal at a time."""

    corner: Corner
    number: int
    opening: asyncio.Lock = field(repr=False)

    @property
    def approver(self) -> str:
        """The approver."""
        return f"U0A{self.number}"

    @property
    def channel(self) -> str:
        """The approvers' channel."""
        return f"C0A{self.number}"

    async def ask(self) -> str:
        """Request a share, and return the ts of the question to the approver."""
        slack = self.corner.slack
        ack = await self.corner.command(f"{APPID} core-{self.number}")
        assert "needs an approval" in str(ack.payload), ack
        await slack.until(lambda _: bool(slack.parents(self.channel)), 60)
        return slack.parents(self.channel)[0].ts

    async def decide(self, question: str) -> str:
        """Approve, and return all messages in the requester's channel once the request has ended."""
        slack, where = self.corner.slack, self.corner.channel
        async with self.opening:
            await slack.click(self.approver, question, "approve")
            await slack.until(lambda _: bool(slack.views(self.approver)))
        await slack.submit(self.approver, slack.views(self.approver)[-1])
        await slack.until(lambda _: any(m.text[0] == "✅" for m in slack.parents(where)), 60)
        assert len(slack.parents(self.channel)) == 1
        return "\n".join(m.text for m in slack.messages if m.channel == where)


Scene = Callable[[Desk, Trouble], Coroutine[None, None, str]]


async def asking(desk: Desk, trouble: Trouble) -> str:
    """Make posting the question fail."""
    desk.corner.slack.fail(POST, trouble, channel=desk.channel)
    said = await desk.decide(await desk.ask())
    assert said.count(WORKED) == 1, said
    return said


async def opening(desk: Desk, trouble: Trouble) -> str:
    """Make opening the modal fail; a second click decides."""
    slack, question = desk.corner.slack, await desk.ask()
    async with desk.opening:
        called = sum(call.method == OPEN for call in slack.calls)
        slack.fail(OPEN, trouble)
        await slack.click(desk.approver, question, "approve")
        await slack.until(lambda _: sum(call.method == OPEN for call in slack.calls) > called)
        if isinstance(trouble, RateLimited):
            await asyncio.sleep(trouble.retry_after)  # no click during the rate limit
    await slack.until(lambda _: bool(slack.shown_to(desk.approver)), 60)
    told = slack.shown_to(desk.approver)[-1].text
    assert WORKED in await desk.decide(question)
    return told


FIRES: dict[Fault, tuple[Scene, Trouble]] = {
    Fault("Slack", f"{where}: {kind}", told): (scene, WRITING[kind])
    for where, scene, told in (
        ("`chat.postMessage`, the question to the approvers", asking, WORKED),
        ("`views.open`, the modal of a decision", opening, NOT_OPENED),
    )
    for kind in KINDS
}
FAULTS = tuple(FIRES)
APPROVED = "".join(
    f"""
[[rule]]
name = "four eyes {number}"
users = ["*"]
envs = ["core-{number}"]
effect = "approve"
approvers = {{ users = ["U0A{number}"], channel = "C0A{number}" }}
"""
    for number in range(len(FAULTS))
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def burning(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with workspace(tmp_path_factory.mktemp("fire"), APPROVED + RULES) as space:
        yield space


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(burning: Workspace) -> AsyncIterator[dict[Fault, asyncio.Task[str]]]:
    """Cause all faults at once, since a silence lasts fifteen seconds."""
    lock = asyncio.Lock()
    lit: dict[Fault, asyncio.Task[str]] = {}
    for number, (fault, (scene, trouble)) in enumerate(FIRES.items()):
        desk = Desk(burning.corner(), number, lock)
        burning.slack.people[desk.approver] = SlackUser(desk.approver, f"approver-{number}")
        members = frozenset({desk.approver, BOT})
        where = Channel(desk.channel, f"desk-{number}", "public", members)
        burning.slack.channels[desk.channel] = where
        lit[fault] = asyncio.create_task(scene(desk, trouble))
    yield lit
    for task in lit.values():
        task.cancel()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_whatever_slack_does_approvers_are_asked_once_and_can_decide(
    fault: Fault, heard: dict[Fault, asyncio.Task[str]]
) -> None:
    said = await heard[fault]
    assert fault.told in said, said
