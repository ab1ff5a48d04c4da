import asyncio
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from bot.app.running import running
from bot.domain.link import Link, LinkState
from bot.observe.health import Health, PartCheck, Watch, chain_trouble, ended, is_good
from bot.playground.environments import chain_environment, slack_environment
from bot.playground.faults import Slow
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from bot.runtime.clock import Runtime
from tests.conftest import ASK, ENV, RELEASES, REQUESTER, Clock, locked, no_room, settings_of
from tests.conftest import ended as answered
from tests.rig import ALLOW, CONFIRM
from tests.served import PATHS, Served

SILENT = {"ledger": "it did not take the last sign of life, see the log"}
APART = {"slack": "Socket Mode is not connected"}
TOO_MANY = {"slack": "Slack has too many connections of this app: it allows ten"}
FIRST_TRY = 'share_env_renewals_total{link="platform",result="no-ticket"}'
OLD_POLICY = {
    "policy": "the policy file is gone or has a mistake; the old policy is in force, see the log"
}
NO_TICKET = {"ticket": "there is no good ticket from WeChat"}


# The parts.


def links(ticket: float | None, platform: float | None, *owners: float | None) -> list[LinkState]:
    """Return the state of each link, by until when it is good."""
    each = [
        (Link.TICKET, ticket),
        (Link.PLATFORM, platform),
        *((Link.OWNER, one) for one in owners),
    ]
    return [LinkState(link, None, good_until=until, renewed=None) for link, until in each]


@pytest.mark.parametrize(
    ("states", "why"),
    [
        ([], "the tokens have not been looked at yet"),
        (links(9, 9, 9), None),
        (links(9, None, 9), "the platform's token is not good"),
        (links(9, 9, None), "no owner's token is good"),
        (links(9, 9, None, None), "no owner's token is good"),
        (links(9, 9, None, 9), None),
        (links(None, 9, 9), None),
    ],
    ids=[
        *("not looked at", "good", "no platform's", "no owner's", "none of two", "one of two"),
        "no ticket, but tokens",
    ],
)
def test_the_chain_is_fresh_while_any_owners_env_can_be_shared(
    states: Sequence[LinkState], why: str | None
) -> None:
    assert chain_trouble(states) == why


@pytest.mark.parametrize(
    ("states", "fine"),
    [([], False), (links(None, 9), False), (links(9, None), True)],
    ids=["not looked at", "none", "one"],
)
def test_without_a_ticket_nothing_can_be_renewed(states: Sequence[LinkState], fine: bool) -> None:
    assert is_good(states, Link.TICKET) is fine


async def test_a_task_has_died_only_if_it_ended_with_an_error() -> None:
    async def fails() -> None:
        raise RuntimeError("made up")

    async def goes_on() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(goes_on()), asyncio.create_task(asyncio.sleep(0))]
    assert ended([]) is None
    await asyncio.wait(tasks[1:])
    assert ended(tasks) is None
    tasks[0].cancel()
    await asyncio.wait(tasks)
    assert ended(tasks) is None  # at a stop
    tasks.append(asyncio.create_task(fails()))
    await asyncio.wait(tasks)
    assert ended(tasks) == "a task that must go on has died"


def test_a_report_has_each_part_and_only_a_major_one_makes_the_whole_fail() -> None:
    wrong = dict[str, str]()

    def part(name: str) -> PartCheck:
        return lambda: wrong.get(name)

    health = Health({"ledger": part("ledger")}, minor={"policy": part("policy")})
    assert health.check() == {
        "ok": True,
        "status": "ok",
        "parts": {"ledger": {"ok": True}, "policy": {"ok": True}},
    }
    wrong["policy"] = "refused"
    refused = {"ok": False, "why": "refused"}
    assert health.check() == {
        "ok": True,
        "status": "degraded",
        "parts": {"ledger": {"ok": True}, "policy": refused},
    }
    wrong["ledger"] = "down"
    assert health.check() == {
        "ok": False,
        "status": "failing",
        "parts": {"ledger": {"ok": False, "why": "down"}, "policy": refused},
    }


