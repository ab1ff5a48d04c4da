"""Several things said as one: words in a sentence, sentences in a paragraph, lines with bullets."""

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate

from bot.messages.blocks import Mrkdwn, bullets, escape
from bot.messages.words import Words


def listed(words: Words, items: Sequence[str], most: int = 5) -> Mrkdwn:
    """Return `items` as “a, b and c”, with those past `most` as a count."""
    more = [words("{count} more", count=len(items) - most)] if len(items) > most else []
    shown = [*items[:most], *more]
    if len(shown) <= 1:
        return escape(shown[0]) if shown else Mrkdwn()
    first = reduce(lambda one, other: words("{one}, {other}", one=one, other=other), shown[:-1])
    return words("{items} and {last}", items=first, last=shown[-1])


def sentences(words: Words, *said: str | None) -> Mrkdwn:
    """Return whole sentences one after the other, leaving out what is None or empty."""
    whole, *others = map(escape, [*filter(None, said), ""])
    for other in others[:-1]:
        # Slack sees the end of bold text only where a blank follows, in every language.
        whole = (
            Mrkdwn(f"{whole} {other}")
            if whole.endswith("*")
            else words("{sentence} {next}", sentence=whole, next=other)
        )
    return whole


def some(words: Words, lines: Sequence[str], room: int, most: int | None = None) -> str:
    """Return the first of `lines` with bullets, as many as `room` characters hold, and the count of the rest."""
    ends = accumulate(len(line) for line in lines)
    shown = [line for line, end in zip(lines, ends, strict=True) if end <= room][:most]
    more = len(lines) - len(shown)
    return bullets([*shown, *([words("and {count} more", count=more)] if more else [])])
