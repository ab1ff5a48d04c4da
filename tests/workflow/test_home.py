"""The App Home of the whole bot: its content, and its buttons."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot import __version__
from bot.guidance import Trouble
from bot.playground.faults import Code, Status
from bot.playground.loopback import free_port
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.surfaces import View
from bot.playground.stage import stage
from bot.playground.world import APPID, OWNER
from bot.runtime.clock import Runtime
from tests.conftest import (
    ASK,
    REQUESTER,
    Change,
    address_at,
    ended,
    ledger_down,
    opened,
    over_http,
    rows,
    soon,
)
from tests.rig import (
    ALLOW,
    APPROVALS,
    APPROVE,
    APPROVER,
    CONFIRM,
    SECOND,
    SECOND_APPROVER,
    Rig,
    approved_by,
    for_platform_team,
)
from tests.said import YOU_DECIDE

APPROVERS = (APPROVER, SECOND_APPROVER)
TEAM_ONLY = for_platform_team(ALLOW)


@pytest.fixture
def runtime() -> Runtime:
    """A runtime whose sleeps are much shorter than requested."""
    return Runtime(sleep=lambda seconds: asyncio.sleep(seconds / 20), jitter=lambda: 0.5)


def without_token_server(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings without token source 2."""
    return {name: value for name, value in environ.items() if "TOKEN_SERVER" not in name}


def other_env(approver: str) -> str:
    """Return a rule about another env than the one that is asked for."""
    return approved_by(approver, name="other envs") + 'envs = ["other-*"]\n'


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
    numbers = f"numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {many})"  # noqa: S608  # a number of the tests
    rows(
        database,
        f"WITH RECURSIVE {numbers} INSERT INTO requests SELECT {values} FROM requests, numbers",  # noqa: S608  # words of the tests
    )


async def modal(rig: Rig, user: str, button: str) -> View:
    """Click a button in a person's App Home, and return the modal that opens."""
    home = rig.slack.home(user)
    assert home
    await rig.slack.click(user, home, button)
    return await opened(rig.slack, user)


@asynccontextmanager
async def waiting(rig: Rig) -> AsyncIterator[None]:
    """Run the bot with one waiting request, which is in the App Home of both approvers."""
    async with rig.bot(for_platform_team(APPROVE) + approved_by(SECOND, name="of others")):
        for user in (REQUESTER, *APPROVERS):
            assert YOU_DECIDE not in await rig.open_home(user)
        await rig.ask(f'{ASK} --reason "release 4"')
        for user in APPROVERS:
            await soon(lambda user=user: YOU_DECIDE in rig.home(user))  # type: ignore[misc]  # a default binds it
        yield


async def gone(rig: Rig, *users: str) -> None:
    """Wait until nothing waits in the App Homes of these people."""
    await soon(lambda: not any(YOU_DECIDE in rig.home(user) for user in users))


async def test_the_home_says_what_the_person_may_share_and_that_all_is_well(rig: Rig) -> None:
    async with rig.bot(TEAM_ONLY):
        said = await rig.open_home()
    assert f"tokens · share-env-bot {__version__}" in said
    assert "*What you may share*" in said
    assert "any env" in said
    assert "To share one" in said
    assert "You have no requests yet." in said
    assert YOU_DECIDE not in said


async def test_the_home_is_in_the_readers_language(rig: Rig) -> None:
    async with rig.bot(TEAM_ONLY):
        assert "你还不能共享任何环境" in await rig.open_home("U0CHINESE")


async def test_the_home_of_a_person_who_may_share_nothing_names_who_can_grant_it(rig: Rig) -> None:
    async with rig.bot(TEAM_ONLY):
        said = await rig.open_home("U0STRANGER")
    assert "You may not share any env yet." in said
    assert "Who can grant it" in said
    assert "To share one" not in said


async def test_a_request_that_ends_is_updated_in_an_open_home(rig: Rig) -> None:
    async with rig.bot(TEAM_ONLY):
        await rig.open_home()
        with rig.wechat.thinking():
            await rig.ask()
            await soon(lambda: "⏳ under way" in rig.home())
        await soon(lambda: "✅ shared" in rig.home())
        assert "|thread>" in rig.home()


