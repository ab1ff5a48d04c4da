"""Blocks as lines of text, as a person in front of Slack reads them, in mrkdwn."""

from collections.abc import Iterator, Sequence
from typing import Literal

from bot.playground.loopback import JsonObject, objects
from bot.playground.slack.surfaces import Typed, View
from bot.playground.slack.values import Placed, elements, held, placed, words_of


def message_lines(blocks: Sequence[JsonObject]) -> list[str]:
    """Return the rows of a message's buttons; everything readable is in its text already."""
    return [_buttons(block) for block in blocks if block["type"] == "actions"]


def view_lines(view: View) -> Iterator[str]:
    """Yield a view's lines: its blocks with what was typed, and the buttons below."""
    for block in view.blocks:
        yield from _block(block, view.typed)
        if error := view.errors.get(str(block["block_id"])):
            yield f"  ⚠ {error}"
    below = view_words(view, "close"), view_words(view, "submit")
    if any(below):
        yield "  ".join(f"[ {words} ]" for words in below if words)


def view_words(view: View, key: Literal["title", "submit", "close"]) -> str:
    """Return the text of a view's title or button; empty if it has none."""
    return words_of(view.body.get(key))


def _block(block: JsonObject, typed: Typed) -> Iterator[str]:
    match block["type"]:
        case "section":
            yield from words_of(block["text"]).splitlines()
        case "context":
            yield " ".join(words_of(each) for each in objects(block["elements"]))
        case "rich_text":
            for listing in objects(block["elements"]):
                yield from "".join(map(words_of, objects(listing["elements"]))).splitlines()
        case "input":
            optional = " (optional)" if block.get("optional") else ""
            yield f"*{words_of(block['label'])}*{optional}"
            yield from (_field(each, typed) for each in placed([block]))
            if "hint" in block:
                yield f"  {words_of(block['hint'])}"
        case _:
            yield _buttons(block)


def _buttons(block: JsonObject) -> str:
    return "  ".join(f"[ {words_of(each['text'])} ]" for each in elements(block))


def _field(each: Placed, typed: Typed) -> str:
    state, element = held(each, typed), each.element
    if each.kind == "checkboxes":
        ticked, options = objects(state["selected_options"]), objects(element["options"])
        return "  ".join(f"{'☑' if o in ticked else '☐'} {words_of(o['text'])}" for o in options)
    if each.kind == "plain_text_input":
        return f"‹{state['value'] or words_of(element.get('placeholder'))}›"
    option = state["selected_option"]
    words = words_of(option["text"] if isinstance(option, dict) else element.get("placeholder"))
    return f"[ {words} ▾ ]"
