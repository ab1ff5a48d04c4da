"""How a request ended: a closed set, worded in `bot.messages`."""

from dataclasses import dataclass
from typing import Literal

from bot.guidance import Guidance
from bot.link import Link


@dataclass(frozen=True, slots=True)
class Said:
    """WeChat's own words about an error; `rid` is what its support asks for."""

    errcode: int
    errmsg: str
    rid: str | None


@dataclass(frozen=True, slots=True)
class Shared:
    """WeChat said yes."""

    tries: int = 1


@dataclass(frozen=True, slots=True)
class Failed:
    """It did not happen; the guidance says why and what to do.

    `link` is what broke in the token chain, where that kept WeChat from being asked.
    """

    guidance: Guidance
    said: Said | None = None
    tries: int = 1
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may have happened: no answer came, or none that settles it, on the last or an earlier try."""

    guidance: Guidance
    said: Said | None = None
    tries: int = 1


Outcome = Shared | Failed | Unknown


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done towards an outcome: a call to WeChat or the renewal of a token, and its result."""

    kind: Literal["call", "renewal"]
    seconds: float
    result: str
    said: Said | None = None
