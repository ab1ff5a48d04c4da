import asyncio
from contextlib import nullcontext
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.app.running import running
from bot.domain.finding import Finding, ok
from bot.ledger.seal import Sealed
from bot.ops.doctor.chain import _SEALED
from bot.ops.doctor.run import examine
from bot.ops.doctor.wechat import check_owners
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Code
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.world import OWNER
from bot.runtime.clock import Runtime
from tests.conftest import rows, settings_of
from tests.ops.doctors import (
    B,
    complaints,
    finding_of,
    findings_of,
    judged,
    level_of,
    locked_by_a_bot,
    rule,
    with_policy,
)
from tests.token_server import TokenWeChat


@pytest.fixture
def fixed(environ: dict[str, str], wechat: TokenWeChat) -> dict[str, str]:
    """The environment of a bot with a fixed token."""
    others = {k: v for k, v in environ.items() if not k.startswith("WECHAT_TOKEN_SERVER")}
    return {**others, "WECHAT_AUTHORIZER_ACCESS_TOKEN": wechat.issue(OWNER)}


@pytest.fixture
async def chain(
    slack: LocalSlack, wechat: TokenWeChat, database: Path, runtime: Runtime
) -> dict[str, str]:
    """The environment of a bot that maintains the token chain, has run, and has a token."""
    environ = {
        **slack_environment(slack),
        **chain_environment(wechat, free_port()),
        "WECHAT_AUTHORIZER_APPID": OWNER,
        "SHARE_ENV_ALLOWED_GROUPS": "S0PLATFORM",
        "DATABASE_URL": f"sqlite:///{database}",
    }
    async with running(settings_of(environ), runtime):
        await wechat.until(lambda w: any(c.gave_token for c in w.platform.calls))
    return environ


async def test_a_token_that_wechat_accepts_is_fine(fixed: dict[str, str]) -> None:
    assert await judged(fixed, "wechat") == (
        "ok",
        f"{OWNER}: WeChat takes its token; envs in service: 2",
    )


async def test_an_expired_token_of_a_token_server_is_reported_for_that_server(
    environ: dict[str, str], wechat: TokenWeChat
) -> None:
    wechat.fail("getenvinfo", Code(42001))
    assert "token server" in ((await finding_of(environ, "wechat")).fix or "")


async def test_guidance_for_operators_does_not_refer_to_the_operators(
    fixed: dict[str, str], wechat: TokenWeChat
) -> None:
    wechat.fail("/tcb/getenvinfo", Code(-1))
    found = await finding_of(fixed, "wechat")
    assert found.fix is not None
    assert found.fix.startswith("Run the doctor again in some minutes.")


async def test_each_owner_has_a_line_about_its_token(
    environ: dict[str, str], wechat: TokenWeChat, tmp_path: Path
) -> None:
    text = f'[[owner]]\nappid = "{B}"\nenvs = ["b-*"]\n' + rule()
    found = await findings_of(with_policy(environ, tmp_path, text), "wechat")
    assert [f.found.partition(":")[0] for f in found] == [B, OWNER]
    assert sorted(wechat.token_calls) == sorted([B, OWNER])


async def test_owners_with_the_same_problem_are_reported_in_one_line(
    environ: dict[str, str], tmp_path: Path
) -> None:
    text = f'[[owner]]\nappid = "{B}"\nenvs = ["b-*"]\n' + rule()
    wrong = environ | {"WECHAT_TOKEN_SERVER_AUTHORIZATION": "Bearer no"}
    found = await finding_of(with_policy(wrong, tmp_path, text), "wechat")
    both = f"{B}, {OWNER}: The central token server does not let the bot in"
    assert (found.level, found.found) == ("wrong", both)


async def test_the_chains_token_is_read_from_the_ledger_and_nothing_is_renewed(
    chain: dict[str, str], wechat: TokenWeChat, database: Path
) -> None:
    calls, kept = list(wechat.platform.calls), rows(database, "SELECT * FROM tokens")
    assert await level_of(chain, "wechat") == "ok"
    names = ("callback", "ticket", "platform-token", "owner-token")
    assert [await level_of(chain, name) for name in names] == ["ok"] * 4
    assert (await finding_of(chain, "owner-token")).found.startswith(f"{OWNER}: good until ")
    new_calls = {call.endpoint for call in wechat.platform.calls[len(calls) :]}
    assert new_calls == {"api_get_authorizer_info"}
    assert rows(database, "SELECT * FROM tokens") == kept


