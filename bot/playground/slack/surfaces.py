"""Views on screens, their elements, and what is entered there. Source: docs.slack.dev, reference/views, block-elements."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from bot.playground.loopback import Json, JsonObject, objects
from bot.playground.slack.refusals import ImpossibleError

ViewChange: TypeAlias = Literal["opened", "updated", "refused", "closed", "published"]
Typed: TypeAlias = dict[str, dict[str, JsonObject]]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A modal or an App Home on one person's screen; `body` is the bot's view, with Slack's additions.

    `hash` is another one after each update of it. `typed` has the person's changes by block_id and action_id, `errors` the
    bot's errors by block_id.
    """

    id: str
    user: str
    body: JsonObject
    hash: str = ""
    typed: Typed = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """`modal` or `home`."""
        return str(self.body["type"])

    @property
    def blocks(self) -> list[JsonObject]:
        """The view's blocks, each with an id."""
        return objects(self.body["blocks"])


_EMPTY: Mapping[str, tuple[str, Json]] = {
    "plain_text_input": ("value", None),
    "external_select": ("selected_option", None),
    "checkboxes": ("selected_options", []),
}
"""For each kind of element in a form, the key of its value, and the value before a person enters one."""


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
    if "element" in named:
        named["element"] = _named(named["element"], f"{name}-element")
    if block.get("type") == "actions":
        inner = enumerate(objects(named.get("elements")))
        named["elements"] = [_named(each, f"{name}-{at}") for at, each in inner]
    return named


def _named(element: Json, name: str) -> Json:
    return {"action_id": name, **element} if isinstance(element, dict) else element


def placed(blocks: Sequence[JsonObject]) -> Iterator[Placed]:
    """Yield all interactive elements; the blocks have their ids."""
    for block in blocks:
        for each in elements(block):
            ids = str(block["block_id"]), str(each["action_id"])
            yield Placed(block, each, *ids, str(each["type"]), words_of(each.get("text")))


def words_of(text: Json) -> str:
    """Return the text of a text object; empty for None."""
    return str(text["text"]) if isinstance(text, dict) else ""


def elements(block: JsonObject) -> list[JsonObject]:
    """Return a block's interactive elements."""
    inner = objects(block.get("elements")) if block.get("type") == "actions" else []
    return [*inner, *objects([block.get("element")])]


def held(each: Placed, typed: Typed) -> JsonObject:
    """Return the value of an element of a form, as typed or else empty."""
    key, nothing = _EMPTY[each.kind]
    empty: JsonObject = {"type": each.kind, key: nothing}
    value = typed.get(each.block_id, {}).get(each.action_id, empty)
    return value if value["type"] == each.kind else empty


def values(blocks: Sequence[JsonObject], typed: Typed) -> JsonObject:
    """Return `state.values`: the value of each element that can have one."""
    state: dict[str, JsonObject] = {}
    for each in placed(blocks):
        if each.kind in _EMPTY:
            state.setdefault(each.block_id, {})[each.action_id] = held(each, typed)
    return {**state}


def chosen(element: JsonObject, value: Json, offered: Sequence[JsonObject]) -> JsonObject:
    """Return an element's value after a person entered `value`.

    Text for an input, an option's value or text for a select, a list of those for checkboxes. `offered` has the options that
    the bot returned for a select.
    """
    kind = str(element["type"])
    match kind, value:
        case "plain_text_input", str() | None:
            return {"type": kind, "value": value or None}
        case "external_select", None:
            return {"type": kind, "selected_option": None}
        case "external_select", _:
            return {"type": kind, "selected_option": _option(offered, value)}
        case "checkboxes", str() | list():
            options = objects(element.get("options"))
            ticked = [value] if isinstance(value, str) else value
            return {"type": kind, "selected_options": [_option(options, each) for each in ticked]}
        case _:
            raise ImpossibleError(f"Nobody can put {value!r} into a {kind}")


def _option(options: Sequence[JsonObject], value: Json) -> JsonObject:
    for option in options:
        if value in (option, option.get("value"), words_of(option.get("text"))):
            return option
    raise ImpossibleError(f"“{value}” is not among the options: choose one of them.")


def check(blocks: Sequence[JsonObject], typed: Typed) -> None:
    """Raise ImpossibleError for a value that Slack itself would not send."""
    for each in placed(blocks):
        if each.kind not in _EMPTY:
            continue
        entered = held(each, typed)[_EMPTY[each.kind][0]]
        if not entered and not each.block.get("optional"):
            raise ImpossibleError(f"{each.block_id}: please complete this required field")
        most = each.element.get("max_length", 3000)
        if isinstance(entered, str) and isinstance(most, int) and len(entered) > most:
            raise ImpossibleError(f"{each.block_id}: at most {most} characters, not {len(entered)}")
