"""The commands on the ledger: `audit` prints or deletes events, `request` prints the history of one request."""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from bot.domain.batch import groups_of
from bot.domain.in_general import in_general
from bot.domain.outcome import Failed, Outcome, Unknown
from bot.domain.request import State
from bot.ledger.audit import EventFilter, delete_before, find, items, open_for_audit, read
from bot.ledger.engine import CannotOpenError
from bot.ledger.entries import Entry, name_of
from bot.ledger.items import Item
from bot.messages.blocks import read_ref
from bot.observe.output import FAILED, FINE, complain, printable, write_rows
from bot.runtime.clock import Runtime
from bot.settings.environ import Reader
from bot.settings.load import Parts, read_parts
from bot.settings.table import Table
from bot.slack.payloads import link_to

_PATIENCE = 3.0  # seconds; without an answer the links are left out
_FACTS = ("user", "outcome", "errcode", "rid", "detail", "seconds")
"""The facts of an event that are printed after its kind and time, in order."""


def audit(
    environ: Mapping[str, str], about: Mapping[str, Any], shape: str, before: datetime | None
) -> int:
    """Print the events that match `about`, or delete those before a day; return the exit code."""
    if before and (problem := _wrong_deletion(before, about)):
        return complain([problem])
    try:
        engine = open_for_audit(Table.DATABASE_URL.value(Reader(environ)))
        if before:
            requests, events = delete_before(engine, before)
            print(f"Deleted {requests} requests and {events} events from before {before:%Y-%m-%d}.")
            return FINE
        rows = read(engine, EventFilter(**about), words=shape != "table")
        if (first := next(rows, None)) is None:
            print("No events match.", file=sys.stderr)
        else:
            write_rows(chain([first], rows), shape)
    except CannotOpenError as error:
        return _failed(error, read_parts(environ))
    return FINE


def _failed(error: CannotOpenError, parts: Parts) -> int:
    """Print why the ledger cannot be used; return the exit code, which tells a cause that may pass from a wrong setup."""
    code = complain([str(error)], parts.secrets)
    return FAILED if error.transient else code


def _wrong_deletion(before: datetime, about: Mapping[str, Any]) -> str | None:
    """Return what is wrong with the day, or that the deletion cannot be narrowed by other options."""
    if about:
        named = " and ".join(f"--{name}" for name in about)
        return f"--delete-before deletes for everybody. Leave out {named}."
    if before > datetime.fromtimestamp(Runtime().now(), UTC):
        return f"{before:%Y-%m-%d} has not begun yet, in UTC. Name an earlier day."
    return None


def tell_request(environ: Mapping[str, str], request: str) -> int:
    """Print everything about a request or an item of a batch; return the exit code."""
    parts = read_parts(environ)
    try:
        engine = open_for_audit(parts.database_url)
        entry = find(engine, request)
        batch = find(engine, entry.request.batch) if entry and entry.request.batch else None
        wanted = EventFilter(request=request, batch=batch.request.id if batch else None)
        events = list(read(engine, wanted, words=True))
        its = items(engine, entry.request) if entry and entry.request.appids else []
    except CannotOpenError as error:
        return _failed(error, parts)
    if entry is None:
        found = f"No request “{request}” is in the ledger. Its id is in the answer in Slack and in the log."
        complain([found], parts.secrets)
        return FAILED
    for line in story(entry, batch or entry, its, events, _workspace(parts)):
        print(line)
    return FINE


def _workspace(parts: Parts) -> str | None:
    """Return the URL of the Slack workspace."""
    slack = parts.slack
    if slack is None:
        return None
    # Imported here: an audit makes no call to Slack.
    from bot.ops.doctor.slack_calls import web_api  # noqa: PLC0415
    from bot.ops.doctor.transport import promptly, session  # noqa: PLC0415
    from bot.slack.api import Answered, Result  # noqa: PLC0415

    async def fetch() -> Result:
        async with asyncio.timeout(_PATIENCE), session() as http:
            return await web_api(slack, slack.bot_token, http).read("auth.test")

    try:
        found = promptly(fetch())
    except TimeoutError:
        return None
    url = found.data.get("url") if isinstance(found, Answered) else None
    return str(url) if url else None


