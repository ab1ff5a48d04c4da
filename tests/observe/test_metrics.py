import asyncio
import re
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import cast

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from bot.app.running import running
from bot.app.token_source import PUSHES
from bot.observe.health import Health
from bot.observe.metrics import (
    COMMANDS,
    COUNTERS,
    DENIALS,
    ENDED_BY,
    OTHER,
    PATHS,
    REFUSALS,
    WAITS,
    Metrics,
    kind_of,
)
from bot.playground.faults import Code, RateLimited, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID
from bot.runtime.bounded import Unread
from bot.runtime.clock import Runtime
from bot.runtime.listener import NotServed
from bot.runtime.observers import ELSEWHERE
from bot.slack.events import PATH, NotFromSlack
from bot.wechat.push import PushRefusal
from tests.conftest import (
    RELEASES,
    REQUESTER,
    ledger_down,
    serving,
    settings_of,
    soon,
    states,
)
from tests.observe.counted import Counts, event, exercised, own
from tests.rig import CONFIRM, Rig
from tests.served import Served

ROOT = Path(__file__).parent.parent.parent
WORD = st.text(max_size=30)
DETAIL = st.none() | WORD
CLOSED = {
    value for _, closed in COUNTERS.values() for values in closed.values() for value in values or ()
}
KINDS = {*COMMANDS, *ENDED_BY, *WAITS, "delivered", "not delivered", "taken over", "left out"}
"""The events that are counted by their kind."""


def counts(metrics: Metrics) -> Counts:
    return Counts(generate_latest(metrics.registry).decode())


async def get(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(url) as response:
        assert response.status == 200
        assert "share_env_ready" in await response.text()


def over(database: Path, requests: int) -> Callable[[], bool]:
    """Return a condition: this many requests are recorded and all of them have ended."""
    return lambda: states(database) == ["ended"] * requests


# Names and labels.


def test_each_metric_changes() -> None:
    for name, metric in own(exercised()).items():
        changed = [sample for sample in metric.samples if sample.value]
        assert changed or name in {
            *("share_env_work_under_way", "share_env_batch_items_waiting"),
            "share_env_ledger_queue",
            "share_env_loop_tasks",
        }, name


def test_what_alerts_watch_begins_at_zero_so_that_the_first_failure_is_an_increase() -> None:
    page = generate_latest(Metrics("1", time.monotonic, asyncio.sleep).registry).decode()
    assert 'share_env_deliveries_total{result="given up"} 0.0\n' in page
    assert 'share_env_renewal_failures_total{link="owner"} 0.0\n' in page


def test_only_failed_renewals_are_counted_as_failures() -> None:
    metrics = Metrics("1", time.monotonic, asyncio.sleep)
    renewed = metrics.observers.renewed
    for result in ("renewed", "no-ticket"):
        renewed("owner", result)
    assert counts(metrics)['share_env_renewal_failures_total{link="owner"}'] == 1


@pytest.mark.parametrize("what", ["policy", "secret"])
def test_reloads_are_counted_by_their_result(what: str) -> None:
    metrics = Metrics("1", time.monotonic, asyncio.sleep)
    observers = metrics.observers
    reloaded = observers.reloaded if what == "policy" else observers.took_secrets
    for taken in (True, False, False):
        reloaded(taken)
    series = (f'share_env_{what}_reloads_total{{result="{each}"}}' for each in ("taken", "refused"))
    assert [counts(metrics)[each] for each in series] == [1, 2]


def test_for_how_long_a_token_is_good_does_not_depend_on_this_machines_clock() -> None:
    assert counts(exercised())['share_env_token_good_seconds{link="ticket"}'] == 9.0


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        ({"command": "/share-env", "text": "help"}, "command"),
        ({"type": "block_actions", "actions": []}, "block_actions"),
        ({"type": "view_submission", "view": {}}, "view_submission"),
        ({"type": "view_closed"}, "other"),
        ({"type": ["not", "text"]}, "other"),
        ({}, "other"),
    ],
)
def test_each_payload_has_its_kind(payload: dict[str, object], kind: str) -> None:
    assert kind_of(payload) == kind


