"""The bot as a process that keeps the platform's token chain, with a WeChat that pushes to it."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Slow
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from tests.conftest import RELEASES, REQUESTER, rows
from tests.end_to_end.conftest import Process, bot, ended_parents, finished
from tests.said import SHARED

pytestmark = pytest.mark.slow

SHARE = f"{APPID} prod-1"
LEDGER = "share-env.db"
SECRETS = ("made-up-token", "made-up-component-", "made-up-message-", "@@@made-up")
"""Markers of each kind of secret of the local WeChat."""
KEY, NEW_KEY = Fernet.generate_key().decode(), Fernet.generate_key().decode()
NOT_ENCRYPTED = "TOKEN_ENCRYPTION_KEY is not set"


@pytest.fixture
def environ(slack: LocalSlack, wechat: LocalWeChat, unused_tcp_port: int) -> dict[str, str]:
    """The environment of a bot that keeps the chain."""
    return {
        **slack_environment(slack),
        **chain_environment(wechat, unused_tcp_port),
        "WECHAT_AUTHORIZER_APPID": OWNER,
        "SHARE_ENV_ALLOWED_GROUPS": "S0PLATFORM",
        "LOG_LEVEL": "DEBUG",
    }


def chain(wechat: LocalWeChat) -> list[tuple[str, int | None]]:
    """Return the platform's calls so far, with WeChat's verdicts."""
    return [(call.endpoint, call.errcode) for call in wechat.platform.calls]


def renewals(wechat: LocalWeChat) -> int:
    """Return how often WeChat has renewed an owner's token."""
    return chain(wechat).count(("api_authorizer_token", 0))


async def renewed(wechat: LocalWeChat, times: int = 1) -> None:
    await wechat.until(lambda wechat: renewals(wechat) >= times)


@asynccontextmanager
async def bot_with_token(
    environ: dict[str, str], folder: Path, wechat: LocalWeChat
) -> AsyncIterator[Process]:
    """Run a new bot until it has its first ticket and the owner's token."""
    async with bot(environ, folder) as process:
        await renewed(wechat)
        yield process


async def answered(slack: LocalSlack, command: str = SHARE) -> str:
    """Type a command, and return the reply in its thread."""
    before = len(ended_parents(slack))
    await slack.command(REQUESTER, RELEASES, command)
    await slack.until(lambda slack: len(ended_parents(slack)) > before)
    (reply,) = slack.thread(RELEASES, ended_parents(slack)[-1].ts)
    return reply.text


async def whoami(slack: LocalSlack) -> str:
    ack = await slack.command(REQUESTER, RELEASES, "whoami")
    return str((ack.payload or {})["text"])


def refresh_token(folder: Path) -> str:
    """Return the owner's refresh token from the ledger."""
    ((stored,),) = rows(folder / LEDGER, f"SELECT refresh_token FROM tokens WHERE name = '{OWNER}'")  # noqa: S608  # no stranger's words
    return str(stored).removeprefix("plain:")


def readable(folder: Path) -> set[str]:
    """Return the kinds of secrets that are readable in the ledger's files, including the write-ahead log."""
    files = b"".join(file.read_bytes() for file in sorted(folder.glob(f"{LEDGER}*")))
    return {secret for secret in SECRETS if secret.encode() in files}


