"""The bot's languages, for tests of messages."""

from typing import Final

import pytest

from bot.domain.language import Language
from bot.locale import languages
from bot.messages.words import Languages, Words

LANGUAGES: Final[Languages] = languages(Language.ENGLISH)
ENGLISH: Final[Words] = LANGUAGES.of[Language.ENGLISH]
CHINESE: Final[Words] = LANGUAGES.of[Language.CHINESE]

in_each_language = pytest.mark.parametrize(
    "words", LANGUAGES.of.values(), ids=lambda words: words.language.value
)
