"""Composable checks of JSON values, which word errors as Slack does."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from bot.playground.loopback import Json


class Flaw(NamedTuple):
    """What is wrong, and its place as a JSON pointer; as text, in Slack's format."""

    what: str
    at: str

    def __str__(self) -> str:
        return f"[ERROR] {self.what} [json-pointer:{self.at}]"


Check: TypeAlias = Callable[[Json, str], Sequence[Flaw]]


def rules(*listed: tuple[str, Callable[[Json], bool]]) -> Check:
    """Check that all of these hold; the first one that does not is the error."""

    def check(value: Json, at: str) -> Sequence[Flaw]:
        return [Flaw(problem, at) for problem, holds in listed if not holds(value)][:1]

    return check


flag = rules(("must be a boolean", lambda value: isinstance(value, bool)))
"""Check a boolean."""


def string(limit: int, least: int = 1) -> Check:
    """Check a string by its length in characters."""
    return rules(
        ("must be a string", lambda value: isinstance(value, str)),
        (f"must be more than {least - 1} characters", lambda value: len(str(value)) >= least),
        (f"must be less than {limit + 1} characters", lambda value: len(str(value)) <= limit),
    )


def whole(least: int, most: int) -> Check:
    """Check an integer by its bounds."""
    return rules(
        ("must be an integer", lambda value: type(value) is int),
        (f"must be between {least} and {most}", lambda value: value in range(least, most + 1)),
    )


def one_of(*allowed: str) -> Check:
    """Check for one of these strings."""
    problem = f"must be a valid enum value ({', '.join(allowed)})"
    return rules((problem, lambda value: value in allowed))


def array(item: Check, most: int, least: int = 1) -> Check:
    """Check a list, its length and each item."""

    def check(value: Json, at: str) -> Sequence[Flaw]:
        if not isinstance(value, list):
            return [Flaw("must be an array", at)]
        found: list[Flaw] = []
        if len(value) < least:
            found.append(Flaw(f"no less than {least} items allowed", at))
        if len(value) > most:
            found.append(Flaw(f"no more than {most} items allowed", at))
        for index, each in enumerate(value):
            found += item(each, f"{at}/{index}")
        return found

    return check


def fields(table: Mapping[str, Check]) -> Check:
    """Check an object by a table of its fields; those with a name like `name*` are required."""
    checks = {name.rstrip("*"): check for name, check in table.items()}
    required = sorted(name[:-1] for name in table if name.endswith("*"))

    def check(value: Json, at: str) -> Sequence[Flaw]:
        if not isinstance(value, dict):
            return [Flaw("must be an object", at)]
        found = [Flaw(f"missing required field: {key}", at) for key in required if key not in value]
        for key, held in value.items():
            if key in checks:
                found += checks[key](held, f"{at}/{key}")
            elif key != "type":
                found.append(Flaw(f"invalid additional property: {key}", at))
        return found

    return check


def typed(shapes: Mapping[str, Mapping[str, Check]], **common: Check) -> Check:
    """Check an object by the table of fields for its `type`; `common` are fields of all of them."""
    checks = {kind: fields({**table, **common}) for kind, table in shapes.items()}

    def check(value: Json, at: str) -> Sequence[Flaw]:
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str) and kind in checks:
            return checks[kind](value, at)
        return [Flaw(f"unsupported type: {kind}", f"{at}/type")]

    return check


def plain(limit: int) -> Check:
    """Check a text object that must be plain_text."""
    return typed({"plain_text": {"text*": string(limit)}})


def text(limit: int) -> Check:
    """Check a text object; `verbatim` is for mrkdwn only."""
    words = {"text*": string(limit)}
    return typed({"plain_text": words, "mrkdwn": {**words, "verbatim": flag}})
