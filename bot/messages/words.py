"""Sentences in a language; the English sentence is the key of its translation (gettext). Pure."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from bot.domain.language import Language
from bot.messages.blocks import Mrkdwn, escape
from bot.policy import Policy

NOBODY_NAMED: Final = Policy(()).contact


def msgid(text: str) -> str:
    """Return `text` unchanged; marks a sentence in a table as one to translate."""
    return text


class _Places(dict[str, str | int]):
    """The values of a sentence's places; a known one is made when a sentence has its place."""

    def __init__(
        self, given: Mapping[str, str | int], known: Mapping[str, Callable[[], Mrkdwn]]
    ) -> None:
        super().__init__(given)
        self._known = known

    def __missing__(self, name: str) -> Mrkdwn:
        return self._known[name]()


@dataclass(frozen=True, slots=True)
class Words:
    """One language; `one` and `many` are its gettext and ngettext.

    A sentence has places, such as `{env}`. Values are escaped unless they are Mrkdwn. `known` makes the values of places
    that a caller gives none for; `{contact}`, whom people turn to, is always among them.
    """

    language: Language
    one: Callable[[str], str]
    many: Callable[[str, str, int], str]
    known: Mapping[str, Callable[[], Mrkdwn]] = field(default_factory=dict)

    def __call__(self, text: str, /, **values: str | int) -> Mrkdwn:
        """Translate a sentence and fill its places."""
        return self._filled(self.one(text), values)

    def count(self, one: str, many: str, number: int, /, **values: str | int) -> Mrkdwn:
        """Translate the sentence for `number`, singular or plural, and fill its places; `{count}` is the number."""
        return self._filled(self.many(one, many, number), {"count": number, **values})

    def escaped(self, text: str) -> Mrkdwn:
        """Translate plain text, such as guidance, and escape it; braces in it stay as they are."""
        return escape(self.one(text))

    def knowing(self, **known: Callable[[], Mrkdwn]) -> "Words":
        """Return these words with what makes values for places, so that callers need not give them."""
        return replace(self, known={**self.known, **known})

    def _filled(self, sentence: str, values: Mapping[str, str | int]) -> Mrkdwn:
        shown = {name: escape(v) if isinstance(v, str) else v for name, v in values.items()}
        return Mrkdwn(sentence.format_map(_Places(shown, self.known)))


@dataclass(frozen=True, slots=True)
class Tongues:
    """All languages; `whole` is that of what a whole channel reads (the setting LANGUAGE).

    `contact` tells whom the policy of now sends people to.
    """

    by_language: Mapping[Language, Words]
    whole: Language
    contact: Callable[[], str] = lambda: NOBODY_NAMED

    @property
    def channel(self) -> Words:
        """The words for messages that a whole channel reads."""
        return self.of(self.whole)

    def of(self, language: Language) -> Words:
        """Return the words of one language."""
        words, contact = self.by_language[language], self.contact()
        return words.knowing(contact=lambda: contact_in(words, contact))


def contact_in(words: Words, contact: str) -> Mrkdwn:
    """Return a policy's contact, without a full stop; only the one that nobody set is translated."""
    whom = words.escaped(contact) if contact == NOBODY_NAMED else escape(contact)
    return Mrkdwn(whom.rstrip("."))