# The event loop.


@pytest.mark.parametrize(
    ("lags", "unhealthy"),
    [
        ([0, 0, 0, 0], False),
        ([3600, 0, 0], False),
        ([5, 5], False),
        ([0, 4, 4, 4], True),
        ([4, 4, 3, 4, 4], False),
        ([9, 9, 9, 0], False),
    ],
    ids=["never late", "frozen once", "only twice", "late again and again", "up and down", "over"],
)
async def test_the_event_loop_is_unhealthy_if_it_is_late_repeatedly(
    lags: list[float], unhealthy: bool
) -> None:
    clock, coming, reported = Clock(), iter(lags), list[float]()

    async def sleep(seconds: float) -> None:
        lag = next(coming, math.nan)
        if math.isnan(lag):
            raise asyncio.CancelledError
        clock.now += seconds + lag

    looks = list[bool]()
    watch = Watch(reported.append, clock, sleep)
    with pytest.raises(asyncio.CancelledError):
        await watch.run(lambda: looks.append(True))
    assert reported == lags
    assert len(looks) == len(lags)
    assert watch.trouble() == ("the loop does not keep up" if unhealthy else None)


# A running bot.


async def test_the_bot_is_not_ready_without_slack_and_ready_again_afterwards(
    watched: Served, slack: LocalSlack
) -> None:
    slack.fail("apps.connections.open", Slow())
    await slack.sockets.disconnect()
    await watched.becomes(503, APART)
    assert await watched.look("/healthz") == (200, {})
    slack.clear("apps.connections.open")
    await watched.becomes(200, {})


async def test_the_bot_is_not_ready_while_the_app_has_too_many_connections_and_says_so(
    watched: Served, slack: LocalSlack
) -> None:
    slack.sockets.most = 0
    await slack.sockets.disconnect()
    await watched.becomes(503, TOO_MANY)
    assert await watched.look("/healthz") == (200, {})
    slack.sockets.most = 10
    await watched.becomes(200, {})


@pytest.mark.usefixtures("impatient")
async def test_the_bot_is_not_ready_without_its_ledger_and_readyz_does_not_wait_for_it(
    watched: Served, database: Path
) -> None:
    with locked(database):
        await watched.becomes(503, SILENT)
        async with asyncio.timeout(15):  # each would wait for two seconds
            for _ in range(5):
                assert await watched.look("/healthz") == (200, {})
                assert "share_env_ready 0.0" in (await watched.get("/metrics"))[1]
    await watched.becomes(200, {})


async def test_a_full_disk_is_seen_by_who_asks_whether_the_bot_is_ready(
    listening: dict[str, str], runtime: Runtime, served: Served
) -> None:
    async with running(settings_of(listening), runtime):
        with no_room():
            assert await served.look("/readyz") == (503, SILENT)
            assert "share_env_ready 0.0" in (await served.get("/metrics"))[1]


async def test_the_bot_stays_ready_under_the_old_policy_and_reports_that_the_file_is_not_in_force(
    listening: dict[str, str], runtime: Runtime, served: Served, tmp_path: Path
) -> None:
    path, reload = tmp_path / "policy.toml", asyncio.Event()
    path.write_text(ALLOW, encoding="utf-8")
    kept = {name: value for name, value in listening.items() if "ALLOWED" not in name}
    async with running(settings_of(kept | {"POLICY_FILE": str(path)}), runtime, reload):
        await served.becomes(200, {})
        path.write_text(f"{ALLOW}no_such_key = 1", encoding="utf-8")
        reload.set()
        await served.becomes(200, OLD_POLICY)
        path.write_text(CONFIRM, encoding="utf-8")
        reload.set()
        await served.becomes(200, {})
        counted = (await served.get("/metrics"))[1]
        for result in ("taken", "refused"):
            assert f'share_env_policy_reloads_total{{result="{result}"}} 1.0' in counted


