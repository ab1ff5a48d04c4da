"""Word what pydantic finds wrong with the policy file: the place, what is wrong, and the fix. Pure."""

import difflib
from collections.abc import Callable, Sequence

from pydantic_core import ErrorDetails

_PLAIN = {
    "missing": "it is missing. Add it.",
    "too_short": "it is empty. Fill it in, or leave the key out.",
    "string_too_short": "it is empty. Fill it in, or leave the key out.",
    "string_too_long": "it is too long. Use at most 200 characters.",
    "list_type": "it must be a list. Put it in square brackets: […].",
    "string_type": "it must be text. Put it in quotes.",
    "bool_type": "it must be true or false, without quotes.",
    "model_type": "it must be a table. Write it as in the README's example.",
}


def sentence(detail: ErrorDetails, keys: Callable[[Sequence[int | str]], list[str]]) -> str:
    """Return one error of pydantic as a sentence; `keys` tells which keys are known at a location."""
    path = [str(part + 1) if isinstance(part, int) else part for part in detail["loc"]]
    place = ", ".join([" ".join(path[:2]), *path[2:]])
    return f"{place}: {_what(detail, keys)}"


def _what(detail: ErrorDetails, keys: Callable[[Sequence[int | str]], list[str]]) -> str:
    kind, loc = detail["type"], detail["loc"]
    if kind == "value_error":
        return f"{detail['ctx']['error']}."
    if kind == "literal_error":
        expected = str(detail["ctx"]["expected"]).replace("'", "")
        return f"“{detail['input']}” is not possible here. Write {expected}."
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(loc[-1]), keys(loc), n=1)
        return "there is no such key. " + (f"Did you mean {near[0]}?" if near else "Remove it.")
    if kind == "list_type" and loc[-1] in {"owner", "rule", "test"}:
        return f"it must be a list. Write [[{loc[-1]}]] above each, with two brackets."
    if kind == "missing" and loc == ("rule",):
        return "there is no rule, so nobody could share anything. Add a [[rule]]."
    return _PLAIN.get(kind, f"{detail['msg']}.")
