"""What the ledger says of a request, and how that stands in a row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import RowMapping

from bot.guidance import Guidance, by_key
from bot.language import Language
from bot.link import Link
from bot.outcome import (
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
from bot.request import Approval, Origin, Request, State

_MOST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A request as it stands in the ledger; times in Unix seconds by the database's clock.

    `place` is where its answer goes, and `asked` where its approvers are asked, in the words of whoever settled it.
    `fence` grows with each take-over, and only who knows the newest may write. `at` is when this was read, where
    that matters; `until` and `wake` are when waiting for people ends and when to look at it next. `owed` is since when Slack
    has not taken what is to be said next. `called_again` if WeChat was asked twice, since somebody died who had asked.
    """

    request: Request
    state: State
    fence: int
    created: float
    place: str | None = None
    outcome: Outcome | None = None
    taken_over: int = 0
    ended: float | None = None
    at: float = field(default=0.0, compare=False)
    until: float | None = None
    wake: float | None = None
    asked: str | None = None
    decided: float | None = None
    retried_by: str | None = None
    begun: bool = False
    owed: float | None = None
    called_again: bool = False

    @property
    def overdue(self) -> bool:
        """Whether the time of those it waited for was over when this was read."""
        return self.until is not None and self.at >= self.until


def answered(entry: Entry, outcome: Outcome, *, called_again: bool = False) -> Entry:
    """Return the entry as it stands once its outcome is recorded."""
    return replace(
        entry,
        state=State.ANSWERED,
        outcome=outcome,
        called_again=called_again,
        owed=None,
        wake=None,
    )


def entry_of(row: RowMapping) -> Entry:
    """Return the Entry that a row of `requests` holds."""
    return Entry(
        _request_of(row),
        State(row["state"]),
        row["fence"],
        row["created"],
        row["place"],
        outcome_of(row),
        row["taken_over"],
        row["ended"],
        row.get("read_at") or 0.0,
        row["until"],
        row["wake"],
        row["asked"],
        row["decided"],
        row["retried_by"],
        row["begun"],
        row["owed"],
        row["called_again"],
    )


def _request_of(row: RowMapping) -> Request:
    origin = Origin(
        row["team"],
        row["user"],
        row["channel"],
        row["channel_name"],
        row["trigger_id"],
        row["response_url"] or "",
        row["thread_ts"],
    )
    approved = row["asked"] and row["decided_by"] and row["outcome"] not in _NOT_APPROVED
    return Request(
        row["id"],
        origin,
        row["appid"],
        row["env"],
        row["owner"],
        row["rule"],
        row["reason"],
        next((known for known in Language if known.value == row["language"]), Language.ENGLISH),
        tuple((row["appids"] or "").split()),
        row["batch"],
        row["again"],
        Approval(row["decided_by"], row["comment"]) if approved else None,
    )


NEW_COLUMNS = (
    *("id", "trigger_id", "team", "user", "channel", "channel_name", "response_url"),
    *("appid", "env", "owner", "rule", "reason", "language", "thread_ts", "appids"),
    *("batch", "again", "state", "holder"),
)

_NOT_APPROVED = {"rejected", "denied", "cancelled", "expired"}


def columns_of(request: Request, state: State, holder: str | None) -> dict[str, object]:
    """Return the NEW_COLUMNS of a request that `holder` takes on, or nobody yet."""
    origin = request.origin
    values = (
        request.id,
        origin.trigger_id,
        origin.team_id,
        origin.user_id,
        origin.channel_id,
        origin.channel_name,
        origin.response_url,
        request.appid,
        request.env,
        request.owner,
        request.rule,
        request.reason,
        request.language.value,
        origin.thread_ts,
        " ".join(request.appids) or None,
        request.batch,
        request.again,
        state.value,
        holder,
    )
    return dict(zip(NEW_COLUMNS, values, strict=True))


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


def key_of(entry: Entry) -> dict[str, object]:
    """Return the parameters by which a request is found, as long as nobody else has taken it over."""
    return {"the_id": entry.request.id, "the_fence": entry.fence}


def facts_of(request: Request) -> dict[str, object]:
    """Return the columns of an event that say which request it is about."""
    return {"request": request.id, **facts_asked(request.receivers, request.env, request.rule)}


def facts_asked(appids: Sequence[str], env: str, rule: str | None) -> dict[str, object]:
    """Return the columns of an event that say what is asked for, by which rule; several appids stand in none."""
    return {"env": env, "appid": appids[0] if len(appids) == 1 else None, "rule": rule}


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
