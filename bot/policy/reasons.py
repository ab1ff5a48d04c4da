"""What a rule wants of a reason: whether one is enough, what it refers to, and what a pattern and an address may be. Pure.

A pattern is an operator's, and a reason anybody's. So patterns are those of Rust's regex, by pydantic, which never search
longer than a text is long; they have no look-around and no backreferences.
"""

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from bot.policy.kinds import Policy, Rule

if TYPE_CHECKING:
    from pydantic import TypeAdapter

REFERENCE = "{reason}"
"""In an address, the place of what the pattern matches."""

# Behind the host, and without what would end Slack's markup of a link.
_ADDRESS = re.compile(
    r"https://[a-z0-9.-]+(:[0-9]+)?[/?#][!-;=?-z~]*\{reason\}[!-;=?-z~]*", re.IGNORECASE
)

_ONE = "(?s:.)"


def is_enough(rule: Rule, reason: str | None) -> bool:
    """Return whether a reason is what the rule wants of one."""
    if not rule.require_reason:
        return True
    if not reason:
        return False
    return rule.reason_pattern is None or _fits(rule.reason_pattern, reason)


def reference(rule: Rule, reason: str) -> tuple[str, str] | None:
    """Return the part of a reason that is a reference, and the address of what it refers to; None if the rule knows no address."""
    if rule.reason_url is None or not is_enough(rule, reason):
        return None
    named = _found(rule.reason_pattern, reason) if rule.reason_pattern else reason
    return named, rule.reason_url.replace(REFERENCE, quote(named, safe=""))


def reference_of(policy: Policy, rule: str, reason: str) -> tuple[str, str] | None:
    """Return the same for a recorded reason, by the name of its rule."""
    named = (each for each in policy.rules if each.name == rule)
    return next((reference(each, reason) for each in named), None)


def _found(pattern: str, reason: str) -> str:
    """Return the first part of a reason that matches, as long as it can be; the reason if it is no part by itself."""
    starts, ends = range(len(reason)), range(len(reason), 0, -1)
    start = next((each for each in starts if _fits_at(pattern, reason, each)), 0)
    later = (each for each in ends if each > start)
    return next(
        (reason[start:end] for end in later if _fits_at(pattern, reason, start, end)), reason
    )


def _fits_at(pattern: str, reason: str, start: int, end: int | None = None) -> bool:
    r"""Return whether the part from `start`, to `end` if that is given, matches where it stands: `\b` looks beside it."""
    before = _ONE if start else ""
    after = "" if end is None else rf"{_ONE}\z" if end < len(reason) else r"\z"
    seen = reason[max(0, start - 1) : None if end is None else end + 1]
    return _fits(rf"\A{before}(?:{pattern}){after}", seen)


def can_be_pattern(pattern: str) -> bool:
    """Return whether `pattern` is a regular expression of the kind that is searched without delay."""
    from pydantic_core import SchemaError  # noqa: PLC0415  # as below

    try:
        for each in (pattern, rf"\A(?:{pattern})\z"):
            _compiled(each)
    except SchemaError:
        return False
    return True


def wants_something(pattern: str) -> bool:
    """Return whether a valid pattern does not match the empty text, which is in every reason."""
    return not _fits(pattern, "")


def can_be_address(url: str) -> bool:
    """Return whether `url` is an https address with `{reason}` once, behind the host."""
    return _ADDRESS.fullmatch(url) is not None


def _fits(pattern: str, text: str) -> bool:
    """Return whether a part of the text matches."""
    from pydantic import ValidationError  # noqa: PLC0415  # only a policy with patterns needs it

    try:
        _compiled(pattern).validate_python(text)
    except ValidationError:
        return False
    return True


@lru_cache(maxsize=1000)
def _compiled(pattern: str) -> "TypeAdapter[str]":
    """Raise SchemaError if it is no pattern."""
    from pydantic import Field, TypeAdapter  # noqa: PLC0415

    return TypeAdapter(Annotated[str, Field(pattern=pattern)])
