"""The elements of Block Kit: their ids, their values, and what a person enters.

Source: docs.slack.dev, reference/views and reference/block-kit/block-elements.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bot.playground.loopback import Json, JsonObject, objects
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.surfaces import Typed

_KEPT: Mapping[str, tuple[str, str]] = {
    "plain_text_input": ("value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "checkboxes": ("selected_options", "initial_options"),
}
"""For each kind of element the keys of its value and of its initial value."""


@dataclass(frozen=True, slots=True)
class Placed:
    """An element and its block; `label` is a button's text, empty for other elements."""

    block: JsonObject
    element: JsonObject
    block_id: str
    action_id: str
    kind: str
    label: str


def identified(blocks: Sequence[JsonObject]) -> list[JsonObject]:
    """Return blocks with generated block_ids and action_ids where they have none, as Slack does."""
    return [_with_ids(block, f"block-{index}") for index, block in enumerate(blocks)]


def _with_ids(block: JsonObject, name: str) -> JsonObject:
    named: JsonObject = {"block_id": name, **block}
    for key in ("accessory", "element"):
        if key in named:
            named[key] = _named(named[key], f"{name}-{key}")
    if block.get("type") == "actions":
        held = enumerate(objects(named.get("elements")))
        named["elements"] = [_named(each, f"{name}-{at}") for at, each in held]
    return named


def _named(element: Json, name: str) -> Json:
    return {"action_id": name, **element} if isinstance(element, dict) else element


def placed(blocks: Sequence[JsonObject]) -> Iterator[Placed]:
    """Yield all interactive elements; the blocks have their ids."""
    for block in blocks:
        for each in elements(block):
            text = each.get("text")
            label = str(text["text"]) if isinstance(text, dict) else ""
            ids = str(block["block_id"]), str(each["action_id"])
            yield Placed(block, each, *ids, str(each["type"]), label)


def elements(block: JsonObject) -> list[JsonObject]:
    """Return a block's interactive elements."""
    held = objects(block.get("elements")) if block.get("type") == "actions" else []
    return [*held, *objects([block.get("accessory"), block.get("element")])]


def values(blocks: Sequence[JsonObject], typed: Typed) -> JsonObject:
    """Return `state.values`: the value of each element that has one, as typed or else the initial one."""
    state: dict[str, JsonObject] = {}
    for each in placed(blocks):
        began = initial(each.element)
        if began is not None:
            held = typed.get(each.block_id, {}).get(each.action_id, began)
            kept = held if held["type"] == each.kind else began
            state.setdefault(each.block_id, {})[each.action_id] = kept
    return {**state}


def initial(element: JsonObject) -> JsonObject | None:
    """Return an element's initial value; None for elements without a value."""
    kind = str(element.get("type"))
    if kind not in _KEPT:
        return None
    key, first = _KEPT[kind]
    return {"type": kind, key: element.get(first, [] if kind == "checkboxes" else None)}


def chosen(element: JsonObject, value: Json, offered: Sequence[JsonObject]) -> JsonObject:
    """Return an element's value after a person entered `value`.

    Text for an input, an option's value or text for a select, a list of those for checkboxes. `offered` has the options that
    the bot returned for an external select.
    """
    kind = str(element["type"])
    began = objects([element.get("initial_option")])
    options = [*objects(element.get("options")), *began]
    match kind, value:
        case "plain_text_input", str() | None:
            return {"type": kind, "value": value or None}
        case "static_select" | "external_select", None:
            return {"type": kind, "selected_option": None}
        case "static_select", _:
            return {"type": kind, "selected_option": _option(options, value)}
        case "external_select", _:
            return {"type": kind, "selected_option": _option([*options, *offered], value)}
        case "checkboxes", list():
            return {"type": kind, "selected_options": [_option(options, each) for each in value]}
        case _:
            raise ImpossibleError(f"nobody can put {value!r} into a {kind}")


def _option(options: Sequence[JsonObject], value: Json) -> JsonObject:
    for option in options:
        text = option.get("text")
        words = text.get("text") if isinstance(text, dict) else None
        if value in (option, option.get("value"), words):
            return option
    raise ImpossibleError(f"“{value}” is not among the options: choose one of them.")
