"""JSON by orjson, and by the standard library where orjson refuses."""

import json
import math
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.runtime.fast_json import decode, encode, object_in

_INTEGERS = st.integers(-(2**63), 2**64 - 1)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_LEAVES = st.none() | st.booleans() | _INTEGERS | _FLOATS | st.text()
_ANY_TEXT = st.text(st.characters())  # with lone surrogates
_VALUES = st.recursive(
    _LEAVES | _ANY_TEXT,
    lambda each: st.lists(each) | st.dictionaries(_ANY_TEXT, each),
    max_leaves=10,
)


@given(_VALUES)
def test_any_json_value_survives_both_ways(value: object) -> None:
    assert decode(encode(value)) == value


@given(_VALUES)
def test_both_ways_agree_with_the_standard_library(value: object) -> None:
    assert json.loads(encode(value)) == value
    assert decode(json.dumps(value)) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ([math.nan, math.inf, -math.inf], b"[null,null,null]"),
        ({"a": [2**64, 1]}, b'{"a":[18446744073709551616,1]}'),
        ({"a": ["\ud800", 1]}, rb'{"a":["\ud800",1]}'),
    ],
)
def test_what_orjson_refuses_or_json_lacks_has_one_form(value: object, text: bytes) -> None:
    assert encode(value) == text


@dataclass
class Secretive:
    """A value that must not become JSON by accident."""

    token: str


@pytest.mark.parametrize("value", [Secretive("made-up-token"), datetime.now(UTC), b"x", {1, 2}])
def test_nothing_becomes_json_that_is_none(value: object) -> None:
    with pytest.raises(TypeError):
        encode({"value": value})


_OTHER_ENCODINGS = ['{"ok": true}'.encode(each) for each in ("utf-16", "utf-32", "utf-8-sig")]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[1,]", "nul", '{"a" 1}', b"\xff", b'"\xff"', b'"\xed\xa0\x80"', *_OTHER_ENCODINGS],
)
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # each decoder has words of its own
        decode(text)


def test_json_nested_too_deeply_is_a_recursion_error() -> None:
    with pytest.raises(RecursionError):
        decode("[" * 100_000)


@pytest.mark.parametrize("text", [b"{", b"[]", b"7", b"null", b"\xff", "[" * 100_000])
def test_what_holds_no_object_is_none(text: str | bytes) -> None:
    assert object_in(text) is None


def test_an_object_is_read_from_a_text_and_from_bytes() -> None:
    assert object_in('{"a": 1}') == object_in(b'{"a": 1}') == {"a": 1}
