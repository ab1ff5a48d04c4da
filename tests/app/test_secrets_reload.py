"""Secrets that change while the bot runs: taken up on a reload, or refused with a reason."""

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from bot.app.running import running
from bot.domain.finding import Problem
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Code
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.pushes import PushKeys
from bot.playground.world import APPID, OWNER
from bot.runtime.clock import Runtime
from bot.runtime.observers import no_op
from bot.settings.environ import UnreadableError
from bot.settings.secrets import RELOADABLE, Reread
from bot.settings.table import NAMES
from tests.conftest import (
    FINAL,
    RELEASES,
    REQUESTER,
    address_at,
    calls_of,
    over_http,
    rows,
    settings_of,
    soon,
)
from tests.production_log import logging_as_in_production
from tests.rig import ALLOW
from tests.token_server import TokenWeChat

NOTHING = "INFO there is no changed secret to take up"
REFUSED = "ERROR secrets refused, the old ones stay in force"
NEW_TOKEN = "xoxb-playground-made-up-rotated"
NEW_SECRET = "another-made-up-component-secret"
NEW_KEY = "AnotherMadeUpEncodingAESKeyOfTheLocalWeC004"


@dataclass
class Reloads:
    """The environment of a running bot, as somebody changes it, and the log of each reload."""

    environ: dict[str, str]
    log: pytest.LogCaptureFixture
    hide: Callable[[Iterable[str]], None] = no_op
    error: Exception | None = None
    """Why it cannot be read."""
    reread: Reread = field(init=False)

    async def read(self) -> dict[str, str]:
        """Return the environment as it is now."""
        if self.error:
            raise self.error
        return dict(self.environ)

    @asynccontextmanager
    async def bot(self, runtime: Runtime) -> AsyncIterator[None]:
        """Run the bot while the context is open."""
        self.reread = Reread(self.read, dict(self.environ), self.hide)
        async with running(settings_of(self.environ), runtime, reread=self.reread):
            yield

    async def reload(self, last: str, **changes: str) -> list[str]:
        """Change settings and reload; return the log's lines up to the one that begins with `last`."""
        self.log.clear()
        self.environ |= changes
        self.reread.requested.set()
        await soon(lambda: any(line.partition(" ")[2].startswith(last) for line in self.lines()))
        return self.lines()

    def lines(self) -> list[str]:
        """Return the reload's lines in the log, each with its settings and its reason."""
        told = [each for each in self.log.records if each.name == "bot.app.secrets_reload"]
        return [
            " | ".join([f"{each.levelname} {each.message}", *_facts(each.__dict__)])
            for each in told
        ]


def _facts(record: dict[str, object]) -> Iterator[str]:
    return (str(record[name]) for name in ("settings", "reason") if name in record)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.DEBUG)
    return caplog


@pytest.fixture
def reloads(environ: dict[str, str], log: pytest.LogCaptureFixture) -> Reloads:
    return Reloads(environ, log)


@pytest.fixture
def platform(
    slack: LocalSlack, wechat: TokenWeChat, environ: dict[str, str], log: pytest.LogCaptureFixture
) -> Reloads:
    """A bot that keeps the platform's token chain."""
    chain = slack_environment(slack) | chain_environment(wechat, free_port())
    chain |= {name: environ[name] for name in ("DATABASE_URL", "SHARE_ENV_ALLOWED_GROUPS")}
    chain["SLACK_SIGNING_SECRET"] = slack.world.signing_secret
    return Reloads(chain | {"WECHAT_AUTHORIZER_APPID": OWNER}, log)


async def shares(slack: LocalSlack, env: str) -> bool:
    """Ask for a share, and tell whether it is answered as done."""
    await slack.command(REQUESTER, RELEASES, f"{APPID} {env}")
    await soon(lambda: _final(slack, env), 20)
    return _final(slack, env)[0].startswith("✅")


def _final(slack: LocalSlack, env: str) -> list[str]:
    return [m.text for m in slack.parents(RELEASES) if env in m.text and m.text.startswith(FINAL)]


