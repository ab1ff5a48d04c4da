"""How an outcome stands in a row of `requests`, and the events that tell of it."""

from collections.abc import Mapping, Sequence

from sqlalchemy import RowMapping

from bot.domain.link import Link
from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Failed,
    Finished,
    Ground,
    Outcome,
    Rejected,
    Said,
    Shared,
    Skipped,
    Step,
    Stopped,
    Tally,
    Unknown,
    Why,
)
from bot.guidance import Guidance, by_key

_MOST = 2**63 - 1


def columns_of_outcome(outcome: Outcome) -> dict[str, object]:
    """Return the columns that an outcome fills."""
    name = type(outcome).__name__.lower()
    match outcome:
        case Shared(tries):
            return {"outcome": name, "tries": tries}
        case Failed(guidance, said, tries) | Unknown(guidance, said, tries):
            told = {**columns_of_words(said), "errmsg": said.errmsg} if said else {}
            link = outcome.link if isinstance(outcome, Failed) else None
            broke = {"link": link.value} if link else {}
            return {"outcome": name, "guidance": guidance.key, "tries": tries, **told, **broke}
        case Rejected(by, comment):
            return {"outcome": name, "decided_by": by, "comment": comment}
        case Cancelled(by):
            return {"outcome": name, "decided_by": by}
        case Expired(waited_for):
            return {"outcome": name, "guidance": waited_for}
        case Denied(ground):
            return {"outcome": name, "guidance": ground.value}
        case Stopped():
            return {"outcome": name}
        case Skipped(why):
            return {"outcome": name, "guidance": why.value}
        case Finished(tally):
            counts = (f"{what}={getattr(tally, what)}" for what in Tally.__slots__)
            return {"outcome": name, "tally": " ".join(counts), "lane": None}  # others may run


def columns_of_words(said: Said) -> dict[str, object]:
    """Return the columns by which WeChat's words are found again; a code beyond 64 bits becomes the nearest within."""
    return {"errcode": max(-_MOST - 1, min(said.errcode, _MOST)), "rid": said.rid}


def answer_events(
    outcome: Mapping[str, object], seconds: float, steps: Sequence[Step]
) -> list[tuple[str, dict[str, object]]]:
    """Return the kinds and columns of the events that tell of an answer, given the columns of its outcome."""
    facts = {name: outcome.get(name) for name in ("outcome", "errcode", "rid")}
    ending = "answered", facts | {"seconds": seconds, "detail": outcome.get("guidance")}
    return [*map(_step_event, steps), ending]


def _step_event(step: Step) -> tuple[str, dict[str, object]]:
    said = columns_of_words(step.said) if step.said else {}
    return step.kind, {"seconds": step.seconds, "detail": step.result, **said}


OUTCOME_COLUMNS = (
    *("outcome", "guidance", "errcode", "errmsg", "rid", "tries", "link"),
    *("decided_by", "comment", "tally"),
)


def outcome_of(row: RowMapping) -> Outcome | None:  # noqa: C901  # one case each
    """Return the outcome that stands in the OUTCOME_COLUMNS of a row."""
    said = None if row["errcode"] is None else Said(row["errcode"], row["errmsg"], row["rid"])
    match row["outcome"]:
        case "shared":
            return Shared(row["tries"])
        case "failed":
            return Failed(_guidance_of(row), said, row["tries"], _link_of(row))
        case "unknown":
            return Unknown(_guidance_of(row), said, row["tries"])
        case "rejected":
            return Rejected(row["decided_by"] or "", row["comment"])
        case "cancelled":
            return Cancelled(row["decided_by"] or "")
        case "expired":
            return Expired("approval" if row["guidance"] == "approval" else "confirmation")
        case "denied":
            return Denied(_ground_of(row))
        case "stopped":
            return Stopped()
        case "skipped":
            return Skipped(Why(row["guidance"]))
        case "finished":
            pairs = (pair.partition("=") for pair in (row["tally"] or "total=0").split())
            return Finished(Tally(**{what: int(count) for what, _, count in pairs}))
        case _:
            return None


def _guidance_of(row: RowMapping) -> Guidance:
    return by_key(row["guidance"])


def _ground_of(row: RowMapping) -> Ground:
    """Return what in the policy ended it; that it is not allowed where an earlier version wrote nothing."""
    known = (ground for ground in Ground if ground.value == row["guidance"])
    return next(known, Ground.NOT_ALLOWED)


def _link_of(row: RowMapping) -> Link | None:
    """Return the link that broke; None also if another version wrote one that this one does not know."""
    return next((link for link in Link if link.value == row["link"]), None)
