"""The channel, the parent or the bot's token is lost between the parent message and the reply."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from bot.playground.faults import Code
from bot.playground.slack.server import PostedMessage
from tests.faults.table import WORKED, Fault
from tests.faults.workspace import Member, Workspace, open_workspace

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

POSTING = ("chat.postMessage", "chat.update", "chat.postEphemeral")


def archive(member: Member, _: PostedMessage) -> None:
    member.archive_channel()


def delete(member: Member, parent: PostedMessage) -> None:
    member.slack.orphans = "refused"
    member.slack.delete(parent.ts)


def delete_silently(member: Member, parent: PostedMessage) -> None:
    member.slack.orphans = "top level"
    member.slack.delete(parent.ts)


def remove_bot(member: Member, _: PostedMessage) -> None:
    member.remove_bot()


def revoke_token(member: Member, _: PostedMessage) -> None:
    for method in POSTING:
        member.slack.fail(method, *[Code("token_revoked")] * 9, channel=member.channel)


def refuse_direct_messages(member: Member) -> None:
    for method in POSTING:
        member.slack.fail(method, *[Code("messages_tab_disabled")] * 9, channel=member.user)


async def after_parent(member: Member, what: Callable[[Member, PostedMessage], None]) -> str:
    """Do something as soon as the parent is posted; return all messages at the end."""
    member.workspace.on_message(member.channel, lambda parent: what(member, parent))
    return await member.request_share()


async def told_privately(member: Member, what: Callable[[Member, PostedMessage], None]) -> str:
    """Return what the requester alone was told."""
    await after_parent(member, what)
    return member.private_text


async def told_by_response_url(
    member: Member, what: Callable[[Member, PostedMessage], None]
) -> str:
    """Make direct messages fail too; return what the requester was told through the response_url."""
    refuse_direct_messages(member)
    return await told_privately(member, what)


async def told_in_history(member: Member, what: Callable[[Member, PostedMessage], None]) -> str:
    """Make every delivery to the requester fail; return their history."""
    member.slack.fail("response_url", *[Code("used_url")] * 5, user=member.user)
    assert WORKED not in await told_by_response_url(member, what)
    ack = await member.command("history")
    return str((ack.payload or {}).get("text"))


Listen = Callable[[Member, Callable[[Member, PostedMessage], None]], Awaitable[str]]
EVENTS: dict[str, Callable[[Member, PostedMessage], None]] = {
    "the channel is archived": archive,
    "the parent is deleted, and Slack says so": delete,
    "the parent is deleted, and Slack posts the reply beside": delete_silently,
    "the bot is removed from the channel": remove_bot,
    "the bot's token is revoked": revoke_token,
}
PLACES: dict[str, Listen] = {
    "": told_privately,
    ", and no direct message goes": told_by_response_url,
    ", and nothing else goes either": told_in_history,
}
TOLD: dict[Listen, str] = {
    told_privately: WORKED,
    told_by_response_url: WORKED,
    told_in_history: "✅",
}
CASES = {
    Fault("Slack", f"between parent and reply {event}{more}", TOLD[listen]): (listen, what)
    for event, what in EVENTS.items()
    for more, listen in PLACES.items()
}
FAULTS = tuple(CASES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with open_workspace(tmp_path_factory.mktemp("faults")) as opened:
        yield opened


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_the_answer_arrives_once_even_if_its_channel_or_parent_is_lost(
    fault: Fault, workspace: Workspace
) -> None:
    listen, what = CASES[fault]
    member = workspace.new_member()
    said = await listen(member, what)
    assert fault.told in said, said
    assert said.count(WORKED) == (listen is not told_in_history), said
    assert WORKED in await workspace.new_member().request_share()