def rotate(slack: LocalSlack, **changes: Any) -> None:
    """Let Slack know another bot token or signing secret alone, or a token of another bot."""
    slack.world = replace(slack.world, **changes)


async def test_the_bot_goes_on_with_a_new_bot_token_and_the_old_one_is_revoked(
    slack: LocalSlack, reloads: Reloads, runtime: Runtime
) -> None:
    async with reloads.bot(runtime):
        assert await shares(slack, "prod-1")
        rotate(slack, bot_token=NEW_TOKEN)
        slack.scopes -= {"im:write"}
        lines = await reloads.reload("secrets taken", SLACK_BOT_TOKEN=NEW_TOKEN)
        assert await shares(slack, "prod-2")
    assert lines == ["INFO secrets taken up | SLACK_BOT_TOKEN"]
    assert "Slack has not granted all scopes" in reloads.log.text


NOT_ACCEPTED = "SLACK_BOT_TOKEN is not accepted by Slack (invalid_auth). Copy the bot token again"
IN_TROUBLE = "Slack answers that it is in trouble itself (internal_error)."
ANOTHER_BOT = {"bot_token": NEW_TOKEN, "bot_user_id": REQUESTER}


@pytest.mark.parametrize(
    ("known", "answer", "reason"),
    [
        ({}, Code(0), NOT_ACCEPTED),
        (ANOTHER_BOT, Code(0), "SLACK_BOT_TOKEN belongs to another app or workspace than before."),
        (
            {"bot_token": NEW_TOKEN},
            Code("internal_error"),
            f"{IN_TROUBLE} Look at slack-status.com, wait, then reload once more.",
        ),
    ],
    ids=["unknown", "of another app", "while Slack is away"],
)
async def test_a_bot_token_that_is_not_good_changes_nothing(
    slack: LocalSlack,
    reloads: Reloads,
    runtime: Runtime,
    known: dict[str, str],
    answer: Code,
    reason: str,
) -> None:
    before = slack.world
    async with reloads.bot(runtime):
        rotate(slack, **known)
        slack.fail("auth.test", answer)
        # What goes together is taken together, or not at all.
        changes = {"SLACK_BOT_TOKEN": NEW_TOKEN, "SLACK_SIGNING_SECRET": "1" * 32}
        [line] = await reloads.reload("secrets refused", **changes)
        slack.world = before
        assert await shares(slack, "prod-1")
    assert line.startswith(f"{REFUSED} | {', '.join(changes)} | {reason}")


async def test_what_slack_signs_with_a_new_signing_secret_is_heard(
    slack: LocalSlack, reloads: Reloads, runtime: Runtime
) -> None:
    port, secret = free_port(), "1" * 32
    reloads.environ |= over_http(port)
    async with reloads.bot(runtime):
        slack.request_url = address_at(port)
        assert await shares(slack, "prod-1")
        rotate(slack, signing_secret=secret)
        lines = await reloads.reload("secrets taken", SLACK_SIGNING_SECRET=secret)
        assert await shares(slack, "prod-2")
    assert lines == ["INFO secrets taken up | SLACK_SIGNING_SECRET"]


async def test_a_new_appsecret_is_tried_with_the_ticket_and_makes_the_chains_next_token(
    slack: LocalSlack, wechat: TokenWeChat, platform: Reloads, runtime: Runtime, database: Path
) -> None:
    def kept() -> list[tuple[str]]:
        return rows(database, "SELECT value FROM tokens WHERE name = 'component'")

    its = wechat.platform
    async with platform.bot(runtime):
        await its.push_ticket()
        assert await shares(slack, "prod-1")
        made, before = platform_tokens(wechat), kept()
        [line] = await platform.reload("secrets refused", WECHAT_COMPONENT_APPSECRET=NEW_SECRET)
        assert line.startswith(
            f"{REFUSED} | WECHAT_COMPONENT_APPSECRET | "
            "WeChat gives no token with WECHAT_COMPONENT_APPSECRET: WeChat does not accept the "
        )
        assert platform_tokens(wechat) == [*made, 40125]
        assert kept() == before
        its.appsecret = NEW_SECRET
        lines = await platform.reload("secrets taken")
        assert platform_tokens(wechat) == [*made, 40125, 0]
        assert kept() != before
        assert await shares(slack, "prod-2")
    assert lines == ["INFO secrets taken up | WECHAT_COMPONENT_APPSECRET"]


