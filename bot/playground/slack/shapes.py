"""Small checks of JSON values that combine into larger ones, with Slack's wording of errors."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Shape:
    """An object's keys: each with its check, and those that must be there (one of `either`)."""

    keys: dict[str, Check]
    required: frozenset[str] = frozenset()
    either: frozenset[str] = frozenset()

    def __call__(self, value: Json, at: str) -> Iterator[str]:
        """Yield the errors of an object, its unknown and missing keys first."""
        if not isinstance(value, dict):
            yield error("must be an object", at)
            return
        for key in value.keys() - self.keys.keys() - {"type"}:
            yield error(f"invalid additional property: {key}", at)
        for key in sorted(self.required - value.keys()):
            yield error(f"missing required field: {key}", at)
        if self.either and not self.either & value.keys():
            yield error(f"missing required field: {' or '.join(sorted(self.either))}", at)
        for key, check in self.keys.items():
            if key in value:
                yield from check(value[key], f"{at}/{key}")


def typed(shapes: dict[str, Check]) -> Check:
    """Check an object by the shape that its `type` names."""

    def check(value: Json, at: str) -> Iterator[str]:
        kind = value.get("type") if isinstance(value, dict) else None
        if isinstance(kind, str) and kind in shapes:
            yield from shapes[kind](value, at)
        else:
            yield error(f"unsupported type: {kind}", f"{at}/type")

    return check


def _plain(limit: int) -> Shape:
    return Shape({"text": string(limit), "emoji": flag}, frozenset({"text"}))


def plain_only(limit: int) -> Check:
    """Check a text object that must be plain_text."""
    return typed({"plain_text": _plain(limit)})


def text(limit: int) -> Check:
    """Check a text object; `emoji` is for plain_text only and `verbatim` for mrkdwn only."""
    markdown = Shape({"text": string(limit), "verbatim": flag}, frozenset({"text"}))
    return typed({"plain_text": _plain(limit), "mrkdwn": markdown})
