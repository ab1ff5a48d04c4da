import aiohttp
import pytest

from bot.domain.installation import Installation
from bot.playground.faults import Code, Drop, Fault, RateLimited, Status
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.world import ORGANISATION, World
from bot.slack.api import SlackApi
from bot.slack.preflight import Ready, Unusable, preflight
from tests.conftest import Sleep, web_client

OPEN = "apps.connections.open"

BAD_BOT = "SLACK_BOT_TOKEN is not accepted by Slack"
BAD_APP = "SLACK_APP_TOKEN is not accepted by Slack"
NO_SCOPE = "SLACK_APP_TOKEN lacks the scope connections:write"
UNREACHABLE = "Slack cannot be reached"
NOT_SLACK = "What answers at SLACK_API_URL is not Slack's API (HTTP 404)"
PROXY = "Slack cannot be reached: a proxy that HTTPS_PROXY does not name wants a user and"
ITSELF = "Slack answers that it is in trouble itself (fatal_error)"
SLOW_DOWN = "Slack asks the bot to slow down"
SAYS_NO = "Slack says no"


async def test_two_valid_tokens_pass_and_open_a_connection(
    slack: LocalSlack, api: SlackApi, app_api: SlackApi
) -> None:
    ready = await preflight(api, app_api)
    assert isinstance(ready, Ready)
    assert ready.identity["user_id"] == slack.world.bot_user_id
    assert ready.socket_url is not None
    assert ready.socket_url.startswith("ws://")


async def test_without_socket_mode_the_bot_token_is_enough(
    slack: LocalSlack, api: SlackApi
) -> None:
    ready = await preflight(api, None)
    assert isinstance(ready, Ready)
    assert ready.socket_url is None
    assert [call.method for call in slack.calls] == ["auth.test"]


@pytest.mark.parametrize(
    ("bot_token", "app_token", "problems"),
    [
        pytest.param("xoxb-wrong", None, [BAD_BOT], id="bad bot token"),
        pytest.param(None, "xapp-wrong", [BAD_APP], id="bad app token"),
        pytest.param("xoxb-wrong", "xapp-wrong", [BAD_BOT, BAD_APP], id="both bad"),
        pytest.param(
            "xapp-playground-made-up", "xoxb-playground-made-up", [BAD_BOT, BAD_APP], id="swapped"
        ),
    ],
)
async def test_each_bad_token_is_named(
    slack: LocalSlack,
    http: aiohttp.ClientSession,
    sleep: Sleep,
    bot_token: str | None,
    app_token: str | None,
    problems: list[str],
) -> None:
    bot = web_client(bot_token or slack.world.bot_token, slack.api_url, http)
    app = web_client(app_token or slack.world.app_token, slack.api_url, http)
    checked = await preflight(SlackApi(bot, sleep), SlackApi(app, sleep))
    assert isinstance(checked, Unusable)
    assert starts(checked, problems)
    assert checked.wrong_setup
    assert "made-up" not in str(checked)
    assert "-wrong" not in str(checked)


def starts(checked: Unusable, problems: list[str]) -> bool:
    """Return whether there is one sentence for each problem, in this order."""
    return len(checked.problems) == len(problems) and all(
        said.startswith(problem) for said, problem in zip(checked.problems, problems, strict=True)
    )


async def test_an_app_token_without_its_scope_is_reported(
    slack: LocalSlack, api: SlackApi, app_api: SlackApi
) -> None:
    slack.scopes.discard("connections:write")
    checked = await preflight(api, app_api)
    assert isinstance(checked, Unusable)
    assert starts(checked, [NO_SCOPE])
    assert checked.wrong_setup


@pytest.mark.parametrize(
    ("method", "faults", "problem", "wrong_setup"),
    [
        pytest.param("auth.test", [Status(503)], UNREACHABLE, False, id="bot: server error"),
        pytest.param(OPEN, [Status(503)], UNREACHABLE, False, id="app: server error"),
        pytest.param(OPEN, [Drop()], UNREACHABLE, False, id="app: dropped"),
        pytest.param(OPEN, [Status(404)], NOT_SLACK, False, id="app: another server"),
        pytest.param(OPEN, [Status(407)], PROXY, False, id="app: proxy"),
        pytest.param("auth.test", [Code("fatal_error")], ITSELF, False, id="bot: its trouble"),
        pytest.param("auth.test", [Code("org_login_required")], SAYS_NO, True, id="bot: no"),
        pytest.param(OPEN, [Code("access_denied")], SAYS_NO, True, id="app: no"),
        pytest.param("auth.test", [RateLimited(60)], SLOW_DOWN, False, id="bot: rate limit"),
        pytest.param(OPEN, [RateLimited(60)], SLOW_DOWN, False, id="app: rate limit"),
    ],
)
async def test_trouble_is_distinguished_from_a_wrong_setup(
    slack: LocalSlack,
    api: SlackApi,
    app_api: SlackApi,
    method: str,
    faults: list[Fault],
    problem: str,
    wrong_setup: bool,
) -> None:
    slack.fail(method, *faults)
    checked = await preflight(api, app_api)
    assert isinstance(checked, Unusable)
    assert starts(checked, [problem])
    assert checked.wrong_setup is wrong_setup


@pytest.mark.parametrize("world", [World(), ORGANISATION], ids=["workspace", "organisation"])
async def test_it_is_told_whether_the_app_is_installed_for_an_organisation(
    world: World, api: SlackApi, app_api: SlackApi
) -> None:
    ready = await preflight(api, app_api)
    assert isinstance(ready, Ready)
    organisation = world.organisation
    assert ready.installation == Installation(organisation.id if organisation else world.team_id)
    assert ready.installation.is_wide is (organisation is not None)


async def test_a_short_rate_limit_is_waited_for(
    slack: LocalSlack, api: SlackApi, app_api: SlackApi, sleep: Sleep
) -> None:
    slack.fail("auth.test", RateLimited(2))
    slack.fail(OPEN, RateLimited(3))
    assert isinstance(await preflight(api, app_api), Ready)
    assert sleep.naps == [2.0, 3.0]


async def test_a_slack_that_cannot_be_reached_is_one_problem_not_two(
    http: aiohttp.ClientSession, sleep: Sleep
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/api/"
    api = SlackApi(web_client("xoxb-1", nowhere, http), sleep)
    checked = await preflight(api, api)
    assert isinstance(checked, Unusable)
    assert starts(checked, [UNREACHABLE])
    assert not checked.wrong_setup
