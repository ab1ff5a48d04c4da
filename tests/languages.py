"""The bot's languages, for tests of messages."""

from typing import Final

from bot.domain.language import Language
from bot.locale import tongues
from bot.messages.words import Tongues, Words

TONGUES: Final[Tongues] = tongues(Language.ENGLISH)
ENGLISH: Final[Words] = TONGUES.of[Language.ENGLISH]
CHINESE: Final[Words] = TONGUES.of[Language.CHINESE]