async def test_a_request_that_is_cancelled_instead_of_confirmed_is_updated_in_an_open_home(
    rig: Rig,
) -> None:
    async with rig.bot(CONFIRM):
        await rig.open_home()
        await rig.ask()
        await soon(lambda: "🕓 waiting for a confirmation" in rig.home())
        await rig.click(REQUESTER, rig.shown(), "cancel")
        await soon(lambda: "🚫 cancelled" in rig.home())


async def test_a_decision_in_the_home_removes_the_request_from_every_home(rig: Rig) -> None:
    async with waiting(rig):
        assert "release 4" in rig.home(APPROVER)
        assert "🕓 waiting for an approval" in rig.home()
        assert YOU_DECIDE not in rig.home()
        home = rig.slack.home(APPROVER)
        assert home
        told = await rig.send(APPROVER, await modal(rig, APPROVER, "approve"), "go on")
        await soon(lambda: "✅ shared" in rig.home())
        await gone(rig, *APPROVERS)
        with pytest.raises(ImpossibleError):
            await rig.slack.click(APPROVER, home, "approve")
        assert rig.replies()
        assert "approved" in told
        assert rig.told_directly(APPROVER).text == told


async def test_a_click_in_a_home_that_another_replica_published_updates_it(rig: Rig) -> None:
    async with waiting(rig):
        pass
    rows(rig.database, "UPDATE requests SET until = 1, wake = 1")
    async with rig.bot(for_platform_team(APPROVE)):
        await rig.slack.until(ended)
        home = rig.slack.home(APPROVER)
        assert home
        assert YOU_DECIDE in rig.home(APPROVER)
        await rig.slack.click(APPROVER, home, "approve")
        await gone(rig, APPROVER)


@pytest.mark.parametrize(
    ("many", "other"),
    [
        pytest.param(150, {"rule": "of others", "user": "U0CHINESE"}, id="by another rule"),
        pytest.param(1500, {"team": "T0ELSEWHERE"}, id="of another workspace"),
    ],
)
async def test_requests_that_wait_for_others_do_not_fill_an_approvers_home(
    rig: Rig, many: int, other: dict[str, str]
) -> None:
    async with waiting(rig):
        crowd(rig.database, many, **other)
        said = await rig.open_home(APPROVER)
    assert said.count("asks to share") == 1
    assert "release 4" in said


async def test_a_request_whose_rule_was_replaced_waits_in_the_homes_of_the_new_rules_approvers(
    rig: Rig, change: Change
) -> None:
    async with rig.bot(approved_by(APPROVER)):
        await rig.ask()
        await rig.question()
        for user in APPROVERS:
            await rig.open_home(user)
        new = approved_by(SECOND_APPROVER, name="two keys")
        # Of other envs, and of the same one for other requesters.
        others = approved_by(APPROVER, name="of others").replace("U0REQUESTER", "U0STRANGER")
        await change(other_env(APPROVER) + others + new + approved_by(SECOND, name="later"))
        await gone(rig, APPROVER)
        await soon(lambda: YOU_DECIDE in rig.home(SECOND_APPROVER))
        assert YOU_DECIDE not in rig.home(APPROVER)
        assert YOU_DECIDE not in await rig.open_home(SECOND)
        await rig.send(SECOND_APPROVER, await modal(rig, SECOND_APPROVER, "approve"))
        await rig.over()


async def test_of_many_requests_whose_rule_is_gone_few_requesters_are_looked_up(rig: Rig) -> None:
    async with rig.bot(for_platform_team(approved_by(APPROVER))):
        await rig.ask()
        await rig.question()
        crowd(rig.database, 40, rule="gone")
        rows(rig.database, "UPDATE requests SET user = 'U0' || rowid WHERE rule = 'gone'")
        before = len(rig.slack.calls)
        assert (await rig.open_home(APPROVER)).count("asks to share") == 1
        calls = [call.method for call in rig.slack.calls[before:]]
    assert calls.count("users.info") <= 21  # with the approver


