"""Block Kit, as tables: each field with its check, `*` where it is required and `|` where one of several is.

Source: docs.slack.dev, reference/block-kit/blocks, block-elements and composition-objects. Only
the blocks that every Slack client has shown for years are known here; any other is refused, so
that the bot never depends on one that some workspace can't show.
"""

from collections.abc import Iterator, Mapping

from bot.playground.loopback import Json
from bot.playground.slack.checks import (
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
    whole,
)

ID = string(255)
_STYLE = one_of("primary", "danger")
_CONFIRM = fields(
    {
        "title*": plain(100),
        "text*": text(300),
        "confirm*": plain(30),
        "deny*": plain(30),
        "style": _STYLE,
    }
)
_OPTION = fields({"text*": plain(75), "value*": string(150), "description": plain(75)})
_STYLED_OPTION = fields({"text*": text(75), "value*": string(150), "description": text(75)})
_GROUP = fields({"label*": plain(75), "options*": array(_OPTION, 100)})
_TRIGGER = fields(
    {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 2)}
)

_OFFERED: Mapping[str, Check] = {
    "options|": array(_OPTION, 100),
    "option_groups|": array(_GROUP, 100),
}
OFFERED = fields(_OFFERED)
"""The answer to a block_suggestion."""

_MENU: Mapping[str, Check] = {
    "action_id": ID,
    "placeholder": plain(150),
    "confirm": _CONFIRM,
    "focus_on_load": flag,
}
_MULTI_MENU: Mapping[str, Check] = {
    **_MENU,
    "initial_options": array(_OPTION, 100),
    "max_selected_items": whole(1, 100),
}
_TICKS: Mapping[str, Check] = {
    "action_id": ID,
    "options*": array(_STYLED_OPTION, 10),
    "confirm": _CONFIRM,
    "focus_on_load": flag,
}

_ELEMENTS: Mapping[str, Check] = {
    "button": fields(
        {
            "text*": plain(75),
            "action_id": ID,
            "value": string(2000),
            "url": string(3000),
            "style": _STYLE,
            "confirm": _CONFIRM,
            "accessibility_label": string(75),
        }
    ),
    "overflow": fields({"options*": array(_OPTION, 5), "action_id": ID, "confirm": _CONFIRM}),
    "static_select": fields({**_MENU, **_OFFERED, "initial_option": _OPTION}),
    "external_select": fields(
        {**_MENU, "min_query_length": whole(0, 3000), "initial_option": _OPTION}
    ),
    "users_select": fields({**_MENU, "initial_user": ID}),
    "multi_static_select": fields({**_MULTI_MENU, **_OFFERED}),
    "multi_external_select": fields({**_MULTI_MENU, "min_query_length": whole(0, 3000)}),
    "checkboxes": fields({**_TICKS, "initial_options": array(_STYLED_OPTION, 10)}),
    "radio_buttons": fields({**_TICKS, "initial_option": _STYLED_OPTION}),
    "plain_text_input": fields(
        {
            "action_id": ID,
            "placeholder": plain(150),
            "initial_value": string(3000, least=0),
            "multiline": flag,
            "min_length": whole(0, 3000),
            "max_length": whole(1, 3000),
            "focus_on_load": flag,
            "dispatch_action_config": _TRIGGER,
        }
    ),
}
_MULTIPLE = {"multi_static_select", "multi_external_select"}


def _but(*kinds: str) -> Mapping[str, Check]:
    return {kind: check for kind, check in _ELEMENTS.items() if kind not in kinds}


IN_ACTIONS = _but("plain_text_input", *_MULTIPLE)
"""What an actions block may hold."""

IN_SECTIONS = _but("plain_text_input")
"""What may stand beside a section's text, with an image."""

IN_INPUTS = _but("button", "overflow")
"""What an input block may hold."""


_MAX_CHARACTERS, _EACH_BLOCK = 12_000, 100


_PICTURE: Mapping[str, Check] = {"image_url*": string(3000), "alt_text*": string(2000)}
_IMAGE = fields(_PICTURE)
_WORD_STYLE = fields(dict.fromkeys(("bold", "italic", "strike", "code", "underline"), flag))
_RICH_WORD = typed(
    {
        "text": fields({"text*": string(3000), "style": _WORD_STYLE}),
        "link": fields({"url*": string(3000), "text": string(3000), "style": _WORD_STYLE}),
        "user": fields({"user_id*": ID, "style": _WORD_STYLE}),
        "usergroup": fields({"usergroup_id*": ID, "style": _WORD_STYLE}),
        "channel": fields({"channel_id*": ID, "style": _WORD_STYLE}),
        "emoji": fields({"name*": ID, "style": _WORD_STYLE}),
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
