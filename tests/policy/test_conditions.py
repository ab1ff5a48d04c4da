import re
from dataclasses import fields, replace
from pathlib import Path

import pytest

from bot.cli import main
from bot.messages.rules import fit, right
from bot.policy.conditions import CONDITIONS, About, Condition
from bot.policy.decide import explain
from bot.policy.kinds import ANYONE, Ask, Effect, Person, Policy, Rule, Standing
from bot.policy.lint import shadowed
from bot.policy.shapes import ApproversEntry, Question, RuleEntry
from tests.languages import ENGLISH
from tests.policy.test_decide import DRAWN
from tests.policy.test_fuzz import LIKELY

PAGE = (Path(__file__).parents[2] / "bot/policy/README.md").read_text(encoding="utf-8")
ANN = Person("T1", "U1", groups=frozenset({"S1"}))
ASKED = Ask(ANN, "C1", "wx5fe6bb43205e9e70", "prod-1")
NO_CONDITION = {"name", "effect", "confirm", "approvers", "self_approval"}

WIDE = Rule("wide", Effect.ALLOW, frozenset({ANYONE}), guests=True)
"""A rule for everybody, everywhere and everything."""

NARROW: dict[str, tuple[Rule, Ask]] = {
    "users": (replace(WIDE, users=frozenset({"U1"})), replace(ASKED, person=Person("T1", "U2"))),
    "groups": (
        replace(WIDE, users=frozenset(), groups=frozenset({"S1"})),
        replace(ASKED, person=Person("T1", "U1")),
    ),
    "guests": (
        replace(WIDE, guests=False),
        replace(ASKED, person=Person("T1", "U1", Standing.GUEST)),
    ),
    "channels": (replace(WIDE, channels=frozenset({"C1"})), replace(ASKED, channel="")),
    "appids": (replace(WIDE, appids=("wx5*",)), replace(ASKED, appid="wx0123456789abcdef")),
    "envs": (replace(WIDE, envs=("prod-*",)), replace(ASKED, env="test-1")),
}
"""For each key: a rule that is narrower by it alone, and a question that misses it."""

BY_KEY = [
    (each, key) for each in CONDITIONS for key, missed in NARROW.items() if not each.met(*missed)
]
of_each = pytest.mark.parametrize(("condition", "key"), BY_KEY, ids=[key for _, key in BY_KEY])


def test_each_key_of_a_rule_is_a_condition_or_listed_as_none() -> None:
    keys = [key for _, key in BY_KEY]
    assert sorted(keys) == sorted(RuleEntry.model_fields.keys() - NO_CONDITION)
    assert {each.miss for each, _ in BY_KEY} == {each.miss for each in CONDITIONS}
    assert {field.name for field in fields(Rule)} == RuleEntry.model_fields.keys()


def test_each_key_of_a_rule_is_generated_in_the_properties_and_shown_in_the_readme() -> None:
    keys = RuleEntry.model_fields.keys()
    assert DRAWN.keys() == keys
    assert LIKELY.keys() | {"effect"} == keys
    (sample,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    shown = set(re.findall(r"(\w+) =", sample))
    assert (
        sorted((keys | ApproversEntry.model_fields.keys() | Question.model_fields.keys()) - shown)
        == []
    )


@of_each
def test_a_condition_is_met_or_missed_and_explain_says_which(
    condition: Condition, key: str
) -> None:
    narrow, missing = NARROW[key]
    assert condition.met(narrow, ASKED)
    assert condition.met(WIDE, missing)
    assert condition.met(narrow, missing) is False
    verdicts = [explain(Policy((narrow,)), asked)[0] for asked in (ASKED, missing)]
    fits, misses = (fit(ENGLISH, verdict) for verdict in verdicts)
    assert fits == "it fits, and allows it"
    assert misses.startswith("it ")
    assert misses != fits


@of_each
def test_a_wider_rule_covers_a_narrower_one_and_not_the_reverse(
    condition: Condition, key: str
) -> None:
    narrow, _ = NARROW[key]
    assert condition.covers(WIDE, narrow)
    assert condition.covers(narrow, narrow)
    assert not condition.covers(narrow, WIDE)


@of_each
def test_the_description_of_a_right_has_every_condition_except_who_it_is_for(
    condition: Condition, key: str
) -> None:
    narrow, _ = NARROW[key]
    described = right(ENGLISH, replace(narrow, name=WIDE.name)) != right(ENGLISH, WIDE)
    assert described is (condition.about is not About.WHO)


def test_each_part_of_a_question_has_an_option_on_the_command_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["policy", "--help"])
    options = set(re.findall(r"--(\w+)", capsys.readouterr().out))
    assert {field.removesuffix("s") for field in Question.model_fields} <= options


