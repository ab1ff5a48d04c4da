"""Sentences in a language; the English sentence is the key of its translation (gettext). Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.domain.language import Language
from bot.messages.blocks import Mrkdwn, escape


def msgid(text: str) -> str:
    """Return `text` unchanged; marks a sentence in a table as one to translate."""
    return text


@dataclass(frozen=True, slots=True)
class Words:
    """One language; `one` and `many` are its gettext and ngettext.

    A sentence has places, such as `{env}`. Values are escaped unless they are Mrkdwn. `known` fills places that a
    caller gives no value for.
    """

    language: Language
    one: Callable[[str], str]
    many: Callable[[str, str, int], str]
    known: Mapping[str, Mrkdwn] = field(default_factory=dict)

    def __call__(self, text: str, /, **values: str | int) -> Mrkdwn:
        """Translate a sentence and fill its places."""
        return self._filled(self.one(text), values)

    def count(self, one: str, many: str, number: int, /, **values: str | int) -> Mrkdwn:
        """Translate the sentence for `number`, singular or plural, and fill its places; `{count}` is the number."""
        return self._filled(self.many(one, many, number), {"count": number, **values})

    def escaped(self, text: str) -> Mrkdwn:
        """Translate plain text, such as guidance, and escape it; braces in it stay as they are."""
        return escape(self.one(text))

    def knowing(self, **known: Mrkdwn) -> "Words":
        """Return these words with values for places, so that callers need not give them."""
        return Words(self.language, self.one, self.many, known)

    def _filled(self, sentence: str, values: Mapping[str, str | int]) -> Mrkdwn:
        shown = {name: escape(v) if isinstance(v, str) else v for name, v in values.items()}
        return Mrkdwn(sentence.format_map({**self.known, **shown}))


@dataclass(frozen=True, slots=True)
class Tongues:
    """All languages; `channel` is the one for messages that a whole channel reads (the setting LANGUAGE)."""

    by_language: Mapping[Language, Words]
    channel: Words

    def of(self, language: Language) -> Words:
        """Return the words of one language."""
        return self.by_language[language]
