"""Metrics that have counted everything at least once, and ways to read them."""

import asyncio
import time
from collections.abc import Mapping

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from bot.domain.link import Link, LinkState
from bot.ledger.events import Event
from bot.observe.health import Health
from bot.observe.metrics import Metrics
from bot.slack.events import NotFromSlack

_SUFFIXES = {"counter": "_total", "info": "_info"}


def event(kind: str, **facts: object) -> Event:
    """Return an event of the ledger."""
    return Event(kind, {"team": "T0", "user": "U0", "channel": "C0", "env": "prod-1", **facts})


def exercised() -> Metrics:
    """Return metrics that have counted everything at least once."""
    metrics = Metrics("1.2.3", time.monotonic, asyncio.sleep)
    observers = metrics.observers
    observers.acked({"command": "/share-env"}, 0.01)
    observers.called_slack("auth.test", "ok")
    observers.unheard({"command": "/another"})
    observers.connected()
    observers.called_wechat("shareenv", "0", 0.1)
    observers.renewed("owner", "renewed")
    observers.renewed("platform", "no-ticket")
    observers.refused("/slack/events", NotFromSlack.SIGNATURE)
    observers.transacted(0.01, False)  # noqa: FBT003  # observers are called with positions
    observers.reloaded(True)  # noqa: FBT003  # observers are called with positions
    observers.took_secrets(True)  # noqa: FBT003  # observers are called with positions
    observers.lagged(0.0)
    for each in (
        event("accepted", request="r1"),
        event("denied", outcome="denied", detail="NoRule"),
        event("mistake", outcome="mistake", detail="Swapped"),
        event("answered", request="r1", outcome="shared"),
        event("answered", request="r2", outcome="failed", detail="token-fixed-dead"),
        event("delivered", request="r1", answer="shared", answer_seconds=1.5),
        event("taken over", request="r1"),
    ):
        metrics.on_event(each)
    ready = Health({"ledger": lambda: None})
    depths = ("work_under_way", "batch_items_waiting", "ledger_queue", "loop_tasks")
    owed = ("owed_seconds", "events_unsent", "events_unsent_seconds")
    links = [LinkState(link, None, good_until=1.0, renewed=None, left=9.0) for link in Link]
    gauges = {**dict.fromkeys(depths, lambda: 0.0), **dict.fromkeys(owed, lambda: 1.0)}
    metrics.register_gauges(ready, gauges, lambda: links)
    return metrics


def own(metrics: Metrics) -> dict[str, Metric]:
    """Return the bot's own metrics by the name that queries use."""
    found = {
        metric.name + _SUFFIXES.get(metric.type, ""): metric
        for metric in metrics.registry.collect()
    }
    return {name: metric for name, metric in found.items() if name.startswith("share_env_")}


def labels_of(metric: Metric) -> list[str]:
    """Return the names of a metric's labels."""
    names = {label for sample in metric.samples for label in sample.labels}
    return sorted(names - {"le"})


class Counts(dict[str, float]):
    """The values in a text for Prometheus, by `name{label="value"}`; a missing one is zero."""

    def __init__(self, text: str) -> None:
        families = text_string_to_metric_families(text)
        samples = [sample for family in families for sample in family.samples]
        super().__init__({_written(s.name, s.labels): s.value for s in samples})

    def __missing__(self, _: str) -> float:
        """Return zero."""
        return 0.0


def _written(name: str, labels: Mapping[str, str]) -> str:
    pairs = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}" if pairs else name
