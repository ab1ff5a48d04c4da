"""Every method of the Web API that the bot calls, with every kind of wrong answer; one of them also on a failing network.

`tests/simulation` has the network fail for all of them.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

import pytest
import pytest_asyncio

from bot.playground.faults import Code, Drop, RateLimited, Slow, Status
from bot.playground.faults import Fault as Injected
from tests.faults import slack_actions as actions
from tests.faults.slack_actions import Action
from tests.faults.table import WORKED, Fault
from tests.faults.workspace import Workspace, open_workspace

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

UNKNOWN = "an error that nobody knows"
TYPES = "JSON with wrong types in it"
NETWORK: dict[str, Injected] = {
    "HTTP 429 with Retry-After": RateLimited(1),
    "HTTP 503": Status(503),
    "silence": Slow(90),
    "the connection drops": Drop(),
    "HTTP 500 after the effect": Status(500, after_effect=True),
    "the connection drops after the effect": Drop(after_effect=True),
}
BOTH: dict[str, Injected] = {
    UNKNOWN: Code("some_new_error"),
    "`token_revoked`": Code("token_revoked"),
    "a page of HTML": Status(200, b"<html>Welcome</html>", "text/html"),
    "JSON that is no object": Status(200, b"[]", "application/json"),
}
WRONG = b'{"ok": true, "channel": [7], "ts": {}, "user": "x", "messages": {"0": null}}'
READING = BOTH | {TYPES: Status(200, WRONG, "application/json")}
WRITING = BOTH | {"`account_inactive`": Code("account_inactive")}
NOWHERE = ("not_in_channel", "channel_not_found", "is_archived", "msg_too_long")
PASSING = {kind: each for kind, each in WRITING.items() if not isinstance(each, Code)}
POSTING = (
    WRITING
    | {TYPES: Status(200, WRONG, "application/json")}
    | {f"`{error}`": Code(error) for error in NOWHERE}
)
REFUSALS = (UNKNOWN, "`token_revoked`", "`account_inactive`", "`msg_too_long`")

NOT_TOLD = "Slack did not answer; try again in a minute"
CANNOT_TELL = (
    "I could not find out whether the channel where you asked is shared with another organisation"
)
TROUBLE = "Slack did not let me open a thread where you asked, so only you can see this."
NOT_INVITED = "I am not in the conversation where you asked, so only you can see this."
ARCHIVED = "The channel where you asked is archived, so only you can see this."
FORM_UNCONFIRMED = (
    "Slack did not confirm that the form opened. If you do not see it, please try again"
)
PAGE = "What you may share"


def faults_of(
    where: str,
    action: Action,
    troubles: Mapping[str, Injected],
    told: str,
    but: Mapping[str, str] | None = None,
) -> Iterable[tuple[Fault, tuple[Action, Injected]]]:
    """Yield a fault for each kind of trouble: what is `told` usually, and what in special cases."""
    for kind, trouble in troubles.items():
        yield Fault("Slack", f"{where}: {kind}", (but or {}).get(kind, told)), (action, trouble)


OUTSIDE = dict.fromkeys(REFUSALS, TROUBLE) | {
    "`not_in_channel`": NOT_INVITED,
    "`channel_not_found`": NOT_INVITED,
    "`is_archived`": ARCHIVED,
}
ANSWERED_NO_GOOD = dict.fromkeys((UNKNOWN, "`token_revoked`", TYPES), CANNOT_TELL)
CASES: dict[Fault, tuple[Action, Injected]] = dict(
    [
        *faults_of("`users.info`", actions.look_up_requester, READING, NOT_TOLD),
        *faults_of(
            "`conversations.info`", actions.look_up_channel, READING, WORKED, ANSWERED_NO_GOOD
        ),
        *faults_of(
            "`chat.postMessage`, the parent",
            actions.post_parent,
            NETWORK | POSTING,
            WORKED,
            OUTSIDE,
        ),
        *faults_of("`chat.postMessage`, the reply", actions.post_reply, POSTING, WORKED),
        *faults_of("`chat.update`", actions.edit_parent, WRITING, WORKED),
        *faults_of(
            "`conversations.history`, to find the parent",
            actions.find_parent,
            READING,
            WORKED,
        ),
        *faults_of(
            "`conversations.replies`, to find the reply",
            actions.find_reply,
            READING | {"`thread_not_found`": Code("thread_not_found")},
            WORKED,
        ),
        *faults_of("`response_url`, at first", actions.use_response_url, WRITING, WORKED),
        *faults_of(
            "`chat.postMessage`, the answer told directly",
            actions.send_direct_message,
            POSTING,
            WORKED,
        ),
        *faults_of(
            "`conversations.open`, to find that answer",
            actions.find_direct_message,
            WRITING,
            WORKED,
        ),
        *faults_of(
            "`chat.delete`, of a reply beside its deleted parent",
            actions.delete_reply,
            PASSING,
            WORKED,
        ),
        *faults_of("`views.open`", actions.open_form, WRITING, FORM_UNCONFIRMED),
        *faults_of("`chat.postEphemeral`", actions.send_ephemeral, WRITING, FORM_UNCONFIRMED),
        *faults_of("`views.publish`", actions.publish_home, WRITING, PAGE),
    ]
)
FAULTS = tuple(CASES)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def workspace(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Workspace]:
    async with open_workspace(tmp_path_factory.mktemp("faults")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replies(workspace: Workspace) -> AsyncIterator[dict[Fault, asyncio.Task[str]]]:
    """Cause all faults at once, since most of the time is spent waiting."""

    async def run(action: Action, trouble: Injected) -> str:
        said = await action(workspace.new_member(), trouble)
        assert WORKED in await workspace.new_member().request_share(), "the next command"
        return said

    tasks = {fault: asyncio.create_task(run(*faulty)) for fault, faulty in CASES.items()}
    yield tasks
    for task in tasks.values():
        task.cancel()


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_whatever_slack_does_the_requester_is_told_the_truth(
    fault: Fault, replies: dict[Fault, asyncio.Task[str]]
) -> None:
    said = await replies[fault]
    assert fault.told in said, said
    if said.startswith("On it"):
        assert said.count(WORKED) == 1, said
