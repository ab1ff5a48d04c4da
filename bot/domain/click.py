"""A click on one of the bot's buttons: who, where, and on which request; the closed set of buttons."""

from dataclasses import dataclass, field
from enum import Enum


class Act(Enum):
    """What a button does; the value is its `action_id`."""

    CONFIRM = "confirm"
    CANCEL = "cancel"
    APPROVE = "approve"
    REJECT = "reject"
    RETRY = "retry"
    SHARE_AGAIN = "again"
    STEPS = "steps"


@dataclass(frozen=True, slots=True)
class Click:
    """One click; the user is known by (team_id, user_id) alone.

    `message` is the reference of the clicked message, in the format of an entry's `place` and `asked`; None for an
    ephemeral message. `thread_ts` is the thread that it is in. `reason` comes from the button's value, `comment` from
    the modal that the button opened.
    """

    team_id: str
    user_id: str
    channel_id: str
    channel_name: str
    trigger_id: str
    request_id: str
    response_url: str = field(default="", repr=False)
    thread_ts: str = ""
    message: str | None = None
    reason: str | None = None
    comment: str | None = None

    @property
    def active_thread(self) -> str:
        """The same thread: a thread with a message in it is active."""
        return self.thread_ts


def value_of(request_id: str, reason: str | None) -> str:
    """Return a button's value: the request's id and, if there is one, the reason."""
    return f"{request_id} {reason}" if reason else request_id


def read_value(value: str) -> tuple[str, str | None]:
    """Return the request's id and the reason from a button's value."""
    request_id, _, reason = value.partition(" ")
    return request_id, reason or None
