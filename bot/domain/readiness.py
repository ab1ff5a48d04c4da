"""Whether a shared env can be used by those whom it is shared with."""

from dataclasses import dataclass
from enum import Enum
from typing import Final


class Readiness(Enum):
    """What an owner's env has of the cloud function that lets others in."""

    READY = "ready"
    MISSING = "missing"
    INACTIVE = "inactive"
    """It is there, but was not deployed to its end."""
    UNKNOWN = "unknown"
    """WeChat did not tell, or not in time."""


@dataclass(frozen=True, slots=True)
class AfterShare:
    """What the answer to a share has to say beyond that; `told_before` where the people of its receivers know the steps."""

    readiness: Readiness = Readiness.UNKNOWN
    told_before: bool = False


NOTHING_KNOWN: Final = AfterShare()
