"""A sentence of the bot's becomes a finding, whose fix is what stands behind its first full stop."""

import pytest

from bot.domain.finding import Problem, wrong_by
from bot.domain.sentence import Sentence


@pytest.mark.parametrize(
    "sentence",
    [
        "PORT is 3.5. Set it to 3000. Start again.",
        Problem(Sentence("PORT is {value}", value="3.5"), "Set it to 3000. Start again."),
    ],
)
def test_a_sentence_is_split_into_what_was_found_and_the_fix(sentence: str) -> None:
    made = wrong_by("settings", sentence)
    assert (made.level, made.found) == ("wrong", "PORT is 3.5")
    assert made.fix == "Set it to 3000. Start again."


def test_a_sentence_without_a_fix_is_what_was_found() -> None:
    assert wrong_by("settings", "PORT is 3.5.").fix is None
