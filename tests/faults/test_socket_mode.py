"""The socket to Slack: how it can end, and what can prevent the next connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from bot.playground.faults import Code, Drop, RateLimited, Slow, Status
from bot.playground.faults import Fault as Injected
from bot.playground.slack.server import LocalSlack
from tests.faults.table import WORKED, Fault
from tests.faults.workspace import Workspace, open_workspace

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

OPEN = "apps.connections.open"
REVOKED = Code("token_revoked")
Event = Callable[[LocalSlack], Awaitable[None]]


def disconnect(reason: str, *troubles: Injected) -> Event:
    """Return an end of the connection that Slack announces; the bot's requests for the next URL then fail in these ways."""

    async def happen(slack: LocalSlack) -> None:
        slack.fail(OPEN, *troubles)
        await slack.sockets.disconnect(reason)

    return happen


async def drop(slack: LocalSlack) -> None:
    slack.sockets.drop()


async def expire(slack: LocalSlack) -> None:
    asked, in_vain = opened(slack), opened(slack) - slack.sockets.greeted
    slack.sockets.drop()
    await slack.until(lambda slack: opened(slack) > asked)
    slack.sockets.expire_tickets()
    # One URL leads nowhere, and the bot requests another.
    await slack.until(
        lambda slack: opened(slack) > asked + 1 and opened(slack) - slack.sockets.greeted > in_vain,
        60,
    )


async def crowd_out(slack: LocalSlack) -> None:
    slack.sockets.most = 0
    refused = slack.sockets.refused
    slack.sockets.drop()
    await slack.until(lambda slack: slack.sockets.refused > refused, 60)
    slack.sockets.most = 10


async def hold_the_handshake(slack: LocalSlack) -> None:
    slack.sockets.silent = 1
    greeted = slack.sockets.greeted
    await slack.sockets.disconnect()
    await slack.until(lambda slack: slack.sockets.greeted > greeted, 60)
    assert slack.sockets.silent == 0


def failing_url_request(what: str, trouble: Injected) -> tuple[Fault, Event]:
    """Return a fault of the bot's request for a URL."""
    event = disconnect("refresh_requested", trouble)
    return Fault("Socket Mode", f"`{OPEN}` after a disconnect: {what}", WORKED), event


def ending_connection(what: str, event: Event, told: str = WORKED) -> tuple[Fault, Event]:
    """Return a fault that ends the connection."""
    return Fault("Socket Mode", what, told), event


SEQUENCES: tuple[dict[Fault, Event], ...] = (
    dict(
        [
            ending_connection("`disconnect`: `warning`", disconnect("warning")),
            ending_connection("`disconnect`: `refresh_requested`", disconnect("refresh_requested")),
            ending_connection("the socket closes without a frame", drop),
            failing_url_request("HTTP 429 with Retry-After", RateLimited(1)),
            failing_url_request("the connection drops", Drop()),
        ]
    ),
    dict(
        [
            ending_connection("the ticket has expired at the reconnect", expire),
            ending_connection("the next socket stays silent", hold_the_handshake),
            ending_connection("the app has ten connections elsewhere for a while", crowd_out),
            failing_url_request("HTTP 503", Status(503)),
        ]
    ),
    dict(
        [
            ending_connection(
                "`disconnect`: `link_disabled`, Socket Mode is off for a while",
                disconnect("link_disabled", Code("link_disabled")),
            ),
            failing_url_request("an error that nobody knows", Code("some_new_error")),
        ]
    ),
    dict(
        [
            failing_url_request("`token_revoked`, until it is given back", REVOKED),
            failing_url_request(
                "a page of HTML", Status(200, b"<html>Welcome</html>", "text/html")
            ),
            failing_url_request("JSON that is no object", Status(200, b"[]", "application/json")),
        ]
    ),
    dict(
        [
            failing_url_request(
                "JSON without an address", Status(200, b'{"ok": true}', "application/json")
            ),
            failing_url_request(
                "an address of a wrong type",
                Status(200, b'{"ok": true, "url": [7]}', "application/json"),
            ),
            failing_url_request(
                "an address that is none",
                Status(200, b'{"ok": true, "url": "nonsense"}', "application/json"),
            ),
        ]
    ),
    dict([failing_url_request("silence", Slow(90))]),
)
"""Each list runs in a process of its own, one fault after the other; all processes run at once."""
FAULTS = tuple(fault for sequence in SEQUENCES for fault in sequence)


def opened(slack: LocalSlack) -> int:
    """Return how many URLs were issued."""
    return sum(call.method == OPEN and call.error is None for call in slack.calls)


async def reply_after(workspace: Workspace, event: Event) -> str:
    """Cause the fault, wait until the bot is connected again, and return the result of a command."""
    greeted = workspace.slack.sockets.greeted
    await event(workspace.slack)
    # After a warning, the old and the new connection overlap for a moment.
    await workspace.slack.until(
        lambda slack: slack.sockets.greeted > greeted and slack.sockets.connections == 1,
        within := 60,
    )
    return await workspace.new_member().request_share(within)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def replies(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[Fault, asyncio.Task[str]]]:
    async def run(workspace: Workspace, order: asyncio.Lock, event: Event) -> str:
        async with order:  # in the order in which they came
            return await reply_after(workspace, event)

    tasks: dict[Fault, asyncio.Task[str]] = {}
    async with AsyncExitStack() as stack:
        for sequence in SEQUENCES:
            opening = open_workspace(tmp_path_factory.mktemp("faults"))
            workspace, order = await stack.enter_async_context(opening), asyncio.Lock()
            for fault, event in sequence.items():
                tasks[fault] = asyncio.create_task(run(workspace, order, event))
        yield tasks
        await asyncio.wait(tasks.values())


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_the_bot_reconnects_and_answers(
    fault: Fault, replies: dict[Fault, asyncio.Task[str]]
) -> None:
    said = await replies[fault]
    assert fault.told in said
    assert said.count(WORKED) == 1
