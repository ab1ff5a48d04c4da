"""Block Kit's blocks, as tables: each field with its check, `*` where it is required and `|` where one of several is.

Source: docs.slack.dev, reference/block-kit/blocks, block-elements and composition-objects. Only
the blocks that every Slack client has shown for years are known here; any other is refused, so
that the bot never depends on one that some workspace can't show.
"""

from collections.abc import Iterator, Mapping

from bot.playground.loopback import Json
from bot.playground.slack.elements import ID, IN_ACTIONS, IN_INPUTS, IN_SECTIONS
from bot.playground.slack.shapes import (
    Check,
    array,
    error,
    fields,
    flag,
    one_of,
    plain,
    string,
    text,
    typed,
)

_MAX_CHARACTERS, _EACH_BLOCK = 12_000, 100


_PICTURE: Mapping[str, Check] = {"image_url*": string(3000), "alt_text*": string(2000)}
_IMAGE = fields(_PICTURE)
_STYLE = fields(dict.fromkeys(("bold", "italic", "strike", "code", "underline"), flag))
_RICH_WORD = typed(
    {
        "text": fields({"text*": string(3000), "style": _STYLE}),
        "link": fields({"url*": string(3000), "text": string(3000), "style": _STYLE}),
        "user": fields({"user_id*": ID, "style": _STYLE}),
        "usergroup": fields({"usergroup_id*": ID, "style": _STYLE}),
        "channel": fields({"channel_id*": ID, "style": _STYLE}),
        "emoji": fields({"name*": ID, "style": _STYLE}),
    }
)
_RICH_WORDS = fields({"elements*": array(_RICH_WORD, 100)})
_RICH_LIST = fields(
    {
        "elements*": array(typed({"rich_text_section": _RICH_WORDS}), 100),
        "style*": one_of("bullet", "ordered"),
    }
)
_RICH_PART = typed(
    {
        "rich_text_section": _RICH_WORDS,
        "rich_text_preformatted": _RICH_WORDS,
        "rich_text_quote": _RICH_WORDS,
        "rich_text_list": _RICH_LIST,
    }
)
_IN_CONTEXT = typed({"plain_text": text(3000), "mrkdwn": text(3000), "image": _IMAGE})

_BLOCKS: Mapping[str, Check] = {
    "section": fields(
        {
            "text|": text(3000),
            "fields|": array(text(2000), 10),
            "accessory": typed({**IN_SECTIONS, "image": _IMAGE}),
            "expand": flag,
            "block_id": ID,
        }
    ),
    "header": fields({"text*": plain(150), "block_id": ID}),
    "rich_text": fields({"elements*": array(_RICH_PART, 100), "block_id": ID}),
    "divider": fields({"block_id": ID}),
    "context": fields({"elements*": array(_IN_CONTEXT, 10), "block_id": ID}),
    "actions": fields({"elements*": array(typed(IN_ACTIONS), 25), "block_id": ID}),
    "image": fields({**_PICTURE, "title": plain(2000), "block_id": ID}),
}
_INPUT = fields(
    {
        "label*": plain(2000),
        "element*": typed(IN_INPUTS),
        "dispatch_action": flag,
        "optional": flag,
        "hint": plain(2000),
        "block_id": ID,
    }
)
_IN_MESSAGE = array(typed(_BLOCKS), 50, least=0)
_IN_VIEW = array(typed({**_BLOCKS, "input": _INPUT}), 100, least=0)


def block_errors(blocks: Json) -> list[str]:
    """Return Slack's errors about a message's blocks, in its own form; none if it accepts them.

    An error names its place as a JSON pointer: `[ERROR] … [json-pointer:/blocks/0/text]`.
    """
    return [*_IN_MESSAGE(blocks, "/blocks"), *_repeated_ids(blocks, "")]


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
    """Return Slack's errors about a view's blocks, of which there may be more, and which may ask for input."""
    return [*_IN_VIEW(blocks, "/view/blocks"), *_repeated_ids(blocks, "/view")]


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
