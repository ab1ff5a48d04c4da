"""Sentences in a language, and Slack's markup. Pure.

The English sentence is the key of its translation (gettext). Source: docs.slack.dev, "Formatting message text".
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import reduce
from itertools import accumulate
from typing import Final

from bot.domain.language import Language
from bot.domain.request import Request
from bot.domain.sentence import told
from bot.policy.kinds import DEFAULT_CONTACT, Person, Policy, Unreadable, split_group
from bot.policy.reasons import reference_of

_WORD_LIMIT = 64  # as long as an env can be
_SNIPPET_LIMIT = 200
# What would make text bold, code or struck out, by what looks the same: Slack has no way to escape these.
_MARKS = str.maketrans("*`~", "∗ˋ∼")


class Mrkdwn(str):
    """Text that is Slack markup already; `escape` leaves it unchanged."""

    __slots__ = ()


def escape(text: str) -> Mrkdwn:
    """Escape text from people or from WeChat, so that Slack sees no markup in it; line breaks become spaces."""
    if isinstance(text, Mrkdwn):
        return text
    line = " ".join(text.split())
    return Mrkdwn(line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def plainly(text: str) -> Mrkdwn:
    """Return text from people, escaped, and without marks by which it could pass for the bot's own labels and ids."""
    return text if isinstance(text, Mrkdwn) else escape(text.translate(_MARKS))


def as_typed(text: str) -> str:
    """Undo `escape`; Slack also escapes these three characters in a command's text."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def code(text: str, most: int = _WORD_LIMIT) -> Mrkdwn:
    """Return `text` as inline code, cut to `most` characters; backticks, which would end it, are replaced."""
    if len(text) <= most and text.replace("-", "").isalnum():  # ids, which each ack has
        return Mrkdwn(f"`{text}`")
    return Mrkdwn(f"`{escape(shortened(text, most).replace('`', 'ˋ')) or ' '}`")


def why_command(appid: str, env: str) -> Mrkdwn:
    """Return the `why` command for this appid and env."""
    return code(f"/share-env why {appid} {env}", 120)


def mention(user_id: str) -> Mrkdwn:
    """Return the markup that Slack shows as the user's name."""
    return Mrkdwn(f"<@{user_id}>")


def channel_name(channel_id: str) -> Mrkdwn:
    """Return the markup that Slack shows as the channel's name."""
    return Mrkdwn(f"<#{channel_id}>")


def group_name(group: str) -> Mrkdwn:
    """Return the markup that Slack shows as the name of a user group of the policy."""
    return Mrkdwn(f"<!subteam^{split_group(group)[1]}>")


def when(at: float) -> Mrkdwn:
    """Return a date that Slack shows in the reader's time zone; in UTC where a client cannot."""
    utc = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Mrkdwn(f"<!date^{int(at)}^{{date_short_pretty}} {{time}}|{utc}>")


def shortened(text: str, most: int) -> str:
    """Return plain `text`, cut to `most` characters with “…” at the end."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def capital(text: Mrkdwn) -> Mrkdwn:
    """Return text that begins with a capital letter, if it begins with a letter that has one."""
    return Mrkdwn(text[:1].upper() + text[1:])


def steps(lines: Iterable[str]) -> str:
    """Return numbered lines."""
    return "\n".join(f"{number}. {line}" for number, line in enumerate(lines, 1))


def bullets(lines: Iterable[str]) -> str:
    """Return bulleted lines."""
    return "\n".join(f"• {line}" for line in lines)


def msgid(text: str) -> str:
    """Return `text` unchanged; marks a sentence in a table as one to translate."""
    return text


FOR_GOOD: Final = msgid(
    "A share cannot be undone through WeChat's API. To end one, ask {contact}: they can look in 云开发 › 环境共享 (WeChat DevTools, `extAppid` = owner)."
)


@dataclass(frozen=True, slots=True)
class Words:
    """The sentences of one language; `one` and `many` are its gettext and ngettext.

    A sentence has placeholders, such as `{env}`. Values are shown `plainly` unless they are Mrkdwn. Some placeholders need no value:
    `{contact}`, and those of PLACEHOLDERS after `about` has bound the words to a request.
    """

    language: Language
    one: Callable[[str], str]
    many: Callable[[str, str, int], str]
    policy: Callable[[], Policy] = lambda: Policy(())
    """The one in force: its contact, and what reasons refer to."""
    request: Request | None = None

    def __call__(self, text: str, /, **values: str | int) -> Mrkdwn:
        """Translate a sentence and fill its placeholders."""
        return Mrkdwn(self.one(text).format_map(_Filling(self, values)))

    def count(self, one: str, many: str, number: int, /, **values: str | int) -> Mrkdwn:
        """Translate the sentence for `number`, singular or plural, and fill its placeholders; `{count}` is the number."""
        filling = _Filling(self, {"count": number, **values})
        return Mrkdwn(self.many(one, many, number).format_map(filling))

    def escaped(self, text: str) -> Mrkdwn:
        """Translate plain text, such as guidance, and escape it; braces in it are kept."""
        return escape(self.one(text))

    def told(self, text: str) -> str:
        """Return a Sentence for operators in this language, as plain text; other text unchanged."""
        return told(text, self.one)

    def about(self, request: Request) -> "Words":
        """Return these words bound to a request, which fills the placeholders of PLACEHOLDERS."""
        return Words(self.language, self.one, self.many, self.policy, request)


@dataclass(frozen=True, slots=True)
class _Filling:
    """The values for a sentence's placeholders: the given ones, else those known from the words."""

    words: Words
    given: Mapping[str, str | int]

    def __getitem__(self, name: str) -> str | int:
        if name in self.given:
            value = self.given[name]
            return plainly(value) if isinstance(value, str) else value
        if name == "contact":
            return contact_in(self.words, self.words.policy().contact)
        if self.words.request is None:
            raise KeyError(name)
        return PLACEHOLDERS[name](self.words, self.words.request)


