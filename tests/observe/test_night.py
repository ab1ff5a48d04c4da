"""A running bot breaks in one way, and an operator looks at its log, /readyz, its alerts and the doctor.

At least two of the four have to name the cause.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from bot.app.running import running
from bot.guidance import Trouble, for_code
from bot.ops.doctor.run import examine
from bot.playground.environments import chain_environment
from bot.playground.faults import Code, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from bot.runtime.clock import Runtime
from tests.conftest import RELEASES, REQUESTER, settings_of, soon
from tests.observe.alerting import firing, needs_promtool, scrape
from tests.ops.doctors import complaints, rule, with_policy
from tests.served import Served

pytestmark = needs_promtool

Environ = dict[str, str]


@dataclass(frozen=True)
class Night:
    """A running bot, its servers, and its settings."""

    slack: LocalSlack
    wechat: LocalWeChat
    served: Served
    folder: Path
    environ: Environ
    reload: asyncio.Event

    async def ask(self, times: int = 1, command: str = "/share-env") -> None:
        """Ask for several envs, one after the other, and wait until each request has ended."""
        for number in range(times):
            await self.slack.command(REQUESTER, RELEASES, f"{APPID} prod-{number}", command=command)
            await self.until("share_env_work_under_way 0.0", present=True)

    async def until(self, line: str, *, present: bool) -> None:
        """Wait until a line is in the metrics, or no longer is."""
        async with asyncio.timeout(30):
            while (line in (await self.served.get("/metrics"))[1]) is not present:  # noqa: ASYNC110  # it sends no event
                await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Broken:
    """One way to break the bot, and what each of the four contains; empty if it need not name the cause.

    `before` returns changes of the settings before the start; `happens` then breaks the running bot.
    """

    log: str = ""
    readyz: str = ""
    alert: str = ""
    doctor: str = ""
    before: Callable[[Night], Mapping[str, str | None]] = lambda _: {}
    happens: Callable[[Night], Awaitable[None]] = lambda night: night.ask(4)
    grow: str = ""


def fixed(night: Night) -> Mapping[str, str | None]:
    return {
        "WECHAT_TOKEN_SERVER_URL": None,
        "WECHAT_TOKEN_SERVER_AUTHORIZATION": None,
        "WECHAT_AUTHORIZER_ACCESS_TOKEN": night.wechat.issue(OWNER),
    }


async def expire_the_token(night: Night) -> None:
    night.wechat.expire(night.environ["WECHAT_AUTHORIZER_ACCESS_TOKEN"])
    await night.ask(4)


def another_secret(night: Night) -> Mapping[str, str | None]:
    night.slack.request_url = f"{night.served.origin}/slack/events"
    return {"SLACK_APP_TOKEN": None, "SLACK_SIGNING_SECRET": "0" * 32}


def by_http(night: Night) -> Mapping[str, str | None]:
    secret = night.slack.world.signing_secret
    return {**another_secret(night), "SLACK_SIGNING_SECRET": secret}


async def one_url_is_wrong(night: Night) -> None:
    await night.ask()
    night.slack.request_url = f"{night.served.origin}/slack/interactivity"
    await night.slack.command(REQUESTER, RELEASES, "help")


def without(scope: str) -> Callable[[Night], Mapping[str, str | None]]:
    def before(night: Night) -> Mapping[str, str | None]:
        night.slack.scopes.discard(scope)
        return {}

    return before


def chain(night: Night) -> Mapping[str, str | None]:
    settings = chain_environment(night.wechat, night.served.port)
    taken = {"WECHAT_TOKEN_SERVER_URL": None, "WECHAT_TOKEN_SERVER_AUTHORIZATION": None}
    return {**taken, **settings, "TOKEN_ENCRYPTION_KEY": Fernet.generate_key().decode()}


def another_message_token(night: Night) -> Mapping[str, str | None]:
    return {**chain(night), "WECHAT_MESSAGE_TOKEN": "another-made-up-message-token"}


def unlisted(night: Night) -> Mapping[str, str | None]:
    night.wechat.fail("api_component_token", Code(61004), times=None)
    return chain(night)


def wrong_secret(night: Night) -> Mapping[str, str | None]:
    night.wechat.fail("api_component_token", Code(40001), times=None)
    return chain(night)


async def push_tickets(night: Night) -> None:
    for _ in range(2):
        await night.wechat.platform.push_ticket()


async def fail_renewals(night: Night) -> None:
    """Let WeChat push tickets, with each of which the bot tries to renew at once."""
    failed = 'share_env_renewal_failures_total{link="platform"}'
    async with asyncio.timeout(30):
        await night.wechat.platform.push_ticket()
        while (await night.served.counts(failed))[failed] < 4:
            await night.wechat.platform.push_ticket()


def with_file(night: Night) -> Mapping[str, str | None]:
    return {
        **with_policy({}, night.folder, rule(env="prod-*")),
        "SHARE_ENV_ALLOWED_GROUPS": None,
    }


async def spoil_the_file(night: Night) -> None:
    (night.folder / "policy.toml").write_text("[[rule]\n", encoding="utf-8")
    night.reload.set()
    await night.served.becomes(
        200,
        {
            "policy": "the policy file is gone or has a mistake; the old policy is in force, see the log"
        },
    )


def without_groups(night: Night) -> Mapping[str, str | None]:
    night.slack.fail("usergroups.list", *(Code("internal_error"),) * 40)
    return {}


def gateway_broken(night: Night) -> Mapping[str, str | None]:
    for call in ("shareenv", "getenvinfo"):
        night.wechat.fail(call, Status(502, b"<html></html>"), times=None)
    return {}


async def token_revoked(night: Night) -> None:
    lookups = ("auth.test", "users.info", "usergroups.list", "conversations.info")
    for method in (*lookups, "chat.postMessage"):
        night.slack.fail(method, Code("token_revoked"), times=None)
    await night.ask(1)


async def slack_accepts_nothing(night: Night) -> None:
    night.slack.fail("chat.postMessage", *(Status(503),) * 400)
    await night.slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
    await night.until("share_env_owed_seconds 0.0", present=False)


NIGHTS = {
    "the token server refuses the bot": Broken(
        Trouble.TOKEN_SERVER_REFUSED.value.key,
        Trouble.TOKEN_SERVER_REFUSED.value.title,
        "ShareEnvSharesFail",
        "WECHAT_TOKEN_SERVER_AUTHORIZATION",
        lambda _: {"WECHAT_TOKEN_SERVER_AUTHORIZATION": "Bearer another"},
    ),
    "the fixed token dies": Broken(
        Trouble.TOKEN_FIXED_DEAD.value.key,
        Trouble.TOKEN_FIXED_DEAD.value.title,
        "ShareEnvTokensFail",
        "WECHAT_AUTHORIZER_ACCESS_TOKEN",
        fixed,
        expire_the_token,
    ),
    "the signing secret of another app": Broken(
        "SLACK_SIGNING_SECRET", "", "ShareEnvPostsRefused", "SLACK_SIGNING_SECRET", another_secret
    ),
    "a scope is missing": Broken(
        "users:read", "", "ShareEnvCannotTellWho", "users:read", without("users:read")
    ),
    "the scope for groups is missing": Broken(
        *("usergroups:read", "", "ShareEnvCannotTellWho", "usergroups:read"),
        without("usergroups:read"),
    ),
    "the scope for answers is missing": Broken(
        "chat:write", "", "", "chat:write", without("chat:write")
    ),
    "one of Slack's Request URLs is wrong": Broken(
        *("Let Slack's Request URLs end in /slack/events", "", "", "/slack/events"),
        *(by_http, one_url_is_wrong),
    ),
    "the address is not listed at WeChat": Broken(
        *("61004", "the platform's token is not good", "ShareEnvRenewalsFail", "白名单IP"),
        *(unlisted, fail_renewals),
    ),
    "the AppSecret is wrong": Broken(
        *(for_code(40125).title, "the platform's token is not good"),
        *("ShareEnvRenewalsFail", "WECHAT_COMPONENT_APPSECRET"),
        *(wrong_secret, fail_renewals),
    ),
    "a command of another name": Broken(
        "command /share-envs",
        "",
        "ShareEnvNobodyListens",
        happens=lambda night: night.ask(1, "/share-envs"),
    ),
    "another message token": Broken(
        *("WECHAT_MESSAGE_TOKEN", "the platform's token is not good"),
        *("ShareEnvTokensFail", "WECHAT_MESSAGE_TOKEN"),
        *(another_message_token, push_tickets),
    ),
    "a policy file with a mistake": Broken(
        "policy refused",
        "the policy file is gone or has a mistake",
        "ShareEnvPolicyRefused",
        "policy.toml",
        with_file,
        spoil_the_file,
    ),
    "Slack does not return the members of a group": Broken(
        "GroupUnreadable", "", "ShareEnvCannotTellWho", "cannot be read", without_groups
    ),
    "a gateway answers each share with an error page": Broken(
        "gateway-broken",
        Trouble.GATEWAY_BROKEN.value.title,
        "ShareEnvSharesFail",
        "answered with an error page instead of WeChat (HTTP 502)",
        gateway_broken,
    ),
    "the bot token is revoked": Broken(
        "Slack refuses the bot token",
        "SLACK_BOT_TOKEN is not accepted by Slack (token_revoked)",
        "",
        "Copy the bot token again",
        happens=token_revoked,
    ),
    "Slack accepts no message": Broken(
        "Slack takes no message for now",
        "",
        "ShareEnvAnswersOwed",
        "whose next message Slack has not taken: 1",
        happens=slack_accepts_nothing,
        grow="share_env_owed_seconds",
    ),
}


def logged(caplog: pytest.LogCaptureFixture) -> str:
    return "\n".join(f"{line.getMessage()} {vars(line)}" for line in caplog.records)


async def looked_at(
    night: Night, broken: Broken, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> tuple[str, str, set[str], str]:
    """Return what the four say afterwards: the log, /readyz, the alerts that fire, and the doctor's one finding."""
    caplog.set_level(logging.INFO)
    changed = {**night.environ, **broken.before(night)}
    night = replace(
        night, environ={name: value for name, value in changed.items() if value is not None}
    )
    async with running(settings_of(night.environ), runtime, night.reload):
        before = scrape((await night.served.get("/metrics"))[1])
        await broken.happens(night)
        await soon(lambda: broken.log in logged(caplog))  # refused posts are logged once a second
        after = scrape((await night.served.get("/metrics"))[1])
        readyz = (await night.served.get("/readyz"))[1]
        found = complaints(await examine(night.environ))
    doctor = "; ".join(f"{each.finding.found} {each.finding.fix}" for each in found)
    assert len(found) == bool(broken.doctor), doctor
    fires = await asyncio.to_thread(firing, before, after, night.folder, broken.grow)
    return logged(caplog), readyz, fires, doctor


