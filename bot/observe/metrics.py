"""The Prometheus metrics, fed by the rooms' observers.

Labels have values from closed sets only, so that no outside input creates a series, and alerts find zeros.
"""

import platform
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from enum import Enum
from functools import partial
from itertools import product
from typing import Final, get_args

from aiohttp import hdrs, web
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from bot.domain.link import Link, LinkState
from bot.domain.outcome import OUTCOMES
from bot.guidance import CODES, Fixer, Trouble
from bot.ledger.events import Event
from bot.observe.health import Health
from bot.observe.logs.events import Refusals, failure_of
from bot.policy.kinds import Denial
from bot.runtime.cache import SingleFlight
from bot.runtime.observers import (
    ELSEWHERE,
    RENEWED,
    SENT_RESULTS,
    SLACK_RESULTS,
    TOKEN_SERVER,
    Observers,
)

_ACK_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3)  # Slack gives up after three
_CALL_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_ANSWER_BUCKETS = (0.25, 0.5, 1, 2, 3, 5, 10, 15, 30, 60, 120, 300, 600)
_LEDGER_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2)
_LAG_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 3)
_NAMESPACE = "share_env"
OTHER: Final = "other"
"""The label for any unknown value."""

COMMANDS: Final = (
    *("accepted", "withdrawn", "under way", "shared before", "dry run", "asked"),
    *("denied", "no owner", "not an approver", "mistake"),
)
"""The ledger's events that say how a command or a form was answered."""

ENDED_BY: Final = (
    *("answered", "confirmed", "agreed", "approved", "broke glass"),
    *("rejected", "cancelled", "denied"),
)
"""The ledger's events that end a request, or an item of a batch, if they have an outcome."""

DELIVERIES: Final = ("delivered", "refused", "too late", "nowhere to answer", "given up")
DENIALS: Final = (
    *(kind.__name__ for kind in get_args(Denial)),
    *("SeveralRules", "OwnReceiver", "NoApprover", "TooManyBatches"),
)
ANSWERS: Final = frozenset({"0", *map(str, CODES), *(each.value.key for each in Trouble)})
LINKS: Final = (Link.PLATFORM.value, Link.OWNER.value, TOKEN_SERVER)
PATHS: Final = ("/slack/events", "/wechat/events", ELSEWHERE)
REFUSALS: Final = (
    *("unsigned", "stale", "signature", "unreadable", "no_such_path"),
    *("not_xml", "decryption", "other_platform", "incomplete"),
    *("slow", "long", "broken", "crowded"),
)
"""The reasons for refusing a POST: the names from the rooms' enums."""
FIXERS: Final = tuple(fixer.name.lower() for fixer in Fixer)
KINDS: Final = (
    *("command", "shortcut", "message_action", "block_actions", "block_suggestion"),
    *("view_submission", "event_callback"),
)
"""The types of Slack's payloads, besides a command, which has none."""

_Labels = Mapping[str, Collection[str] | None]
WAITS: Final = ("agreed", "escalated", "broke glass")
"""The kinds of events of a request that goes on waiting for its approvers, or does not wait for them."""

