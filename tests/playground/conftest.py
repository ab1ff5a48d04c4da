"""A stand-in Slack and WeChat for each test, and the real slack_sdk to talk to the first."""

from collections.abc import AsyncIterator, Awaitable

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.playground.slack import LocalSlack
from bot.playground.wechat import LocalWeChat
from bot.playground.world import seed


class Clock:
    """A clock that stands still until it is moved, in Unix seconds."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


async def error_of(call: Awaitable[AsyncSlackResponse]) -> str:
    with pytest.raises(SlackApiError) as caught:
        await call
    return str(caught.value.response["error"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as http:
        yield http


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[LocalSlack]:
    async with LocalSlack(seed(), clock, ack_timeout=0.2) as slack:
        yield slack


@pytest.fixture
def api(slack: LocalSlack, http: aiohttp.ClientSession) -> AsyncWebClient:
    return AsyncWebClient(
        token=slack.world.bot_token, base_url=slack.api_url, session=http, retry_handlers=[]
    )


@pytest.fixture
async def wechat() -> AsyncIterator[LocalWeChat]:
    async with LocalWeChat() as wechat:
        yield wechat
