"""Block Kit's elements, as data: what a button, a select or an input may hold, and how much of it.

Source: docs.slack.dev, reference/block-kit/block-elements and composition-objects.
"""

from bot.playground.slack.shapes import (
    Check,
    Shape,
    array,
    flag,
    one_of,
    plain_only,
    string,
    text,
    whole,
)

ID_LENGTH = 255
MAX_OPTIONS = 100
MAX_INPUT = 3000

block_kit_id = string(ID_LENGTH)
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
_whole_option = frozenset({"text", "value"})
_option = Shape(
    {"text": plain_only(75), "value": string(150), "description": plain_only(75)}, _whole_option
)
_styled_option = Shape(
    {"text": text(75), "value": string(150), "description": text(75)}, _whole_option
)
_group = Shape(
    {"label": plain_only(75), "options": array(_option, MAX_OPTIONS)},
    frozenset({"label", "options"}),
)
_button = Shape(
    {
        "text": plain_only(75),
        "action_id": block_kit_id,
        "value": string(2000),
        "url": string(3000),
        "style": _style,
        "confirm": _confirm,
        "accessibility_label": string(75),
    },
    frozenset({"text"}),
)
_overflow = Shape(
    {"options": array(_option, 5), "action_id": block_kit_id, "confirm": _confirm},
    frozenset({"options"}),
)
_common: dict[str, Check] = {
    "action_id": block_kit_id,
    "placeholder": plain_only(150),
    "confirm": _confirm,
    "focus_on_load": flag,
}
_given: dict[str, Check] = {
    "options": array(_option, MAX_OPTIONS),
    "option_groups": array(_group, MAX_OPTIONS),
}
_one: dict[str, Check] = {"initial_option": _option}
_many: dict[str, Check] = {
    "initial_options": array(_option, MAX_OPTIONS),
    "max_selected_items": whole(1, MAX_OPTIONS),
}
_asked: dict[str, Check] = {"min_query_length": whole(0, MAX_INPUT)}
_selects: dict[str, Check] = {
    "static_select": Shape({**_common, **_given, **_one}, either=frozenset(_given)),
    "external_select": Shape({**_common, **_asked, **_one}),
    "users_select": Shape({**_common, "initial_user": block_kit_id}),
}
_multiple: dict[str, Check] = {
    "multi_static_select": Shape({**_common, **_given, **_many}, either=frozenset(_given)),
    "multi_external_select": Shape({**_common, **_asked, **_many}),
}
_ticked = {key: check for key, check in _common.items() if key != "placeholder"}
_ticks: dict[str, Check] = {
    "checkboxes": Shape(
        {
            **_ticked,
            "options": array(_styled_option, 10),
            "initial_options": array(_styled_option, 10),
        },
        frozenset({"options"}),
    ),
    "radio_buttons": Shape(
        {**_ticked, "options": array(_styled_option, 10), "initial_option": _styled_option},
        frozenset({"options"}),
    ),
}
_typed: dict[str, Check] = {
    "plain_text_input": Shape(
        {
            "action_id": block_kit_id,
            "placeholder": plain_only(150),
            "initial_value": string(MAX_INPUT, least=0),
            "multiline": flag,
            "min_length": whole(0, MAX_INPUT),
            "max_length": whole(1, MAX_INPUT),
            "focus_on_load": flag,
            "dispatch_action_config": Shape(
                {"trigger_actions_on": array(one_of("on_enter_pressed", "on_character_entered"), 2)}
            ),
        }
    ),
}

IN_ACTIONS: dict[str, Check] = {"button": _button, "overflow": _overflow, **_selects, **_ticks}
"""What an actions block may hold."""

IN_SECTIONS: dict[str, Check] = {**IN_ACTIONS, **_multiple}
"""What may stand beside a section's text, with an image."""

IN_INPUTS: dict[str, Check] = {**_typed, **_selects, **_multiple, **_ticks}
"""What an input block may hold."""

OFFERED = Shape(_given, either=frozenset(_given))
"""The answer to a block_suggestion."""
