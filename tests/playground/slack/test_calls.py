import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.methods import METHODS
from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
from bot.slack.api import Answered, SlackApi, retry_after
from tests.conftest import RELEASES, REQUESTER, Clock, Sleep, web_client


async def test_a_method_is_rate_limited_once_its_tier_is_used_up_until_the_stated_time(
    http: aiohttp.ClientSession, clock: Clock
) -> None:
    async with LocalSlack(World(), clock) as slack:
        api = SlackApi(web_client(slack.world.bot_token, slack.api_url, http), Sleep())
        slack.limits.on = True
        for _ in range(20):
            clock.now += 1
            assert isinstance(await api.read("usergroups.list"), Answered)
        refused = await api.read("usergroups.list")
        assert retry_after(refused) == 41
        assert isinstance(await api.read("users.info", user=REQUESTER), Answered)
        clock.now += 41
        assert isinstance(await api.read("usergroups.list"), Answered)
        assert retry_after(await api.read("usergroups.list")) == 1


async def test_messages_are_limited_for_each_channel(
    http: aiohttp.ClientSession, clock: Clock
) -> None:
    async with LocalSlack(World(), clock) as slack:
        api = SlackApi(web_client(slack.world.bot_token, slack.api_url, http), Sleep())
        slack.limits.on = True
        said = [
            await api.write("chat.postMessage", 0.0, channel=RELEASES, text="hi") for _ in range(61)
        ]
        assert [retry_after(each) for each in said] == [None] * 60 + [60]
        other = await api.write("chat.postMessage", 0.0, channel="C0APPROVALS", text="hi")
        assert isinstance(other, Answered)


async def test_rate_limits_are_off_by_default(api: AsyncWebClient) -> None:
    told = [await api.usergroups_list() for _ in range(25)]
    assert all(each["ok"] for each in told)


def test_every_method_has_a_tier_except_those_that_allow_hundreds() -> None:
    free = {name for name, method in METHODS.items() if method.a_minute is None}
    assert free == {"auth.test", "chat.getPermalink"}