def story(
    entry: Entry,
    whole: Entry,
    its: Sequence[Item],
    events: Sequence[Mapping[str, object]],
    workspace: str | None,
) -> Iterator[str]:
    """Yield the lines; `whole` is what was asked for together, which has the messages, `its` are the items of a batch.

    `workspace` is the URL of Slack's workspace, for links, if it is known.
    """
    comments = (str(event["comment"]) for event in events if event.get("comment"))
    for name, value in (*_about(entry, its), ("comment", next(comments, ""))):
        if value:
            yield f"{name:<9} {printable(value)}"
    yield ""
    yield from map(_step, events)
    stands = [*_links("answer", whole.place, workspace), *_links("asked", whole.asked, workspace)]
    if stands:
        yield ""
        yield from stands
    if its:
        for group in groups_of([(item.appid, item.outcome) for item in its]):
            yield from _what_to_do(group.outcome, f"{len(group.appids)} of {len(its)}: ")
    else:
        yield from _what_to_do(entry.outcome)


def _what_to_do(outcome: Outcome | None, how_many: str = "") -> Iterator[str]:
    """Yield what a failure means, what to do, and what WeChat said; nothing for any other outcome."""
    if not isinstance(outcome, Failed | Unknown):
        return
    guidance, said = outcome.guidance, outcome.said
    status = f" (HTTP {outcome.status})" if outcome.status else ""
    doctor = ("Run share-env-bot doctor.",) if guidance.doctor else ()
    steps = (*doctor, *guidance.steps_with(said.errmsg if said else ""))
    yield ""
    yield f"{how_many}{guidance.title}{status}. {in_general(guidance.meaning)}"
    yield from (f"{number}. {in_general(step)}" for number, step in enumerate(steps, 1))
    if said:
        yield printable(f"WeChat said: {said.errcode} {said.errmsg}".rstrip())


def _about(entry: Entry, its: Sequence[Item]) -> Iterator[tuple[str, str]]:
    request, origin = entry.request, entry.request.origin
    yield "request", request.id
    yield "who", f"{origin.user_id} of {origin.team_id}"
    name = f"#{origin.channel_name}" if origin.channel_name else ""
    yield "where", f"{origin.channel_id} {name}".strip()
    yield "env", f"{request.env}, owned by {request.owner}"
    yield "batch", request.batch or ""
    yield "appid", request.appid or f"{len(request.appids)} of a batch"
    yield "rule", request.rule
    yield "reason", request.reason or ""
    yield "state", entry.state.value
    if entry.until and entry.state in {State.CONFIRMING, State.WAITING}:
        yield "until", _time(datetime.fromtimestamp(entry.until, UTC))
    yield "outcome", name_of(entry.outcome) if entry.outcome else ""
    ends = Counter(name_of(item.outcome) if item.outcome else "open" for item in its)
    yield "items", ", ".join(f"{count} {name}" for name, count in ends.most_common())


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _step(event: Mapping[str, object]) -> str:
    at = datetime.fromisoformat(str(event["at"])).astimezone(UTC)
    facts = (f"{name}={event[name]}" for name in _FACTS if event.get(name) not in {None, ""})
    item = event.get("request") or ""
    line = f"{_time(at)}  {item!s:<12} {event['kind']!s:<14} {' '.join(facts)}"
    return printable(line.rstrip())


def _links(name: str, ref: str | None, workspace: str | None) -> Iterator[str]:
    for at in read_ref(ref):
        if workspace is None:
            yield f"{name:<9} {at.channel}, message {at.ts}"
        else:
            yield f"{name:<9} {link_to(workspace, at)}"
