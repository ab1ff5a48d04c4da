"""Block Kit's elements and the objects in them, as tables: each field with its check, `*` where it is required.

Source: docs.slack.dev, reference/block-kit/block-elements and composition-objects.
"""

from collections.abc import Mapping

from bot.playground.slack.shapes import (
    Check,
    array,
    fields,
    flag,
    one_of,
    plain,
    string,
    text,
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
