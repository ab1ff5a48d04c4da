"""A request to share one env with one appid or, as a batch, with several: its states and their moves, and clicks on it."""

from dataclasses import dataclass, field, replace
from enum import Enum

from bot.domain.language import Language


@dataclass(frozen=True, slots=True)
class Origin:
    """Who asked or clicked, where, and how to answer there; the user is known by (team_id, user_id) alone.

    `team_id` is the workspace; where the app is installed for an organisation, `user_id` is the same in all of its own.

    `thread_ts` is the thread in which a shortcut or a button was used; a command has none. `active_thread` is the same
    thread if it has replies, since Slack shows ephemeral messages in no other; the ledger does not store it.
    """

    team_id: str
    user_id: str
    channel_id: str
    channel_name: str
    trigger_id: str
    response_url: str = field(repr=False)
    thread_ts: str = ""
    active_thread: str = ""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Who agreed to a request, and their comment."""

    by: str
    comment: str | None = None


class Approval(Agreement):
    """Who approved a request, and their comment."""


class BrokenGlass(Agreement):
    """Who did not wait for the approval of their own request, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request that the policy allowed; `rule` is the name of the rule that decided.

    A batch has `appids` and no `appid`; each of its items is a separate request with the batch's id in `batch`. With
    `again` the env is shared even if it was shared before. `escalated` once whom its rule escalates to may decide too.
    `agreed` are those who agreed before the one who decided, in order; while it waits, so far.
    """

    id: str
    origin: Origin
    appid: str
    env: str
    owner: str
    rule: str
    reason: str | None = None
    language: Language = Language.ENGLISH
    appids: tuple[str, ...] = ()
    batch: str | None = None
    again: bool = False
    approval: Approval | BrokenGlass | None = None
    escalated: bool = False
    agreed: tuple[Agreement, ...] = ()

    @property
    def receivers(self) -> tuple[str, ...]:
        """Every appid that is to receive access."""
        return self.appids or (self.appid,)


def item_ids(batch: Request) -> dict[str, str]:
    """Return the appids of a batch by its items' ids, which are numbered: a replica that takes it over gets the same ids."""
    return {f"{batch.id}-{number}": appid for number, appid in enumerate(batch.appids, 1)}


def item_of(batch: Request, id_: str, appid: str) -> Request:
    """Return the request of one item of a batch."""
    origin = replace(batch.origin, trigger_id=id_, response_url="")
    return replace(batch, id=id_, origin=origin, appid=appid, appids=(), batch=batch.id)


@dataclass(frozen=True, slots=True)
class Retry:
    """The earlier request that is tried again, and the user who clicked."""

    of: str
    by: str


class State(Enum):
    """How far a request has come; after a crash it continues from this state."""

    CONFIRMING = "confirming"
    """Recorded. The requester has been asked whether they are sure."""
    WAITING = "waiting"
    """Recorded. The approvers are asked, or about to be."""
    ACCEPTED = "accepted"
    """Recorded. The requester may have been told so; WeChat was not called."""
    QUEUED = "queued"
    """An item of a batch that waits for its turn or has it."""
    PLACED = "placed"
    """The place for the answer is recorded. WeChat may have been called."""
    ANSWERED = "answered"
    """The outcome is recorded. The requester may have been told."""
    ENDED = "ended"
    """Over: delivered, or given up."""


BEGUN = (State.ACCEPTED, State.PLACED)
"""The states of a request that people and the policy have allowed, and that has no outcome yet."""

MOVES: dict[State, frozenset[State]] = {
    State.CONFIRMING: frozenset({State.WAITING, State.ACCEPTED, State.ANSWERED, State.ENDED}),
    State.WAITING: frozenset({State.ACCEPTED, State.PLACED, State.ANSWERED, State.ENDED}),
    State.ACCEPTED: frozenset({State.PLACED, State.ANSWERED, State.ENDED}),
    State.QUEUED: frozenset({State.ENDED}),
    State.PLACED: frozenset({State.ANSWERED, State.ENDED}),
    State.ANSWERED: frozenset({State.ENDED}),
    State.ENDED: frozenset(),
}
"""The lawful moves.

A request moves from ACCEPTED to ANSWERED if it is given up without a call to WeChat. It moves to ENDED without having
been ANSWERED if the bot failed too often; from ACCEPTED or PLACED, if a message was owed for seven days; from WAITING or
ACCEPTED, if Slack leaves nowhere to answer; from CONFIRMING, WAITING or ACCEPTED, if the ack said that nothing was done;
and from CONFIRMING, if the reply to the click is the answer.
"""


def before(state: State) -> frozenset[State]:
    """Return the states from which a request may move to `state`."""
    return frozenset(origin for origin, targets in MOVES.items() if state in targets)


class Act(Enum):
    """What a button does; the value is its `action_id`."""

    CONFIRM = "confirm"
    CANCEL = "cancel"
    APPROVE = "approve"
    REJECT = "reject"
    RETRY = "retry"
    SHARE_AGAIN = "again"
    STEPS = "steps"
    BREAK_GLASS = "break-glass"


@dataclass(frozen=True, slots=True)
class Click:
    """One click; its origin has the thread of the clicked message, and no channel on the App Home.

    `message` is the reference of the clicked message, in the format of an entry's `place` and `asked`; None for an
    ephemeral message. `reason` comes from the button's value, `comment` from the modal that the button opened.
    `organisation` is that of the person, if they have one.
    """

    origin: Origin
    request_id: str
    message: str | None = None
    reason: str | None = None
    comment: str | None = None
    organisation: str = ""
