"""Turn pydantic's errors about the policy file into sentences: the place, what is wrong, and the fix. Pure."""

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bot.domain.finding import Problem

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PLAIN: Mapping[str, tuple[str, ...]] = {
    "missing": ("it is missing", "Add it."),
    "too_short": ("it is empty", "Fill it in, or leave the key out."),
    "string_too_short": ("it is empty", "Fill it in, or leave the key out."),
    "string_too_long": ("it is too long", "Use at most 200 characters."),
    "list_type": ("it must be a list", "Put it in square brackets: […]."),
    "string_type": ("it must be text", "Put it in quotes."),
    "string_unicode": ("it holds half a character", "Type it again."),
    "bool_type": ("it must be true or false, without quotes",),
    "model_type": ("it must be a table", "Write it as in the README's example."),
}


def sentence(detail: "ErrorDetails", keys: Iterable[str]) -> Problem:
    """Return a pydantic error as a Problem; `keys` are the valid ones at its place."""
    path = [str(part + 1) if isinstance(part, int) else shown(part) for part in detail["loc"]]
    counted = len(path) > 1 and isinstance(detail["loc"][1], int)  # one of several tables
    place = ", ".join([" ".join(path[:2]), *path[2:]] if counted else path)
    return problem_of(detail, keys).at(place)


def without_misspelt(
    details: Iterable["ErrorDetails"], keys_of: Callable[[Sequence[int | str]], Iterable[str]]
) -> list["ErrorDetails"]:
    """Return pydantic's errors without the keys that are missing because they are there, but misspelt."""
    told = [*details]
    meant = {
        (*detail["loc"][:-1], _nearest(str(detail["loc"][-1]), keys_of(detail["loc"])))
        for detail in told
        if detail["type"] == "extra_forbidden"
    }
    return [each for each in told if each["type"] != "missing" or each["loc"] not in meant]


def _nearest(word: str, keys: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(word, [*keys], n=1)), None)


def quoted(value: object) -> str:
    """Return a value from the file in quotation marks, on one line and truncated."""
    try:
        return f"“{shown(str(value))}”"
    except (
        ValueError,
        RecursionError,
    ):  # a number with thousands of digits, tables nested thousands deep
        return "this"


def shown(text: str, most: int = 80) -> str:
    """Return `text` on one line, with non-printable characters escaped and “…” for what exceeds `most` characters."""
    start = text if len(text) <= most else f"{text[: most - 1]}…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in start)


def problem_of(detail: "ErrorDetails", keys: Iterable[str]) -> Problem:
    """Return what is wrong and the fix, without the place."""
    kind, loc = detail["type"], detail["loc"]
    if kind == "value_error":  # raised in `shapes`
        return Problem(*map(str, detail["ctx"]["error"].args))
    if kind == "enum":
        expected = str(detail["ctx"]["expected"]).replace("'", "")
        return Problem(f"{quoted(detail['input'])} is not possible here", f"Write {expected}.")
    if kind == "extra_forbidden" and loc[-1] == "contact":
        return Problem("there is no such key", "Write it at the top, above the first [[…]].")
    if kind == "extra_forbidden":
        near = _nearest(str(loc[-1]), keys)
        return Problem("there is no such key", f"Did you mean {near}?" if near else "Remove it.")
    if kind == "list_type" and loc[-1] in {"owner", "rule", "test"}:
        fix = f"Write [[{loc[-1]}]] above each, with two brackets."
        return Problem("it must be a list", fix)
    if kind == "too_short" and loc[0] == "owner":  # each owner has to have envs
        return Problem("it is empty", "Fill it in.")
    if kind in {"missing", "too_short"} and loc == ("rule",):
        return Problem("there is no rule, so nobody could share anything", "Add a [[rule]].")
    return Problem(*_PLAIN.get(kind, (detail["msg"],)))
