"""A click on one of the bot's buttons: who, where, and on which request; the closed set of buttons."""

from dataclasses import dataclass
from enum import Enum

from bot.domain.request import Origin


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
    """One click; its origin has the thread of the clicked message, and no channel on the App Home.

    `message` is the reference of the clicked message, in the format of an entry's `place` and `asked`; None for an
    ephemeral message. `reason` comes from the button's value, `comment` from the modal that the button opened.
    """

    origin: Origin
    request_id: str
    message: str | None = None
    reason: str | None = None
    comment: str | None = None

    @property
    def user_id(self) -> str:
        """The user who clicked."""
        return self.origin.user_id
