"""`share-env-bot request ID`: one request's whole story, from who asked to who was told, in lines for people."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from bot.domain.outcome import Failed, Unknown
from bot.ledger import Entry
from bot.ops.visible import visible
from bot.slack.refs import read_ref

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
