"""Block Kit's limits, as data: what a block may hold, and how much of it.

Source: docs.slack.dev, reference/block-kit/blocks, block-elements and composition-objects. Only
the blocks that every Slack client has shown for years are known here; any other is refused, so
that the bot never depends on one that some workspace can't show.
"""

from collections.abc import Iterator

from bot.playground.loopback import Json
from bot.playground.slack_shapes import (
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
ID_LENGTH = 255


def block_errors(blocks: Json) -> list[str]:
    """Return what Slack would say against these blocks, in its own form; nothing if it takes them.

    An error names its place as a JSON pointer: `[ERROR] … [json-pointer:/blocks/0/text]`.
    """
    return [*array(_block, MAX_BLOCKS, least=0)(blocks, "/blocks"), *_repeated_ids(blocks)]


_id = string(ID_LENGTH)
_style = one_of("primary", "danger")
_confirm = Shape(
    {
        "title": plain_only(100),
        "text": text(300),
        "confirm": plain_only(30),
        "deny": plain_only(30),
        "style": _style,
    },
    frozenset({"title", "text", "confirm", "deny"}),
)
_option = Shape(
    {"text": text(75), "value": string(150), "description": plain_only(75)},
    frozenset({"text", "value"}),
)
_button = Shape(
    {
        "text": plain_only(75),
        "action_id": _id,
        "value": string(2000),
        "url": string(3000),
        "style": _style,
        "confirm": _confirm,
        "accessibility_label": string(75),
    },
    frozenset({"text"}),
)
_select = Shape(
    {
        "options": array(_option, 100),
        "action_id": _id,
        "placeholder": plain_only(150),
        "initial_option": _option,
        "confirm": _confirm,
        "focus_on_load": flag,
    },
    frozenset({"options"}),
)
_overflow = Shape(
    {"options": array(_option, 5), "action_id": _id, "confirm": _confirm},
    frozenset({"options"}),
)
_picture = {"image_url": string(3000), "alt_text": string(2000)}
_image_element = Shape(dict(_picture), frozenset(_picture))
_interactive: dict[str, Check] = {
    "button": _button,
    "static_select": _select,
    "overflow": _overflow,
}
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
_block = typed(
    {
        "section": Shape(
            {
                "text": text(3000),
                "fields": array(text(2000), 10),
                "accessory": typed({**_interactive, "image": _image_element}),
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
            {"elements": array(typed(_interactive), 25), "block_id": _id},
            frozenset({"elements"}),
        ),
        "image": Shape(
            {**_picture, "title": plain_only(2000), "block_id": _id}, frozenset(_picture)
        ),
    }
)


def _repeated_ids(blocks: Json) -> Iterator[str]:
    """Yield an error for each block_id used twice, and each action_id twice in one block."""
    listed = blocks if isinstance(blocks, list) else []
    yield from _repeated(listed, "block_id", "/blocks")
    for index, block in enumerate(listed):
        elements = block.get("elements") if isinstance(block, dict) else None
        if isinstance(elements, list):
            yield from _repeated(elements, "action_id", f"/blocks/{index}/elements")


def _repeated(items: list[Json], key: str, at: str) -> Iterator[str]:
    seen: set[str] = set()
    for index, item in enumerate(items):
        name = item.get(key) if isinstance(item, dict) else None
        if isinstance(name, str):
            if name in seen:
                yield error(f"{key} '{name}' already exists", f"{at}/{index}/{key}")
            seen.add(name)
