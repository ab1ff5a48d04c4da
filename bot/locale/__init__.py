"""Load the bot's sentences in all its languages; `python -m tests.translations` keeps the catalogues."""

from collections.abc import Callable
from gettext import translation
from pathlib import Path
from types import MappingProxyType

from bot.domain.language import Language
from bot.messages.words import Languages, Words
from bot.policy.kinds import DEFAULT_CONTACT

LOCALES = Path(__file__).parent
DOMAIN = "share_env_bot"


def languages(channel: Language, contact: Callable[[], str] = lambda: DEFAULT_CONTACT) -> Languages:
    """Return all languages; `channel` is the one for whole channels, and `contact` the policy's contact."""
    spoken = {language: _words(language, contact) for language in Language}
    return Languages(MappingProxyType(spoken), spoken[channel])


def _words(language: Language, contact: Callable[[], str]) -> Words:
    """Return one language. English has no catalogue: its sentences are the keys."""
    own = language is Language.ENGLISH
    catalogue = translation(DOMAIN, LOCALES, [language.value.replace("-", "_")], fallback=own)
    return Words(language, catalogue.gettext, catalogue.ngettext, contact)