def how_many(words: Words, appids: Sequence[str]) -> Mrkdwn:
    """Return the appid if there is one, else their number."""
    if len(appids) == 1:
        return code(appids[0])
    return words.count("{count} app", "{count} apps", len(appids))


def _reason(policy: Policy, request: Request) -> Mrkdwn:
    """Return a request's reason, in which the reference is a link if its rule has an address for it."""
    said = request.reason or ""
    found = reference_of(policy, request.rule, said)
    if found is None:
        return plainly(said)
    named, url = found
    before, _, after = said.partition(named)
    link = f"<{escape(url)}|{plainly(named).replace('|', '¦')}>"
    return Mrkdwn(f"{_beside(before)}{link}{_beside(after)}")


def _beside(text: str) -> Mrkdwn:
    """Return text beside a link, with the blanks between them."""
    blank = " "
    before, after = blank * text.startswith(blank), blank * (text.endswith(blank) and text != blank)
    return Mrkdwn(f"{before}{plainly(text)}{after}")


PLACEHOLDERS: Final[Mapping[str, Callable[[Words, Request], Mrkdwn]]] = {
    "id": lambda _, request: code(request.id),
    "who": lambda _, request: mention(request.origin.user_id),
    "env": lambda _, request: code(request.env),
    "owner": lambda _, request: code(request.owner),
    "appid": lambda _, request: code(request.appid),
    "receivers": lambda words, request: how_many(words, request.appids or (request.appid,)),
    "command": lambda _, request: why_command(request.receivers[0], request.env),
    "rule": lambda _, request: plainly(request.rule),
    "reason": lambda words, request: _reason(words.policy(), request),
    "snippet": lambda _, request: code(
        f"new wx.cloud.Cloud({{resourceAppid: '{request.owner}', resourceEnv: '{request.env}'}})",
        _SNIPPET_LIMIT,
    ),
}
"""The placeholders that a request fills, and how."""


@dataclass(frozen=True, slots=True)
class Languages:
    """The words of each language, and those for messages to a whole `channel` (the setting LANGUAGE)."""

    of: Mapping[Language, Words]
    channel: Words

    def to(self, person: Person | Unreadable | None) -> Words:
        """Return the words in a person's language, or in the channel's if theirs is not known."""
        return self.of[person.language] if isinstance(person, Person) else self.channel


def contact_in(words: Words, contact: str) -> Mrkdwn:
    """Return a policy's contact without a full stop; only the default one is translated."""
    whom = words.escaped(contact) if contact == DEFAULT_CONTACT else escape(contact)
    return Mrkdwn(whom.rstrip("."))


def listed(words: Words, items: Sequence[str], most: int = 5) -> Mrkdwn:
    """Return “a, b and c”; after `most` items, only the number of the rest."""
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
        # Slack needs a space after bold text, even in Chinese.
        whole = (
            Mrkdwn(f"{whole} {other}")
            if whole.endswith("*")
            else words("{sentence} {next}", sentence=whole, next=other)
        )
    return whole


def first(words: Words, items: Sequence[str], most: int) -> list[str]:
    """Return the first items and, if there are more, their number."""
    more = len(items) - most
    return [*items[:most], *([words("and {count} more", count=more)] if more > 0 else [])]


def fitting(lines: Sequence[str], room: int) -> Sequence[str]:
    """Return the first lines, as many as fit into `room` characters."""
    ends = accumulate(map(len, lines))
    return [line for line, end in zip(lines, ends, strict=True) if end <= room]


def some(words: Words, lines: Sequence[str], room: int, most: int | None = None) -> str:
    """Return `lines` as bullets, as many as fit into `room` characters, and the number of the rest."""
    return bullets(first(words, lines, len(fitting(lines, room)[:most])))