async def test_over_socket_mode_the_bot_listens_for_pushes_and_says_where(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    async with bot_with_token(environ, tmp_path, wechat) as process:
        assert process.ready == (
            "share-env-bot 0.3.0 is ready: playground as share-env, over Socket Mode and at "
            f"http://127.0.0.1:{environ['PORT']}.\n"
        )
        assert (await answered(slack)).startswith(SHARED)
        assert wechat.shared == [(OWNER, "prod-1", APPID)]
        assert await process.stop(signal.SIGTERM) == 0
    assert wechat.platform.pushes == [("component_verify_ticket", 200, "success")]
    assert chain(wechat).count(("api_start_push_ticket", 0)) == 1
    assert renewals(wechat) == 1


async def test_without_a_ticket_people_are_told_so_until_a_push_brings_one(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    callback, wechat.platform.callback = wechat.platform.callback, None
    async with bot(environ, tmp_path):
        said = await answered(slack)
        assert said.startswith("❌ *The platform has no good ticket from WeChat.*")
        assert "*What broke:* the platform's ticket, `component_verify_ticket`." in said
        assert "`component_verify_ticket`: there is none now." in await whoami(slack)
        assert wechat.calls == []

        wechat.platform.callback = callback
        assert await wechat.platform.push_ticket() == (200, "success")
        await renewed(wechat)
        assert (await answered(slack)).startswith(SHARED)
        said = ""
        async with asyncio.timeout(30):
            while f"`{OWNER}`: good until" not in said:
                said = await whoami(slack)
        assert "component_verify_ticket" not in said
    assert chain(wechat).count(("api_start_push_ticket", 0)) == 1


async def test_a_restart_with_an_hour_old_ticket_needs_no_new_push(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    platform = wechat.platform
    platform.expires_in = 1800
    async with bot_with_token(environ, tmp_path, wechat) as process:
        assert await process.stop(signal.SIGTERM) == 0
    pushes, before = len(platform.pushes), chain(wechat)

    platform.callback = None  # no pushes from now on, even on request
    wechat.advance(3600)
    rows(tmp_path / LEDGER, "UPDATE tokens SET issued = issued - 3600, expires = expires - 3600")
    async with bot(environ, tmp_path):
        assert (await answered(slack)).startswith(SHARED)
        assert chain(wechat)[len(before) :] == [
            ("api_component_token", 0),
            ("api_authorizer_token", 0),
        ]
    assert len(platform.pushes) == pushes


async def test_a_restart_with_valid_tokens_requests_none(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    async with bot_with_token(environ, tmp_path, wechat):
        before = chain(wechat)
    async with bot(environ, tmp_path):
        assert (await answered(slack)).startswith(SHARED)
    assert chain(wechat) == before


async def test_without_a_key_the_start_warns_once_and_the_tokens_are_plain(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    async with bot_with_token(environ, tmp_path, wechat) as process:
        assert (await answered(slack)).startswith("✅")
        await process.stop(signal.SIGTERM)
    assert "".join(process.log).count(NOT_ENCRYPTED) == 1
    assert readable(tmp_path) == {"made-up-token", "made-up-component-", "@@@made-up"}
    assert wechat.shared


async def test_with_a_key_the_tokens_are_encrypted_and_there_is_no_warning(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["TOKEN_ENCRYPTION_KEY"] = KEY
    async with bot_with_token(environ, tmp_path, wechat) as process:
        assert (await answered(slack)).startswith("✅")
        assert readable(tmp_path) == set()
        await process.stop(signal.SIGTERM)
    assert NOT_ENCRYPTED not in "".join(process.log)
    assert readable(tmp_path) == set()
    assert rows(tmp_path / LEDGER, "SELECT count(*) FROM tokens WHERE value IS NOT NULL") == [(3,)]

    environ["TOKEN_ENCRYPTION_KEY"] = f"{NEW_KEY},{KEY}"
    before = chain(wechat)
    async with bot(environ, tmp_path):
        assert (await answered(slack, f"{APPID} prod-2")).startswith("✅")
        code, out, _ = await finished(environ, tmp_path, "doctor")
    assert chain(wechat) == [*before, ("api_get_authorizer_info", 0)]  # the doctor's
    assert code == 0
    assert (
        f"⚠️ encryption: platform-token, ticket, {OWNER}: still encrypted with an older key"
        in " ".join(out.split())
    )


@pytest.mark.parametrize("key", ["", KEY], ids=["no key", "a key"])
async def test_no_secret_of_the_chain_is_in_debug_logs_or_messages(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path, key: str
) -> None:
    environ["TOKEN_ENCRYPTION_KEY"] = key
    environ["WECHAT_AUTHORIZER_REFRESH_TOKEN"] = wechat.platform.refresh_token(OWNER)
    async with bot_with_token(environ, tmp_path, wechat) as process:
        assert (await answered(slack)).startswith("✅")
        wechat.expire(wechat.calls[-1].token)
        assert (await answered(slack, f"{APPID} prod-2")).startswith("✅")
        wechat.platform.lose(OWNER)
        wechat.expire(wechat.calls[-1].token)
        assert (await answered(slack, f"{APPID} prod-3")).startswith("✅")
        assert await wechat.platform.push_updateauthorized(OWNER) == (200, "success")
        await wechat.until(lambda wechat: ("api_query_auth", 0) in chain(wechat))
        said = await whoami(slack)
        _, out, err = await finished(environ, tmp_path, "doctor", "--json")
        await process.stop(signal.SIGTERM)
    log = "".join(process.log)
    assert "api_authorizer_token" in log
    words = (*SECRETS, environ["WECHAT_ENCODING_AES_KEY"], *filter(None, [key]))
    everything = (log, said, out, err, *(message.text for message in slack.messages))
    assert [word for word in words for text in everything if word in text] == []


@pytest.mark.parametrize("grace", ["10", "0"])
async def test_a_stop_during_a_renewal_keeps_the_new_token(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path, grace: str
) -> None:
    environ["SHUTDOWN_GRACE"] = grace
    platform = wechat.platform
    platform.rotate_refresh_tokens = True
    async with bot_with_token(environ, tmp_path, wechat) as process:
        await answered(slack)
        first = platform.refresh_token(OWNER)
        wechat.expire(wechat.calls[-1].token)
        wechat.fail("api_authorizer_token", Slow(1, after_effect=True))
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-2")
        await renewed(wechat, 2)  # WeChat has renewed it; the bot has no answer yet
        assert await process.stop(signal.SIGTERM) == 0
    assert refresh_token(tmp_path) == platform.refresh_token(OWNER) != first

    async with bot(environ, tmp_path):
        await slack.until(lambda slack: len(ended_parents(slack)) == 2)
        assert (await answered(slack, f"{APPID} prod-3")).startswith("✅")
    assert renewals(wechat) == 2
    assert [message.text[0] for message in ended_parents(slack)] == ["✅"] * 3


async def test_a_stop_during_the_very_first_renewal_keeps_the_new_token(
    wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    wechat.platform.rotate_refresh_tokens = True
    wechat.fail("api_authorizer_token", Slow(1, after_effect=True))
    async with bot(environ, tmp_path) as process:
        await renewed(wechat)
        assert await process.stop(signal.SIGTERM) == 0
    assert refresh_token(tmp_path) == wechat.platform.refresh_token(OWNER)


async def test_a_stop_that_cannot_wait_for_wechat_leaves_the_renewal_to_the_next_process(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["SHUTDOWN_GRACE"] = "0"
    platform = wechat.platform
    platform.rotate_refresh_tokens = True
    async with bot_with_token(environ, tmp_path, wechat) as process:
        await answered(slack)
        wechat.expire(wechat.calls[-1].token)
        wechat.fail("api_authorizer_token", Slow(60, after_effect=True))
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-2")
        await renewed(wechat, 2)
        lost = platform.refresh_token(OWNER)
        assert await process.stop(signal.SIGTERM) == 0
    assert refresh_token(tmp_path) != lost
    async with bot(environ, tmp_path):
        await slack.until(lambda slack: len(ended_parents(slack)) == 2, 20)
        assert (await answered(slack, f"{APPID} prod-3")).startswith("✅")
    assert [message.text[0] for message in ended_parents(slack)] == ["✅"] * 3
    assert refresh_token(tmp_path) == platform.refresh_token(OWNER) != lost
