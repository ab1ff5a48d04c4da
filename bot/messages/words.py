"""Text: sentences in a language, and Slack's markup in them. Pure.

The English sentence is the key of its translation (gettext). Source: docs.slack.dev, "Formatting message text".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import reduce
from itertools import accumulate
from typing import Final

from bot.domain.language import Language
from bot.policy import Policy

NOBODY_NAMED: Final = Policy(()).contact
_WORD_LIMIT = 64  # as long as an env can be


class Mrkdwn(str):
    """Text in Slack's markup; `escape` leaves it unchanged."""

    __slots__ = ()


def escape(text: str) -> Mrkdwn:
    """Escape text from people or from WeChat, so that Slack reads no markup in it; line breaks become blanks."""
    if isinstance(text, Mrkdwn):
        return text
    line = " ".join(text.split())
    return Mrkdwn(line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def as_typed(text: str) -> str:
    """Undo `escape`; Slack also sends the text of a command with these three characters escaped."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def code(text: str, most: int = _WORD_LIMIT) -> Mrkdwn:
    """Return `text` as inline code, cut to `most` characters; a backtick would end it early, so it is replaced."""
    return Mrkdwn(f"`{escape(shortened(text, most).replace('`', 'ˋ')) or ' '}`")


def mention(user_id: str) -> Mrkdwn:
    """Return the markup that Slack shows as the user's name."""
    return Mrkdwn(f"<@{user_id}>")


def when(at: float) -> Mrkdwn:
    """Return a date that Slack shows in the reader's time zone; clients that cannot show it in UTC."""
    utc = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Mrkdwn(f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{utc}>")


def shortened(text: str, most: int) -> str:
    """Return plain `text`, cut to `most` characters with “…” at the end."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def steps(lines: Iterable[str]) -> str:
    """Return numbered lines."""
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def bullets(lines: Iterable[str]) -> str:
    """Return bulleted lines."""
    return "\n".join(f"• {line}" for line in lines)


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
        words = self.by_language[language]
        return words.knowing(contact=lambda: contact_in(words, self.contact()))


def contact_in(words: Words, contact: str) -> Mrkdwn:
    """Return a policy's contact, without a full stop; only the one that nobody set is translated."""
    whom = words.escaped(contact) if contact == NOBODY_NAMED else escape(contact)
    return Mrkdwn(whom.rstrip("."))


def listed(words: Words, items: Sequence[str], most: int = 5) -> Mrkdwn:
    """Return “a, b and c”; of items past `most`, only their number."""
    more = [words("{count} more", count=len(items) - most)] if len(items) > most else []
    shown = [*items[:most], *more]
    if len(shown) <= 1:
        return escape(shown[0]) if shown else Mrkdwn()
    first = reduce(lambda one, other: words("{one}, {other}", one=one, other=other), shown[:-1])
    return words("{items} and {last}", items=first, last=shown[-1])


def sentences(words: Words, *said: str | None) -> Mrkdwn:
    """Return sentences as one paragraph, without those that are None or empty."""
    whole, *others = map(escape, [*filter(None, said), ""])
    for other in others[:-1]:
        # Slack needs a blank after bold text, even in Chinese.
        whole = (
            Mrkdwn(f"{whole} {other}")
            if whole.endswith("*")
            else words("{sentence} {next}", sentence=whole, next=other)
        )
    return whole


def some(words: Words, lines: Sequence[str], room: int, most: int | None = None) -> str:
    """Return the first of `lines` as bullets, as many as fit into `room` characters, and the number of the rest."""
    ends = accumulate(len(line) for line in lines)
    shown = [line for line, end in zip(lines, ends, strict=True) if end <= room][:most]
    more = len(lines) - len(shown)
    return bullets([*shown, *([words("and {count} more", count=more)] if more else [])])
