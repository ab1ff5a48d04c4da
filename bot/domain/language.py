"""The languages that the bot speaks."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final


class Language(Enum):
    """One language; the value is its tag (BCP 47), as in the setting LANGUAGE."""

    ENGLISH = "en"
    CHINESE = "zh-CN"


SPOKEN: Final[Mapping[str, Language]] = {"en": Language.ENGLISH, "zh": Language.CHINESE}
"""The language for the first part of a locale such as zh-TW.

Traditional Chinese maps to Simplified, which its readers understand better than English.
"""


def spoken(locale: str) -> Language:
    """Return the language for a locale such as zh_CN:en or zh-TW; English for one that the bot does not speak."""
    return SPOKEN.get(re.split("[:_.-]", locale.lower())[0], Language.ENGLISH)
