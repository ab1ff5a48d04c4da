import re
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from aiohttp import web

from bot.app.running import running
from bot.domain.finding import Finding
from bot.playground.faults import Code, RateLimited, Slow
from bot.playground.slack.server import LocalSlack
from bot.playground.world import UserGroup
from bot.slack.preflight import MENTIONS, SCOPES
from tests.conftest import (
    rows,
    serving,
    settings_of,
    soon,
)
from tests.ops.doctors import (
    finding_of,
    findings_of,
    judged,
    level_of,
    locked_by_a_bot,
)


async def test_the_bots_name_and_workspace_are_reported(environ: dict[str, str]) -> None:
    assert (
        await finding_of(environ, "slack-bot")
    ).found == "auth.test: share-env in the workspace playground"


async def test_a_proxys_error_page_is_reported_in_one_line(
    environ: dict[str, str], slack: LocalSlack
) -> None:
    slack.fail("auth.test", Code("Blocked. Ask IT"))
    found = await finding_of(environ, "slack-bot")
    assert (found.found, found.fix) == (
        "Slack says no (Blocked. Ask IT)",
        "Check the app's settings and SLACK_API_URL.",
    )


async def test_a_proxy_that_refuses_to_connect_to_slack_is_named(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def proxy(_: web.BaseRequest) -> web.Response:
        return web.Response(status=407)

    async with serving(proxy) as origin:
        monkeypatch.setenv("HTTPS_PROXY", origin)
        found = await finding_of(
            environ | {"SLACK_API_URL": "https://slack.invalid/api/"}, "slack-bot"
        )
    assert found.told == (
        f"Slack cannot be reached: the proxy {origin} wants a user and a password that it knows "
        "(HTTP 407)"
    )


@pytest.mark.parametrize("scope", [scope.name for scope in SCOPES])
async def test_a_scope_that_is_not_granted_is_named_with_what_it_is_for(
    environ: dict[str, str], slack: LocalSlack, scope: str
) -> None:
    slack.scopes.remove(scope)
    found = await finding_of(environ, "slack-scopes")
    assert found.found.startswith(f"not granted: {scope} (")
    vital = {"commands", "chat:write", "users:read", "usergroups:read"}
    assert found.level == ("wrong" if scope in vital else "warning")


async def test_the_scope_for_mentions_is_told_of_if_it_is_granted_and_not_missed(
    environ: dict[str, str], slack: LocalSlack
) -> None:
    without = await finding_of(environ, "slack-scopes")
    slack.scopes.add(MENTIONS)
    granted = await finding_of(environ, "slack-scopes")
    assert (without.level, granted.level) == ("ok", "ok")
    assert [MENTIONS in each.found for each in (without, granted)] == [False, True]


async def test_the_scope_for_groups_is_not_needed_if_the_policy_names_none(
    environ: dict[str, str], slack: LocalSlack
) -> None:
    slack.scopes.remove("usergroups:read")
    people = environ | {"SHARE_ENV_ALLOWED_GROUPS": "", "SHARE_ENV_ALLOWED_USERS": "U0REQUESTER"}
    assert await level_of(people, "slack-scopes") == "warning"
    assert await level_of(people, "slack-groups") == "ok"


async def test_without_an_app_token_there_is_no_socket_to_check(environ: dict[str, str]) -> None:
    del environ["SLACK_APP_TOKEN"]
    environ["SLACK_SIGNING_SECRET"] = "5" * 32
    assert not await findings_of(environ, "slack-app")
    assert not await findings_of(environ, "slack-connections")


GREETED = re.compile(
    r"(\d+) when Slack last greeted the bot that runs \(.* UTC\); bots on this ledger then: (\d+)"
)


async def test_beside_a_bot_the_doctor_opens_no_connection_and_tells_what_the_bot_recorded(
    bot: str, environ: dict[str, str], database: Path, slack: LocalSlack
) -> None:
    assert bot
    await recorded(database)
    found = await finding_of(environ, "slack-connections")
    assert (found.level, counts(found)) == ("ok", ("1", "1"))
    assert slack.sockets.greeted == 1


async def recorded(database: Path, what: str = "greeted IS NOT NULL") -> float:
    """Wait until the bot has recorded what Slack said; return when that was."""
    asked = f"SELECT greeted FROM replicas WHERE {what}"  # noqa: S608  # ours
    await soon(lambda: rows(database, asked))
    return float(rows(database, asked)[0][0])


def counts(found: Finding) -> tuple[str, ...]:
    read = GREETED.fullmatch(found.found)
    assert read, found.found
    return read.groups()


async def test_a_forgotten_copy_of_the_bot_is_found_by_what_the_bot_recorded(
    environ: dict[str, str], database: Path, slack: LocalSlack
) -> None:
    laptop = environ | {"DATABASE_URL": "sqlite://"}
    async with running(settings_of(laptop)), running(settings_of(environ)):
        await recorded(database)
        found = await finding_of(environ, "slack-connections")
    assert (found.level, counts(found)) == ("warning", ("2", "1"))
    assert (found.fix or "").startswith("Another copy of the bot")
    assert slack.sockets.greeted == 2


async def test_a_connection_that_is_about_to_be_replaced_counts_for_no_copy(
    bot: str, environ: dict[str, str], database: Path, slack: LocalSlack
) -> None:
    assert bot
    first = await recorded(database)
    await slack.sockets.disconnect("warning")
    await recorded(database, f"greeted > {first}")
    assert counts(await finding_of(environ, "slack-connections")) == ("1", "1")


async def test_a_copy_that_runs_before_the_first_start_here_is_found(
    bot: str, environ: dict[str, str], tmp_path: Path
) -> None:
    assert bot
    first = environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/none-yet.db"}
    found = await finding_of(first, "slack-connections")
    assert (found.level, found.found) == (
        "warning",
        "1 besides the doctor's own; no bot runs on this ledger",
    )
    assert "If it is your bot, it has another ledger" in (found.fix or "")


async def test_if_the_ledger_cannot_say_whether_a_bot_runs_no_connection_is_opened(
    bot: str, environ: dict[str, str], slack: LocalSlack, tmp_path: Path
) -> None:
    assert bot
    (tmp_path / "no-ledger.db").write_bytes(b"this is no database at all" * 100)
    unreadable = environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/no-ledger.db"}
    found = await finding_of(unreadable, "slack-connections")
    assert (found.checked, found.fix) == (
        False,
        "Correct `ledger` first, then run the doctor again.",
    )
    assert slack.sockets.greeted == 1


async def test_a_running_bot_without_a_connection_is_found(
    ledger: Path, environ: dict[str, str]
) -> None:
    with locked_by_a_bot(ledger):
        assert await judged(environ, "slack-connections") == (
            "warning",
            "Slack has greeted no bot that runs on this ledger; running: 1",
        )


@pytest.mark.parametrize("runs", [False, True], ids=["no bot runs", "a bot runs"])
async def test_socket_mode_that_is_switched_off_is_named(
    environ: dict[str, str], database: Path, slack: LocalSlack, runs: bool
) -> None:
    off = "Socket Mode is switched off for this Slack app"
    async with AsyncExitStack() as stack:
        if runs:
            await stack.enter_async_context(running(settings_of(environ)))
            await recorded(database)
        slack.sockets.switched_off = True
        await slack.sockets.disconnect("link_disabled")
        if runs:
            await recorded(database, "refusal IS NOT NULL")
        found = await finding_of(environ, "slack-connections")
    assert found.level == "wrong"
    assert found.found == f"to the bot that runs Slack said: {off}" if runs else off
    assert found.fix == "On the app's page “Socket Mode”, choose “Enable Socket Mode”."


@pytest.mark.parametrize("runs", [False, True], ids=["no bot runs", "a bot runs"])
async def test_tokens_of_two_slack_apps_are_found(
    environ: dict[str, str], database: Path, slack: LocalSlack, runs: bool
) -> None:
    slack.sockets.app_id = "A0ANOTHER"
    async with AsyncExitStack() as stack:
        if runs:
            await stack.enter_async_context(running(settings_of(environ)))
            await recorded(database)
        _, found = await findings_of(environ, "slack-app")
    assert (found.level, found.found) == (
        "wrong",
        "SLACK_BOT_TOKEN belongs to the Slack app A0SHAREENV, SLACK_APP_TOKEN to A0ANOTHER",
    )


async def test_the_socket_is_closed_at_once_and_no_command_is_acknowledged() -> None:
    said: list[str] = []
    closed: list[bool] = []

    async def slack(request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/link":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_json({"type": "hello", "num_connections": 1})
            await socket.send_json({"type": "slash_commands", "envelope_id": "e1", "payload": {}})
            said.extend([str(message.data) async for message in socket])
            closed.append(True)
            return socket
        url = f"ws://{request.host}/link?ticket=hush"
        return web.json_response({"ok": True, "url": url})

    async with serving(slack) as origin:
        environ = {
            "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_APP_TOKEN": "xapp-1",
            "SLACK_API_URL": f"{origin}/api/",
        }
        found = await finding_of(environ, "slack-connections")
        await soon(lambda: closed)
    assert (found.level, found.found) == (
        "ok",
        "0 besides the doctor's own",
    )
    assert said == []


async def test_a_socket_that_slack_refuses_for_too_many_connections_is_not_blamed_on_the_network(
    environ: dict[str, str], slack: LocalSlack
) -> None:
    slack.sockets.most = 0
    found = await finding_of(environ, "slack-connections")
    assert (found.level, found.found) == (
        "wrong",
        "10 besides the doctor's own, and Slack allows no more; no bot runs on this ledger",
    )
    assert "stop it, or make a new app-level token" in (found.fix or "")


async def test_a_socket_that_does_not_open_is_wrong(environ: dict[str, str]) -> None:
    async def slack(request: web.BaseRequest) -> web.StreamResponse:
        url = f"ws://{request.host}/link?ticket=hush"
        status = 401 if request.path == "/link" else 200
        return web.json_response({"ok": True, "url": url}, status=status)

    async with serving(slack) as origin:
        found = await finding_of(environ | {"SLACK_API_URL": f"{origin}/api/"}, "slack-connections")
    assert found.level == "wrong"


async def test_a_group_that_is_missing_or_deactivated_is_named(
    environ: dict[str, str], slack: LocalSlack
) -> None:
    slack.groups["S0OLD"] = UserGroup("S0OLD", "old", disabled=True)
    environ["SHARE_ENV_ALLOWED_GROUPS"] = "S0PLATFORM, S0NONE, S0OLD"
    assert await judged(environ, "slack-groups") == (
        "wrong",
        "do not exist: S0NONE; deactivated: S0OLD",
    )


@pytest.mark.parametrize(
    ("error", "why"),
    [
        ("missing_scope", "a scope is missing"),
        ("plan_upgrade_required", "this workspace's plan has no user groups"),
        ("fatal_error", "Slack did not tell in time"),
    ],
)
async def test_groups_that_cannot_be_read_say_why(
    environ: dict[str, str], slack: LocalSlack, error: str, why: str
) -> None:
    slack.fail("usergroups.list", Code(error))
    assert await judged(environ, "slack-groups") == ("wrong", f"cannot be read: {why}")


async def test_unknown_or_deactivated_people_are_named(environ: dict[str, str]) -> None:
    environ["SHARE_ENV_ALLOWED_USERS"] = "U0REQUESTER, U0GONE, U0NOBODY, U0SHAREENV"
    assert await judged(environ, "slack-people") == (
        "wrong",
        "do not exist: U0NOBODY; deactivated: U0GONE; bots, which may do nothing: U0SHAREENV",
    )


@pytest.mark.parametrize("fault", [RateLimited(60), Slow(60)])
async def test_people_who_could_not_be_looked_up_are_not_reported_as_wrong(
    environ: dict[str, str], slack: LocalSlack, fault: RateLimited | Slow
) -> None:
    environ["SHARE_ENV_ALLOWED_USERS"] = "U0REQUESTER"
    slack.fail("users.info", fault)
    found = await finding_of(environ, "slack-people")
    assert (found.level, found.found[:27]) == ("warning", "not looked up: U0REQUESTER ")


async def test_people_who_could_not_be_looked_up_are_all_named_besides_those_who_may_do_nothing(
    environ: dict[str, str], slack: LocalSlack
) -> None:
    people = ("U0GONE", "U0NOBODY", "U0SHAREENV")  # any two of them meet a fault
    environ["SHARE_ENV_ALLOWED_USERS"] = ",".join(people)
    slack.fail("users.info", RateLimited(60), Code("missing_scope"))
    found = await findings_of(environ, "slack-people")
    assert sorted(each.level for each in found) == ["warning", "warning", "wrong"]
    assert all(any(user in each.found for each in found) for user in people)