@given(words=st.lists(st.tuples(WORD, WORD, WORD, DETAIL, DETAIL), max_size=20))
def test_no_value_from_outside_becomes_a_label(
    words: list[tuple[str, str, str, str | None, str | None]],
) -> None:
    metrics = Metrics("1", time.monotonic, asyncio.sleep)
    tell = metrics.observers
    assert tell.acked is not None
    assert tell.called_slack is not None
    assert tell.called_wechat is not None
    assert tell.renewed is not None
    for one, other, kind, detail, outcome in words:
        tell.acked({"type": one}, 0.1)
        tell.unheard({"type": one})
        tell.called_slack("auth.test", other)
        tell.called_wechat("shareenv", other, 0.1)
        tell.renewed(one, "renewed")
        tell.refused(one, NotFromSlack.STALE)
        for known in (kind, "answered", *KINDS):
            metrics.on_event(event(known, detail=detail, outcome=outcome))
            metrics.on_event(event(known, detail=detail, outcome=outcome, request="r1"))
    closed = {
        *(*CLOSED, OTHER),
        *("auth.test", "shareenv", "renewed", "ok", "refused", "no answer"),
    }
    found = {
        value
        for name, metric in own(metrics).items()
        for sample in metric.samples
        for label, value in sample.labels.items()
        if label != "le" and name != "share_env_build_info"
    }
    assert found <= closed


def test_every_reason_for_refusing_a_post_is_counted_by_its_name() -> None:
    reasons = (*NotFromSlack, *PushRefusal, *Unread, *NotServed)
    assert {why.name.lower() for why in reasons} == set(REFUSALS)
    assert PATHS == (PATH, PUSHES, ELSEWHERE)


def test_every_refusal_is_counted_by_its_reason() -> None:
    rooms = ("bot/workflow/ruling.py", "bot/workflow/submit.py")
    sources = "".join((ROOT / room).read_text(encoding="utf-8") for room in rooms)
    assert set(re.findall(r'Refusal\("denied", .*"(\w+)"\)', sources)) <= set(DENIALS)
    assert {"NoRule", "NotEntitled", "PersonUnreadable"} <= set(DENIALS)


def test_every_click_that_may_end_a_request_is_counted() -> None:
    source = (ROOT / "bot/workflow/click_decisions.py").read_text(encoding="utf-8")
    kinds = re.findall(r'(?:kind=|\bby,\s+)"([\w ]+)"', source)
    ends = {"confirmed", "agreed", "approved", "broke glass", "rejected", "cancelled", "denied"}
    assert ends == set(kinds)
    assert ends <= set(ENDED_BY)


# Counts of the ledger's events.


