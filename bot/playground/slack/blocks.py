"""Block Kit's limits, as data: what a block may hold, and how much of it.

Source: docs.slack.dev, reference/block-kit/blocks, block-elements and composition-objects. Only
the blocks that every Slack client has shown for years are known here; any other is refused, so
that the bot never depends on one that some workspace can't show.
"""

from collections.abc import Iterator

from bot.playground.loopback import Json
from bot.playground.slack.elements import IN_ACTIONS, IN_INPUTS, IN_SECTIONS, block_kit_id
from bot.playground.slack.shapes import (
    Check,
    Shape,
    array,
    error,
    flag,
    one_of,
    plain_only,
    string,
    text,
    typed,
)

MAX_BLOCKS = 50
MAX_VIEW_BLOCKS = 100
_MAX_CHARACTERS, _EACH_BLOCK = 12_000, 100


def block_errors(blocks: Json) -> list[str]:
    """Return what Slack would say against a message's blocks, in its own form; nothing if it takes them.

    An error names its place as a JSON pointer: `[ERROR] … [json-pointer:/blocks/0/text]`.
    """
    return [*array(_block, MAX_BLOCKS, least=0)(blocks, "/blocks"), *_repeated_ids(blocks, "")]


def too_long(blocks: Json) -> bool:
    """Tell whether a message's blocks say too much together, each within its own limits.

    No page tells the limit. Reports put it at 12,000 characters and some more for each block, or less: bolt-js, issues
    2509 and 2867. The second one says that a response_url takes more; not here, to be on the safe side.
    """
    many = len(blocks) if isinstance(blocks, list) else 0
    return _characters(blocks) + many * _EACH_BLOCK > _MAX_CHARACTERS


def _characters(found: Json) -> int:
    """Return how many characters of text stand in blocks."""
    if isinstance(found, dict):
        text = found.get("text")
        own = len(text) if isinstance(text, str) else 0
        return own + sum(map(_characters, found.values()))
    return sum(map(_characters, found)) if isinstance(found, list) else 0


def view_block_errors(blocks: Json) -> list[str]:
    """Return what Slack would say against a view's blocks, which may be more, and ask for input."""
    checked = array(_view_block, MAX_VIEW_BLOCKS, least=0)(blocks, "/view/blocks")
    return [*checked, *_repeated_ids(blocks, "/view")]


_id = block_kit_id
_picture = {"image_url": string(3000), "alt_text": string(2000)}
_image_element = Shape(dict(_picture), frozenset(_picture))
_text_style = Shape(dict.fromkeys(("bold", "italic", "strike", "code", "underline"), flag))
_rich_word = typed(
    {
        "text": Shape({"text": string(3000), "style": _text_style}, frozenset({"text"})),
        "link": Shape(
            {"url": string(3000), "text": string(3000), "style": _text_style}, frozenset({"url"})
        ),
        "user": Shape({"user_id": _id, "style": _text_style}, frozenset({"user_id"})),
        "usergroup": Shape(
            {"usergroup_id": _id, "style": _text_style}, frozenset({"usergroup_id"})
        ),
        "channel": Shape({"channel_id": _id, "style": _text_style}, frozenset({"channel_id"})),
        "emoji": Shape({"name": _id, "style": _text_style}, frozenset({"name"})),
    }
)
_rich_words = Shape({"elements": array(_rich_word, 100)}, frozenset({"elements"}))
_rich_list = Shape(
    {
        "elements": array(typed({"rich_text_section": _rich_words}), 100),
        "style": one_of("bullet", "ordered"),
    },
    frozenset({"elements", "style"}),
)
_rich_part = typed(
    {
        "rich_text_section": _rich_words,
        "rich_text_preformatted": _rich_words,
        "rich_text_quote": _rich_words,
        "rich_text_list": _rich_list,
    }
)
_context_text = text(3000)
_blocks: dict[str, Check] = {
    "section": Shape(
        {
            "text": text(3000),
            "fields": array(text(2000), 10),
            "accessory": typed({**IN_SECTIONS, "image": _image_element}),
            "expand": flag,
            "block_id": _id,
        },
        either=frozenset({"text", "fields"}),
    ),
    "header": Shape({"text": plain_only(150), "block_id": _id}, frozenset({"text"})),
    "rich_text": Shape(
        {"elements": array(_rich_part, 100), "block_id": _id}, frozenset({"elements"})
    ),
    "divider": Shape({"block_id": _id}),
    "context": Shape(
        {
            "elements": array(
                typed(
                    {
                        "plain_text": _context_text,
                        "mrkdwn": _context_text,
                        "image": _image_element,
                    }
                ),
                10,
            ),
            "block_id": _id,
        },
        frozenset({"elements"}),
    ),
    "actions": Shape(
        {"elements": array(typed(IN_ACTIONS), 25), "block_id": _id},
        frozenset({"elements"}),
    ),
    "image": Shape({**_picture, "title": plain_only(2000), "block_id": _id}, frozenset(_picture)),
}
_block = typed(_blocks)
_input = Shape(
    {
        "label": plain_only(2000),
        "element": typed(IN_INPUTS),
        "dispatch_action": flag,
        "optional": flag,
        "hint": plain_only(2000),
        "block_id": _id,
    },
    frozenset({"label", "element"}),
)
_view_block = typed({**_blocks, "input": _input})


def _repeated_ids(blocks: Json, root: str) -> Iterator[str]:
    """Yield an error for each block_id used twice, and each action_id twice in one block."""
    listed = blocks if isinstance(blocks, list) else []
    yield from _repeated(listed, "block_id", f"{root}/blocks")
    for index, block in enumerate(listed):
        elements = block.get("elements") if isinstance(block, dict) else None
        if isinstance(elements, list):
            yield from _repeated(elements, "action_id", f"{root}/blocks/{index}/elements")


def _repeated(items: list[Json], key: str, at: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = item.get(key) if isinstance(item, dict) else None
        if isinstance(name, str):
            if name in seen:
                yield error(f"{key} '{name}' already exists", f"{at}/{index}/{key}")
            seen.add(name)
