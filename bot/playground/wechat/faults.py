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
    """Any HTTP answer, as a gateway or a proxy gives it; with `after_effect` what was asked is done."""

    code: int
    body: bytes = b"<html><body>Bad Gateway</body></html>"
    content_type: str = "text/html"
    after_effect: bool = False


@dataclass(frozen=True, slots=True)
class Raw:
    """These bytes in place of an answer, then the end of the connection; with `after_effect` what was asked is done.

    A whole answer should announce the end (Connection: close), else the next call may use a connection that is dead.
    """

    sent: bytes
    after_effect: bool = False


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
class Reset:
    """The connection is reset (RST) after so much of the usual answer, from 0 to 1.

    What was asked is done with `after_effect`, and wherever a part of the answer is sent.
    """

    after_effect: bool = False
    part: float = 0.0


@dataclass(frozen=True, slots=True)
class Redirect:
    """A redirect; nothing is done."""

    to: str
    status: int = 302


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


Failure: TypeAlias = (
    Status | Raw | Hang | Drop | Reset | Redirect | Truncated | Huge | GzipBomb | Drip
)
Answer: TypeAlias = Code | Failure
