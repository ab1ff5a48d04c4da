"""Guidance in words for operators, who see beside it which owner and env it is about. Pure."""

import re
from typing import Final

from bot.domain.sentence import Sentence
from bot.guidance import SETS_TICKED, Guidance

_TO_THEMSELVES: Final = {
    "send this message to {contact}: they ": "",
    "send this message to {contact}": "run share-env-bot doctor",
    "tell {contact}: ": "",
}
_CALLED: Final = {
    "owner": Sentence("the owner"),
    "env": Sentence("the env"),
    "contact": Sentence("the people who run this bot"),
}
_PLACE = re.compile(r"{(\w+)}")


def in_general(text: str, found: str = "") -> Sentence:
    """Return a title, a meaning or a step for operators; `found` is what a cause names.

    Where the text tells a requester to contact the operators, it says what these do instead.
    """
    template = to_operators(text)
    called = {**_CALLED, "found": found}
    if template.startswith("{owner}"):
        called["owner"] = Sentence("The owner")
    return Sentence(template, **{name: called[name] for name in _PLACE.findall(template)})


def fix_of(guidance: Guidance) -> Sentence:
    """Return the fix of a failure for operators: the first step; a set that is ticked changes nothing without the second."""
    first, *rest = map(in_general, guidance.steps)
    if guidance.steps[0] != SETS_TICKED:
        return first
    return Sentence("{one} {other}", one=first, other=rest[0])


def to_operators(text: str) -> str:
    """Return the template that operators read, the key of its translation."""
    for sends, instead in _TO_THEMSELVES.items():
        text = text.replace(sends, instead)
    return text[0].upper() + text[1:]