@pytest.mark.parametrize(
    ("kind", "facts", "series"),
    [
        ("accepted", {"request": "r1"}, {'commands_total{outcome="accepted"}'}),
        ("no owner", {"outcome": "denied"}, {'commands_total{outcome="no owner"}'}),
        (
            "denied",
            {"outcome": "denied", "detail": "NotEntitled"},
            {'commands_total{outcome="denied"}', 'denials_total{reason="NotEntitled"}'},
        ),
        (
            "answered",
            {"request": "r1", "outcome": "unknown", "detail": "timeout"},
            {'requests_total{outcome="unknown"}', 'failures_total{fixer="nobody"}'},
        ),
        (
            "answered",
            {"request": "r1", "outcome": "failed", "detail": "token-server-refused"},
            {'requests_total{outcome="failed"}', 'failures_total{fixer="operator"}'},
        ),
        (
            "denied",
            {"request": "r1", "outcome": "denied"},
            {'requests_total{outcome="denied"}'},
        ),
        ("cancelled", {"request": "r1", "outcome": None, "detail": "3 items"}, set()),
        (
            "shared before",
            {"request": "r1", "outcome": "shared"},
            {'commands_total{outcome="shared before"}'},
        ),
        (
            "delivered",
            {"request": "r1", "outcome": "shared"},
            {'deliveries_total{result="delivered"}'},
        ),
        ("left out", {"request": "r1"}, {'requests_total{outcome="skipped"}'}),
        (
            "not delivered",
            {"request": "r1", "detail": "refused"},
            {'deliveries_total{result="refused"}'},
        ),
        (
            "not delivered",
            {"request": "r1", "detail": "too late"},
            {'deliveries_total{result="too late"}'},
        ),
        ("agreed", {"request": "r1"}, {'approvals_total{event="agreed"}'}),
        (
            "agreed",  # while another request shared the same
            {"request": "r1", "outcome": "skipped"},
            {'requests_total{outcome="skipped"}'},
        ),
        ("escalated", {"request": "r1"}, {'approvals_total{event="escalated"}'}),
        ("broke glass", {"request": "r1"}, {'approvals_total{event="broke glass"}'}),
        ("taken over", {"request": "r1"}, {"taken_over_total"}),
        ("call", {"request": "r1", "detail": "done"}, set()),
    ],
)
def test_each_event_counts_once_in_its_metric(
    kind: str, facts: dict[str, object], series: set[str]
) -> None:
    metrics = Metrics("1", time.monotonic, asyncio.sleep)
    before = counts(metrics)
    metrics.on_event(event(kind, **facts))
    after = counts(metrics)
    changed = {name for name, value in after.items() if value != before[name]}
    mine = {name for name in changed if name.startswith("share_env_") and "_created" not in name}
    assert mine == {f"share_env_{name}" for name in series}
    assert all(after[name] == 1 for name in mine)


def test_answers_are_timed_by_their_outcome_and_hours_are_above_all_buckets() -> None:
    metrics = Metrics("1", time.monotonic, asyncio.sleep)
    for outcome, seconds in (("shared", 2.5), ("shared", 7200.0), ("made up", 0.1)):
        metrics.on_event(event("delivered", request="r", answer=outcome, answer_seconds=seconds))
    found = counts(metrics)
    shared = [
        found[f'share_env_answer_seconds_bucket{{le="{le}",outcome="shared"}}']
        for le in ("2.0", "3.0", "600.0", "+Inf")
    ]
    assert shared == [0, 1, 1, 2]
    assert found['share_env_answer_seconds_count{outcome="other"}'] == 1
    assert 'share_env_answer_seconds_count{outcome="failed"}' in found


# A running bot.


async def test_the_results_of_commands_are_counted(
    watched: Served, slack: LocalSlack, wechat: LocalWeChat, database: Path
) -> None:
    wechat.fail("shareenv", Code(-1), Code(85088), Status(502))
    slack.fail("chat.postMessage", RateLimited(1))
    for number in (1, 2):
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-{number}")
        await soon(over(database, number))
    for user, text in (
        (REQUESTER, "whoami"),
        (REQUESTER, f"{APPID} prod-2 --dry-run"),
        (REQUESTER, f"{APPID[:-1]} prod-2"),
        ("U0STRANGER", f"{APPID} prod-2"),
    ):
        await slack.command(user, RELEASES, text)
    await watched.counts('share_env_deliveries_total{result="delivered"}', 2)
    now = await watched.counts('share_env_denials_total{reason="NoRule"}', 1)
    expected = {
        'commands_total{outcome="accepted"}': 2,
        'commands_total{outcome="asked"}': 1,
        'commands_total{outcome="dry run"}': 1,
        'commands_total{outcome="denied"}': 1,
        'commands_total{outcome="mistake"}': 1,
        'denials_total{reason="NoRule"}': 1,
        'requests_total{outcome="unknown"}': 2,  # in the first case it was the first try
        'deliveries_total{result="delivered"}': 2,
        'answer_seconds_count{outcome="unknown"}': 2,
        'ack_seconds_count{kind="command"}': 6,
        'wechat_calls_total{answer="gateway-broken",api="shareenv"}': 1,
        'wechat_calls_total{answer="-1",api="shareenv"}': 1,
        'wechat_calls_total{answer="85088",api="shareenv"}': 1,
        'wechat_call_seconds_count{outcome="no answer"}': 1,
        'wechat_call_seconds_count{outcome="refused"}': 3,  # one of them of listfunctions
        'renewals_total{link="token server",result="renewed"}': 1,
        'slack_calls_total{method="chat.postMessage",result="ratelimited"}': 1,
        "slack_connections_total": 1,
        "ledger_failures_total": 0,
        "ready": 1,
    }
    assert {name: now[f"share_env_{name}"] for name in expected} == expected
    assert now["share_env_ledger_seconds_count"] > 8


