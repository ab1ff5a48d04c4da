"""The golden form of a message shows every change of its text or blocks."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bot import messages
from bot.domain.request import Act
from bot.messages.blocks import Button, Buttons, listing, message, small
from tests.messages.golden import golden, written

ROW = Buttons(
    (Button("Yes", Act.APPROVE, "7kq2m9xc", style="primary"), Button("No", Act.REJECT, "7kq2m9xc"))
)
SAID = message("*Yes or no?*\nYou decide.", listing("All", ["a", "b"]), ROW, small("Small print"))


SOURCES = [path.read_text(encoding="utf-8") for path in Path(messages.__path__[0]).glob("*.py")]


def test_every_message_is_tried_here_or_is_a_part_of_another() -> None:
    parsed = [each for text in SOURCES for each in ast.parse(text).body]
    defined = [each for each in parsed if isinstance(each, ast.FunctionDef) and each.name[0] != "_"]
    said = [
        each.name
        for each in defined
        if isinstance(each.returns, ast.Name) and each.returns.id == "Message"
    ]
    here = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py")]
    called = re.findall(r"(?<!def )\b(\w+)\(", "\n".join([*SOURCES, *here]))
    assert len(said) > 40
    assert [name for name in said if name not in called] == []
    names = [each.name for each in defined]  # a call of one would pass for both
    assert [name for name in said if names.count(name) > 1] == []


def test_every_button_is_in_a_message() -> None:
    shown = {name for text in SOURCES for name in re.findall(r"\bAct\.(\w+)", text)}
    assert shown == {act.name for act in Act}


def others(value: Any) -> Iterator[Any]:
    """Return JSON that differs from `value` in one place: a leaf, or something left out, added or moved."""
    if isinstance(value, dict):
        yield value | {"more": 1}
        for key, inner in value.items():
            if key != "type":
                yield {other: value[other] for other in value if other != key}
            yield from (value | {key: other} for other in others(inner))
    elif isinstance(value, list):
        yield value[1:]
        for at, inner in enumerate(value):
            yield from ([*value[:at], other, *value[at + 1 :]] for other in others(inner))
    else:
        yield f"{value}x" if isinstance(value, str) else not value


def test_a_golden_differs_if_the_blocks_differ() -> None:
    blocks = json.loads(json.dumps(SAID.blocks))
    changed = [*others(blocks), blocks[::-1]]
    assert len(changed) > 40
    goldens = {written(SAID.text, other) for other in changed}
    assert golden(SAID) not in goldens
    assert len(goldens) == len(changed)
