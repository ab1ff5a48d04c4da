"""Every method of the Web API that the bot calls, with every kind of failure."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

import pytest
import pytest_asyncio

from bot.playground.faults import Code, Drop, RateLimited, Slow, Status
from bot.playground.faults import Fault as Trouble
from tests.faults import slack_scenes as scenes
from tests.faults.corners import Workspace, workspace
from tests.faults.slack_scenes import Scene
from tests.faults.table import WORKED, Fault

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

LATER, UNKNOWN = "HTTP 429 with Retry-After", "an error that nobody knows"
TYPES = "JSON with wrong types in it"
BOTH: dict[str, Trouble] = {
    LATER: RateLimited(1),
    "HTTP 503": Status(503),
    "silence": Slow(90),
    "the connection drops": Drop(),
    UNKNOWN: Code("some_new_error"),
    "`token_revoked`": Code("token_revoked"),
    "a page of HTML": Status(200, b"<html>Welcome</html>", "text/html"),
    "JSON that is no object": Status(200, b"[]", "application/json"),
}
WRONG = b'{"ok": true, "channel": [7], "ts": {}, "user": "x", "messages": {"0": null}}'
READING = BOTH | {TYPES: Status(200, WRONG, "application/json")}
WRITING = BOTH | {
    "HTTP 500 after the effect": Status(500, after_effect=True),
    "the connection drops after the effect": Drop(after_effect=True),
    "`account_inactive`": Code("account_inactive"),
}
NOWHERE = ("not_in_channel", "channel_not_found", "is_archived", "msg_too_long")
POSTING = (
    WRITING
    | {TYPES: Status(200, WRONG, "application/json")}
    | {f"`{error}`": Code(error) for error in NOWHERE}
)
SAID_NO = (UNKNOWN, "`token_revoked`", "`account_inactive`", "`msg_too_long`")

NOT_TOLD = "Slack did not tell me; try again in a minute"
SLOW_DOWN = "Slack asked me to slow down; try again in a minute"
CANNOT_TELL = "I could not find out whether this channel is shared with another organisation"
TROUBLE = "Slack did not let me open a thread here, so only you can see this."
NOT_INVITED = "I am not in this conversation, so only you can see this."
ARCHIVED = "This channel is archived, so only you can see this."
TWICE = "Slack did not confirm this answer at first, so you may see it twice."
NO_FORM = "Slack did not confirm that the form opened. If you do not see it, please try again"
PAGE = "What you may share"


def fires(
    where: str,
    scene: Scene,
    troubles: Mapping[str, Trouble],
    told: str,
    but: Mapping[str, str] | None = None,
) -> Iterable[tuple[Fault, tuple[Scene, Trouble]]]:
    """Yield a fault for each kind of trouble: what is `told` usually, and what in special cases."""
    for kind, trouble in troubles.items():
        yield Fault("Slack", f"{where}: {kind}", (but or {}).get(kind, told)), (scene, trouble)


OUTSIDE = dict.fromkeys(SAID_NO, TROUBLE) | {
    "`not_in_channel`": NOT_INVITED,
    "`channel_not_found`": NOT_INVITED,
    "`is_archived`": ARCHIVED,
}
ANSWERED_NO_GOOD = dict.fromkeys((UNKNOWN, "`token_revoked`", TYPES), CANNOT_TELL)
FIRES: dict[Fault, tuple[Scene, Trouble]] = dict(
    [
        *fires("`users.info`", scenes.asking_who, READING, NOT_TOLD, {LATER: SLOW_DOWN}),
        *fires("`conversations.info`", scenes.asking_where, READING, WORKED, ANSWERED_NO_GOOD),
        *fires(
            "`chat.postMessage`, the parent", scenes.posting_the_parent, POSTING, WORKED, OUTSIDE
        ),
        *fires("`chat.postMessage`, the reply", scenes.replying, POSTING, WORKED),
        *fires("`chat.update`", scenes.editing, WRITING, WORKED),
        *fires(
            "`conversations.history`, to find the parent",
            scenes.looking_for_the_parent,
            READING,
            WORKED,
        ),
        *fires(
            "`conversations.replies`, to find the reply",
            scenes.looking_for_the_reply,
            READING,
            WORKED,
            dict.fromkeys(ANSWERED_NO_GOOD, TWICE),
        ),
        *fires(
            "`response_url`, at first",
            scenes.responding,
            WRITING,
            NOT_INVITED,
            dict.fromkeys(SAID_NO, WORKED),
        ),
        *fires(
            "`chat.postMessage`, the answer told directly",
            scenes.telling_directly,
            POSTING,
            WORKED,
        ),
        *fires("`views.open`", scenes.opening_the_form, WRITING, NO_FORM),
        *fires("`chat.postEphemeral`", scenes.telling_alone, WRITING, NO_FORM),
        *fires("`views.publish`", scenes.showing_the_home, WRITING, PAGE),
    ]
)
FAULTS = tuple(FIRES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def burning(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with workspace(tmp_path_factory.mktemp("fire")) as space:
        yield space


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(burning: Workspace) -> AsyncIterator[dict[Fault, asyncio.Task[str]]]:
    """Cause all faults at once, since a silence lasts fifteen seconds."""

    async def light(scene: Scene, trouble: Trouble) -> str:
        said = await scene(burning.corner(), trouble)
        assert WORKED in await burning.corner().ask(), "the next command"
        return said

    lit = {fault: asyncio.create_task(light(*lighting)) for fault, lighting in FIRES.items()}
    yield lit
    for task in lit.values():
        task.cancel()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_whatever_slack_does_the_requester_is_told_the_truth(
    fault: Fault, heard: dict[Fault, asyncio.Task[str]]
) -> None:
    said = await heard[fault]
    assert fault.told in said, said
    if said.startswith("On it"):
        assert said.count(WORKED) == 1 or TWICE in said, said
