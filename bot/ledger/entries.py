"""A request as the ledger has it, and the columns of its row."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import RowMapping

from bot.domain.language import Language
from bot.domain.outcome import Outcome
from bot.domain.request import Approval, Origin, Request, State


@dataclass(frozen=True, slots=True)
class Entry:
    """A request as it stands in the ledger; times in Unix seconds by the database's clock.

    `place` is where its answer goes, and `asked` where its approvers are asked, as references that only whoever settled
    it can read. `fence` grows with each take-over, and only who knows the newest may write. `at` is when this was read,
    where that matters; `until` and `wake` are when waiting for people ends and when to look at it next. `owed_since` is
    since when Slack has not taken what is to be said next. `called_again` if WeChat was asked once more, since a replica
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
        request=_request_of(row),
        state=State(row["state"]),
        fence=row["fence"],
        created=row["created"],
        place=row["place"],
        outcome=row["ending"],
        taken_over=row["taken_over"],
        ended=row["ended"],
        at=row.get("read_at") or 0.0,
        until=row["until"],
        wake=row["wake"],
        asked=row["asked"],
        decided=row["decided"],
        retried_by=row["retried_by"],
        begun=row["begun"],
        owed_since=row["owed"],
        called_again=row["called_again"],
    )


def _request_of(row: RowMapping) -> Request:
    origin = Origin(
        team_id=row["team"],
        user_id=row["user"],
        channel_id=row["channel"],
        channel_name=row["channel_name"],
        trigger_id=row["trigger_id"],
        response_url=row["response_url"] or "",
        thread_ts=row["thread_ts"],
    )
    approved = row["asked"] and row["decided_by"] and row["outcome"] not in _NOT_APPROVED
    return Request(
        id=row["id"],
        origin=origin,
        appid=row["appid"],
        env=row["env"],
        owner=row["owner"],
        rule=row["rule"],
        reason=row["reason"],
        language=_language_of(row),
        appids=tuple((row["appids"] or "").split()),
        batch=row["batch"],
        again=row["again"],
        approval=Approval(row["decided_by"], row["comment"]) if approved else None,
    )


def _language_of(row: RowMapping) -> Language:
    """Return the requester's language; English also for one that only another version speaks."""
    return next((known for known in Language if known.value == row["language"]), Language.ENGLISH)


NEW_COLUMNS = (
    *("id", "trigger_id", "team", "user", "channel", "channel_name", "response_url"),
    *("appid", "env", "owner", "rule", "reason", "language", "thread_ts", "appids"),
    *("batch", "again", "state", "holder"),
)

_NOT_APPROVED = {"rejected", "denied", "cancelled", "expired"}


def columns_of(request: Request, state: State, holder: str | None) -> dict[str, object]:
    """Return the NEW_COLUMNS of a request that `holder` takes on, or nobody yet."""
    origin = request.origin
    return {
        "id": request.id,
        "trigger_id": origin.trigger_id,
        "team": origin.team_id,
        "user": origin.user_id,
        "channel": origin.channel_id,
        "channel_name": origin.channel_name,
        "response_url": origin.response_url,
        "appid": request.appid,
        "env": request.env,
        "owner": request.owner,
        "rule": request.rule,
        "reason": request.reason,
        "language": request.language.value,
        "thread_ts": origin.thread_ts,
        "appids": " ".join(request.appids) or None,
        "batch": request.batch,
        "again": request.again,
        "state": state.value,
        "holder": holder,
    }


def key_of(entry: Entry) -> dict[str, object]:
    """Return the parameters by which a request is found, as long as nobody else has taken it over."""
    return {"the_id": entry.request.id, "the_fence": entry.fence}


def facts_of(request: Request) -> dict[str, object]:
    """Return the columns of an event that say which request it is about."""
    return {"request": request.id, **facts_asked(request.receivers, request.env, request.rule)}


def facts_asked(appids: Sequence[str], env: str, rule: str | None) -> dict[str, object]:
    """Return the columns of an event that say what is asked for, by which rule; several appids stand in none."""
    return {"env": env, "appid": appids[0] if len(appids) == 1 else None, "rule": rule}