@pytest.fixture
def night(
    listening: Environ, slack: LocalSlack, wechat: LocalWeChat, served: Served, tmp_path: Path
) -> Night:
    return Night(slack, wechat, served, tmp_path, listening, asyncio.Event())


@pytest.mark.parametrize("name", NIGHTS)
async def test_at_least_two_of_the_four_name_the_cause(
    night: Night, runtime: Runtime, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    broken = NIGHTS[name]
    log, readyz, fires, doctor = await looked_at(night, broken, runtime, caplog)
    assert sum(map(bool, (broken.log, broken.readyz, broken.alert, broken.doctor))) >= 2
    assert broken.log in log
    assert broken.readyz in readyz
    assert broken.alert in {*fires, ""}
    assert broken.doctor in doctor


async def test_a_healthy_bot_sets_off_no_alert(
    night: Night, runtime: Runtime, caplog: pytest.LogCaptureFixture
) -> None:
    _, readyz, fires, _ = await looked_at(night, Broken(), runtime, caplog)
    assert '"status": "ok"' in readyz
    assert fires == set()


@pytest.mark.parametrize("up", [0, None], ids=["stopped", "not scraped"])
def test_a_bot_that_prometheus_does_not_reach_sets_off_an_alert(
    tmp_path: Path, up: int | None
) -> None:
    assert firing({}, {}, tmp_path, up=up) == {"ShareEnvNotReady"}


@pytest.mark.parametrize(
    ("series", "before", "after", "alerts"),
    [
        ("share_env_ledger_failures_total", 0, 1, {"ShareEnvLedgerFails"}),
        ('share_env_deliveries_total{result="too late"}', 0, 1, {"ShareEnvNotDelivered"}),
        ('share_env_deliveries_total{result="delivered"}', 0, 1, set()),
        ('share_env_token_good_seconds{link="ticket"}', 39_500, 39_500, {"ShareEnvNoTicket"}),
        ('share_env_token_good_seconds{link="ticket"}', 43_000, 43_000, set()),
        ('share_env_renewal_failures_total{link="owner"}', 0, 2, set()),
        ('share_env_renewal_failures_total{link="owner"}', 0, 3, {"ShareEnvRenewalsFail"}),
        ("share_env_events_unsent_seconds", 890, 890, set()),
        ("share_env_events_unsent_seconds", 910, 910, {"ShareEnvEventsUnsent"}),
        ("share_env_owed_seconds", 295, 295, set()),
        ("share_env_owed_seconds", 305, 305, {"ShareEnvAnswersOwed"}),
    ],
)
def test_an_alert_about_a_single_number_fires_on_it(
    tmp_path: Path, series: str, before: int, after: int, alerts: set[str]
) -> None:
    told = scrape(f"{series} {before}\n"), scrape(f"{series} {after}\n")
    assert firing(*told, tmp_path) == alerts


@pytest.mark.parametrize(
    ("failed", "shared", "alerts"),
    [
        (2, 0, set()),
        (3, 0, {"ShareEnvSharesFail"}),
        (3, 11, {"ShareEnvSharesFail"}),
        (3, 13, set()),
    ],
)
def test_an_alert_fires_on_three_failures_for_operators_if_they_are_a_fifth_of_the_shares(
    tmp_path: Path, failed: int, shared: int, alerts: set[str]
) -> None:
    def told(failed: int, shared: int) -> dict[str, float]:
        requests = f'share_env_requests_total{{outcome="failed"}} {failed}\n'
        requests += f'share_env_requests_total{{outcome="shared"}} {shared}\n'
        return scrape(f'{requests}share_env_failures_total{{fixer="operator"}} {failed}\n')

    assert firing(told(0, 0), told(failed, shared), tmp_path) == alerts


@pytest.mark.parametrize(("bucket", "alerts"), [("+Inf", {"ShareEnvAcksLate"}), ("", set())])
def test_acks_after_two_seconds_set_off_an_alert(
    tmp_path: Path, bucket: str, alerts: set[str]
) -> None:
    name = 'share_env_ack_seconds_bucket{kind="command",le="'
    none = scrape("".join(f'{name}{each}"}} 0\n' for each in ("2.0", "3.0", "+Inf")))
    assert firing(none, none, tmp_path, name + bucket, minutes=15) == alerts
