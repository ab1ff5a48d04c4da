"""A request: one ask to share one env with one appid, where it came from, and the states it goes through."""

from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked, where, and how an answer can get back there."""

    team_id: str
    user_id: str
    channel_id: str
    channel_name: str
    trigger_id: str
    response_url: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Request:
    """One ask that the policy has let through; `rule` is the name of the rule that did."""

    id: str
    origin: Origin
    appid: str
    env: str
    owner: str
    rule: str
    reason: str | None = None


class State(Enum):
    """How far a request has come; what a crash leaves in one of them is taken up from there."""

    ACCEPTED = "accepted"
    """Recorded. The requester may have been told so; nothing was called."""
    PLACED = "placed"
    """The place for the answer is settled. WeChat may have been called."""
    ANSWERED = "answered"
    """The outcome is recorded. The requester may have been told."""
    ENDED = "ended"
    """Over: told, or given up."""


MOVES: dict[State, frozenset[State]] = {
    State.ACCEPTED: frozenset({State.PLACED, State.ANSWERED, State.ENDED}),
    State.PLACED: frozenset({State.ANSWERED}),
    State.ANSWERED: frozenset({State.ENDED}),
    State.ENDED: frozenset(),
}
"""The lawful moves. From ACCEPTED: an end without a call, or giving up, which answers without one."""


def before(state: State) -> frozenset[State]:
    """Return the states from which a request may move to `state`."""
    return frozenset(origin for origin, targets in MOVES.items() if state in targets)
