"""The bot's languages, for tests of messages."""

from typing import Final

import pytest

from bot.domain.language import Language
from bot.locale import tongues
from bot.messages.words import Tongues, Words

TONGUES: Final[Tongues] = tongues(Language.ENGLISH)
ENGLISH: Final[Words] = TONGUES.of[Language.ENGLISH]
CHINESE: Final[Words] = TONGUES.of[Language.CHINESE]

in_each_language = pytest.mark.parametrize(
    "words", TONGUES.of.values(), ids=lambda words: words.language.value
)
