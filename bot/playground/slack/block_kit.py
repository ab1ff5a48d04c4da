"""Block Kit as tables: the fields of each block with their checks; `*` marks a required field.

Source: docs.slack.dev, reference/block-kit/blocks, block-elements and composition-objects. Only what the bot sends is
known here. Everything else is refused, so that the bot does not come to depend on untested blocks. Errors are worded as
Slack does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from bot.playground.loopback import Json, objects


class Flaw(NamedTuple):
    """What is wrong, and its place as a JSON pointer; as text, in Slack's format."""

    what: str
    at: str

    def __str__(self) -> str:
        return f"[ERROR] {self.what} [json-pointer:{self.at}]"


Check: TypeAlias = Callable[[Json, str], Sequence[Flaw]]


def rule(problem: str, holds: Callable[[Json], bool]) -> Check:
    """Check that this holds."""
    return lambda value, at: [] if holds(value) else [Flaw(problem, at)]


flag = rule("must be a boolean", lambda value: isinstance(value, bool))
"""Check a boolean."""


def string(limit: int, least: int = 1) -> Check:
    """Check a string by its length in characters."""
    long = rule(f"must be less than {limit + 1} characters", lambda value: len(str(value)) <= limit)
    short = rule(
        f"must be a string of more than {least - 1} characters",
        lambda value: isinstance(value, str) and len(value) >= least,
    )
    return lambda value, at: short(value, at) or long(value, at)


def whole(least: int, most: int) -> Check:
    """Check an integer by its bounds."""
    return rule(
        f"must be an integer between {least} and {most}",
        lambda value: type(value) is int and least <= value <= most,
    )


def one_of(*allowed: str) -> Check:
    """Check for one of these strings."""
    return rule(
        f"must be a valid enum value ({', '.join(allowed)})", lambda value: value in allowed
    )


def array(item: Check, most: int, least: int = 1) -> Check:
    """Check a list, its length and each item."""

    def check(value: Json, at: str) -> Sequence[Flaw]:
        if not isinstance(value, list):
            return [Flaw("must be an array", at)]
        if len(value) < least:
            return [Flaw(f"no less than {least} items allowed", at)]
        if len(value) > most:
            return [Flaw(f"no more than {most} items allowed", at)]
        return [flaw for index, each in enumerate(value) for flaw in item(each, f"{at}/{index}")]

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


_ID = string(255)
_OPTION = fields({"text*": plain(75), "value*": string(150), "description": plain(75)})
OFFERED = fields({"options*": array(_OPTION, 100)})
"""The response to a block_suggestion."""

_BUTTON: Mapping[str, Check] = {
    "text*": plain(75),
    "value": string(2000),
    "style": one_of("primary", "danger"),
    "accessibility_label": string(75),
}
_INPUTS: Mapping[str, Mapping[str, Check]] = {
    "external_select": {"placeholder": plain(150), "min_query_length": whole(0, 3000)},
    "checkboxes": {"options*": array(_OPTION, 10)},
    "plain_text_input": {
        "placeholder": plain(150),
        "multiline": flag,
        "max_length": whole(1, 3000),
    },
}
_WORD = typed({"text": {"text*": string(3000)}})
_LISTING = typed({"rich_text_preformatted": {"elements*": array(_WORD, 100)}})
_RAW: Mapping[str, Check] = {"text*": string(3000)}
_INLINE = typed(
    {
        "text": {"text*": string(3000)},
        "user": {"user_id*": string(20)},
        "link": {"url*": string(3000), "text": string(3000)},
    }
)
_LINE = typed({"rich_text_section": {"elements*": array(_INLINE, 100)}})
_CELL = typed({"raw_text": _RAW, "rich_text": {"elements*": array(_LINE, 100)}})


def _rows(value: Json, at: str) -> Sequence[Flaw]:
    """Check a table's rows: as many cells in each, and no rich text in the header."""
    if flaws := array(array(_CELL, 20), 201, least=2)(value, at):
        return flaws
    header, *rows = value if isinstance(value, list) else []
    wrong = [Flaw("must be of type raw_text", f"{at}/0")] * ("rich_text" in str(header))
    odd = (
        number for number, row in enumerate(rows, 1) if len(objects(row)) != len(objects(header))
    )
    return [*wrong, *(Flaw("must have as many cells as the header", f"{at}/{n}") for n in odd)]


_TABLE: Mapping[str, Check] = {
    "caption*": string(3000),
    "rows*": _rows,
    "page_size": whole(1, 100),
    "row_header_column_index": whole(0, 19),
}
_BLOCKS: Mapping[str, Mapping[str, Check]] = {
    "section": {"text*": text(3000), "expand": flag},
    "rich_text": {"elements*": array(_LISTING, 100)},
    "context": {"elements*": array(text(3000), 10)},
    "data_table": _TABLE,
    "actions": {"elements*": array(typed({"button": _BUTTON}, action_id=_ID), 25)},
}
_INPUT: Mapping[str, Check] = {
    "label*": plain(2000),
    "element*": typed(_INPUTS, action_id=_ID),
    "optional": flag,
    "hint": plain(2000),
}
_IN_MESSAGE = array(typed(_BLOCKS, block_id=_ID), 50, least=0)
_IN_VIEW = array(typed({**_BLOCKS, "input": _INPUT}, block_id=_ID), 100, least=0)
_MAX_CHARACTERS, _EACH_BLOCK = 12_000, 100


def block_errors(blocks: Json) -> list[Flaw]:
    """Return Slack's errors about a message's blocks, with places such as `/blocks/0/text`; empty if it accepts them."""
    return [*_IN_MESSAGE(blocks, "/blocks"), *_repeated_ids(blocks, "")]


def too_long(blocks: Json) -> bool:
    """Return whether a message's blocks have too much text in total, although each is within its own limits.

    The limit is not documented. Reports put it at 12,000 characters plus some for each block, or less: bolt-js, issues 2509
    and 2867. According to the second, a response_url accepts more; to be on the safe side, not here. Tables, which are newer
    and may have 4,020 cells, are not counted, which is a guess.
    """
    counted = [each for each in objects(blocks) if each.get("type") != "data_table"]
    characters = sum(len(words) for each in counted for words in texts(each))
    return characters + len(counted) * _EACH_BLOCK > _MAX_CHARACTERS


def texts(found: Json) -> Iterator[str]:
    """Yield all texts in blocks."""
    words = found.get("text") if isinstance(found, dict) else None
    if isinstance(words, str):
        yield words
    elif isinstance(found, dict | list):
        for each in found.values() if isinstance(found, dict) else found:
            yield from texts(each)


def view_block_errors(blocks: Json) -> list[Flaw]:
    """Return Slack's errors about a view's blocks; a view may have more blocks, and input blocks."""
    return [*_IN_VIEW(blocks, "/view/blocks"), *_repeated_ids(blocks, "/view")]


def _repeated_ids(blocks: Json, root: str) -> Iterator[Flaw]:
    """Yield an error for each block_id used twice, and for each action_id used twice in one block."""
    yield from _repeated(blocks, "block_id", f"{root}/blocks")
    for index, block in enumerate(objects(blocks)):
        yield from _repeated(block.get("elements"), "action_id", f"{root}/blocks/{index}/elements")


def _repeated(items: Json, key: str, at: str) -> Iterator[Flaw]:
    ids = [each.get(key) for each in objects(items)]
    for index, name in enumerate(ids):
        if name is not None and name in ids[:index]:
            yield Flaw(f"{key} '{name}' already exists", f"{at}/{index}/{key}")
