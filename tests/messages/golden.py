"""The golden form of messages: the visible text, once, with signs for its structure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bot.messages import Block, Message
from bot.messages.words import as_typed, code


def goldens(said: Mapping[str, Message]) -> str:
    """Return the golden forms of messages, each under its name."""
    return "\n\n".join(f"## {name}\n{golden(each)}" for name, each in said.items())


def golden(said: Message) -> str:
    """Return the golden form of a message."""
    return written(said.text, said.blocks)


def written(text: str, blocks: Sequence[Block]) -> str:
    """Return one or more lines for each block, and the difference between the text and the blocks, if any.

    ■ is a section that is never folded, ▤ a line to copy, · a context. A button is its [label], action, value, style and
    accessibility label. Whatever has another shape, such as mrkdwn that is not verbatim, is written as JSON.
    """
    plain: list[Any] = json.loads(json.dumps(blocks))
    lines = [_block(block) for block in plain]
    read = "\n".join(text for text in map(_mrkdwn, plain) if text is not None)
    return "\n".join([*lines, *_differing(text, read)])


def _differing(text: str, read: str) -> list[str]:
    if text == read:
        return []
    cut = text.removesuffix("…")
    whole = text != f"{cut}…" or not read.startswith(cut)
    return [f"text: {text}" if whole else f"text: the first {len(cut)} characters of that, and …"]


def _block(block: Any) -> str:
    if block["type"] == "actions" and set(block) == {"type", "elements"}:
        return " | ".join(map(_button, block["elements"]))
    text = _mrkdwn(block) or ""
    mrkdwn = {"type": "mrkdwn", "text": text, "verbatim": True}
    signs = {
        "■": {"type": "section", "text": mrkdwn, "expand": True},
        "·": {"type": "context", "elements": [mrkdwn]},
        "▤": {
            "type": "rich_text",
            "elements": [
                {
                    "type": "rich_text_preformatted",
                    "elements": [{"type": "text", "text": as_typed(text.strip("`"))}],
                }
            ],
        },
    }
    for sign, shape in signs.items():
        if block == shape:
            return f"{sign} {text}".replace("\n", "\n  ")
    return json.dumps(block, ensure_ascii=False)


def _mrkdwn(block: Any) -> str | None:
    """Return what a person reads in a section or a context."""
    match block:
        case {"type": "section", "text": {"text": str(text)}}:
            return text
        case {"type": "context", "elements": [{"text": str(text)}]}:
            return text
        case {"type": "rich_text", "elements": [{"elements": [{"text": str(line)}]}]}:
            return code(line, len(line))
        case _:
            return None


def _button(button: Any) -> str:
    match button:
        case {"text": {"text": str(label)}, "action_id": str(action), "value": str(value)}:
            more = ("style", "accessibility_label")
            style = {name: str(button[name]) for name in more if name in button}
            text = {"type": "plain_text", "text": label}
            if (
                button
                == {"type": "button", "text": text, "action_id": action, "value": value} | style
            ):
                return " ".join([f"[{label}]", action, value, *style.values()])
        case _:
            pass
    return json.dumps(button, ensure_ascii=False)
