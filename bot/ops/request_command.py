"""`share-env-bot request ID`: find a request in the ledger and tell its whole story, from who asked to who was told."""

import asyncio
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from bot.domain.outcome import Failed, Unknown
from bot.ledger import Entry
from bot.ledger.address import CannotOpenError
from bot.ledger.audit import Wanted, find, open_for_audit, read
from bot.ops.doctor.slack_calls import web_api
from bot.ops.doctor.transport import HeardHeaders, session
from bot.ops.logs.redaction import Redactor
from bot.ops.visible import visible
from bot.settings.load import Parts, read_parts
from bot.slack.api import Answered
from bot.slack.history import read_ref

_FINE, _UNKNOWN, _WRONG_SETUP = 0, 1, 2
_PATIENCE = 3.0  # seconds; without an answer there are no links


def tell_request(environ: Mapping[str, str], request: str) -> int:
    """Print all that is known of a request or of an item of a batch; return the exit code."""
    parts = read_parts(environ)
    clean = Redactor(parts.secrets).clean
    try:
        engine = open_for_audit(parts.database_url)
        entry = find(engine, request)
        events = list(read(engine, Wanted(request=request), words=True))
    except CannotOpenError as error:
        print(clean(str(error)), file=sys.stderr)
        return _WRONG_SETUP
    if entry is None:
        found = f"No request “{request}” is in the ledger. Its id is in the answer in Slack and in the log."
        print(clean(found), file=sys.stderr)
        return _UNKNOWN
    for line in story(entry, events, asyncio.run(_workspace(parts))):
        print(line)
    return _FINE


async def _workspace(parts: Parts) -> str | None:
    """Return the address of Slack's workspace."""
    if parts.slack is None:
        return None
    try:
        async with asyncio.timeout(_PATIENCE), session(HeardHeaders(time.time)) as http:
            told = await web_api(parts.slack, parts.slack.bot_token, http).read("auth.test")
    except TimeoutError:
        return None
    return str(told.data.get("url") or "") or None if isinstance(told, Answered) else None


_FACTS = ("user", "outcome", "errcode", "rid", "detail", "seconds")
"""What an event says besides its kind and time, in this order."""


def story(
    entry: Entry, events: Sequence[Mapping[str, object]], workspace: str | None
) -> Iterator[str]:
    """Yield the lines; `workspace` is the address of Slack's workspace, for links, if anybody knows it."""
    comments = (str(event["comment"]) for event in events if event.get("comment"))
    for name, value in (*_about(entry), ("comment", next(comments, ""))):
        if value:
            yield f"{name:<9} {visible(value)}"
    yield ""
    yield from map(_step, events)
    stands = [*_links("answer", entry.place, workspace), *_links("asked", entry.asked, workspace)]
    if stands:
        yield ""
        yield from stands
    if isinstance(entry.outcome, Failed | Unknown):
        guidance = entry.outcome.guidance
        yield ""
        yield f"{guidance.title}. {guidance.meaning}"
        yield from (f"{number}. {step}" for number, step in enumerate(guidance.steps, 1))


def _about(entry: Entry) -> Iterator[tuple[str, str]]:
    request, origin = entry.request, entry.request.origin
    yield "request", request.id
    yield "who", f"{origin.user_id} of {origin.team_id}"
    yield "where", " ".join(filter(None, (origin.channel_id, _hash(origin.channel_name))))
    yield "env", f"{request.env}, owned by {request.owner}"
    yield "appid", request.appid or f"{len(request.appids)} of a batch"
    yield "rule", request.rule
    yield "reason", request.reason or ""
    yield "state", entry.state.value
    yield "outcome", type(entry.outcome).__name__.lower() if entry.outcome else ""


def _hash(name: str) -> str:
    return f"#{name}" if name else ""


def _step(event: Mapping[str, object]) -> str:
    at = datetime.fromisoformat(str(event["at"])).astimezone(UTC)
    facts = (f"{name}={event[name]}" for name in _FACTS if event.get(name) not in {None, ""})
    item = event.get("request") or ""
    line = f"{at:%Y-%m-%d %H:%M:%S}  {item!s:<12} {event['kind']!s:<14} {' '.join(facts)}"
    return visible(line.rstrip())


def _links(name: str, ref: str | None, workspace: str | None) -> Iterator[str]:
    for at in read_ref(ref):
        if workspace is None:
            yield f"{name:<9} {at.channel}, message {at.ts}"
        else:
            yield f"{name:<9} {workspace}archives/{at.channel}/p{at.ts.replace('.', '')}"
