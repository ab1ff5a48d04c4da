"""The events: what happened, to which request, and who did it. Append-only."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, bindparam, insert

from bot.domain.outcome import Denied, Expired, Failed, Outcome, Said, Skipped, Step, Unknown
from bot.domain.request import Origin, Request
from bot.ledger.entries import name_of
from bot.ledger.schema import events
from bot.ledger.statements import NOW, Prepared

_BLANK = dict.fromkeys(column.name for column in events.columns if column.name not in {"id", "at"})

MOST = 8
"""The most events in one statement."""

TYPED = frozenset({"agreed", "approved", "broke glass", "rejected", "denied"})
"""The kinds of events whose detail may be what a user typed."""

_LARGEST = 2**63 - 1

# One statement per number of events. With executemany psycopg opens a pipeline, in which PostgreSQL never regards a
# transaction as idle: a replica that froze there would keep its locks until it wakes up.
_VALUES = [
    {"at": NOW, **{name: bindparam(f"{name}_{n}", type_=events.c[name].type) for name in _BLANK}}
    for n in range(MOST)
]
_ADD = {many: Prepared(insert(events).values(_VALUES[:many])) for many in range(1, MOST + 1)}


@dataclass(frozen=True, slots=True)
class Event:
    """One event; `facts` are its columns besides kind and time.

    What a user typed goes into the row, but not into `facts`, since listeners write those to the log. Facts that are
    no columns are for listeners alone.
    """

    kind: str
    facts: Mapping[str, object]


EventListener = Callable[[Event], None]
"""Called with each event after its commit, in the ledger's thread; must return at once."""


HAPPENED = "happened"
"""The key of a connection's `info` that holds the Happened of its transaction."""


@dataclass(frozen=True, slots=True)
class Happened:
    """The events of one transaction, and the rows among them that are not written yet."""

    events: list[Event] = field(default_factory=list)
    rows: list[dict[str, object]] = field(default_factory=list)

    def write(self, on: Connection) -> None:
        """Write the rows, which then are part of the transaction."""
        for start in range(0, len(self.rows), MOST):
            part = self.rows[start : start + MOST]
            named = {f"{name}_{n}": row[name] for n, row in enumerate(part) for name in _BLANK}
            _ADD[len(part)].run(on, named)
        self.rows.clear()


def who_of(origin: Origin) -> dict[str, object]:
    """Return the columns of an event, or the extras of a log line, that say who did it and where."""
    return {"team": origin.team_id, "user": origin.user_id, "channel": origin.channel_id}


def facts_of(request: Request) -> dict[str, object]:
    """Return the columns of an event that describe its request."""
    return {"request": request.id, **facts_asked(request.appid, request.env, request.rule)}


def facts_asked(appid: str, env: str, rule: str | None) -> dict[str, object]:
    """Return the columns of an event for what was asked and the rule that decided; `appid` is empty for several."""
    return {"env": env, "appid": appid or None, "rule": rule}


def record_event(
    on: Connection,
    kind: str,
    origin: Origin,
    facts: Mapping[str, object],
    typed: str | None = None,
) -> None:
    """Add one event to the transaction, which writes them together before its commit.

    `facts` override the columns from the origin; `typed`, what a user typed, becomes the row's detail. Only a kind in TYPED
    may have that, since the detail of the others leaves the house.
    """
    if typed and kind not in TYPED:
        raise ValueError(kind)
    record_own(on, kind, {**who_of(origin), **facts}, typed)


def record_own(
    on: Connection, kind: str, facts: Mapping[str, object], typed: str | None = None
) -> None:
    """Add one event to the transaction that nobody brought about, unless `facts` say who; `typed` as in `record_event`."""
    event = Event(kind, facts)
    row = {**_BLANK, "kind": kind, **event.facts} | ({"detail": typed} if typed else {})
    happened: Happened = on.info[HAPPENED]
    happened.rows.append(row)
    happened.events.append(event)


def record(
    on: Connection,
    kind: str,
    request: Request,
    facts: Mapping[str, object] | None = None,
    typed: str | None = None,
) -> None:
    """Add one event of a request to the transaction; `facts` override the columns from the request."""
    record_event(on, kind, request.origin, {**facts_of(request), **(facts or {})}, typed)


def outcome_events(
    outcome: Outcome, seconds: float, steps: Sequence[Step]
) -> list[tuple[str, dict[str, object]]]:
    """Return the kind and columns of each event that records an outcome: one per step, then the outcome.

    The outcome has no seconds if nobody measured them, as of a batch, which may have been taken over.
    """
    said = outcome.said if isinstance(outcome, Failed | Unknown) else None
    facts = {"seconds": round(seconds, 3) or None, "detail": _detail(outcome), **_error(said)}
    return [*step_events(steps), ("answered", {"outcome": name_of(outcome), **facts})]


def step_events(steps: Sequence[Step]) -> list[tuple[str, dict[str, object]]]:
    """Return the kind and columns of the event that records each step."""
    return [
        (
            step.kind,
            {
                "seconds": round(step.seconds, 3),
                "detail": with_address(step.result, step.said),
                **_error(step.said),
            },
        )
        for step in steps
    ]


def _detail(outcome: Outcome) -> str | None:
    """Return the detail that distinguishes outcomes of one kind."""
    match outcome:
        case Failed(guidance, said) | Unknown(guidance, said):
            return with_address(guidance.key, said)
        case Expired(waited_for):
            return waited_for
        case Denied(ground):
            return ground.value
        case Skipped(why):
            return why.value
        case _:
            return None


_CALLED_FROM = ", called from "


def with_address(why: str, said: Said | None) -> str:
    """Return why something failed and, if WeChat does not take calls from the bot's address, which it is."""
    return f"{why}{_CALLED_FROM}{said.address}" if said and said.address else why


def why_in(detail: str) -> str:
    """Return the guidance's key in the detail of an event, which may name the bot's address too."""
    return detail.partition(_CALLED_FROM)[0]


def address_in(detail: str) -> str | None:
    """Return the bot's address, as WeChat saw it, if the detail names it."""
    return detail.partition(_CALLED_FROM)[2] or None


def _error(said: Said | None) -> dict[str, object]:
    """Return the event columns for WeChat's error, with its code clamped to 64 bits."""
    if said is None:
        return {}
    return {"errcode": max(-_LARGEST - 1, min(said.errcode, _LARGEST)), "rid": said.rid}
