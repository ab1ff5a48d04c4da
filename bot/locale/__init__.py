"""Load the bot's sentences in all its languages; `python -m tests.translations` keeps the catalogues."""

from collections.abc import Callable
from gettext import translation
from pathlib import Path
from types import MappingProxyType

from bot.domain.language import Language
from bot.messages.words import Languages, Words
from bot.policy.kinds import Policy

LOCALES = Path(__file__).parent
DOMAIN = "share_env_bot"


def languages(channel: Language, policy: Callable[[], Policy] = lambda: Policy(())) -> Languages:
    """Return all languages; `channel` is the one for whole channels, and `policy` the one in force."""
    spoken = {language: _words(language, policy) for language in Language}
    return Languages(MappingProxyType(spoken), spoken[channel])


def _words(language: Language, policy: Callable[[], Policy]) -> Words:
    """Return one language. English has no catalogue: its sentences are the keys."""
    own = language is Language.ENGLISH
    catalogue = translation(DOMAIN, LOCALES, [language.value.replace("-", "_")], fallback=own)
    return Words(language, catalogue.gettext, catalogue.ngettext, policy)
