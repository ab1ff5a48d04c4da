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
    ephemeral message. `active_thread` is the thread that it is in. `reason` comes from the button's value, `comment` from
    the modal that the button opened.
    """

    team_id: str
    user_id: str
    channel_id: str
    channel_name: str
    trigger_id: str
    request_id: str
    response_url: str = field(default="", repr=False)
    active_thread: str = ""
    message: str | None = None
    reason: str | None = None
    comment: str | None = None
