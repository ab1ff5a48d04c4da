"""What the ledger says of a request, and how that stands in a row."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import RowMapping

from bot.domain.language import Language
from bot.domain.outcome import Outcome
from bot.domain.request import Approval, Origin, Request, State


@dataclass(frozen=True, slots=True)
class Entry:
    """A request as it stands in the ledger; times in Unix seconds by the database's clock.

    `place` is where its answer goes, and `asked` where its approvers are asked, in the words of whoever settled it.
    `fence` grows with each take-over, and only who knows the newest may write. `at` is when this was read, where
    that matters; `until` and `wake` are when waiting for people ends and when to look at it next. `owed_since` is since
    when Slack has not taken what is to be said next. `called_again` if WeChat was asked once more, since a replica
    stopped before it recorded the answer.
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
    owed_since: float | None = None
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
        owed_since=None,
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
        row["ending"],
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


def key_of(entry: Entry) -> dict[str, object]:
    """Return the parameters by which a request is found, as long as nobody else has taken it over."""
    return {"the_id": entry.request.id, "the_fence": entry.fence}


def facts_of(request: Request) -> dict[str, object]:
    """Return the columns of an event that say which request it is about."""
    return {"request": request.id, **facts_asked(request.receivers, request.env, request.rule)}


def facts_asked(appids: Sequence[str], env: str, rule: str | None) -> dict[str, object]:
    """Return the columns of an event that say what is asked for, by which rule; several appids stand in none."""
    return {"env": env, "appid": appids[0] if len(appids) == 1 else None, "rule": rule}
