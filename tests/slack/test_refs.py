"""The words for where messages stand, which the ledger keeps: they are read as they were written."""

import pytest

from bot.slack.looking import Posted
from bot.slack.refs import place_ref, question_ref, read_either, read_place, read_questions

AT = Posted("C1", "1.5")


@pytest.mark.parametrize(
    ("root", "ref"), [("", "thread C1 1.5"), ("1.2", "thread C1 1.5 1.2")], ids=["alone", "inside"]
)
def test_a_place_is_read_as_it_was_written(root: str, ref: str) -> None:
    assert place_ref(AT, root) == ref
    assert read_place(ref) == (AT, root)


@pytest.mark.parametrize("ref", [None, "", "private"])
def test_a_place_without_a_parent_has_none(ref: str | None) -> None:
    assert read_place(ref) is None


@pytest.mark.parametrize(
    ("asked", "ref"), [([AT], "C1 1.5"), ([AT, Posted("D2", "1.6")], "C1 1.5 D2 1.6")]
)
def test_questions_are_read_as_they_were_written(asked: list[Posted], ref: str) -> None:
    assert question_ref(*asked) == ref
    assert read_questions(ref) == asked


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        (place_ref(AT), (AT, "")),
        (place_ref(AT, "1.2"), (AT, "1.2")),
        (question_ref(AT), (AT, "")),
        ("private", None),
        (question_ref(AT, AT), None),
        (None, None),
    ],
)
def test_both_are_told_apart(ref: str | None, found: tuple[Posted, str] | None) -> None:
    assert read_either(ref) == found