@pytest.fixture
def keeping(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], served: Served
) -> dict[str, str]:
    """The environment of a bot that maintains the token chain."""
    kept = {name: environ[name] for name in ("DATABASE_URL", "SHARE_ENV_ALLOWED_GROUPS")}
    chain = chain_environment(wechat, served.port)
    return slack_environment(slack) | chain | kept | {"WECHAT_AUTHORIZER_APPID": OWNER}


async def test_the_bot_is_degraded_and_accepts_pushes_before_the_chain_is_fresh(
    keeping: dict[str, str], runtime: Runtime, served: Served, wechat: LocalWeChat
) -> None:
    callback, wechat.platform.callback = wechat.platform.callback, None
    async with running(settings_of(keeping), runtime):
        await served.becomes(200, {"tokens": "the platform's token is not good"} | NO_TICKET)
        assert json.loads((await served.get("/readyz"))[1])["status"] == "degraded"
        assert await served.look("/healthz") == (200, {})
        await served.counts(FIRST_TRY)  # or its failure would be cached
        wechat.platform.callback = callback
        await wechat.platform.push_ticket()
        await served.becomes(200, {})
        await wechat.platform.push_unauthorized(OWNER)
        await served.becomes(200, {"tokens": "no owner's token is good"})


async def test_every_part_is_explained(
    keeping: dict[str, str], runtime: Runtime, served: Served
) -> None:
    async with running(settings_of(keeping), runtime):
        parts = json.loads((await served.get("/readyz"))[1])["parts"]
    page = (Path(__file__).parents[2] / "bot/ops/README.md").read_text(encoding="utf-8")
    table = page.split("| Part | What is wrong when it is not ok |")[1].split("\n\n")[0]
    assert sorted(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == sorted(parts)
    section = page.split("\n## Watch it")[1]
    example = re.findall(r"```json\n(.*?)```", section, re.DOTALL)[0]
    shown = json.loads(example)
    assert shown["parts"].keys() <= parts.keys()
    assert shown["parts"]["ledger"]["why"] == SILENT["ledger"]


async def test_a_stopping_bot_is_not_ready_but_alive(
    listening: dict[str, str],
    runtime: Runtime,
    served: Served,
    slack: LocalSlack,
    wechat: LocalWeChat,
) -> None:
    wechat.fail("shareenv", Slow(after_effect=True))
    going = asyncio.Event()

    async def run() -> None:
        async with running(settings_of(listening), runtime):
            await served.becomes(200, {})
            await slack.command(REQUESTER, RELEASES, ASK)
            await wechat.until(lambda wechat: bool(wechat.calls))
            going.set()

    bot = asyncio.create_task(run())
    await going.wait()
    await served.becomes(503, {"commands": "the bot is stopping"})
    assert await served.look("/healthz") == (200, {})
    wechat.clear("shareenv")
    await bot


async def test_reports_contain_no_secrets_and_no_names(
    keeping: dict[str, str],
    runtime: Runtime,
    served: Served,
    slack: LocalSlack,
    wechat: LocalWeChat,
) -> None:
    settings = settings_of(keeping)
    async with running(settings, runtime):
        await served.becomes(200, {})
        await slack.command(REQUESTER, RELEASES, ASK)
        await slack.until(answered)
        for text in (f"{APPID} {ENV} --reason s3cret", f"{APPID[:-1]} s3cret", "s3cret", ""):
            await slack.command(REQUESTER, RELEASES, text)
        await slack.command("U0STRANGER", "C0SECRET", ASK)
        texts = "".join([(await served.get(path))[1] for path in PATHS])
    assert "share_env_denials" in texts
    tokens = [call.token for call in wechat.calls]
    names = [APPID, OWNER, ENV, REQUESTER, "STRANGER", "C0", "S0", "T0", "s3cret", "request1"]
    for word in (*settings.secrets, *tokens, *names, "made-up", "wx", "127.0.0.1"):
        assert word not in texts, word
