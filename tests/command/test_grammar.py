from typing import get_args

import pytest

from bot.command.grammar import (
    OPTIONS,
    SUBCOMMANDS,
    Alone,
    Query,
    Subcommand,
    WithName,
    WithPair,
)
from bot.command.mistake import Misread, UnknownOption
from bot.command.parse import parse
from bot.messages.mistakes import misread
from bot.messages.people import help_
from bot.policy.kinds import Effect, Person, Rule
from tests.languages import ENGLISH

FOLLOWING = {Alone: [""], WithName: ["", "prod-1"], WithPair: ["wx5fe6bb43205e9e70 prod-1"]}
EVERYONE = Rule("everyone", Effect.ALLOW)


def test_every_query_has_a_subcommand_in_the_table() -> None:
    assert {row.takes.becomes for row in SUBCOMMANDS} == set(get_args(Query))
    assert len({row.word for row in SUBCOMMANDS}) == len(SUBCOMMANDS)


@pytest.mark.parametrize("row", SUBCOMMANDS, ids=lambda row: row.word)
def test_each_subcommand_is_parsed_as_the_table_says(row: Subcommand) -> None:
    read = [parse(f"{row.word} {more}") for more in FOLLOWING[type(row.takes)]]
    assert {type(each) for each in read} == {row.takes.becomes}
    assert {each.word for each in read if isinstance(each, Query)} == {row.word}


@pytest.mark.parametrize("row", SUBCOMMANDS, ids=lambda row: row.word)
def test_the_help_lists_every_subcommand_for_everybody(row: Subcommand) -> None:
    text = help_(ENGLISH, Person("T1", "U1"), ()).text
    assert f"`/share-env {row.word}" in text
    assert row.hint.split()[0] == row.word


def test_all_options_are_in_the_help_for_people_who_may_share_and_in_the_answer_to_an_unknown_option() -> (
    None
):
    text = help_(ENGLISH, Person("T1", "U1"), (EVERYONE,)).text
    wrong = misread(ENGLISH, Misread(UnknownOption("--x", None), "--x", None)).text
    assert [option for option in OPTIONS if f"`{option}" not in text] == []
    assert [option for option in OPTIONS if f"`{option}`" not in wrong] == []
