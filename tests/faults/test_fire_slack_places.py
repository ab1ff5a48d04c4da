"""Changes to the place of an answer between the parent and the reply."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from bot.playground.faults import Code
from bot.playground.slack.server import PostedMessage
from tests.faults.corners import Corner, Workspace, workspace
from tests.faults.table import WORKED, Fault

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

SPEAKING = ("chat.postMessage", "chat.update", "chat.postEphemeral")


def archived(corner: Corner, _: PostedMessage) -> None:
    corner.slack.archive(corner.channel)


def deleted(corner: Corner, parent: PostedMessage) -> None:
    corner.slack.orphans = "refused"
    corner.slack.delete(parent)


def deleted_unsaid(corner: Corner, parent: PostedMessage) -> None:
    corner.slack.orphans = "top level"
    corner.slack.delete(parent)


def removed(corner: Corner, _: PostedMessage) -> None:
    corner.slack.remove_bot(corner.channel)


def revoked(corner: Corner, _: PostedMessage) -> None:
    for method in SPEAKING:
        corner.slack.fail(method, *[Code("token_revoked")] * 9, channel=corner.channel)


def not_directly(corner: Corner) -> None:
    for method in SPEAKING:
        corner.slack.fail(method, *[Code("messages_tab_disabled")] * 9, channel=corner.user)


async def between(corner: Corner, what: Callable[[Corner, PostedMessage], None]) -> str:
    """Do something as soon as the parent is posted; return all messages at the end."""
    corner.workspace.on_message(corner.channel, lambda parent: what(corner, parent))
    return await corner.ask()


async def alone(corner: Corner, what: Callable[[Corner, PostedMessage], None]) -> str:
    """Return what the requester alone was told."""
    await between(corner, what)
    return corner.told


async def responded(corner: Corner, what: Callable[[Corner, PostedMessage], None]) -> str:
    """Make direct messages fail too; return what the requester was told through the response_url."""
    not_directly(corner)
    return await alone(corner, what)


async def nowhere(corner: Corner, what: Callable[[Corner, PostedMessage], None]) -> str:
    """Make every delivery to the requester fail; return their history."""
    corner.slack.fail("response_url", *[Code("used_url")] * 5, user=corner.user)
    assert WORKED not in await responded(corner, what)
    ack = await corner.command("history")
    return str((ack.payload or {}).get("text"))


Scene = Callable[[Corner, Callable[[Corner, PostedMessage], None]], Awaitable[str]]
EVENTS: dict[str, Callable[[Corner, PostedMessage], None]] = {
    "the channel is archived": archived,
    "the parent is deleted, and Slack says so": deleted,
    "the parent is deleted, and Slack posts the reply beside": deleted_unsaid,
    "the bot is removed from the channel": removed,
    "the bot's token is revoked": revoked,
}
SCENES: dict[str, Scene] = {
    "": alone,
    ", and no direct message goes": responded,
    ", and nothing else goes either": nowhere,
}
TOLD: dict[Scene, str] = {alone: WORKED, responded: WORKED, nowhere: "✅"}
FIRES = {
    Fault("Slack", f"between parent and reply {event}{more}", TOLD[scene]): (scene, what)
    for event, what in EVENTS.items()
    for more, scene in SCENES.items()
}
FAULTS = tuple(FIRES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def burning(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with workspace(tmp_path_factory.mktemp("fire")) as space:
        yield space


@pytest.mark.parametrize("private", [False, True], ids=["public", "private"])
@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_whatever_becomes_of_the_place_the_answer_arrives_once(
    fault: Fault, burning: Workspace, private: bool
) -> None:
    scene, what = FIRES[fault]
    corner = burning.corner("private" if private else "public")
    said = await scene(corner, what)
    assert fault.told in said, said
    assert said.count(WORKED) == (scene is not nowhere), said
    assert WORKED in await burning.corner().ask()