async def test_a_person_who_cannot_be_looked_up_sees_only_their_own_requests(rig: Rig) -> None:
    async with rig.bot(for_platform_team(APPROVE)):
        await rig.open_home()
        rig.slack.fail("users.info", Code("user_not_found"), user=APPROVER)
        said = await rig.open_home(APPROVER)
        assert "I could not find out what you may share" in said
        await rig.ask()
        await soon(lambda: "🕓 waiting" in rig.home())
        assert rig.home(APPROVER) == said


async def test_the_home_says_that_the_ledger_is_down(rig: Rig) -> None:
    async with rig.bot(TEAM_ONLY):
        with ledger_down(rig.database):
            said = await rig.open_home()
            assert "my database does not answer" in said
            assert "my database does not answer" in said
            assert "*What you may share*" in said
        assert "I know of no trouble" in await rig.open_home()


async def test_the_home_shows_the_state_of_the_owners_tokens() -> None:
    said = "I know of no trouble with Slack, my database or WeChat's tokens"
    async with stage() as play:
        async with asyncio.timeout(30):
            while said not in str(play.slack.home(REQUESTER)):
                await play.slack.open_home(REQUESTER)


async def test_home_and_whoami_tell_of_a_fixed_token_that_wechat_refuses_until_it_works_again(
    rig: Rig,
) -> None:
    rig.environ = without_token_server(rig.environ)
    rig.environ["WECHAT_AUTHORIZER_ACCESS_TOKEN"] = rig.wechat.issue(OWNER)
    dead = Trouble.TOKEN_FIXED_DEAD.value.title
    async with rig.bot(TEAM_ONLY):
        assert "I know of no trouble" in await rig.open_home()
        assert OWNER not in await rig.ask("whoami")
        rig.wechat.fail("shareenv", Code(40001))
        await rig.ask()
        await rig.over()
        assert "Problem: trouble with the tokens of `" in await rig.open_home()
        told = await rig.ask("whoami")
        assert f"`{OWNER}`: there is none now." in told
        assert dead in told
        await rig.ask(f"{ASK} --again")
        await rig.over(2)
        assert "I know of no trouble" in await rig.open_home()
        assert dead not in await rig.ask("whoami")


async def test_home_and_whoami_tell_that_the_token_server_gives_no_token(rig: Rig) -> None:
    async with rig.bot(TEAM_ONLY):
        rig.wechat.fail("token", Status(401), times=None)
        await rig.ask()
        await rig.over()
        assert "Problem: trouble with the tokens of `" in await rig.open_home()
        assert Trouble.TOKEN_SERVER_REFUSED.value.title in await rig.ask("whoami")
        rig.wechat.clear("token")
        await rig.ask(f"{ASK} --again")
        await rig.over(2)
        assert "I know of no trouble" in await rig.open_home()


async def test_the_home_is_shown_in_http_mode_too(rig: Rig) -> None:
    port = free_port()
    rig.environ |= over_http(port)
    rig.slack.request_url = address_at(port)
    async with rig.bot(TEAM_ONLY):
        assert "I know of no trouble" in await rig.open_home()


async def test_a_batch_is_one_line_in_the_home(rig: Rig) -> None:
    async with rig.bot(TEAM_ONLY):
        await rig.open_home()
        await rig.ask(f"{APPID} wx0000000000000001 prod-1")
        await soon(lambda: "2 shared" in rig.home())
        assert rig.home().count("• ") == 2  # with what one may share
    assert rows(rig.database, "SELECT count(*) FROM requests") == [(3,)]


async def test_the_home_of_who_was_asked_directly_links_to_the_list_of_a_long_batch(
    rig: Rig,
) -> None:
    rig.slack.channels[APPROVALS] = replace(rig.slack.channels[APPROVALS], ext_shared=True)
    async with rig.bot(approved_by(APPROVER)):
        await rig.open_home(APPROVER)
        await rig.ask(" ".join([*(f"wx{number:016x}" for number in range(11)), "prod-1"]))
        await soon(lambda: "|this thread>" in rig.home(APPROVER))