def platform_tokens(wechat: TokenWeChat) -> list[int | None]:
    """Return the verdicts on the calls for the platform's token."""
    calls = wechat.platform.calls
    return [call.errcode for call in calls if call.endpoint == "api_component_token"]


async def test_what_a_wrong_appsecret_kept_from_being_renewed_is_renewed_at_once_by_the_right_one(
    slack: LocalSlack, wechat: TokenWeChat, platform: Reloads, runtime: Runtime
) -> None:
    its, wrong = wechat.platform, platform.environ | {"WECHAT_COMPONENT_APPSECRET": NEW_SECRET}
    right, platform.environ = platform.environ, wrong
    async with platform.bot(runtime):
        await its.push_ticket()
        assert not await shares(slack, "prod-1")
        await platform.reload("secrets taken", **right)
        # The upkeep would look after half a minute, and the failure be forgotten then.
        await soon(lambda: "api_authorizer_token" in [call.endpoint for call in its.calls], 20)


async def test_secrets_of_the_platform_are_used_for_the_first_ticket_and_old_pushes_stay_readable(
    slack: LocalSlack, wechat: TokenWeChat, platform: Reloads, runtime: Runtime
) -> None:
    its = wechat.platform
    wechat.fail("api_start_push_ticket", Code(61004), times=None)  # no ticket comes by itself
    old, new = its.seal, PushKeys(its.component_appid, "another-made-up-token", NEW_KEY)
    async with platform.bot(runtime):
        its.appsecret = NEW_SECRET
        lines = await platform.reload(
            "secrets taken",
            WECHAT_COMPONENT_APPSECRET=NEW_SECRET,
            WECHAT_MESSAGE_TOKEN=new.message_token,
            WECHAT_MESSAGE_TOKEN_PREVIOUS=old.message_token,
            WECHAT_ENCODING_AES_KEY=new.encoding_aes_key,
            WECHAT_ENCODING_AES_KEY_PREVIOUS=old.encoding_aes_key,
        )
        assert await its.push_ticket() == (200, "success")  # with the old ones, just before
        its.message_token, its.encoding_aes_key = new.message_token, new.encoding_aes_key
        assert await its.push_ticket() == (200, "success")
        assert await shares(slack, "prod-1")
        gone = ("WECHAT_MESSAGE_TOKEN_PREVIOUS", "WECHAT_ENCODING_AES_KEY_PREVIOUS")
        await platform.reload("secrets taken", **dict.fromkeys(gone, ""))
        its.message_token, its.encoding_aes_key = old.message_token, old.encoding_aes_key
        assert (await its.push_ticket())[0] == 403
    assert lines == [
        "WARNING an AppSecret is taken untried | The platform has no good ticket from WeChat",
        f"INFO secrets taken up | {', '.join(RELOADABLE[2:])}",
    ]


async def test_secrets_are_hidden_in_the_log_before_their_first_use_and_after_their_last(
    slack: LocalSlack,
    wechat: TokenWeChat,
    platform: Reloads,
    runtime: Runtime,
    capsys: pytest.CaptureFixture[str],
) -> None:
    values = (NEW_TOKEN, "3" * 32, NEW_SECRET, "another-made-up-token", NEW_KEY)
    new = dict(zip((name for name in RELOADABLE if "PREVIOUS" not in name), values, strict=True))
    secrets = [*new.values(), *(platform.environ[name] for name in new)]
    echo, asked, logged = Code(" ".join(secrets)), list[int](), list[str]()

    def lines(event: str) -> list[str]:
        logged.extend(capsys.readouterr().err.splitlines())
        return [line for line in logged if event in line]

    with logging_as_in_production(secrets=settings_of(platform.environ).secrets) as hide:

        def note_and_hide(more: Iterable[str]) -> None:
            asked.append(calls_of(slack, "auth.test"))
            hide(more)

        platform.hide = note_and_hide
        async with platform.bot(runtime):
            slack.fail("auth.test", echo)
            platform.environ |= new
            platform.reread.requested.set()
            await soon(lambda: lines("secrets refused"))
            rotate(slack, bot_token=NEW_TOKEN)
            wechat.platform.appsecret = NEW_SECRET
            platform.reread.requested.set()
            await soon(lambda: lines("secrets taken up"))
            slack.fail("auth.test", echo)
            platform.environ["SLACK_BOT_TOKEN"] = "xoxb-made-up"
            platform.reread.requested.set()
            await soon(lambda: len(lines("secrets refused")) == 2)
    assert asked == [1, 2, 3]
    assert lines("called Slack")
    assert all("[hidden]" in line for line in lines("secrets refused"))
    assert [secret for secret in secrets if lines(secret)] == []


