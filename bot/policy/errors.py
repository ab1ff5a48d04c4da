"""Turn pydantic's errors about the policy file into sentences: the place, what is wrong, and the fix. Pure."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bot.domain.finding import Problem
from bot.domain.sentence import OR, Sentence, joined

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PLAIN: Mapping[str, tuple[str, ...]] = {
    "missing": (Sentence("it is missing"), Sentence("Add it.")),
    "too_short": (Sentence("it is empty"), Sentence("Fill it in, or leave the key out.")),
    "string_too_short": (Sentence("it is empty"), Sentence("Fill it in, or leave the key out.")),
    "string_too_long": (Sentence("it is too long"), Sentence("Use at most 200 characters.")),
    "list_type": (Sentence("it must be a list"), Sentence("Put it in square brackets: […].")),
    "string_type": (Sentence("it must be text"), Sentence("Put it in quotes.")),
    "string_unicode": (Sentence("it holds half a character"), Sentence("Type it again.")),
    "bool_type": (Sentence("it must be true or false, without quotes"),),
    "model_type": (
        Sentence("it must be a table"),
        Sentence("Write it as in the README's example."),
    ),
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
        return Problem(*detail["ctx"]["error"].args)
    if kind == "enum":
        *others, last = re.findall("'(.*?)'", str(detail["ctx"]["expected"]))
        expected = joined([", ".join(others), last], OR)
        return Problem(
            Sentence("{value} is not possible here", value=quoted(detail["input"])),
            Sentence("Write {expected}.", expected=expected),
        )
    if kind == "extra_forbidden" and loc[-1] == "contact":
        return Problem(
            Sentence("there is no such key"),
            Sentence("Write it at the top, above the first [[…]]."),
        )
    if kind == "extra_forbidden":
        near = _nearest(str(loc[-1]), keys)
        return Problem(
            Sentence("there is no such key"),
            Sentence("Did you mean {near}?", near=near) if near else Sentence("Remove it."),
        )
    if kind == "list_type" and loc[-1] in {"freeze", "owner", "rule", "test"}:
        fix = Sentence("Write [[{table}]] above each, with two brackets.", table=loc[-1])
        return Problem(Sentence("it must be a list"), fix)
    if kind == "too_short" and loc[0] == "owner":  # each owner has to have envs
        return Problem(Sentence("it is empty"), Sentence("Fill it in."))
    if kind in {"missing", "too_short"} and loc == ("rule",):
        return Problem(
            Sentence("there is no rule, so nobody could share anything"),
            Sentence("Add a [[rule]]."),
        )
    return Problem(*_PLAIN.get(kind, (detail["msg"],)))
