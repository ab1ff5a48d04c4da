"""Every error a share can end in -> what it means, who can fix it and what to do next."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from bot.guidance.cloudbase import CLOUDBASE, CLOUDBASE_ROWS, CLOUDBASE_SAME_ADVICE
from bot.guidance.codes import ROWS, SAME_ADVICE, UNKNOWN
from bot.guidance.platform import PLATFORM_ROWS, PLATFORM_SAME_ADVICE
from bot.guidance.troubles import TROUBLE_ROWS
from bot.guidance.types import Guidance, Trouble

_CLOUDBASE_CODES = range(-999_999, -99_999)  # negative, six digits


def _by_code() -> Mapping[int, Guidance]:
    first = {int(row.key): row for row in (*ROWS, *PLATFORM_ROWS, *CLOUDBASE_ROWS)}
    also = {**SAME_ADVICE, **PLATFORM_SAME_ADVICE, **CLOUDBASE_SAME_ADVICE}
    return MappingProxyType(first | {code: first[same] for code, same in also.items()})


CODES: Final = _by_code()
"""Every error code with a row of its own, alone or shared with a code of the same advice."""

_TROUBLES: Final = MappingProxyType({Trouble(row.key): row for row in TROUBLE_ROWS})


def for_code(errcode: int) -> Guidance:
    """Return the row for an error code of WeChat's; any integer has one, and 0 (success) gets the unknown one.

    Source: api_shareenv, whose older page ends "other codes: CloudBase's" (negative, six digits).
    """
    if errcode in CODES:
        return CODES[errcode]
    return CLOUDBASE if errcode in _CLOUDBASE_CODES else UNKNOWN


def for_trouble(trouble: Trouble) -> Guidance:
    """Return the row for a trouble that came without an error code."""
    return _TROUBLES[trouble]


def all_guidance() -> tuple[Guidance, ...]:
    """Return each row once: WeChat's codes, CloudBase's, the unknown code, then the troubles."""
    return (*ROWS, *PLATFORM_ROWS, *CLOUDBASE_ROWS, CLOUDBASE, UNKNOWN, *TROUBLE_ROWS)


def by_key(key: str) -> Guidance:
    """Return the row with this key; the unknown one if an older or newer version wrote another."""
    return next((row for row in all_guidance() if row.key == key), UNKNOWN)
