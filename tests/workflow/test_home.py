"""The App Home of the whole bot: its content, and its buttons."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import aiohttp
import pytest

from bot import __version__
from bot.app.running import running
from bot.playground.faults import Code
from bot.playground.loopback import JsonObject
from bot.playground.slack.delivery import signed_request
from bot.playground.slack.server import ImpossibleError, LocalSlack, View
from bot.playground.stage import stage
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from bot.runtime.clock import Runtime
from bot.slack.events import PATH
from tests.conftest import (
    ASK,
    RELEASES,
    REQUESTER,
    ended,
    free_port,
    ledger_down,
    rows,
    settings_of,
    soon,
)

APPROVER, SECOND_APPROVER, STRANGER, CHINESE = (
    "U0APPROVER",
    "U0APPROVER2",
    "U0STRANGER",
    "U0CHINESE",
)
WAITING = "*Waiting for your decision*"
RULES = f"""\
contact = "the platform team"
[[owner]]
appid = "{OWNER}"
envs = ["*"]
[[rule]]
name = "four eyes"
groups = ["S0PLATFORM"]
envs = ["prod-*"]
effect = "approve"
approvers = {{ groups = ["S0APPROVERS"], channel = "C0APPROVALS" }}
[[rule]]
name = "platform team"
groups = ["S0PLATFORM"]
effect = "allow"
"""


@pytest.fixture
def runtime() -> Runtime:
    """A runtime whose sleeps are much shorter than requested."""
    return Runtime(sleep=lambda seconds: asyncio.sleep(seconds / 20), jitter=lambda: 0.5)


@pytest.fixture
def ruled(environ: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of a bot with rules that require approvals."""
    path = tmp_path / "policy.toml"
    path.write_text(RULES, encoding="utf-8")
    for name in ("SHARE_ENV_ALLOWED_GROUPS", "WECHAT_AUTHORIZER_APPID"):
        del environ[name]
    return environ | {"POLICY_FILE": str(path)}


def page(slack: LocalSlack, user: str = REQUESTER) -> str:
    """Return the text of a person's App Home."""
    home = slack.home(user)
    return (
        "\n".join(str(block.get("text") or block.get("elements")) for block in home.blocks)
        if home
        else ""
    )


async def opened(slack: LocalSlack, user: str = REQUESTER) -> str:
    """Open a person's App Home and return its text."""
    before = published(slack)
    ack = await slack.open_home(user)
    assert ack.error is None
    await slack.until(lambda slack: published(slack) > before)
    await soon(lambda: page(slack, user))
    return page(slack, user)


def waits(slack: LocalSlack, user: str) -> bool:
    return WAITING in page(slack, user)


def waits_not(slack: LocalSlack, user: str) -> bool:
    return not waits(slack, user)


def crowd(database: Path, many: int, **other: str) -> None:
    """Add this many requests that wait longer than the only one and differ from it in these columns."""
    own = {
        "id": "id || n",
        "trigger_id": "trigger_id || n",
        "env": "env || n",
        "created": "created - n",
        **{name: f"'{value}'" for name, value in other.items()},
    }
    columns = [name for _, name, *_ in rows(database, "PRAGMA table_info(requests)")]
    values = ", ".join(own.get(name, f'"{name}"') for name in columns)
    numbers = f"numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {many})"  # noqa: S608  # a number of ours
    rows(
        database,
        f"WITH RECURSIVE {numbers} INSERT INTO requests SELECT {values} FROM requests, numbers",  # noqa: S608  # words of ours
    )


def challenge() -> JsonObject:
    """Return Slack's verification of a new request URL for events."""
    return {"type": "url_verification", "token": "made-up", "challenge": "made up"}


async def asked_for(slack: LocalSlack, user: str, button: str) -> View:
    """Click a button in a person's App Home and return the modal that opens."""
    home = slack.home(user)
    assert home
    await slack.click(user, home, button)
    await slack.until(lambda slack: bool(slack.views(user)))
    [asked] = slack.views(user)
    return asked


def published(slack: LocalSlack) -> int:
    return sum(call.method == "views.publish" for call in slack.calls)


@asynccontextmanager
async def waiting(
    slack: LocalSlack, ruled: dict[str, str], runtime: Runtime
) -> AsyncIterator[None]:
    """Run the bot with one waiting request, which is in the App Home of both approvers."""
    async with running(settings_of(ruled), runtime):
        for user in (REQUESTER, APPROVER, SECOND_APPROVER):
            assert WAITING not in await opened(slack, user)
        await slack.command(REQUESTER, RELEASES, f'{ASK} --reason "release 4"')
        for user in (APPROVER, SECOND_APPROVER):
            await soon(partial(waits, slack, user))
        yield
    assert slack.violations == []


