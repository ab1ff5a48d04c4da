"""Join items: words in a sentence, sentences in a paragraph, lines with bullets."""

from collections.abc import Sequence
from functools import reduce
from itertools import accumulate

from bot.messages.blocks import Mrkdwn, bullets, escape
from bot.messages.words import Words


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
