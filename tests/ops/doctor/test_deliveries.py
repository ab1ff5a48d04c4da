import time
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from bot.app.running import running
from bot.domain.finding import Finding
from bot.ops.doctor.run import examine
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import OWNER
from bot.runtime.clock import Runtime
from bot.slack.events import PATH, NotFromSlack
from tests.conftest import ASK, RELEASES, REQUESTER, settings_of, soon
from tests.ops.doctors import complaints, findings_of
from tests.served import Served

PROOF = "only Slack's next command can prove that SLACK_SIGNING_SECRET is the right one"


@pytest.fixture
def by_http(listening: dict[str, str], slack: LocalSlack, served: Served) -> dict[str, str]:
    """The environment of a bot in HTTP mode whose Request URL Slack has."""
    others = {name: value for name, value in listening.items() if name != "SLACK_APP_TOKEN"}
    slack.request_url = f"{served.origin}{PATH}"
    return others | {"SLACK_SIGNING_SECRET": slack.world.signing_secret}


async def deliveries(environ: dict[str, str]) -> list[Finding]:
    return await findings_of(environ, "deliveries")


async def test_before_the_start_nothing_proves_the_signing_secret(by_http: dict[str, str]) -> None:
    (found,) = await deliveries(by_http)
    assert (found.level, found.found) == ("ok", f"no bot answers here yet; {PROOF}")


async def test_an_accepted_command_proves_the_signing_secret(
    by_http: dict[str, str], slack: LocalSlack, runtime: Runtime
) -> None:
    async with running(settings_of(by_http), runtime):
        (before,) = await deliveries(by_http)
        assert (before.level, PROOF in before.found) == ("ok", True)
        await slack.command(REQUESTER, RELEASES, ASK)
        (found,) = await deliveries(by_http)
    assert (found.level, PROOF in found.found) == ("ok", False)


async def test_a_wrong_signing_secret_is_found_from_the_running_bots_refusals(
    by_http: dict[str, str],
    slack: LocalSlack,
    runtime: Runtime,
    served: Served,
    caplog: pytest.LogCaptureFixture,
) -> None:
    wrong = by_http | {"SLACK_SIGNING_SECRET": "0" * 32}
    async with running(settings_of(wrong), runtime):
        for _ in range(2):
            await slack.command(REQUESTER, RELEASES, ASK)
        (found,) = await deliveries(wrong)
        series = f'share_env_posts_refused_total{{path="{PATH}",reason="signature"}}'
        assert (await served.counts(series))[series] == 2
        await soon(lambda: "delivery refused" in caplog.messages)
    assert found.level == "wrong"
    assert found.found.startswith("the bot that runs refused 2 posts to /slack/events")
    assert "Basic Information" in str(found.fix)
    (line,) = (each for each in caplog.records if each.msg == "delivery refused")
    assert (vars(line)["times"], vars(line)["reason"]) == (2, NotFromSlack.SIGNATURE.value.found)


async def test_a_signing_secret_that_slack_changed_meanwhile_is_found(
    by_http: dict[str, str], slack: LocalSlack, runtime: Runtime
) -> None:
    async with running(settings_of(by_http), runtime):
        await slack.command(REQUESTER, RELEASES, ASK)
        slack.world = replace(slack.world, signing_secret="1" * 32)
        await slack.command(REQUESTER, RELEASES, ASK)
        (found,) = await deliveries(by_http)
    assert (found.level, "SLACK_SIGNING_SECRET" in str(found.fix)) == ("warning", True)


async def test_a_wrong_clock_is_the_cause_if_posts_are_refused_as_too_old(
    by_http: dict[str, str], slack: LocalSlack
) -> None:
    slack.clock = lambda: time.time() - 400
    async with running(settings_of(by_http)):
        await slack.command(REQUESTER, RELEASES, ASK)
        (complaint,) = complaints(await examine(by_http, Runtime(now=lambda: time.time() + 400)))
    assert complaint.names == ["clock"]
    assert [each.name for each in complaint.follows] == ["deliveries"]


