"""The bot's languages, for tests that let it speak."""

from typing import Final

from bot.catalogues import tongues
from bot.language import Language
from bot.messages.words import Tongues, Words

TONGUES: Final[Tongues] = tongues(Language.ENGLISH)
ENGLISH: Final[Words] = TONGUES.of(Language.ENGLISH)
CHINESE: Final[Words] = TONGUES.of(Language.CHINESE)
