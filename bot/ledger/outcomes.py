"""How the ledger stores an outcome: as JSON in the column `ending` of `requests`, and in the columns of events."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from enum import Enum
from typing import Any, TypeVar, get_args

from bot.domain.link import Link
from bot.domain.outcome import (
    OUTCOMES,
    Denied,
    Expired,
    Failed,
    Finished,
    Ground,
    Outcome,
    Said,
    Skipped,
    SkipReason,
    Step,
    Tally,
    Unknown,
)
from bot.guidance import Guidance, by_key

Member = TypeVar("Member", bound=Enum)
T = TypeVar("T")

_MOST = 2**63 - 1
_OF_ITEMS = {"groups", "called_again"}
"""The fields of a batch's outcome that are read from its items instead."""

_KINDS: Mapping[str, type[Outcome]] = dict(zip(OUTCOMES, get_args(Outcome), strict=True))


def encode(outcome: Outcome) -> str:
    """Return the JSON of an outcome, in ASCII, since databases refuse some characters."""
    facts = ((name, getattr(outcome, name)) for name in _stored(type(outcome)))
    known_facts = {name: fact for name, fact in facts if fact is not None}
    return _JSON.encode({"kind": name_of(outcome), **known_facts})


def decode(ending: str | None) -> Outcome | None:
    """Return an outcome; None if there is none, or for a kind that only another version of the bot knows."""
    facts = json.loads(ending) if ending else {}
    kind = _KINDS.get(facts.get("kind", ""))
    if kind is None:
        return None
    names = [name for name in _stored(kind) if name in facts]
    return kind(**{name: _READ.get(name, _unchanged)(facts[name]) for name in names})


def _stored(kind: type[Outcome]) -> list[str]:
    """Return the names of the fields that are stored."""
    return [field.name for field in fields(kind) if field.name not in _OF_ITEMS]


def _plain(value: object) -> object:
    """Return the JSON of a field that is neither text nor a number."""
    match value:
        case Guidance():
            return value.key
        case Enum():
            return value.value
        case Said() | Tally():
            return asdict(value)
        case _:
            raise TypeError(value)


_JSON = json.JSONEncoder(default=_plain)


def known(kind: type[Member], value: object, otherwise: T) -> Member | T:
    """Return a member of an enum by its value; `otherwise` for one that only another version of the bot knows."""
    return next((member for member in kind if member.value == value), otherwise)


def _unchanged(value: Any) -> Any:
    return value


_READ: Mapping[str, Callable[[Any], Any]] = {
    "guidance": by_key,
    "said": lambda said: Said(**said),
    "link": lambda link: known(Link, link, None),
    "ground": lambda ground: known(Ground, ground, Ground.NOT_ALLOWED),
    "why": SkipReason,
    "tally": lambda tally: Tally(**tally),
}


def name_of(outcome: Outcome) -> str:
    """Return an outcome's name in the ledger."""
    return type(outcome).__name__.lower()


def columns_of_outcome(outcome: Outcome) -> dict[str, object]:
    """Return the columns of `requests` that an outcome fills; a finished batch leaves the lane.

    `outcome` repeats the kind for conditions and indexes.
    """
    lane = {"lane": None} if isinstance(outcome, Finished) else {}
    return {"outcome": name_of(outcome), "ending": encode(outcome), **lane}


def answer_events(
    outcome: Outcome, seconds: float, steps: Sequence[Step]
) -> list[tuple[str, dict[str, object]]]:
    """Return the kind and columns of each event that records an answer: one per step, then the answer.

    The answer has no seconds if nobody measured them, as of a batch, which may have been taken over.
    """
    said = outcome.said if isinstance(outcome, Failed | Unknown) else None
    facts = {"seconds": round(seconds, 3) or None, "detail": _detail(outcome), **_error(said)}
    return [*step_events(steps), ("answered", {"outcome": name_of(outcome), **facts})]


def step_events(steps: Sequence[Step]) -> list[tuple[str, dict[str, object]]]:
    """Return the kind and columns of the event that records each step."""
    return [
        (step.kind, {"seconds": round(step.seconds, 3), "detail": step.result, **_error(step.said)})
        for step in steps
    ]


def _detail(outcome: Outcome) -> str | None:
    """Return the detail that distinguishes outcomes of one kind."""
    match outcome:
        case Failed(guidance) | Unknown(guidance):
            return guidance.key
        case Expired(waited_for):
            return waited_for
        case Denied(ground):
            return ground.value
        case Skipped(why):
            return why.value
        case _:
            return None


def _error(said: Said | None) -> dict[str, object]:
    """Return the event columns for WeChat's error, with its code clamped to 64 bits."""
    if said is None:
        return {}
    return {"errcode": max(-_MOST - 1, min(said.errcode, _MOST)), "rid": said.rid}
