"""How the ledger stores an outcome: as JSON in one column of `requests`, and in the columns of events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Dialect, Text, TypeDecorator

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
    SkipReason,
    Step,
    Stopped,
    Tally,
    Unknown,
)
from bot.guidance import by_key

_MOST = 2**63 - 1


class OutcomeJson(TypeDecorator[Outcome]):
    """An outcome as JSON; the column `outcome` repeats its `kind` for conditions and indexes."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Outcome | None, dialect: Dialect) -> str | None:
        """Return the JSON."""
        del dialect
        return None if value is None else to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Outcome | None:
        """Return the outcome."""
        del dialect
        return None if value is None else from_json(value)


def to_json(outcome: Outcome) -> str:
    """Return an outcome as JSON in ASCII, since databases refuse some characters."""
    return json.dumps({"kind": name_of(outcome), **_facts(outcome)})


def _facts(outcome: Outcome) -> dict[str, object]:  # noqa: C901  # one case each
    match outcome:
        case Shared(tries):
            return {"tries": tries}
        case Failed(guidance, said, tries) | Unknown(guidance, said, tries):
            facts: dict[str, object] = {"guidance": guidance.key, "tries": tries}
            if said:
                facts["said"] = asdict(said)
            if outcome.status is not None:
                facts["status"] = outcome.status
            if isinstance(outcome, Failed) and outcome.link:
                facts["link"] = outcome.link.value
            return facts
        case Rejected(by, comment):
            return {"by": by, "comment": comment}
        case Cancelled(by):
            return {"by": by}
        case Expired(waited_for):
            return {"waited_for": waited_for}
        case Denied(ground):
            return {"ground": ground.value}
        case Stopped():
            return {}
        case Skipped(why):
            return {"why": why.value}
        case Finished(tally):
            return {"tally": asdict(tally)}


def from_json(text: str) -> Outcome | None:  # noqa: C901  # one case each
    """Return the outcome from its JSON; None for a kind that only another version of the bot knows."""
    facts = json.loads(text)
    match facts.pop("kind"):
        case "shared":
            return Shared(**facts)
        case "failed":
            return Failed(**_called(facts), link=_link(facts))
        case "unknown":
            return Unknown(**_called(facts))
        case "rejected":
            return Rejected(**facts)
        case "cancelled":
            return Cancelled(**facts)
        case "expired":
            return Expired(**facts)
        case "denied":
            return Denied(_ground(facts))
        case "stopped":
            return Stopped()
        case "skipped":
            return Skipped(SkipReason(facts["why"]))
        case "finished":
            return Finished(Tally(**facts["tally"]))
        case _:
            return None


def _called(facts: Mapping[str, Any]) -> dict[str, Any]:
    said = Said(**facts["said"]) if "said" in facts else None
    known = {"guidance": by_key(facts["guidance"]), "said": said, "tries": facts["tries"]}
    return {**known, "status": facts.get("status")}


def _ground(facts: Mapping[str, Any]) -> Ground:
    """Return the ground of a Denied; NOT_ALLOWED for one that only another version of the bot knows."""
    return next((known for known in Ground if known.value == facts["ground"]), Ground.NOT_ALLOWED)


def _link(facts: Mapping[str, Any]) -> Link | None:
    """Return the link that broke, if any; None for one that only another version of the bot knows."""
    return next((known for known in Link if known.value == facts.get("link")), None)


def name_of(outcome: Outcome) -> str:
    """Return an outcome's name in the ledger."""
    return type(outcome).__name__.lower()


def columns_of_outcome(outcome: Outcome) -> dict[str, object]:
    """Return the columns of `requests` that an outcome fills; a finished batch leaves the lane."""
    lane = {"lane": None} if isinstance(outcome, Finished) else {}
    return {"outcome": name_of(outcome), "ending": outcome, **lane}


def columns_of_error(said: Said) -> dict[str, object]:
    """Return the event columns for WeChat's error, with its code clamped to 64 bits."""
    return {"errcode": max(-_MOST - 1, min(said.errcode, _MOST)), "rid": said.rid}


def answer_events(
    outcome: Outcome, seconds: float, steps: Sequence[Step]
) -> list[tuple[str, dict[str, object]]]:
    """Return the kind and columns of each event that records an answer: one per step, then the answer."""
    said = outcome.said if isinstance(outcome, Failed | Unknown) else None
    words = columns_of_error(said) if said else dict.fromkeys(("errcode", "rid"))
    facts = {"outcome": name_of(outcome), **words, "seconds": seconds, "detail": _detail(outcome)}
    return [*map(_step_event, steps), ("answered", facts)]


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


def _step_event(step: Step) -> tuple[str, dict[str, object]]:
    said = columns_of_error(step.said) if step.said else {}
    return step.kind, {"seconds": step.seconds, "detail": step.result, **said}