@pytest.mark.parametrize(
    ("granted", "level", "told"),
    [
        ((49, 18), "ok", "only the platform's developers can open its CloudBase console"),
        ((18,), "wrong", "permission set 49 is not granted"),
        ((49,), "warning", "permission set 18 is not granted"),
    ],
)
async def test_each_owner_has_to_grant_sets_49_and_18_which_closes_its_console(
    chain: dict[str, str], wechat: TokenWeChat, granted: tuple[int, ...], level: str, told: str
) -> None:
    wechat.platform.granted[OWNER] = granted
    found = await finding_of(chain, "permissions")
    assert (found.level, told in found.found) == (level, True)
    if level != "ok":
        assert "管理权限集" in (found.fix or "")
        assert "authorisation link" in (found.fix or "")


@pytest.mark.parametrize("not_authorised", [40013, 61003])
async def test_an_owner_that_withdrew_has_not_authorised_the_platform(
    chain: dict[str, str], wechat: TokenWeChat, not_authorised: int
) -> None:
    wechat.platform.not_authorised = not_authorised
    wechat.platform.revoke(OWNER)
    found = await finding_of(chain, "permissions")
    assert found.level == "wrong"
    start = f"{OWNER}: The owner has not authorised the platform ({not_authorised}, rid "
    assert found.found.startswith(start)


async def test_grants_are_not_looked_up_without_the_platforms_token(
    chain: dict[str, str], wechat: TokenWeChat, database: Path
) -> None:
    calls = list(wechat.platform.calls)
    rows(database, "UPDATE tokens SET expires = 1 WHERE name = 'component'")
    found = await finding_of(chain, "permissions")
    assert found.level == "warning"
    assert found.fix == "Correct `platform-token` first, then run the doctor again."
    assert (await finding_of(chain, "platform-token")).fix == "Start the bot, and look at its log."
    assert wechat.platform.calls == calls


async def test_grants_cannot_be_looked_up_with_other_token_sources(fixed: dict[str, str]) -> None:
    assert not await findings_of(fixed, "permissions")


async def test_an_expired_token_is_not_tried(
    chain: dict[str, str], wechat: TokenWeChat, database: Path
) -> None:
    calls = list(wechat.platform.calls)
    rows(database, "UPDATE tokens SET expires = 1, error = '61023' WHERE name LIKE 'wx%'")
    found = await finding_of(chain, "wechat")
    assert (found.level, found.found) == (
        "warning",
        f"not checked: {OWNER} has no good token in the ledger",
    )
    assert found.fix == "Correct `owner-token` first, then run the doctor again."
    (link,) = await findings_of(chain, "owner-token")
    assert link.level == "wrong"
    assert "refresh token is no longer valid" in link.found
    new_calls = {call.endpoint for call in wechat.platform.calls[len(calls) :]}
    assert new_calls == {"api_get_authorizer_info"}


@pytest.mark.parametrize(("minutes", "expected"), [(29, "ok"), (31, "warning")])
async def test_a_callback_without_recent_pushes_is_reported(
    chain: dict[str, str], database: Path, minutes: int, expected: str
) -> None:
    ago = f"issued - {minutes} * 60, expires = expires - {minutes} * 60"
    rows(database, f"UPDATE tokens SET issued = {ago} WHERE name = 'ticket'")  # noqa: S608  # a number
    assert await judged(chain, "callback") == (
        expected,
        f"WeChat's last ticket came {minutes} minutes ago",
    )


async def test_a_callback_without_any_push_is_a_warning(
    chain: dict[str, str], database: Path
) -> None:
    rows(database, "DELETE FROM tokens")
    assert await level_of(chain, "callback") == "warning"
    assert [await level_of(chain, name) for name in ("ticket", "owner-token")] == ["wrong"] * 2


@pytest.mark.parametrize(
    ("running_bots", "fix"),
    [
        (0, "Start the bot, and look at its log."),
        (1, "At open.weixin.qq.com compare 授权事件接收URL"),
    ],
)
async def test_the_fix_for_a_running_bot_is_not_to_start_it(
    chain: dict[str, str], database: Path, running_bots: int, fix: str
) -> None:
    rows(database, "DELETE FROM tokens")
    with locked_by_a_bot(database) if running_bots else nullcontext():
        assert ((await finding_of(chain, "callback")).fix or "").startswith(fix)
        names = {name for each in complaints(await examine(chain)) for name in each.names}
    assert names & {"callback", "ticket", "platform-token", "owner-token"} == {"callback"}


