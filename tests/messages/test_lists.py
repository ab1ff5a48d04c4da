import pytest

from bot.messages.words import Words, listed, sentences, some
from tests.languages import CHINESE, ENGLISH


@pytest.mark.parametrize(
    ("items", "most", "english", "chinese"),
    [
        ([], 5, "", ""),
        (["a"], 5, "a", "a"),
        (["a", "b"], 5, "a and b", "a、b"),
        (["a", "b", "c"], 5, "a, b and c", "a、b、c"),
        (["a", "b", "c"], 3, "a, b and c", "a、b、c"),
        (["a", "b", "c"], 2, "a, b and 1 more", "a、b、另外 1 项"),
        (["a", "b", "c", "d"], 1, "a and 3 more", "a、另外 3 项"),
        (["{a}", "{count}"], 5, "{a} and {count}", "{a}、{count}"),
    ],
)
def test_items_are_joined_as_in_a_sentence(
    items: list[str], most: int, english: str, chinese: str
) -> None:
    assert listed(ENGLISH, items, most) == english
    assert listed(CHINESE, items, most) == chinese


@pytest.mark.parametrize(
    ("words", "said", "whole"),
    [
        (ENGLISH, (), ""),
        (ENGLISH, (None, ""), ""),
        (ENGLISH, ("A.",), "A."),
        (ENGLISH, ("A.", None, "B.", "C."), "A. B. C."),
        (CHINESE, ("甲。", None, "乙。"), "甲。乙。"),
        (CHINESE, ("*甲。*", "乙。", "丙。"), "*甲。* 乙。丙。"),
    ],
)
def test_sentences_are_joined_with_the_languages_spacing(
    words: Words, said: tuple[str | None, ...], whole: str
) -> None:
    assert sentences(words, *said) == whole


@pytest.mark.parametrize(
    ("room", "most", "lines"),
    [
        (9, None, "• aaa\n• bbb\n• ccc"),
        (8, None, "• aaa\n• bbb\n• and 1 more"),
        (9, 1, "• aaa\n• and 2 more"),
        (2, None, "• and 3 more"),
    ],
)
def test_as_many_lines_are_shown_as_fit(room: int, most: int | None, lines: str) -> None:
    assert some(ENGLISH, ["aaa", "bbb", "ccc"], room, most) == lines
