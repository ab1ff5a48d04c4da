import pytest

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.server import block_errors


def plain(text: str = "x") -> JsonObject:
    return {"type": "plain_text", "text": text}


def markdown(text: str = "x") -> JsonObject:
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def button(**more: Json) -> JsonObject:
    return {"type": "button", "text": plain(), "action_id": "go", **more}


def section(**more: Json) -> JsonObject:
    return {"type": "section", **more}


def actions(*elements: Json) -> JsonObject:
    return {"type": "actions", "elements": [*elements]}


def select(*options: Json, **more: Json) -> JsonObject:
    return {"type": "static_select", "options": [*options], **more}


def boxes(*options: Json) -> JsonObject:
    return {"type": "checkboxes", "action_id": "c", "options": [*options]}


CONFIRM: JsonObject = {
    "title": plain(),
    "text": markdown(),
    "confirm": plain(),
    "deny": plain(),
    "style": "danger",
}
OPTION: JsonObject = {"text": plain(), "value": "a"}
WORDS: Json = [{"type": "text", "text": "x"}]


@pytest.mark.parametrize(
    "block",
    [
        {"type": "divider"},
        {"type": "header", "text": plain("x" * 150)},
        section(text=markdown("x" * 3000), block_id="b" * 255, expand=True),
        section(text=plain(), accessory=button(style="primary", confirm=CONFIRM)),
        {"type": "context", "elements": [markdown(), plain()]},
        actions(*[button(action_id=f"go{n}", value="x" * 2000) for n in range(25)]),
        actions({"type": "static_select", "options": [OPTION], "placeholder": plain()}),
        actions(select(*[OPTION] * 100), {"type": "external_select", "min_query_length": 0}),
        actions(boxes({**OPTION, "text": markdown()})),
        {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": WORDS}]},
    ],
)
def test_what_slack_takes_has_no_errors(block: JsonObject) -> None:
    assert block_errors([block]) == []


@pytest.mark.parametrize(
    ("block", "problem", "at"),
    [
        ({"type": "marquee"}, "unsupported type: marquee", "/blocks/0/type"),
        ({}, "unsupported type: None", "/blocks/0/type"),
        ("divider", "unsupported type: None", "/blocks/0/type"),
        ({"type": "divider", "x": 1}, "invalid additional property: x", "/blocks/0"),
        ({"type": "header", "text": plain("x" * 151)}, "less than 151", "/blocks/0/text/text"),
        ({"type": "header", "text": markdown()}, "unsupported type: mrkdwn", "/blocks/0/text/type"),
        (section(), "missing required field: text", "/blocks/0"),
        (section(text=markdown("x" * 3001)), "less than 3001", "/blocks/0/text/text"),
        (section(text=markdown("")), "more than 0", "/blocks/0/text/text"),
        (section(text={"type": "mrkdwn"}), "missing required field: text", "/blocks/0/text"),
        (section(text={**plain(), "verbatim": True}), "property: verbatim", "/blocks/0/text"),
        (section(text={**markdown(), "emoji": True}), "property: emoji", "/blocks/0/text"),
        (section(text={**plain(), "emoji": "yes"}), "a boolean", "/blocks/0/text/emoji"),
        (section(text={**plain(), "text": 1}), "a string", "/blocks/0/text/text"),
        (section(text=plain(), fields=[plain()]), "property: fields", "/blocks/0"),
        (section(text=plain(), block_id="b" * 256), "less than 256", "/blocks/0/block_id"),
        ({"type": "context", "elements": []}, "less than 1 items", "/blocks/0/elements"),
        ({"type": "context", "elements": [plain()] * 11}, "more than 10", "/blocks/0/elements"),
        ({"type": "context", "elements": plain()}, "an array", "/blocks/0/elements"),
        (actions(button(value="x" * 2001)), "less than 2001", "/blocks/0/elements/0/value"),
        (actions(button(text=plain("x" * 76))), "less than 76", "/blocks/0/elements/0/text/text"),
        (actions(button(style="loud")), "valid enum value", "/blocks/0/elements/0/style"),
        (actions(button(confirm="sure?")), "an object", "/blocks/0/elements/0/confirm"),
        (
            actions(*[button(action_id=f"go{n}") for n in range(26)]),
            "more than 25 items",
            "/blocks/0/elements",
        ),
        (actions(), "less than 1 items", "/blocks/0/elements"),
        (actions(button(action_id="x" * 256)), "less than 256", "/blocks/0/elements/0/action_id"),
        (actions(select()), "less than 1 items", "/blocks/0/elements/0/options"),
        (actions(select(*[OPTION] * 101)), "more than 100", "/blocks/0/elements/0/options"),
        (
            actions({"type": "static_select"}),
            "missing required field: options",
            "/blocks/0/elements/0",
        ),
        (
            actions(select({"text": plain("x" * 76), "value": "a"})),
            "less than 76",
            "/blocks/0/elements/0/options/0/text/text",
        ),
        (
            actions(select({"text": plain(), "value": "x" * 151})),
            "less than 151",
            "/blocks/0/elements/0/options/0/value",
        ),
        (
            actions(select({**OPTION, "text": markdown()})),
            "unsupported type: mrkdwn",
            "/blocks/0/elements/0/options/0/text/type",
        ),
        (actions(boxes(*[OPTION] * 11)), "more than 10", "/blocks/0/elements/0/options"),
        (
            actions(button(confirm={**CONFIRM, "deny": plain("x" * 31)})),
            "less than 31",
            "/blocks/0/elements/0/confirm/deny/text",
        ),
        (
            actions(button(confirm={**CONFIRM, "title": plain("x" * 101)})),
            "less than 101",
            "/blocks/0/elements/0/confirm/title/text",
        ),
        (
            actions({"type": "plain_text_input"}),
            "unsupported type: plain_text_input",
            "/blocks/0/elements/0/type",
        ),
        (
            {"type": "input", "label": plain(), "element": {"type": "plain_text_input"}},
            "unsupported type: input",
            "/blocks/0/type",
        ),
        (actions(button(), button()), "'go' already exists", "/blocks/0/elements/1/action_id"),
    ],
)
def test_what_slack_refuses_is_named_with_its_place(block: Json, problem: str, at: str) -> None:
    [error] = block_errors([block])
    assert problem in error
    assert error.endswith(f"[json-pointer:{at}]")


def test_a_message_has_fifty_blocks_at_most() -> None:
    divider: JsonObject = {"type": "divider"}
    assert block_errors([divider] * 50) == []
    assert block_errors([divider] * 51) == [
        "[ERROR] no more than 50 items allowed [json-pointer:/blocks]"
    ]


def test_a_block_id_is_used_once() -> None:
    twice: Json = [{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}]
    assert block_errors(twice) == [
        "[ERROR] block_id 'a' already exists [json-pointer:/blocks/1/block_id]"
    ]


def test_blocks_are_a_list() -> None:
    assert block_errors({"type": "divider"}) == ["[ERROR] must be an array [json-pointer:/blocks]"]
