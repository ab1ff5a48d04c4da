"""The languages that the bot speaks, and how Slack's locales map to them."""

from enum import Enum


class Language(Enum):
    """One language; the value is its tag (BCP 47), as in the setting LANGUAGE."""

    ENGLISH = "en"
    CHINESE = "zh-CN"


def language_of(locale: str | None) -> Language:
    """Return the language for a locale of users.info, such as zh-CN; English if the bot does not speak it.

    Traditional Chinese maps to Simplified, which its readers understand better than English.
    """
    chinese = (locale or "").lower().replace("_", "-").partition("-")[0] == "zh"
    return Language.CHINESE if chinese else Language.ENGLISH
