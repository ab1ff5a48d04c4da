import pytest

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.block_kit import block_errors


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


WORDS: Json = [{"type": "text", "text": "x"}]
RAW: JsonObject = {"type": "raw_text", "text": "x"}
RICH: JsonObject = {
    "type": "rich_text",
    "elements": [
        {
            "type": "rich_text_section",
            "elements": [
                {"type": "user", "user_id": "U1"},
                {"type": "link", "url": "https://a.example", "text": "x"},
            ],
        }
    ],
}


def many(row: Json, count: int) -> list[Json]:
    return [row] * count


def table(*rows: Json, **more: Json) -> JsonObject:
    return {"type": "data_table", "caption": "x", "rows": [*rows], **more}


@pytest.mark.parametrize(
    "block",
    [
        section(text=markdown("x" * 3000), block_id="b" * 255, expand=True),
        section(text=plain()),
        {"type": "context", "elements": [markdown(), plain()]},
        actions(*[button(action_id=f"go{n}", value="x" * 2000) for n in range(25)]),
        actions(button(style="primary", accessibility_label="x" * 75)),
        {"type": "rich_text", "elements": [{"type": "rich_text_preformatted", "elements": WORDS}]},
        table(*many([RAW] * 20, 201), page_size=100, row_header_column_index=0),
        table([RAW, RAW], [RICH, RAW]),
    ],
)
def test_blocks_that_slack_accepts_have_no_errors(block: JsonObject) -> None:
    assert block_errors([block]) == []


@pytest.mark.parametrize(
    ("block", "problem", "at"),
    [
        ({"type": "marquee"}, "unsupported type: marquee", "/blocks/0/type"),
        ({}, "unsupported type: None", "/blocks/0/type"),
        ("section", "unsupported type: None", "/blocks/0/type"),
        (section(text=plain(), x=1), "invalid additional property: x", "/blocks/0"),
        (section(), "missing required field: text", "/blocks/0"),
        (section(text=markdown("x" * 3001)), "less than 3001", "/blocks/0/text/text"),
        (section(text=markdown("")), "more than 0", "/blocks/0/text/text"),
        (section(text={"type": "mrkdwn"}), "missing required field: text", "/blocks/0/text"),
        (section(text={**plain(), "verbatim": True}), "property: verbatim", "/blocks/0/text"),
        (section(text={**markdown(), "emoji": True}), "property: emoji", "/blocks/0/text"),
        (section(text=markdown(), expand="yes"), "a boolean", "/blocks/0/expand"),
        (section(text={**plain(), "text": 1}), "a string", "/blocks/0/text/text"),
        (section(text=plain(), fields=[plain()]), "property: fields", "/blocks/0"),
        (section(text=plain(), block_id="b" * 256), "less than 256", "/blocks/0/block_id"),
        ({"type": "context", "elements": []}, "less than 1 items", "/blocks/0/elements"),
        ({"type": "context", "elements": [plain()] * 11}, "more than 10", "/blocks/0/elements"),
        ({"type": "context", "elements": plain()}, "an array", "/blocks/0/elements"),
        (actions(button(value="x" * 2001)), "less than 2001", "/blocks/0/elements/0/value"),
        (actions(button(text=plain("x" * 76))), "less than 76", "/blocks/0/elements/0/text/text"),
        (actions(button(style="loud")), "valid enum value", "/blocks/0/elements/0/style"),
        (
            actions(*[button(action_id=f"go{n}") for n in range(26)]),
            "more than 25 items",
            "/blocks/0/elements",
        ),
        (actions(), "less than 1 items", "/blocks/0/elements"),
        (actions(button(action_id="x" * 256)), "less than 256", "/blocks/0/elements/0/action_id"),
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
        (table([RAW]), "less than 2 items", "/blocks/0/rows"),
        (table(*many([RAW], 202)), "more than 201", "/blocks/0/rows"),
        (table([RAW], [RAW] * 21), "more than 20", "/blocks/0/rows/1"),
        (table([RAW], [RAW, RAW]), "as many cells", "/blocks/0/rows/1"),
        (table([RICH], [RAW]), "must be of type raw_text", "/blocks/0/rows/0"),
        (table([RAW], [markdown()]), "unsupported type: mrkdwn", "/blocks/0/rows/1/0/type"),
        (table([RAW], [RAW], page_size=101), "between 1 and 100", "/blocks/0/page_size"),
        (actions(button(), button()), "'go' already exists", "/blocks/0/elements/1/action_id"),
    ],
)
def test_blocks_that_slack_refuses_have_an_error_with_its_place(
    block: Json, problem: str, at: str
) -> None:
    [error] = block_errors([block])
    assert problem in error.what
    assert error.at == at


def test_a_message_may_have_fifty_blocks() -> None:
    assert block_errors([section(text=plain())] * 50) == []
    assert block_errors([section(text=plain())] * 51) == [
        ("no more than 50 items allowed", "/blocks")
    ]


def test_a_repeated_block_id_is_an_error() -> None:
    twice: Json = [section(text=plain(), block_id="a")] * 2
    assert block_errors(twice) == [("block_id 'a' already exists", "/blocks/1/block_id")]


def test_blocks_are_a_list() -> None:
    assert block_errors(section()) == [("must be an array", "/blocks")]
