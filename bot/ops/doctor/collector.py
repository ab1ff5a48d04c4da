"""Check where events are sent, with an event of the doctor's own."""

from bot.domain.finding import Finding, ok, warning, wrong
from bot.domain.sentence import Sentence
from bot.observe.collector.cloudevents import cloud_event, id_of
from bot.observe.collector.sender import Receipt, fix_for, how_to_go_on, post
from bot.ops.doctor.findings import in_the_way
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.transport import DEADLINE
from bot.wechat.transport import UnansweredError

_NAME = "collector"
_KIND = "doctor"
_PATIENCE = 60.0  # seconds; younger events may be on their way
_CHECK_THE_WAY = Sentence("Check the network, the proxy and AUDIT_URL, then run the doctor again.")


async def check_collector(setup: Setup) -> list[Finding]:
    """Return what AUDIT_URL answers to an event of its own kind, and what it does not have; nothing if it is not set."""
    settings = setup.parts.collector
    if settings is None:
        return []
    now = setup.runtime.now()
    row: dict[str, object] = {"id": _KIND, "at": now, "kind": _KIND}
    event = cloud_event(row, text=False)
    receipt = await post(setup.http, settings, [event], now, DEADLINE)
    if not receipt.ok:
        return [_refused(receipt)]
    took = Sentence("it took an event of the doctor's (HTTP {status})", status=receipt.status)
    return [_behind(setup, took) or ok(_NAME, took)]


def _refused(receipt: Receipt) -> Finding:
    error = receipt.error
    if isinstance(error, UnansweredError) and error.why.way:
        return in_the_way(_NAME, "AUDIT_URL", error.why.way)
    if receipt.status is None:
        found = Sentence("there is no answer ({why})", why=error)
        return wrong(_NAME, found, _CHECK_THE_WAY, "proxies")
    found = Sentence("it took no event of the doctor's (HTTP {status})", status=receipt.status)
    if receipt.said:
        found = Sentence("{found}; it said: {said}", found=found, said=receipt.said)
    return wrong(_NAME, found, fix_for(receipt.status))


def _behind(setup: Setup, took: Sentence) -> Finding | None:
    """Return that it does not have older events, if so."""
    unsent = setup.ledger.unsent
    if unsent is None or unsent.seconds < _PATIENCE:
        return None
    event = id_of(unsent.first)
    found = Sentence(
        "{took}, but {count} events are not sent yet, the first for {minutes} minutes: {event}",
        took=took,
        count=unsent.count,
        minutes=f"{unsent.seconds // 60:.0f}",
        event=event,
    )
    fix = Sentence(
        "“the collector takes no events” in the bot's log says why. If it is this event: {how}",
        how=how_to_go_on(event),
    )
    return warning(_NAME, found, fix, "bot")
