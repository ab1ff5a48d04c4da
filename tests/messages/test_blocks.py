import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.messages.blocks import (
    SECTION_LIMIT,
    TEXT_LIMIT,
    Message,
    Part,
    message,
    read_value,
    small,
    value_of,
)
from bot.messages.words import as_typed, bullets, code, escape, shortened, steps

HOSTILE = st.text(st.sampled_from("<>&;!@#|`*_~ \n\tahtp:/amp") | st.characters(), max_size=80)
UNESCAPED = re.compile(r"[<>]|&(?!amp;|lt;|gt;)")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("", ""),
        ("<!channel>", "&lt;!channel&gt;"),
        ("<@U1> <#C1> <http://a|b>", "&lt;@U1&gt; &lt;#C1&gt; &lt;http://a|b&gt;"),
        ("a & b", "a &amp; b"),
        ("&lt;", "&amp;lt;"),
        (" a\n\n b\tc ", "a b c"),
        ("*bold* `code`", "*bold* `code`"),
    ],
)
def test_other_peoples_text_is_escaped_and_on_one_line(text: str, shown: str) -> None:
    assert escape(text) == shown


@given(st.text())
def test_what_slack_escaped_can_be_shown_as_it_was_typed(text: str) -> None:
    sent = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert as_typed(sent) == text


@given(HOSTILE)
def test_other_peoples_text_is_never_interpreted_by_slack(text: str) -> None:
    assert not UNESCAPED.search(escape(text))
    assert not UNESCAPED.search(code(text))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("prod-1", "`prod-1`"),
        ("", "` `"),
        (" \n", "` `"),
        ("a`b", "`aˋb`"),
        ("```", "`ˋˋˋ`"),
        ("<env>", "`&lt;env&gt;`"),
        ("x" * 64, f"`{'x' * 64}`"),
        ("x" * 65, f"`{'x' * 63}…`"),
    ],
)
def test_inline_code_ends_with_its_text(text: str, shown: str) -> None:
    assert code(text) == shown


@given(HOSTILE, st.integers(1, 100))
def test_inline_code_contains_no_backtick_and_is_limited_in_length(text: str, most: int) -> None:
    shown = code(text, most)
    assert shown.count("`") == 2
    assert (shown[0], shown[-1]) == ("`", "`")
    assert len(shown) <= 2 + max(1, most) * len("&amp;")
    assert "\n" not in shown


@pytest.mark.parametrize(
    ("text", "most", "short"), [("abc", 3, "abc"), ("abcd", 3, "ab…"), ("", 1, ""), ("ab", 1, "…")]
)
def test_plain_text_is_shortened_with_an_ellipsis(text: str, most: int, short: str) -> None:
    assert shortened(text, most) == short


def test_lines_are_numbered_or_get_bullets() -> None:
    assert steps(["a", "b"]) == "1. a\n2. b"
    assert bullets(["a", "b"]) == "• a\n• b"
    assert steps([]) == bullets([]) == ""


def test_a_message_leaves_out_empty_parts() -> None:
    assert message("a", None, "", small(""), small("b")) == Message(
        (Part("a"), Part("b", small=True))
    )


def test_each_part_is_a_block_and_a_line_of_the_text() -> None:
    whole = message("*a*", small("b"))
    assert whole.text == "*a*\nb"
    assert whole.blocks == [
        {
            "type": "section",
            "text": {"type": "mrkdwn", "text": "*a*", "verbatim": True},
            "expand": True,
        },
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "b", "verbatim": True}]},
    ]


def test_messages_can_be_added() -> None:
    assert message("a") + message("b", "c") == message("a", "b", "c")


@pytest.mark.parametrize(
    ("tail", "kept"),
    [
        ("x" * 20, "x" * 9),
        ("&amp;&amp;&amp;", "&amp;"),
        ("12345678&lt;", "12345678"),
        ("1234&lt;56", "1234&lt;5"),
        ("<@U0A> <@U0B>", "<@U0A> "),
        ("1234567<!subteam^S0A>", "1234567"),
        ("1 2 3 4 5 6 7", "1 2 3 4 5"),
    ],
)
def test_a_cut_text_never_ends_within_an_entity_or_a_mention(tail: str, kept: str) -> None:
    filler = "a b " * 1000
    for limit in (SECTION_LIMIT, TEXT_LIMIT):
        part = filler[: limit - 10] + tail
        cut = message(part).text if limit == TEXT_LIMIT else _section(part)
        assert cut in {filler[: limit - 10] + kept + "…", part}
        assert len(cut) <= limit


def _section(text: str) -> str:
    block = Part(text).block()["text"]
    assert isinstance(block, dict)
    return str(block["text"])


@given(HOSTILE.map(escape), st.integers(2980, 3000))
def test_a_cut_text_is_still_escaped(text: str, at: int) -> None:
    whole = "x" * at + text * 20
    assert len(_section(whole)) <= SECTION_LIMIT
    assert not UNESCAPED.search(_section(whole))


@pytest.mark.parametrize("length", [2999, 3000])
def test_a_text_that_just_fits_is_unchanged(length: int) -> None:
    assert _section("x" * length) == "x" * length


@pytest.mark.parametrize("reason", [None, "launch", "for the launch, again"])
def test_a_button_carries_its_request_and_the_whole_reason(reason: str | None) -> None:
    assert read_value(value_of("k7m2p9qx", reason)) == ("k7m2p9qx", reason)
