"""Read what Slack sends: words are words, and what is of another type goes no further than here."""

from collections.abc import Mapping
from typing import Any


def word(body: Mapping[str, Any], *path: str) -> str:
    """Return the text at a path of keys; raises KeyError or TypeError where there is none."""
    held: Any = body
    for key in path:
        held = held[key]
    if not isinstance(held, str):
        raise TypeError(f"{'.'.join(path)} is no text")
    return held


def word_if_any(body: Mapping[str, Any], *path: str) -> str:
    """Return the text at a path of keys, empty where nothing is; raises TypeError where something else is."""
    held: Any = body
    for key in path:
        if held is None:
            return ""
        if not isinstance(held, Mapping):
            raise TypeError(f"{'.'.join(path)} cannot be")
        held = held.get(key)
    if held is not None and not isinstance(held, str):
        raise TypeError(f"{'.'.join(path)} is no text")
    return held or ""