COUNTERS: Mapping[str, tuple[str, _Labels]] = {
    "approvals": ("What happens while approvers are asked", {"event": WAITS}),
    "commands": ("How commands were answered", {"outcome": COMMANDS}),
    "deliveries": ("Answers", {"result": DELIVERIES}),
    "denials": ("Why the policy said no", {"reason": DENIALS}),
    "failures": ("Who can mend what failed", {"fixer": FIXERS}),
    "policy_reloads": ("Changes of the policy file", {"result": ("taken", "refused")}),
    "posts_refused": ("Posts refused", {"path": PATHS, "reason": REFUSALS}),
    "renewals": ("Renewals of tokens", {"link": LINKS, "result": None}),
    "renewal_failures": ("Renewals that failed", {"link": LINKS}),
    "requests": ("How requests ended", {"outcome": OUTCOMES}),
    "event_posts": ("Posts to the collector", {"result": SENT_RESULTS}),
    "secret_reloads": ("Changes of secrets", {"result": ("taken", "refused")}),
    "slack_calls": ("Calls of Slack's Web API", {"method": None, "result": SLACK_RESULTS}),
    "unheard": ("Payloads that nobody listens to", {"kind": (*KINDS, OTHER)}),
    "wechat_calls": ("Calls to WeChat", {"api": None, "answer": ANSWERS}),
}
"""The counters with labels: the help text, and the closed set of each label's values; None if all are the bot's own names."""
_REST = 4.0
"""The pause after a scrape, as a multiple of its duration: rendering takes milliseconds, during which no ack is sent."""
_FEW = 50  # series; a counter with fewer starts with zeros, so that its first increment is visible to rate()
_GAUGES = {
    "work_under_way": "Requests, clicks and forms that are worked on",
    "batch_items_waiting": "Items of batches that have not begun",
    "ledger_queue": "Work that waits for the ledger",
    "loop_tasks": "Tasks of the event loop",
    "events_unsent": "Events that their collector does not have, at most",
    "events_unsent_seconds": "How old the first of them is",
    "owed_seconds": "How long the oldest answer has been owed",
}


