import pytest

from bot.command.grammar import OPTIONS, SUBCOMMANDS, Query, Subcommand, Verb
from bot.command.mistake import Misread, Mistake, Wrong
from bot.command.parse import parse
from bot.messages.mistakes import misread
from bot.messages.people import help_
from bot.policy.kinds import Effect, Person, Rule
from tests.languages import ENGLISH

FOLLOWING = ([""], ["", "prod-1"], ["wx5fe6bb43205e9e70 prod-1"])
EVERYONE = Rule("everyone", Effect.ALLOW)


def test_every_query_has_a_subcommand_in_the_table() -> None:
    assert sorted(row.verb for row in SUBCOMMANDS) == sorted(Verb)


@pytest.mark.parametrize("row", SUBCOMMANDS, ids=lambda row: row.verb)
def test_each_subcommand_is_parsed_as_the_table_says(row: Subcommand) -> None:
    for more in FOLLOWING[row.takes]:
        assert parse(f"{row.verb} {more}") == Query(row.verb, tuple(more.split()))


@pytest.mark.parametrize("row", SUBCOMMANDS, ids=lambda row: row.verb)
def test_the_help_lists_every_subcommand_for_everybody(row: Subcommand) -> None:
    text = help_(ENGLISH, Person("T1", "U1"), ()).text
    assert f"`/share-env {row.verb}" in text
    assert row.hint.split()[0] == row.verb


def test_all_options_are_in_the_help_for_people_who_may_share_and_in_the_answer_to_an_unknown_option() -> (
    None
):
    text = help_(ENGLISH, Person("T1", "U1"), (EVERYONE,)).text
    wrong = misread(ENGLISH, Misread(Mistake(Wrong.UNKNOWN_OPTION, ("--x",)), "--x", None)).text
    assert [option for option in OPTIONS if f"`{option}" not in text] == []
    assert [option for option in OPTIONS if f"`{option}`" not in wrong] == []