async def test_without_a_ledger_the_chain_cannot_be_checked(
    chain: dict[str, str], tmp_path: Path
) -> None:
    chain["DATABASE_URL"] = f"sqlite:///{tmp_path}/other.db"
    found = [await finding_of(chain, "callback"), await finding_of(chain, "wechat")]
    assert [finding.level for finding in found] == ["warning", "warning"]
    assert {finding.fix for finding in found} == {
        "Correct `ledger` first, then run the doctor again."
    }
    assert not await findings_of(chain, "ticket")


def test_every_way_to_store_a_token_has_a_finding() -> None:
    assert set(_SEALED) == set(Sealed)


async def test_the_protection_of_the_tokens_is_reported(chain: dict[str, str]) -> None:
    found = await finding_of(chain, "encryption")
    assert found.found == f"platform-token, ticket, {OWNER}: not encrypted"
    assert str(found.fix).startswith("Start the bot with TOKEN_ENCRYPTION_KEY. Within")


async def test_changed_or_lost_keys_are_reported(
    chain: dict[str, str], wechat: TokenWeChat, runtime: Runtime, tmp_path: Path
) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    chain |= {"TOKEN_ENCRYPTION_KEY": old, "DATABASE_URL": f"sqlite:///{tmp_path}/sealed.db"}
    calls = len(wechat.platform.calls)
    async with running(settings_of(chain), runtime):
        await wechat.until(lambda w: any(c.gave_token for c in w.platform.calls[calls:]))
    assert await level_of(chain, "encryption") == "ok"
    assert (
        await level_of(chain | {"TOKEN_ENCRYPTION_KEY": f"{new},{old}"}, "encryption") == "warning"
    )
    assert await level_of(chain | {"TOKEN_ENCRYPTION_KEY": new}, "encryption") == "wrong"
    lost = complaints(await examine(chain | {"TOKEN_ENCRYPTION_KEY": new}))
    assert [each.names for each in lost] == [["encryption"]]
    assert lost[0].finding.found.startswith(
        f"platform-token, ticket, {OWNER}: encrypted with a key"
    )
    assert lost[0].unchecked == ["wechat", "permissions"]


@pytest.mark.parametrize("not_listed", [40164, 61004])
async def test_an_address_that_is_not_listed_at_wechat_is_one_finding_for_all_refused_calls(
    chain: dict[str, str], wechat: TokenWeChat, database: Path, not_listed: int
) -> None:
    wechat.fail("getenvinfo", Code(not_listed))
    wechat.fail("api_get_authorizer_info", Code(not_listed))
    rows(database, f"UPDATE tokens SET error = '{not_listed}' WHERE name != 'ticket'")  # noqa: S608  # a number
    found = complaints(
        await examine(chain | {"TOKEN_ENCRYPTION_KEY": Fernet.generate_key().decode()})
    )
    assert [each.names for each in found if "encryption" not in each.names] == [["platform-token"]]


async def test_the_address_that_wechat_refused_is_named_with_the_token_that_was_not_renewed(
    chain: dict[str, str], wechat: TokenWeChat, database: Path, runtime: Runtime
) -> None:
    wechat.fail("api_component_token", Code(40164, "invalid ip 203.0.113.7, not in whitelist"))
    rows(database, "UPDATE tokens SET expires = 1 WHERE name = 'component'")
    calls = len(wechat.platform.calls)
    async with running(settings_of(chain), runtime):
        await wechat.until(lambda w: len(w.platform.calls) > calls)
    found = await finding_of(chain, "platform-token")
    assert found.found.endswith("WeChat takes no calls from the bot's IP address (203.0.113.7)")


async def test_owners_that_cannot_be_checked_in_time_are_reported_as_not_checked() -> None:
    async def check(owner: str) -> Finding:
        if owner != B:
            await asyncio.Event().wait()
        return ok("wechat", owner)

    owners = [B, *(f"wx{number:016x}" for number in range(12))]
    first, rest = await check_owners("wechat", owners, check, within=0.2)
    assert first == ok("wechat", B)
    assert (rest.level, rest.found) == (
        "warning",
        f"not checked: there was no time for {', '.join(owners[1:11])} and 2 more",
    )