async def test_other_settings_and_secrets_in_the_environment_itself_need_a_restart(
    slack: LocalSlack, reloads: Reloads, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_SIGNING_SECRET", "2" * 32)
    async with reloads.bot(runtime):
        rotate(slack, bot_token=NEW_TOKEN)
        changes = {"SLACK_BOT_TOKEN": NEW_TOKEN, "LOG_LEVEL": "DEBUG", "SLACK_APP_TOKEN": "xapp-2"}
        lines = await reloads.reload("secrets taken", **changes)
    assert lines == [
        "INFO only a restart changes what the environment gives | SLACK_SIGNING_SECRET",
        "INFO these settings have changed, and need a restart | SLACK_APP_TOKEN, LOG_LEVEL",
        "INFO secrets taken up | SLACK_BOT_TOKEN",
    ]


async def test_secrets_of_another_token_source_wait_for_the_restart_that_it_needs(
    reloads: Reloads, wechat: TokenWeChat, runtime: Runtime
) -> None:
    chain = chain_environment(wechat, free_port())
    async with reloads.bot(runtime):
        source = {"WECHAT_TOKEN_SERVER_URL": "", "WECHAT_TOKEN_SERVER_AUTHORIZATION": ""}
        lines = await reloads.reload("there is no", **source, **chain)
    names = [name for name in NAMES if name in source.keys() | chain.keys() - {"WECHAT_API_URL"}]
    assert lines == [
        f"INFO these settings have changed, and need a restart | {', '.join(names)}",
        NOTHING,
    ]


async def test_settings_that_cannot_be_read_are_refused_with_each_reason(
    slack: LocalSlack, reloads: Reloads, runtime: Runtime
) -> None:
    async with reloads.bot(runtime):
        [line] = await reloads.reload("secrets refused", SLACK_BOT_TOKEN="", PORT="3000")
        assert "SLACK_BOT_TOKEN is missing" in line
        reloads.error = UnreadableError([Problem("The file is empty", "Fill it.")])
        assert await reloads.reload("secrets refused") == [
            f"{REFUSED} | The file is empty. Fill it."
        ]
        reloads.error = ValueError("a mistake")
        assert (await reloads.reload("secrets refused"))[-1].endswith(" Restart the bot.")
        reloads.error = None
        await reloads.reload("secrets refused")
        assert await shares(slack, "prod-1")


async def test_a_policy_file_that_is_gone_does_not_keep_a_secret_from_being_taken_up(
    slack: LocalSlack, reloads: Reloads, runtime: Runtime, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(ALLOW, encoding="utf-8")
    reloads.environ |= {"POLICY_FILE": str(policy), "SHARE_ENV_ALLOWED_GROUPS": ""}
    async with reloads.bot(runtime):
        policy.unlink()
        rotate(slack, bot_token=NEW_TOKEN)
        lines = await reloads.reload("secrets taken", SLACK_BOT_TOKEN=NEW_TOKEN)
    assert lines == ["INFO secrets taken up | SLACK_BOT_TOKEN"]


async def test_a_reload_that_finds_no_other_secret_says_so(
    reloads: Reloads, runtime: Runtime
) -> None:
    async with reloads.bot(runtime):
        assert await reloads.reload("there is no") == [NOTHING]
