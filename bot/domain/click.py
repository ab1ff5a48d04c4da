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
    """One click, by somebody known only by (team_id, user_id).

    `reason` is the one that its button was given, and `comment` what was written into the modal that it opened.

    `message` is where the clicked message stands, as an entry's `place` or what it has `asked` is spelt; None where no
    others can see it. `thread_ts` is the thread that it is in.
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
        """The same thread: whatever stands in one makes it active."""
        return self.thread_ts


def value_of(request_id: str, reason: str | None) -> str:
    """Return what a button carries: which request it is about and, where it asks for one, why."""
    return f"{request_id} {reason}" if reason else request_id


def read_value(value: str) -> tuple[str, str | None]:
    """Return the request and the reason that a button carries."""
    request_id, _, reason = value.partition(" ")
    return request_id, reason or None
