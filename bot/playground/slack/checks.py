"""Small checks of JSON values that combine into larger ones, with Slack's wording of errors."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from bot.playground.loopback import Json

Check: TypeAlias = Callable[[Json, str], Iterator[str]]


def error(problem: str, at: str) -> str:
    """Return an error in Slack's form, its place as a JSON pointer."""
    return f"[ERROR] {problem} [json-pointer:{at}]"


def string(limit: int, least: int = 1) -> Check:
    """Check a string by its length in characters."""

    def check(value: Json, at: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield error("must be a string", at)
        elif len(value) < least:
            yield error(f"must be more than {least - 1} characters", at)
        elif len(value) > limit:
            yield error(f"must be less than {limit + 1} characters", at)

    return check


def flag(value: Json, at: str) -> Iterator[str]:
    """Check a boolean."""
    if not isinstance(value, bool):
        yield error("must be a boolean", at)


def whole(least: int, most: int) -> Check:
    """Check an integer by its bounds."""

    def check(value: Json, at: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield error("must be an integer", at)
        elif not least <= value <= most:
            yield error(f"must be between {least} and {most}", at)

    return check


def one_of(*allowed: str) -> Check:
    """Check for one of these strings."""

    def check(value: Json, at: str) -> Iterator[str]:
        if value not in allowed:
            yield error(f"must be a valid enum value ({', '.join(allowed)})", at)

    return check


def array(item: Check, most: int, least: int = 1) -> Check:
    """Check a list, its length and each item."""

    def check(value: Json, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield error("must be an array", at)
            return
        if len(value) < least:
            yield error(f"no less than {least} items allowed", at)
        if len(value) > most:
            yield error(f"no more than {most} items allowed", at)
        for index, each in enumerate(value):
            yield from item(each, f"{at}/{index}")

    return check


def fields(table: Mapping[str, Check]) -> Check:
    """Check an object by a table of its fields: `name*` must be there."""
    checks = {name.rstrip("*"): check for name, check in table.items()}
    required = {name[:-1] for name in table if name.endswith("*")}

    def check(value: Json, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield error("must be an object", at)
            return
        for key in value.keys() - checks.keys() - {"type"}:
            yield error(f"invalid additional property: {key}", at)
        for key in sorted(required - value.keys()):
            yield error(f"missing required field: {key}", at)
        for key, each in checks.items():
            if key in value:
                yield from each(value[key], f"{at}/{key}")

    return check


def typed(shapes: Mapping[str, Check]) -> Check:
    """Check an object by the one of these that its `type` names."""

    def check(value: Json, at: str) -> Iterator[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str) and kind in shapes:
            yield from shapes[kind](value, at)
        else:
            yield error(f"unsupported type: {kind}", f"{at}/type")

    return check


def plain(limit: int) -> Check:
    """Check a text object that must be plain_text."""
    return typed({"plain_text": fields({"text*": string(limit), "emoji": flag})})


def text(limit: int) -> Check:
    """Check a text object; `emoji` is for plain_text only and `verbatim` for mrkdwn only."""
    return typed(
        {
            "plain_text": fields({"text*": string(limit), "emoji": flag}),
            "mrkdwn": fields({"text*": string(limit), "verbatim": flag}),
        }
    )
