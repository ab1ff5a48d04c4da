"""Say a sentence in a language: the English sentence is the key under which its translation is found. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.domain.language import Language


def msgid(text: str) -> str:
    """Return `text` as it is, marked as one to translate: for sentences that stand in tables."""
    return text


@dataclass(frozen=True, slots=True)
class Words:
    """One language; `one` and `many` look a sentence up, as gettext and ngettext do."""

    language: Language
    one: Callable[[str], str]
    many: Callable[[str, str, int], str]

    def __call__(self, text: str, /, **values: object) -> str:
        """Return the sentence in this language, with `values` at its places; without any, braces stay as they are."""
        said = self.one(text)
        return said.format(**values) if values else said

    def count(self, one: str, many: str, number: int, /, **values: object) -> str:
        """Return the sentence that fits `number`, which is also its place `{count}`."""
        return self.many(one, many, number).format(count=number, **values)


@dataclass(frozen=True, slots=True)
class Tongues:
    """All languages, and the one in which a whole channel is spoken to (the setting LANGUAGE)."""

    by_language: Mapping[Language, Words]
    channel: Words

    def of(self, language: Language) -> Words:
        """Return the words of one language."""
        return self.by_language[language]
