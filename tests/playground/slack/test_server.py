import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.faults import Drop, Fault, RateLimited, Status
from bot.playground.slack.server import LocalSlack
from tests.conftest import RELEASES
from tests.playground.conftest import error_of


async def test_auth_test_returns_the_team_and_the_bot(api: AsyncWebClient) -> None:
    answer = await api.auth_test()
    assert (answer["team_id"], answer["user_id"]) == ("T0PLAYGROUND", "U0SHAREENV")
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


@pytest.mark.parametrize(
    ("token", "error"),
    [
        ("", "not_authed"),
        ("xoxb-unknown", "invalid_auth"),
        ("xapp-playground-made-up", "not_allowed_token_type"),
    ],
)
async def test_a_method_requires_the_bots_token(
    slack: LocalSlack, http: aiohttp.ClientSession, token: str, error: str
) -> None:
    url = slack.api_url + "auth.test"
    async with http.post(url, headers={"Authorization": f"Bearer {token}"}) as response:
        assert (await response.json())["error"] == error


async def test_only_the_app_token_opens_a_connection(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    opening = api.apps_connections_open(app_token=slack.world.bot_token)
    assert await error_of(opening) == "not_allowed_token_type"
    answer = await api.apps_connections_open(app_token=slack.world.app_token)
    assert answer["url"].startswith("ws://127.0.0.1:")


async def test_a_missing_scope_is_named(slack: LocalSlack, api: AsyncWebClient) -> None:
    slack.scopes.remove("chat:write")
    with pytest.raises(SlackApiError) as caught:
        await api.chat_postMessage(channel=RELEASES, text="hello")
    answer = caught.value.response
    assert (answer["error"], answer["needed"]) == ("missing_scope", "chat:write")
    assert "users:read" in answer["provided"].split(",")
    assert "connections:write" not in answer["provided"]


async def test_an_unknown_method_is_reported_as_unknown(api: AsyncWebClient) -> None:
    assert await error_of(api.api_call("chat.shout")) == "unknown_method"


@pytest.mark.parametrize("method", ["chat.postEphemeral", "chat.update"])
async def test_an_argument_that_a_method_does_not_have_is_refused(
    slack: LocalSlack, api: AsyncWebClient, method: str
) -> None:
    said = {"channel": RELEASES, "text": "hello", "unfurl_links": False}
    ts = (await api.api_call("chat.postMessage", json=said))["ts"]
    call = api.api_call(method, json=said | {"ts": ts, "user": "U0SECOND"})
    assert await error_of(call) == "invalid_arguments"
    assert len(slack.messages) == 1


@pytest.mark.parametrize("by", ["query", "json"])
async def test_arguments_are_accepted_as_a_query_or_as_json(
    slack: LocalSlack, http: aiohttp.ClientSession, by: str
) -> None:
    url, headers = slack.api_url + "users.info", {"Authorization": "Bearer xoxb-playground-made-up"}
    args = {"user": "U0GUEST"}
    calls = {
        "query": http.get(url, params=args, headers=headers),
        "json": http.post(url, json=args, headers=headers),
    }
    async with await calls.pop(by) as response:
        assert (await response.json())["user"]["is_restricted"] is True
    for unused in calls.values():
        unused.close()
    assert slack.calls[-1].args == args


async def test_a_rate_limit_says_when_to_come_back(slack: LocalSlack, api: AsyncWebClient) -> None:
    slack.fail("chat.postMessage", RateLimited(7))
    with pytest.raises(SlackApiError) as caught:
        await api.chat_postMessage(channel=RELEASES, text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response["error"] == "ratelimited"
    assert caught.value.response.headers["Retry-After"] == "7"


async def test_a_call_during_a_rate_limit_is_a_violation(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    slack.fail("chat.postMessage", RateLimited(7), channel=RELEASES)
    assert await error_of(api.chat_postMessage(channel=RELEASES, text="x")) == "ratelimited"
    await api.chat_postMessage(channel="C0APPROVALS", text="x")
    await api.chat_postMessage(channel=RELEASES, text="of another request")
    assert slack.violations == []
    await api.chat_postMessage(channel=RELEASES, text="x")
    assert slack.violations == [
        "chat.postMessage: called again before Slack's Retry-After was over"
    ]


async def test_a_call_after_a_rate_limit_is_no_violation(
    api: AsyncWebClient, slack: LocalSlack
) -> None:
    slack.fail("chat.postMessage", RateLimited(0))
    assert await error_of(api.chat_postMessage(channel=RELEASES, text="x")) == "ratelimited"
    await api.chat_postMessage(channel=RELEASES, text="x")
    assert slack.violations == []


@pytest.mark.parametrize(
    ("fault", "raised", "posted"),
    [
        (Status(200, b"{}", "text/html"), SlackApiError, False),
        (Status(503), SlackApiError, False),
        (Status(503, after_effect=True), SlackApiError, True),
        (Drop(), aiohttp.ClientError, False),
        (Drop(after_effect=True), aiohttp.ClientError, True),
    ],
)
async def test_a_call_that_fails_may_have_had_its_effect(
    slack: LocalSlack, api: AsyncWebClient, fault: Fault, raised: type[Exception], posted: bool
) -> None:
    slack.fail("chat.postMessage", fault)
    with pytest.raises(raised):
        await api.chat_postMessage(channel=RELEASES, text="x")
    assert bool(slack.messages) is posted
    assert slack.calls[-1].error == (None if posted else type(fault).__name__)


async def test_the_record_of_a_call_has_no_token(slack: LocalSlack, api: AsyncWebClient) -> None:
    await api.auth_test()
    assert len(slack.calls) == 1
    assert slack.world.bot_token not in repr(slack.calls)


async def test_an_observer_sees_each_change(slack: LocalSlack, api: AsyncWebClient) -> None:
    seen: list[tuple[str, str]] = []
    slack.on_change = lambda message, change: seen.append((message.text, change))
    ts = (await api.chat_postMessage(channel=RELEASES, text="a"))["ts"]
    await api.chat_update(channel=RELEASES, ts=ts, text="b")
    slack.delete(ts)
    assert seen == [("a", "posted"), ("b", "edited"), ("b", "deleted")]
    assert slack.parents(RELEASES) == []
    with pytest.raises(KeyError):
        slack.delete("1.000001")
