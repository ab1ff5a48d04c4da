"""The socket to Slack: how it can end, and what can prevent the next connection."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from bot.playground.faults import Code, Drop, RateLimited, Slow, Status
from bot.playground.faults import Fault as Trouble
from bot.playground.slack.server import LocalSlack
from tests.faults.corners import Workspace, workspace
from tests.faults.table import WORKED, Fault

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

OPEN = "apps.connections.open"
REVOKED = Code("token_revoked")
Event = Callable[[LocalSlack], Awaitable[None]]


def disconnect(reason: str, *troubles: Trouble) -> Event:
    """Return an end that Slack announces, and the fault of the bot's request for the next connection."""

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
    assert slack.sockets.silent == 1
    greeted = slack.sockets.greeted
    await slack.sockets.disconnect()
    await slack.until(lambda slack: slack.sockets.greeted > greeted, 60)
    assert slack.sockets.silent == 0


def asking(what: str, trouble: Trouble) -> tuple[Fault, Event]:
    """Return a fault of the bot's request for a URL."""
    event = disconnect("refresh_requested", trouble)
    return Fault("Socket Mode", f"`{OPEN}` after a disconnect: {what}", WORKED), event


def ending(what: str, event: Event, told: str = WORKED) -> tuple[Fault, Event]:
    """Return a way in which a connection ends."""
    return Fault("Socket Mode", what, told), event


CHAINS: tuple[dict[Fault, Event], ...] = (
    dict(
        [
            ending("`disconnect`: `warning`", disconnect("warning")),
            ending("`disconnect`: `refresh_requested`", disconnect("refresh_requested")),
            ending("the socket closes without a frame", drop),
            asking("HTTP 429 with Retry-After", RateLimited(1)),
            asking("the connection drops", Drop()),
        ]
    ),
    dict(
        [
            ending("the ticket has expired at the reconnect", expire),
            ending("the next socket stays silent", hold_the_handshake),
            ending("the app has ten connections elsewhere for a while", crowd_out),
            asking("HTTP 503", Status(503)),
        ]
    ),
    dict(
        [
            ending(
                "`disconnect`: `link_disabled`, Socket Mode is off for a while",
                disconnect("link_disabled", Code("link_disabled"), Code("link_disabled")),
            ),
            asking("an error that nobody knows", Code("some_new_error")),
        ]
    ),
    dict(
        [
            asking("`token_revoked`, until it is given back", REVOKED),
            asking("a page of HTML", Status(200, b"<html>Welcome</html>", "text/html")),
            asking("JSON that is no object", Status(200, b"[]", "application/json")),
        ]
    ),
    dict(
        [
            asking("JSON without an address", Status(200, b'{"ok": true}', "application/json")),
            asking(
                "an address of a wrong type",
                Status(200, b'{"ok": true, "url": [7]}', "application/json"),
            ),
            asking(
                "an address that is none",
                Status(200, b'{"ok": true, "url": "nonsense"}', "application/json"),
            ),
        ]
    ),
    dict([asking("silence", Slow(90))]),
)
"""Each list runs in a process of its own, one fault after the other; all processes run at once."""
FAULTS = tuple(fault for chain in CHAINS for fault in chain)


def opened(slack: LocalSlack) -> int:
    """Return how many URLs were issued."""
    return sum(call.method == OPEN and call.error is None for call in slack.calls)


async def told(burning: Workspace, event: Event) -> str:
    """Cause the fault, wait until the bot is connected again, and return the result of a command."""
    greeted = burning.slack.sockets.greeted
    await event(burning.slack)
    # After a warning, the old and the new connection overlap for a moment.
    await burning.slack.until(
        lambda slack: slack.sockets.greeted > greeted and slack.sockets.connections == 1,
        within := 60,
    )
    return await burning.corner().ask(within)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def heard(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[dict[Fault, asyncio.Task[str]]]:
    async def light(burning: Workspace, turn: asyncio.Lock, event: Event) -> str:
        async with turn:  # in the order in which they came
            return await told(burning, event)

    lit: dict[Fault, asyncio.Task[str]] = {}
    async with AsyncExitStack() as stack:
        for chain in CHAINS:
            space = workspace(tmp_path_factory.mktemp("fire"))
            burning, turn = await stack.enter_async_context(space), asyncio.Lock()
            for fault, event in chain.items():
                lit[fault] = asyncio.create_task(light(burning, turn, event))
        yield lit
        await asyncio.wait(lit.values())


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_the_bot_comes_back_and_answers(
    fault: Fault, heard: dict[Fault, asyncio.Task[str]]
) -> None:
    said = await heard[fault]
    assert fault.told in said
    assert said.count(WORKED) == 1