class Metrics:
    """All metrics, in a registry of their own; `observers` feed them."""

    def __init__(
        self,
        version: str,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._scrapes = SingleFlight[bytes]()
        self._rest_until = 0.0
        self._ready = Health({})
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._counter = partial(Counter, namespace=_NAMESPACE, registry=self.registry)
        self._gauge = partial(Gauge, namespace=_NAMESPACE, registry=self.registry)
        histogram = partial(Histogram, namespace=_NAMESPACE, registry=self.registry)
        build = Info("build", "The version that runs", namespace=_NAMESPACE, registry=self.registry)
        build.info({"version": version, "python": platform.python_version()})
        self._count = {name: self._counting(name, *about) for name, about in COUNTERS.items()}
        self._taken_over = self._counter("taken_over", "Requests that others had begun")
        self._failures = self._counter("ledger_failures", "Work that the ledger did not take")
        self._ledger = histogram("ledger_seconds", "Work of the ledger", buckets=_LEDGER_BUCKETS)
        self._call_seconds = histogram(
            "wechat_call_seconds", "Calls to WeChat", ["outcome"], buckets=_CALL_BUCKETS
        )
        self._answers = histogram(
            "answer_seconds",
            "From a command, or the last click that it waited for, to its answer in Slack",
            ["outcome"],
            buckets=_ANSWER_BUCKETS,
        )
        for outcome in OUTCOMES:  # as of the counters, the first one shall be visible to rate()
            self._answers.labels(outcome)
        acks = histogram("ack_seconds", "Acks to Slack", ["kind"], buckets=_ACK_BUCKETS)
        self.refusals = Refusals(clock)
        self.observers = Observers(
            acked=lambda payload, seconds: acks.labels(kind_of(payload)).observe(seconds),
            unheard=lambda payload: self._count["unheard"](kind_of(payload)),
            called_slack=self._count["slack_calls"],
            connected=self._counter("slack_connections", "Connections opened").inc,
            sent_events=self._count["event_posts"],
            called_wechat=self._called_wechat,
            renewed=self._renewed,
            refused=self._refused,
            transacted=self._transacted,
            reloaded=lambda taken: self._count["policy_reloads"](_result(taken)),
            took_secrets=lambda taken: self._count["secret_reloads"](_result(taken)),
            lagged=histogram("loop_lag_seconds", "How late", buckets=_LAG_BUCKETS).observe,
        )

    def on_event(self, event: Event) -> None:
        """Count an event of the ledger; called from any thread."""
        match event.kind:
            case "denied" if not event.facts.get("request"):  # a command; a click ends its request
                self._count["commands"]("denied")
                self._count["denials"](event.facts.get("detail"))
            case kind if kind in WAITS and not event.facts.get("outcome"):
                self._count["approvals"](kind)
            case kind if kind in ENDED_BY:
                self._ended(event)
            case kind if kind in COMMANDS:
                self._count["commands"](kind)
            case "left out":
                self._count["requests"]("skipped")
            case "taken over":
                self._taken_over.inc()
            case "not delivered":
                self._count["deliveries"](event.facts.get("detail"))
            case kind if kind in DELIVERIES:
                self._count["deliveries"](kind)
                self._answered(event)
            case _:
                pass

    def _ended(self, event: Event) -> None:
        if not event.facts.get("outcome"):
            return
        self._count["requests"](event.facts.get("outcome"))
        if failure := failure_of(event):
            self._count["failures"](failure.fixer.name.lower())

    def _answered(self, event: Event) -> None:
        seconds = event.facts.get("answer_seconds")
        if isinstance(seconds, float):
            outcome = known(event.facts.get("answer"), OUTCOMES)
            self._answers.labels(outcome).observe(seconds)

    def register_gauges(
        self,
        ready: Health,
        gauges: Mapping[str, Callable[[], float]],
        states: Callable[[], Sequence[LinkState]] | None,
    ) -> None:
        """Register what is read at each scrape: the parts of `ready`, gauges by name, and the validity of tokens."""
        self._ready = ready
        whole = self._gauge("ready", "Whether all parts are well that matter")
        whole.set_function(lambda: ready.check()["ok"])
        parts = self._gauge("part_ok", "Whether a part is well", ["part"])
        for name in ready.check()["parts"]:
            parts.labels(name).set_function(partial(_is_well, ready, name))
        for name, read in gauges.items():
            self._gauge(name, _GAUGES[name]).set_function(read)
        good = self._gauge("token_good_seconds", "How long the worst token is good", ["link"])
        if states is None:
            return
        for link in Link:
            good.labels(link.value).set_function(partial(_worst, states, link))

    async def answer(self, _: web.Request) -> web.Response:
        """Answer a scrape; concurrent ones share one rendering."""
        page = await self._scrapes.do("", self._scrape)
        return web.Response(body=page, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})

    async def _scrape(self) -> bytes:
        if (left := self._rest_until - self._clock()) > 0:
            await self._sleep(left)
        await self._ready.prove()
        began = self._clock()
        page = generate_latest(self.registry)
        now = self._clock()
        self._rest_until = now + _REST * (now - began)
        return page

    def _called_wechat(self, api: str, answer: str, seconds: float) -> None:
        self._count["wechat_calls"](api, answer)
        errcode = answer.removeprefix("-").isdecimal()
        outcome = "ok" if answer == "0" else "refused" if errcode else "no answer"
        self._call_seconds.labels(outcome).observe(seconds)

    def _refused(self, path: str, why: Enum) -> None:
        self._count["posts_refused"](path, why.name.lower())
        self.refusals.refused(path, why)

    def _renewed(self, link: str, result: str) -> None:
        self._count["renewals"](link, result)
        if result != RENEWED:
            self._count["renewal_failures"](link)

    def _transacted(self, seconds: float, taken: bool) -> None:
        self._ledger.observe(seconds)
        if not taken:
            self._failures.inc()

    def _counting(self, name: str, meaning: str, closed: _Labels) -> Callable[..., None]:
        """Return a function that counts by labels."""
        counter = self._counter(name, meaning, [*closed])
        series = list(product(*(values or () for values in closed.values())))
        for values in series if len(series) <= _FEW else ():
            counter.labels(*values)

        def count(*values: object) -> None:
            counter.labels(*map(known, values, closed.values())).inc()

        return count


def _result(taken: bool) -> str:  # a callback's
    return "taken" if taken else "refused"


def _is_well(health: Health, name: str) -> bool:
    return health.check()["parts"][name]["ok"]


def _worst(states: Callable[[], Sequence[LinkState]], link: Link) -> float:
    return min((state.left for state in states() if state.link is link), default=0.0)


def kind_of(payload: Mapping[str, object]) -> str:
    """Return the kind of a payload, one of KINDS or OTHER."""
    return "command" if "command" in payload else known(payload.get("type"), KINDS)


def known(value: object, values: Collection[str] | None) -> str:
    """Return `value` if it is one of `values`, or if those are not listed, else OTHER."""
    return str(value) if values is None or value in values else OTHER
