"""Blocks as lines of text: what somebody in front of Slack would read, in Slack's own mrkdwn."""

from collections.abc import Iterator, Sequence

from bot.playground.loopback import Json, JsonObject, objects
from bot.playground.slack.surfaces import View
from bot.playground.slack.values import elements, identified, initial, option_list

_RULE = "─" * 24


def message_lines(blocks: Sequence[JsonObject]) -> list[str]:
    """Return what of a message can be clicked; its text already says all that can be read."""
    rows = [elements(block) for block in identified(blocks)]
    return [line for row in rows if row for line in _row(row)]


def view_lines(view: View) -> Iterator[str]:
    """Yield a view line by line: its blocks with what was typed, and the buttons below."""
    for block in view.blocks:
        typed = view.typed.get(str(block["block_id"]), {})
        yield from _block(block, typed)
        if error := view.errors.get(str(block["block_id"])):
            yield f"  ⚠ {error}"
    below = [_words(view.body.get(key)) for key in ("close", "submit")]
    if any(below):
        yield "  ".join(f"[ {words} ]" for words in below if words)


def view_title(view: View) -> str:
    """Return the title of a view."""
    return _words(view.body.get("title")) or "Home"


def _block(block: JsonObject, typed: dict[str, JsonObject]) -> Iterator[str]:
    match block["type"]:
        case "header":
            yield f"*{_words(block['text'])}*"
        case "divider":
            yield _RULE
        case "section":
            texts = (block.get("text"), *objects(block.get("fields")))
            yield from (line for text in texts for line in _words(text).splitlines())
        case "context":
            yield " ".join(_words(each) for each in objects(block["elements"]))
        case "image":
            yield f"({block['alt_text']})"
        case "rich_text":
            yield from _flat(block).splitlines()
        case "input":
            optional = " (optional)" if block.get("optional") else ""
            yield f"*{_words(block['label'])}*{optional}"
        case _:
            pass  # an actions block is a row of elements and nothing else
    if held := elements(block):
        yield from _row(held, typed)
    if "hint" in block:
        yield f"  {_words(block['hint'])}"


def _row(row: Sequence[JsonObject], typed: dict[str, JsonObject] | None = None) -> Iterator[str]:
    """Yield elements side by side, and below them what those that ask first would ask."""
    held = typed or {}
    yield "  ".join(_element(each, held.get(str(each.get("action_id")))) for each in row)
    for each in row:
        asks = each.get("confirm")
        if isinstance(asks, dict):
            title, text, yes, no = (_words(asks[k]) for k in ("title", "text", "confirm", "deny"))
            yield f"  asks first: {title} {text} [ {no} ]  [ {yes} ]"


def _element(element: JsonObject, typed: JsonObject | None) -> str:
    kind = element["type"]
    if kind == "button":
        return f"[ {_words(element['text'])}{'…' if 'confirm' in element else ''} ]"
    if kind == "image":
        return f"({element['alt_text']})"
    if kind == "overflow":
        return f"[ ⋯ {' / '.join(_words(each['text']) for each in option_list(element))} ]"
    state = typed or initial(element) or {}
    if kind in {"checkboxes", "radio_buttons"}:
        return "  ".join(_ticked(element, state))
    held = next((part for key, part in state.items() if key != "type"), None)
    options = held if isinstance(held, list) else [held]
    words = ", ".join(_words(o["text"]) if isinstance(o, dict) else str(o or "") for o in options)
    words = words or _words(element.get("placeholder"))
    return f"[ {words} ▾ ]" if str(kind).endswith("select") else f"‹{words}›"


def _ticked(element: JsonObject, state: JsonObject) -> Iterator[str]:
    ticked = [*objects(state.get("selected_options")), state.get("selected_option")]
    for option in option_list(element):
        yield f"{'☑' if option in ticked else '☐'} {_words(option['text'])}"


def _words(text: Json) -> str:
    """Return the words of a text object, or of an image in a context."""
    if not isinstance(text, dict):
        return ""
    return str(text.get("text") or f"({text.get('alt_text', '')})")


def _flat(part: Json) -> str:
    """Return the words of rich text, its parts on lines of their own."""
    if not isinstance(part, dict):
        return ""
    if "elements" not in part:
        return str(part.get("text") or _mention(part))
    apart = "\n" if part.get("type") in {"rich_text", "rich_text_list"} else ""
    return apart.join(_flat(each) for each in objects(part["elements"]))


def _mention(part: JsonObject) -> str:
    marks = {"user_id": "<@{}>", "channel_id": "<#{}>", "usergroup_id": "<!subteam^{}>"}
    marks |= {"name": ":{}:", "url": "{}"}
    return next((mark.format(part[key]) for key, mark in marks.items() if key in part), "")
