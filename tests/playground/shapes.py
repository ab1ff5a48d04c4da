"""Payloads in the shape of those that the real services sent, and how the stand-ins' differ from them.

A shape is the set of a payload's paths with their types, such as `view.blocks[].type string`. In a form's values, and in
a message's metadata, the keys are the app's, and do not count.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

BOT = Path(__file__).parent.parent.parent / "bot"
Payload = dict[str, Any]
_KINDS = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "string"}


class Recorded(NamedTuple):
    """Payloads with made-up values: which fields there are, and of what types, is from the sources."""

    sources: str
    payloads: tuple[Payload, ...]


def recorded(sources: str, *payloads: Payload) -> Recorded:
    """Return payloads of one kind; what may be there or not, or be null, differs between them."""
    return Recorded(sources, payloads)


def shape(payload: object, at: str = "") -> Iterator[tuple[str, str]]:
    """Yield each path in a payload, with its type."""
    if isinstance(payload, dict):
        yield at, "object"
        for key, value in payload.items():
            yield from shape(value, f"{at}.{key}".lstrip(".") if not _is_apps(at) else f"{at}.*")
    elif isinstance(payload, list):
        yield at, "list"
        for value in payload:
            yield from shape(value, f"{at}[]")
    else:
        yield at, _KINDS[type(payload)]


def _is_apps(at: str) -> bool:
    """Tell whether the keys there are ids or names that the app chose."""
    return bool(re.search(r"\bstate\.values(\.\*)?$|\bevent_payload$", at))


def words_in(room: str) -> set[str]:
    """Return the words that a room of the bot's may read as keys: all that it quotes."""
    sources = (path.read_text(encoding="utf-8") for path in (BOT / room).glob("*.py"))
    return {word for source in sources for word in re.findall(r'"(\w+)"', source)}


def differences(
    made: Mapping[str, object], real: Mapping[str, Recorded], read: set[str]
) -> set[str]:
    """Return how payloads differ from the real ones with their names; all names have to be on both sides.

    With `+` what a stand-in's has and no real one, with `-` what all real ones have, one lacks, and the bot may `read`.
    """
    assert made.keys() == real.keys()
    return {f"{name}: {what}" for name in made for what in _between(made[name], real[name], read)}


def _between(made: object, real: Recorded, read: set[str]) -> Iterator[str]:
    ours, theirs = set(shape(made)), [set(shape(each)) for each in real.payloads]
    yield from (f"+ {at} {kind}" for at, kind in ours - set().union(*theirs))
    there = {at for at, _ in ours}
    for at in {at for at, _ in set.intersection(*theirs)} - there:
        if {key.removesuffix("[]") for key in at.split(".")} <= read | {"*"}:
            yield f"- {at}"
