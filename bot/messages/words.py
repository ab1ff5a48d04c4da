"""Say a sentence in a language: the English sentence is the key under which its translation is found. Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from bot.domain.language import Language
from bot.messages.blocks import Mrkdwn, escape


def msgid(text: str) -> str:
    """Return `text` as it is, marked as one to translate: for sentences that stand in tables."""
    return text


@dataclass(frozen=True, slots=True)
class Words:
    """One language; `one` and `many` look a sentence up, as gettext and ngettext do.

    A sentence has places, such as `{env}`. What is put there is escaped; what is `known` need not be given.
    """

    language: Language
    one: Callable[[str], str]
    many: Callable[[str, str, int], str]
    known: Mapping[str, Mrkdwn] = field(default_factory=dict)

    def __call__(self, text: str, /, **values: str | int) -> Mrkdwn:
        """Return the sentence in this language, with `values` at its places."""
        return self._filled(self.one(text), values)

    def count(self, one: str, many: str, number: int, /, **values: str | int) -> Mrkdwn:
        """Return the sentence that fits `number`, which is also its place `{count}`."""
        return self._filled(self.many(one, many, number), {"count": number, **values})

    def escaped(self, text: str) -> Mrkdwn:
        """Return plain text, as guidance is, in this language; braces in it are no places."""
        return escape(self.one(text))

    def knowing(self, **known: str) -> "Words":
        """Return the same words with values that no sentence need be given."""
        return replace(self, known={name: escape(value) for name, value in known.items()})

    def _filled(self, sentence: str, values: Mapping[str, str | int]) -> Mrkdwn:
        shown = {name: escape(v) if isinstance(v, str) else v for name, v in values.items()}
        return Mrkdwn(sentence.format_map({**self.known, **shown}))


@dataclass(frozen=True, slots=True)
class Tongues:
    """All languages, and the one in which a whole channel is spoken to (the setting LANGUAGE)."""

    by_language: Mapping[Language, Words]
    channel: Words

    def of(self, language: Language) -> Words:
        """Return the words of one language."""
        return self.by_language[language]