@pytest.mark.usefixtures("bot")
async def test_the_home_says_what_the_person_may_share_and_that_all_is_well(
    slack: LocalSlack,
) -> None:
    said = await opened(slack)
    assert (
        f"Healthy: Slack is connected and the ledger answers · share-env-bot {__version__}" in said
    )
    assert "*What you may share*" in said
    assert "any env" in said
    assert "You have no requests yet." in said
    assert WAITING not in said
    assert slack.violations == []


@pytest.mark.usefixtures("bot")
async def test_the_home_is_in_the_readers_language(slack: LocalSlack) -> None:
    said = await opened(slack, CHINESE)
    assert "你还不能共享任何环境" in said


@pytest.mark.usefixtures("bot")
async def test_the_home_of_a_person_who_may_share_nothing_names_who_can_grant_it(
    slack: LocalSlack,
) -> None:
    said = await opened(slack, STRANGER)
    assert "You may not share any env yet." in said
    assert "Who can grant it" in said
    assert "To share one" not in said


async def test_a_request_that_ends_is_updated_in_an_open_home(
    slack: LocalSlack, environ: dict[str, str], runtime: Runtime
) -> None:
    async with running(settings_of(environ), runtime):
        await opened(slack)
        await slack.command(REQUESTER, RELEASES, ASK)
        await slack.until(ended)
        await soon(lambda: "✅ shared" in page(slack))
        assert "|thread>" in page(slack)
    assert slack.violations == []


async def test_nothing_is_published_if_nobody_looks(
    slack: LocalSlack, environ: dict[str, str], runtime: Runtime
) -> None:
    async with running(settings_of(environ), runtime):
        await slack.command(REQUESTER, RELEASES, ASK)
        await slack.until(ended)
        await asyncio.sleep(0.3)
    assert published(slack) == 0


async def test_a_decision_in_the_home_removes_the_request_from_every_home(
    slack: LocalSlack, ruled: dict[str, str], runtime: Runtime
) -> None:
    async with waiting(slack, ruled, runtime):
        assert "release 4" in page(slack, APPROVER)
        assert "🕓 waiting for approval or confirmation" in page(slack)
        assert WAITING not in page(slack)
        home = slack.home(APPROVER)
        assert home
        asked = await asked_for(slack, APPROVER, "approve")
        await slack.submit(APPROVER, asked, {"comment": "go on"})
        await slack.until(ended)
        await soon(lambda: "✅ shared" in page(slack))
        for user in (APPROVER, SECOND_APPROVER):
            await soon(partial(waits_not, slack, user))
        with pytest.raises(ImpossibleError):
            await slack.click(APPROVER, home, "approve")
        [parent] = slack.parents(RELEASES)
        assert slack.thread(RELEASES, parent.ts)
        direct = slack.direct_message(APPROVER)
        assert direct
        assert any("approved" in said.text for said in slack.messages if said.channel == direct.id)


async def test_a_click_in_a_home_that_another_replica_published_updates_it(
    slack: LocalSlack, ruled: dict[str, str], runtime: Runtime, database: Path
) -> None:
    async with waiting(slack, ruled, runtime):
        pass
    rows(database, "UPDATE requests SET until = 1, wake = 1")
    async with running(settings_of(ruled), runtime):
        await slack.until(ended)
        home = slack.home(APPROVER)
        assert home
        assert waits(slack, APPROVER)
        await slack.click(APPROVER, home, "approve")
        await soon(partial(waits_not, slack, APPROVER))


@pytest.mark.parametrize(
    ("many", "other"),
    [
        pytest.param(150, {"rule": "of others"}, id="by another rule"),
        pytest.param(1500, {"team": "T0ELSEWHERE"}, id="of another workspace"),
    ],
)
async def test_requests_that_wait_for_others_do_not_fill_an_approvers_home(
    slack: LocalSlack,
    ruled: dict[str, str],
    runtime: Runtime,
    database: Path,
    many: int,
    other: dict[str, str],
) -> None:
    async with waiting(slack, ruled, runtime):
        crowd(database, many, **other)
        said = await opened(slack, APPROVER)
    assert said.count("asks to share") == 1
    assert "release 4" in said


