"""The ways in which a call of the stand-in Slack can be made to go wrong."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class RateLimited:
    """HTTP 429 with Retry-After, in seconds; nothing is done."""

    retry_after: int


@dataclass(frozen=True, slots=True)
class ServerError:
    """An HTML page with a 5xx status; with `after_effect` the call was carried out before."""

    status: int = 503
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Dropped:
    """The connection closes without an answer; with `after_effect` the call was carried out."""

    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Hangs:
    """Silence for some seconds, and then the usual answer.

    The call is recorded when the silence begins, with the error "hangs", and when it is answered.
    """

    seconds: float


@dataclass(frozen=True, slots=True)
class Refuses:
    """`ok: false` with this error; nothing is done."""

    error: str


Fault: TypeAlias = RateLimited | ServerError | Dropped | Hangs | Refuses
