"""The question to the approvers and a decision's modal while Slack fails."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field

import pytest
import pytest_asyncio

from bot.playground.faults import Fault as Injected
from bot.playground.faults import RateLimited
from bot.playground.world import APPID, BOT, Channel, SlackUser
from tests.conftest import calls_of, opened
from tests.faults.slack_actions import POST
from tests.faults.table import WORKED, Fault
from tests.faults.test_slack_api import FORM_UNCONFIRMED, LATER, WRITING
from tests.faults.workspace import RULES, Member, Workspace, open_workspace
from tests.said import NEEDS_APPROVAL

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

OPEN = "views.open"
KINDS = (
    *(LATER, "HTTP 503", "silence", "the connection drops"),
    *("HTTP 500 after the effect", "the connection drops after the effect"),
)


@dataclass(frozen=True)
class Approval:
    """One approval: a requester, and an approver with a channel of their own; `modal_lock` allows one modal at a time."""

    requester: Member
    number: int
    modal_lock: asyncio.Lock = field(repr=False)

    @property
    def approver(self) -> str:
        """The approver."""
        return f"U0A{self.number}"

    @property
    def channel(self) -> str:
        """The approvers' channel."""
        return f"C0A{self.number}"

    async def request_share(self) -> str:
        """Request a share, and return the ts of the question to the approver."""
        slack = self.requester.slack
        ack = await self.requester.command(f"{APPID} core-{self.number}")
        assert NEEDS_APPROVAL in str(ack.payload), ack
        await slack.until(lambda _: bool(slack.parents(self.channel)), 60)
        return slack.parents(self.channel)[0].ts

    async def decide(self, question: str) -> str:
        """Approve, and return all messages in the requester's channel once the request has ended."""
        slack, where = self.requester.slack, self.requester.channel
        async with self.modal_lock:
            await slack.click(self.approver, question, "approve")
            modal = await opened(slack, self.approver)
        await slack.submit(self.approver, modal)
        await slack.until(lambda _: any(m.text[0] == "✅" for m in slack.parents(where)), 60)
        assert len(slack.parents(self.channel)) == 1
        return "\n".join(m.text for m in slack.messages if m.channel == where)


Action = Callable[[Approval, Injected], Coroutine[None, None, str]]


async def post_question(approval: Approval, trouble: Injected) -> str:
    """Make posting the question fail."""
    approval.requester.slack.fail(POST, trouble, channel=approval.channel)
    said = await approval.decide(await approval.request_share())
    assert said.count(WORKED) == 1, said
    return said


async def open_modal(approval: Approval, trouble: Injected) -> str:
    """Make opening the modal fail; a second click decides."""
    slack, question = approval.requester.slack, await approval.request_share()
    async with approval.modal_lock:
        called = calls_of(slack, OPEN)
        slack.fail(OPEN, trouble)
        await slack.click(approval.approver, question, "approve")
        await slack.until(lambda _: calls_of(slack, OPEN) > called)
        if isinstance(trouble, RateLimited):
            await asyncio.sleep(trouble.retry_after)  # no click during the rate limit
    await slack.until(lambda _: bool(slack.shown_to(approval.approver)), 60)
    told = slack.shown_to(approval.approver)[-1].text
    assert WORKED in await approval.decide(question)
    return told


CASES: dict[Fault, tuple[Action, Injected]] = {
    Fault("Slack", f"{where}: {kind}", told): (action, WRITING[kind])
    for where, action, told in (
        ("`chat.postMessage`, the question to the approvers", post_question, WORKED),
        ("`views.open`, the modal of a decision", open_modal, FORM_UNCONFIRMED),
    )
    for kind in KINDS
}
FAULTS = tuple(CASES)
APPROVAL_RULES = "".join(
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
async def workspace(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with open_workspace(tmp_path_factory.mktemp("faults"), APPROVAL_RULES + RULES) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replies(workspace: Workspace) -> AsyncIterator[dict[Fault, asyncio.Task[str]]]:
    """Cause all faults at once, since a silence lasts fifteen seconds."""
    lock = asyncio.Lock()
    tasks: dict[Fault, asyncio.Task[str]] = {}
    for number, (fault, (action, trouble)) in enumerate(CASES.items()):
        approval = Approval(workspace.new_member(), number, lock)
        workspace.slack.people[approval.approver] = SlackUser(
            approval.approver, f"approver-{number}"
        )
        members = frozenset({approval.approver, BOT})
        where = Channel(approval.channel, f"approvals-{number}", kind="public", members=members)
        workspace.slack.channels[approval.channel] = where
        tasks[fault] = asyncio.create_task(action(approval, trouble))
    yield tasks
    for task in tasks.values():
        task.cancel()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_whatever_slack_does_approvers_are_asked_once_and_can_decide(
    fault: Fault, replies: dict[Fault, asyncio.Task[str]]
) -> None:
    said = await replies[fault]
    assert fault.told in said, said