async def test_an_approver_can_reject_in_the_home(
    slack: LocalSlack, wechat: LocalWeChat, ruled: dict[str, str], runtime: Runtime
) -> None:
    async with waiting(slack, ruled, runtime):
        asked = await asked_for(slack, SECOND_APPROVER, "reject")
        await slack.submit(SECOND_APPROVER, asked)
        await soon(lambda: "🚫 rejected" in page(slack))
        await soon(partial(waits_not, slack, APPROVER))
    assert wechat.shared == []


async def test_a_withdrawn_request_disappears_from_the_approvers_homes(
    slack: LocalSlack, ruled: dict[str, str], runtime: Runtime
) -> None:
    async with waiting(slack, ruled, runtime):
        [parent] = slack.parents(RELEASES)
        await slack.click(REQUESTER, parent, "cancel")
        await soon(lambda: "🚫 cancelled" in page(slack))
        await soon(partial(waits_not, slack, APPROVER))


async def test_a_decision_in_an_outdated_home_is_answered_as_too_late(
    slack: LocalSlack, ruled: dict[str, str], runtime: Runtime
) -> None:
    async with waiting(slack, ruled, runtime):
        first = await asked_for(slack, APPROVER, "approve")
        second = await asked_for(slack, SECOND_APPROVER, "approve")
        await slack.submit(APPROVER, first)
        await slack.submit(SECOND_APPROVER, second)
        await slack.until(ended)
        direct = slack.direct_message(SECOND_APPROVER)
        assert direct
        await slack.until(lambda slack: any(said.channel == direct.id for said in slack.messages))


async def test_a_person_who_cannot_be_looked_up_sees_only_their_own_requests(
    slack: LocalSlack, ruled: dict[str, str], runtime: Runtime
) -> None:
    async with running(settings_of(ruled), runtime):
        slack.fail("users.info", Code("user_not_found"))
        said = await opened(slack, APPROVER)
        assert "I could not find out what you may share" in said
        await slack.command(REQUESTER, RELEASES, ASK)
        await slack.until(lambda slack: bool(slack.parents("C0APPROVALS")))
        await asyncio.sleep(0.3)
        assert page(slack, APPROVER) == said


async def test_the_home_says_that_the_ledger_is_down(
    slack: LocalSlack, environ: dict[str, str], runtime: Runtime, database: Path
) -> None:
    async with running(settings_of(environ), runtime):
        with ledger_down(database):
            said = await opened(slack)
            assert "the ledger does not answer" in said
            assert "I cannot read my ledger of requests right now." in said
            assert "*What you may share*" in said
        assert "Healthy" in await opened(slack)


async def test_the_home_shows_the_state_of_the_owners_tokens() -> None:
    async with stage() as play:
        said = await opened(play.slack)
        assert (
            "Healthy: Slack is connected, the ledger answers and the token of 1 owner is good"
            in said
        )


async def test_the_home_is_shown_in_http_mode_too(
    slack: LocalSlack, environ: dict[str, str], runtime: Runtime
) -> None:
    port = free_port()
    del environ["SLACK_APP_TOKEN"]
    more = {"SLACK_SIGNING_SECRET": slack.world.signing_secret, "PORT": str(port)}
    async with running(settings_of(environ | more), runtime):
        slack.request_url = f"http://127.0.0.1:{port}{PATH}"
        assert "Healthy" in await opened(slack)


async def test_the_request_url_for_events_is_verified_with_its_challenge(
    slack: LocalSlack, environ: dict[str, str], runtime: Runtime, http: aiohttp.ClientSession
) -> None:
    port = free_port()
    del environ["SLACK_APP_TOKEN"]
    secret = slack.world.signing_secret
    async with running(
        settings_of(environ | {"SLACK_SIGNING_SECRET": secret, "PORT": str(port)}), runtime
    ):
        body, headers = signed_request("events_api", challenge(), secret, int(slack.clock()))
        url = f"http://127.0.0.1:{port}{PATH}"
        async with http.post(url, data=body, headers=headers) as response:
            assert (response.status, await response.json()) == (200, {"challenge": "made up"})


async def test_a_batch_is_one_line_in_the_home(
    slack: LocalSlack, environ: dict[str, str], runtime: Runtime, database: Path
) -> None:
    async with running(settings_of(environ), runtime):
        await opened(slack)
        await slack.command(REQUESTER, RELEASES, f"{APPID} wx0000000000000001 prod-1")
        await soon(lambda: "2 shared" in page(slack))
        assert page(slack).count("• ") == 2  # with what one may share
    assert rows(database, "SELECT count(*) FROM requests") == [(3,)]