async def test_in_http_mode_only_acks_to_slack_are_counted(
    listening: dict[str, str], runtime: Runtime, served: Served, slack: LocalSlack
) -> None:
    del listening["SLACK_APP_TOKEN"]
    listening["SLACK_SIGNING_SECRET"] = slack.world.signing_secret
    slack.request_url = served.origin + PATH
    async with running(settings_of(listening), runtime):
        await slack.command(REQUESTER, RELEASES, "whoami")
        forged = {"X-Slack-Request-Timestamp": "1", "X-Slack-Signature": f"v0={'0' * 64}"}
        async with served.http.post(slack.request_url, headers=forged) as answer:
            assert answer.status == 401
        now = await served.counts('share_env_ack_seconds_count{kind="command"}')
    acks = {name: n for name, n in now.items() if name.startswith("share_env_ack_seconds_count")}
    assert acks == {'share_env_ack_seconds_count{kind="command"}': 1}


async def test_a_new_connection_is_counted(watched: Served, slack: LocalSlack) -> None:
    await slack.sockets.disconnect("link_disabled")
    await slack.until(lambda slack: slack.sockets.connections == 1)
    await watched.counts("share_env_slack_connections_total", 2)


async def test_clicks_and_their_outcomes_are_counted(
    rig: Rig, listening: dict[str, str], served: Served
) -> None:
    rig.environ = listening
    async with rig.bot(CONFIRM):
        await rig.ask()
        await rig.click(REQUESTER, rig.shown(), "cancel")
        await served.counts('share_env_requests_total{outcome="cancelled"}', 1)
        await served.counts('share_env_ack_seconds_count{kind="block_actions"}', 1)


async def test_the_items_of_a_batch_are_counted_and_how_many_wait(
    watched: Served, slack: LocalSlack, wechat: LocalWeChat, database: Path
) -> None:
    appids = " ".join(f"wx{number:016x}" for number in range(60))
    with wechat.thinking():
        await slack.command(REQUESTER, RELEASES, f"{appids} prod-1")
        await wechat.until(lambda wechat: wechat.in_flight == 20)
        during = await watched.counts("share_env_batch_items_waiting", 40)
    await soon(over(database, 61))
    after = await watched.counts('share_env_requests_total{outcome="finished"}', 1)
    assert during["share_env_work_under_way"] >= 1
    assert after["share_env_batch_items_waiting"] == 0
    assert after['share_env_requests_total{outcome="shared"}'] == 60
    assert after['share_env_requests_total{outcome="finished"}'] == 1


async def test_a_ledger_that_cannot_be_written_is_visible_in_the_metrics(
    watched: Served, slack: LocalSlack, database: Path
) -> None:
    with ledger_down(database):
        await slack.command(REQUESTER, RELEASES, "whoami")
        await watched.counts("share_env_ledger_failures_total")


async def test_concurrent_scrapes_share_one_answer(http: aiohttp.ClientSession) -> None:
    requests, looks, rested = list[str](), list[str](), asyncio.Event()

    async def rest(_: float) -> None:
        await rested.wait()

    metrics = Metrics("1", count().__next__, rest)
    ready = Health({"ledger": lambda: looks.append("once")})
    metrics.register_gauges(ready, {}, None)
    looks.clear()
    each = 2  # the whole, and its only part

    async def answer(request: web.BaseRequest) -> web.Response:
        requests.append(request.path)
        return await metrics.answer(cast("web.Request", request))

    async with serving(answer) as origin, asyncio.TaskGroup() as group:
        await http.get(origin)
        for _ in range(20):
            group.create_task(get(http, origin))
        await soon(lambda: len(requests) == 21)
        assert len(looks) == each
        rested.set()
    assert len(looks) == 2 * each
