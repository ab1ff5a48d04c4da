"""Composable checks of JSON values, which word errors as Slack does."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from bot.playground.loopback import Json

Check: TypeAlias = Callable[[Json, str], Sequence[str]]


def error(problem: str, at: str) -> str:
    """Return an error in Slack's format, with its place as a JSON pointer."""
    return f"[ERROR] {problem} [json-pointer:{at}]"


def string(limit: int, least: int = 1) -> Check:
    """Check a string by its length in characters."""

    def check(value: Json, at: str) -> Sequence[str]:
        if not isinstance(value, str):
            return [error("must be a string", at)]
        if len(value) < least:
            return [error(f"must be more than {least - 1} characters", at)]
        if len(value) > limit:
            return [error(f"must be less than {limit + 1} characters", at)]
        return ()

    return check


def flag(value: Json, at: str) -> Sequence[str]:
    """Check a boolean."""
    return () if isinstance(value, bool) else [error("must be a boolean", at)]


def whole(least: int, most: int) -> Check:
    """Check an integer by its bounds."""

    def check(value: Json, at: str) -> Sequence[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            return [error("must be an integer", at)]
        return () if least <= value <= most else [error(f"must be between {least} and {most}", at)]

    return check


def one_of(*allowed: str) -> Check:
    """Check for one of these strings."""
    problem = f"must be a valid enum value ({', '.join(allowed)})"
    return lambda value, at: () if value in allowed else [error(problem, at)]


def array(item: Check, most: int, least: int = 1) -> Check:
    """Check a list, its length and each item."""

    def check(value: Json, at: str) -> Sequence[str]:
        if not isinstance(value, list):
            return [error("must be an array", at)]
        found = []
        if len(value) < least:
            found.append(error(f"no less than {least} items allowed", at))
        if len(value) > most:
            found.append(error(f"no more than {most} items allowed", at))
        for index, each in enumerate(value):
            found += item(each, f"{at}/{index}")
        return found

    return check


def fields(table: Mapping[str, Check]) -> Check:
    """Check an object by a table of its fields; those with a name like `name*` are required."""
    checks = {name.rstrip("*"): check for name, check in table.items()}
    required = sorted(name[:-1] for name in table if name.endswith("*"))

    def check(value: Json, at: str) -> Sequence[str]:
        if not isinstance(value, dict):
            return [error("must be an object", at)]
        found = [
            error(f"missing required field: {key}", at) for key in required if key not in value
        ]
        for key, held in value.items():
            if key in checks:
                found += checks[key](held, f"{at}/{key}")
            elif key != "type":
                found.append(error(f"invalid additional property: {key}", at))
        return found

    return check


def typed(shapes: Mapping[str, Check]) -> Check:
    """Check an object by the entry for its `type`."""

    def check(value: Json, at: str) -> Sequence[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str) and kind in shapes:
            return shapes[kind](value, at)
        return [error(f"unsupported type: {kind}", f"{at}/type")]

    return check


def plain(limit: int) -> Check:
    """Check a text object that must be plain_text."""
    return typed({"plain_text": fields({"text*": string(limit)})})


def text(limit: int) -> Check:
    """Check a text object; `verbatim` is for mrkdwn only."""
    return typed(
        {
            "plain_text": fields({"text*": string(limit)}),
            "mrkdwn": fields({"text*": string(limit), "verbatim": flag}),
        }
    )
