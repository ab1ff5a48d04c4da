"""The ways in which an answer of the stand-in WeChat can be made to go wrong."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Code:
    """HTTP 200 with this errcode and a rid; nothing is done, unless the code is 0."""

    errcode: int
    errmsg: str | None = None
    as_string: bool = False


@dataclass(frozen=True, slots=True)
class Status:
    """Any HTTP answer, as a gateway or a proxy gives it; nothing is done."""

    code: int
    body: bytes = b"<html><body>Bad Gateway</body></html>"
    content_type: str = "text/html"


@dataclass(frozen=True, slots=True)
class Hang:
    """Silence for some seconds.

    With `after_effect` what was asked is done first and the usual answer comes at the end; else
    the connection closes at the end, and nothing is done.
    """

    seconds: float
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """The connection closes without an answer; with `after_effect` what was asked is done."""

    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Redirect:
    """HTTP 302; nothing is done."""

    to: str


@dataclass(frozen=True, slots=True)
class Truncated:
    """The usual answer, cut off in the middle of its body; what was asked is done."""


@dataclass(frozen=True, slots=True)
class Huge:
    """A body of so many bytes; nothing is done."""

    bytes: int


@dataclass(frozen=True, slots=True)
class GzipBomb:
    """A small compressed body that grows to 16 MiB; nothing is done."""


@dataclass(frozen=True, slots=True)
class Drip:
    """The usual answer, one byte at a time; what was asked is done."""

    seconds_per_byte: float


Failure: TypeAlias = Status | Hang | Drop | Redirect | Truncated | Huge | GzipBomb | Drip
Answer: TypeAlias = Code | Failure