async def test_a_clock_that_is_right_by_now_may_still_be_why_posts_were_refused(
    by_http: dict[str, str], slack: LocalSlack
) -> None:
    slack.clock = lambda: time.time() - 400
    async with running(settings_of(by_http)):
        await slack.command(REQUESTER, RELEASES, ASK)
        (found,) = await deliveries(by_http)
    assert found.level == "wrong"
    assert str(found.fix).startswith("If this clock is right by now, start the bot again")


async def test_unsigned_requests_alone_are_no_finding(
    by_http: dict[str, str], http: aiohttp.ClientSession, runtime: Runtime, served: Served
) -> None:
    async with running(settings_of(by_http), runtime):
        for path in (PATH, "/wp-login.php"):
            async with http.post(f"{served.origin}{path}", data=b"x") as answer:
                assert answer.status in {401, 404}
        (found,) = await deliveries(by_http)
    assert found.level == "ok"


async def test_a_request_url_with_another_path_is_named(
    by_http: dict[str, str], slack: LocalSlack, runtime: Runtime, served: Served
) -> None:
    slack.request_url = f"{served.origin}/slack/event"
    async with running(settings_of(by_http), runtime):
        await slack.command(REQUESTER, RELEASES, ASK)
        (found,) = await deliveries(by_http)
        slack.request_url = f"{served.origin}{PATH}"
        await slack.command(REQUESTER, RELEASES, ASK)
        (one_of_several,) = await deliveries(by_http)
    assert (found.level, "nothing takes posts at that path" in found.found) == ("wrong", True)
    assert found.found.startswith("the bot that runs refused one post: ")
    assert "/slack/events" in str(found.fix)
    assert one_of_several == replace(found, level="warning")


@pytest.mark.parametrize("ticket", [False, True], ids=["no ticket", "a ticket from before"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WECHAT_MESSAGE_TOKEN", "another-made-up-message-token"),
        ("WECHAT_ENCODING_AES_KEY", "AnotherEncodingAESKeyOfTheLocalWeChat000009"),
    ],
)
async def test_a_secret_that_differs_from_wechats_is_found_from_refused_pushes(
    slack: LocalSlack,
    wechat: LocalWeChat,
    runtime: Runtime,
    served: Served,
    name: str,
    value: str,
    database: Path,
    ticket: bool,
) -> None:
    chain = slack_environment(slack) | chain_environment(wechat, served.port)
    chain |= {"DATABASE_URL": f"sqlite:///{database}", "SHARE_ENV_ALLOWED_USERS": REQUESTER}
    chain |= {"WECHAT_AUTHORIZER_APPID": OWNER}
    if ticket:
        async with running(settings_of(chain), runtime):
            await wechat.platform.push_ticket()
    wrong = chain | {name: value}
    async with running(settings_of(wrong), runtime):
        await wechat.platform.push_ticket()
        told = complaints(await examine(wrong))
    (found,) = (each.finding for each in told if "deliveries" in each.names)
    assert (found.level, name in str(found.fix)) == ("warning" if ticket else "wrong", True)


async def test_refused_posts_of_slack_do_not_explain_a_missing_ticket_of_wechat(
    by_http: dict[str, str],
    slack: LocalSlack,
    wechat: LocalWeChat,
    runtime: Runtime,
    served: Served,
) -> None:
    taken = {k: v for k, v in by_http.items() if not k.startswith("WECHAT_TOKEN_SERVER")}
    chain = taken | chain_environment(wechat, served.port) | {"SLACK_SIGNING_SECRET": "0" * 32}
    wechat.platform.callback = f"http://127.0.0.1:{free_port()}"
    async with running(settings_of(chain), runtime):
        await slack.command(REQUESTER, RELEASES, ASK)
        deliveries, callback = complaints(await examine(chain))
    assert (deliveries.names, callback.names) == (["deliveries"], ["callback"])
    assert deliveries.follows == []


async def test_over_socket_mode_alone_nothing_is_posted(listening: dict[str, str]) -> None:
    assert await deliveries(listening) == []