ME, US = frozenset({"U1"}), frozenset({"U1", "U2"})


def hidden(*rules: Rule) -> list[tuple[str, str]]:
    return [(rule.name, wider.name) for rule, wider in shadowed(Policy(rules))]


def rule(name: str, users: frozenset[str] = ME, **facts: object) -> Rule:
    return Rule(name, Effect.ALLOW, users, **facts)  # type: ignore[arg-type]  # as the table says


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (rule("a"), rule("b")),
        (rule("a", US), rule("b", ME)),
        (rule("a", frozenset("*")), rule("b", groups=frozenset({"S1"}))),
        (rule("a"), rule("b", channels=frozenset({"C1"}))),
        (rule("a", envs=("prod-*",)), rule("b", envs=("prod-1", "prod-x-*", "prod-?"))),
        (rule("a", envs=("*-?x",)), rule("b", envs=("prod-1x",))),
        (rule("a", appids=("wx*",)), rule("b", appids=("wx1*",))),
        (rule("a", appids=("wx1*", "wx2*")), rule("b", appids=("wx1a*",))),
        (rule("a", envs=("prod-*", "test-*")), rule("b", envs=("prod-1",))),
        (Rule("a", Effect.DENY), rule("b", guests=True)),
        (Rule("a", Effect.DENY, envs=("PROD-*",)), rule("b", envs=("prod-1", "Prod-x-*"))),
        (Rule("a", Effect.DENY, envs=("PROD-[!2]",)), Rule("b", Effect.DENY, envs=("prod-1",))),
        (rule("a", envs=("*-1",)), Rule("b", Effect.APPROVE, ME, envs=("prod-1",))),
    ],
)
def test_a_rule_that_an_earlier_one_covers_never_decides(earlier: Rule, later: Rule) -> None:
    assert hidden(earlier, later) == [("b", "a")]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (rule("a", ME), rule("b", US)),
        (rule("a", ME), rule("b", frozenset("*"))),
        (rule("a"), rule("b", frozenset(), groups=frozenset({"S1"}))),
        (rule("a", channels=frozenset({"C1"})), rule("b")),
        (rule("a", channels=frozenset({"C1"})), rule("b", channels=frozenset({"C1", "C2"}))),
        (rule("a", envs=("prod-1",)), rule("b", envs=("prod-*",))),
        (rule("a", envs=("prod-?",)), rule("b", envs=("prod-*",))),
        (rule("a", envs=("*b*",)), rule("b", envs=("x[ab]y",))),
        (rule("a", envs=("prod-*",)), rule("b", envs=("prod-*", "test-*"))),
        (rule("a", appids=("wx1*",)), rule("b", appids=("wx1*", "wx2*"))),
        (rule("a", guests=True), Rule("b", Effect.DENY)),
        (rule("a", envs=("PROD-1",)), Rule("b", Effect.APPROVE, ME, envs=("PROD-1",))),
        (rule("a"), rule("b", guests=True)),
        (rule("a"), Rule("b", Effect.DENY, ME)),
        (rule("a", envs=("prod-*",)), Rule("b", Effect.APPROVE, ME, envs=("prod-*",))),
        (rule("a", envs=("PROD-*",)), rule("b", envs=("prod-1",))),
    ],
)
def test_a_rule_that_no_earlier_one_covers_is_reached(earlier: Rule, later: Rule) -> None:
    assert hidden(earlier, later) == []
