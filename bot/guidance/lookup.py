"""Find the guidance for an errcode, or by its key."""

from types import MappingProxyType
from typing import Final

from bot.guidance.cloudbase import CLOUDBASE, CLOUDBASE_ROWS
from bot.guidance.codes import ROWS, UNKNOWN
from bot.guidance.platform import PLATFORM_ROWS
from bot.guidance.troubles import Trouble
from bot.guidance.types import Guidance

_CLOUDBASE_CODES = range(-999_999, -99_999)  # negative, six digits


CODES: Final = MappingProxyType(
    {
        code: row
        for row in (*ROWS, *PLATFORM_ROWS, *CLOUDBASE_ROWS)
        for code in (int(row.key), *row.also)
    }
)
"""The guidance of each known errcode; several codes may share one."""


def for_code(errcode: int) -> Guidance:
    """Return the guidance for a WeChat errcode: its own, else CloudBase's or the unknown code's. Any integer has one.

    0 means success and has the unknown one. Source: api_shareenv, whose older page ends "other codes: CloudBase's"
    (negative, six digits).
    """
    if errcode in CODES:
        return CODES[errcode]
    return CLOUDBASE if errcode in _CLOUDBASE_CODES else UNKNOWN


def all_guidance() -> tuple[Guidance, ...]:
    """Return each guidance once: WeChat's codes, CloudBase's, the unknown code, then the troubles."""
    troubles = (each.value for each in Trouble)
    return (*ROWS, *PLATFORM_ROWS, *CLOUDBASE_ROWS, CLOUDBASE, UNKNOWN, *troubles)


def by_key(key: str) -> Guidance:
    """Return the guidance with this key or code; the unknown one if another version of the bot wrote another key."""
    rows = all_guidance()
    return next((row for row in rows if key in {row.key, *map(str, row.also)}), UNKNOWN)
