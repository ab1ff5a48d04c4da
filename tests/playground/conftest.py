"""A local Slack whose clock is moved by hand, and the real slack_sdk as its client."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
from tests.conftest import Clock


async def error_of(call: Awaitable[AsyncSlackResponse]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


@pytest.fixture
def clock() -> Clock:
    """A clock, in Unix seconds, that is moved by hand."""
    clock = Clock()
    clock.now = 1_800_000_000.0
    return clock


@pytest.fixture
def ack_timeout() -> float:
    """Seconds that Slack waits for an ack: enough on a busy machine."""
    return 10.0


impatient = pytest.mark.parametrize("ack_timeout", [0.2])
"""For tests in which no ack comes in time."""


@pytest.fixture
async def slack(world: World, clock: Clock, ack_timeout: float) -> AsyncIterator[LocalSlack]:
    async with LocalSlack(world, clock, ack_timeout=ack_timeout) as slack:
        yield slack


@pytest.fixture
def api(slack: LocalSlack, http: aiohttp.ClientSession) -> AsyncWebClient:
    return AsyncWebClient(
        token=slack.world.bot_token, base_url=slack.api_url, session=http, retry_handlers=[]
    )


class App:
    """A small Bolt app: `bodies` has the payloads that it got, and tests add listeners to `bolt`."""

    def __init__(self, slack: LocalSlack, api: AsyncWebClient) -> None:
        self.bodies: list[dict[str, Any]] = []

        async def authorize(**_: object) -> AuthorizeResult:
            world = slack.world
            return AuthorizeResult(
                enterprise_id=None,
                team_id=world.team_id,
                bot_id=world.bot_id,
                bot_user_id=world.bot_user_id,
                bot_token=world.bot_token,
            )

        self.bolt = AsyncApp(
            name="app",
            client=api,
            authorize=authorize,
            signing_secret=slack.world.signing_secret,
            process_before_response=True,
        )
        self.bolt.use(self._note)

    async def _note(self, body: dict[str, Any], next: Callable[[], Awaitable[None]]) -> None:  # noqa: A002 - Bolt's name
        self.bodies.append(body)
        await next()

    def acks(self, *names: str, **answer: Any) -> None:
        """Ack clicks, forms, shortcuts and option requests with these names."""

        async def listen(ack: Callable[..., Awaitable[None]]) -> None:
            await ack(**answer)

        for name in names:
            for listener in (
                self.bolt.action,
                self.bolt.view_submission,
                self.bolt.options,
                self.bolt.shortcut,
            ):
                listener(name)(listen)


@pytest.fixture
async def app(slack: LocalSlack, api: AsyncWebClient) -> AsyncIterator[App]:
    app = App(slack, api)
    handler = AsyncSocketModeHandler(app.bolt, slack.world.app_token)
    await handler.connect_async()  # type: ignore[no-untyped-call]
    await slack.until(lambda slack: slack.sockets.connections == 1)
    yield app
    await handler.close_async()  # type: ignore[no-untyped-call]


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def option(value: str, text: str = "") -> dict[str, Any]:
    return {"text": plain(text or value.title()), "value": value}


def buttons(*names: str) -> list[dict[str, Any]]:
    """Return an actions block with a button for each name."""
    made = [
        {"type": "button", "text": plain(name.title()), "action_id": name, "value": f"{name} 1"}
        for name in names
    ]
    return [{"type": "actions", "block_id": "b", "elements": made}]


def asks(block_id: str, element: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return an input block."""
    label = plain(block_id.title())
    return {"type": "input", "block_id": block_id, "label": label, "element": element, **more}


def line(action_id: str, **more: Any) -> dict[str, Any]:
    """Return a text input."""
    return {"type": "plain_text_input", "action_id": action_id, **more}


def modal(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "type": "modal",
        "callback_id": "form",
        "title": plain("Share"),
        "submit": plain("Send"),
        "blocks": [*blocks],
        **more,
    }


def home(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "home", "blocks": [*blocks], **more}


def a_trigger(slack: LocalSlack, user: str = "U0SECOND") -> str:
    """Return a trigger_id of a person, valid for three seconds."""
    trigger = slack.next_trigger()
    slack.triggers.note(trigger, user)
    return trigger
