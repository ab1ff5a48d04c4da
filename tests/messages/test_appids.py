"""The appids of a batch in messages: all, in order, within Slack's limits."""

import re
from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.command.grammar import MOST_APPIDS
from bot.domain.outcome import Expired
from bot.domain.request import Act, Request
from bot.messages.approvals import confirmation, decided, question
from bot.messages.blocks import TEXT_LIMIT
from bot.messages.modals import decision
from bot.messages.notices import Note, noted
from bot.messages.request import all_appids, appids, replies
from bot.messages.words import Words
from bot.playground.loopback import Json
from bot.playground.slack.block_kit import block_errors, too_long
from tests.languages import ENGLISH, in_each_language
from tests.messages.samples import HOSTILE, NOW, OWNER, blocks, mrkdwn, request, unescaped

SIZES = st.integers(2, MOST_APPIDS)
LONGEST = "w" * 300


def batch(many: int) -> Request:
    whom = tuple(f"wx{number * 7919 % 16**9:016x}" for number in range(many))
    return replace(request(LONGEST), env="e" * 64, appid="", appids=whom)


def found(text: str) -> tuple[str, ...]:
    """Return the appids that are listed in a text, other than the env's owner."""
    every = re.findall(r"^`?(wx[0-9a-f]{16})`?$", text.replace(" ", "\n"), re.MULTILINE)
    return tuple(appid for appid in every if appid != OWNER)


def in_blocks(shown: Json) -> tuple[str, ...]:
    return found("\n".join(str(each["text"]) for each in mrkdwn(shown)))


@in_each_language
@given(many=SIZES)
def test_a_question_lists_each_appid_once_and_in_order(words: Words, many: int) -> None:
    asked = batch(many)
    asking = question(words, asked, [], NOW, "")
    assert in_blocks([blocks(each) for each in (asking, *replies(words, asked))]) == asked.appids
    assert in_blocks(blocks(confirmation(words, asked, NOW))) == asked.appids
    for act in (Act.APPROVE, Act.REJECT):
        view = cast("Json", decision(words, asked, act, ""))
        assert in_blocks(view) == asked.appids


@in_each_language
@given(many=SIZES)
def test_messages_with_any_number_of_appids_are_valid_for_slack(words: Words, many: int) -> None:
    asked = batch(many)
    for said in (
        confirmation(words, asked, NOW),
        question(words, asked, [], NOW, ""),
        *(noted(words, reply, Note.REPLACING) for reply in replies(words, asked)),
    ):
        assert block_errors(blocks(said)) == []
        assert not too_long(blocks(said))
        assert len(said.text) <= TEXT_LIMIT


@in_each_language
@given(many=SIZES)
def test_the_texts_of_the_replies_have_all_appids(words: Words, many: int) -> None:
    asked = batch(many)
    texts = "\n".join(noted(words, reply, Note.REPLACING).text for reply in replies(words, asked))
    assert found(texts) == (asked.appids if many > 10 else ())


def test_a_confirmation_that_is_cut_off_begins_with_what_to_do() -> None:
    text = confirmation(ENGLISH, batch(500), NOW).text
    assert text.index("You can confirm until") < text.index("*1–100 of 500*")
    assert text.endswith("…")


def test_a_question_lists_few_appids_and_says_where_many_are_listed() -> None:
    few, many = batch(10), batch(11)
    assert appids(few, "elsewhere") == " ".join(f"`{appid}`" for appid in few.appids)
    assert appids(many, "elsewhere") == "elsewhere"
    assert appids(request(), "elsewhere") == ""
    assert replies(ENGLISH, few) == replies(ENGLISH, request()) == []
    for said in (
        question(ENGLISH, many, [], NOW, ""),
        decided(ENGLISH, many, Expired("approval"), NOW),
    ):
        assert "All of them are listed in the thread below." in said.text


@pytest.mark.parametrize(
    ("many", "titles"),
    [
        (11, ["*1–11 of 11*"]),
        (100, ["*1–100 of 100*"]),
        (101, ["*1–100 of 101*", "*101 of 101*"]),
        (202, ["*1–100 of 202*", "*101–200 of 202*", "*201–202 of 202*"]),
    ],
)
def test_each_part_says_which_appids_of_how_many_it_lists(many: int, titles: list[str]) -> None:
    parts = all_appids(ENGLISH, batch(many))
    assert [part.text.split("\n")[0] for part in parts] == titles
    assert all(part.block()["expand"] is True for part in parts)


@given(HOSTILE)
def test_hostile_texts_in_a_list_are_escaped_and_fit(text: str) -> None:
    (reply,) = replies(ENGLISH, replace(request(), appid="", appids=(text,) * 20))
    assert unescaped(reply.text) == []
    assert reply.text.count("`") <= 6
    assert block_errors(blocks(reply)) == []
