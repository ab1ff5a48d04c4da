import re
from dataclasses import fields, replace
from fnmatch import fnmatchcase
from itertools import product
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.cli import main
from bot.command.grammar import is_appid, is_env
from bot.messages.rules import right
from bot.messages.rulings import why
from bot.ops.policy_command import explanation
from bot.policy.conditions import (
    CONDITIONS,
    WHAT,
    WHO,
    Condition,
    can_match_appid,
    can_match_env,
    fits_any,
    fits_any_case,
)
from bot.policy.conditions import (
    ENVS as ABOUT_ENV,
)
from bot.policy.decide import decide, deciding_rule
from bot.policy.hours import read_hours
from bot.policy.kinds import ANYONE, Ask, Deny, Effect, NoRule, Person, Policy, Rule, Standing
from bot.policy.lint import shadowed
from bot.policy.shapes import ApproversEntry, Question, RuleEntry
from tests import asking
from tests.languages import ENGLISH
from tests.policy.test_decide import DRAWN, A, ask
from tests.policy.test_fuzz import LIKELY

PAGE = (Path(__file__).parents[2] / "bot/policy/README.md").read_text(encoding="utf-8")
ANN = Person("T1", "U1", groups=frozenset({"S1"}))
ASKED = asking.ask(ANN, "C1", "wx5fe6bb43205e9e70", "prod-1")
NO_CONDITION = {"name", "effect", "confirm", "approvers", "self_approval"} | {
    "require_reason",
    "reason_pattern",
    "reason_url",
    "break_glass",
}

WIDE = Rule("wide", Effect.ALLOW, users=frozenset({ANYONE}), guests=True)
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
    "workspaces": (replace(WIDE, workspaces=frozenset({"T1"})), replace(ASKED, workspace="T2")),
    "channels": (replace(WIDE, channels=frozenset({"C1"})), replace(ASKED, channel="")),
    "hours": (
        replace(WIDE, hours=read_hours("Mon 09:00-18:00 UTC")),
        replace(ASKED, at=ASKED.at + 86_400),
    ),
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
def test_a_condition_is_met_or_missed_and_the_operator_is_told_which(
    condition: Condition[Ask], key: str
) -> None:
    narrow, missing = NARROW[key]
    assert condition.met(narrow, ASKED)
    assert condition.met(WIDE, missing)
    assert condition.met(narrow, missing) is False
    fits, misses = ([*explanation(Policy((narrow,)), asked)][-1] for asked in (ASKED, missing))
    assert fits == "  1. “wide”: it matches, and allows it"
    assert misses.startswith("  1. “wide”: it ")
    assert misses != fits


@of_each
def test_a_member_is_told_which_of_their_own_conditions_a_rule_for_this_env_and_appid_misses(
    condition: Condition[Ask], key: str
) -> None:
    narrow, missing = NARROW[key]
    told = why(ENGLISH, Deny(NoRule(())), missing, Policy((narrow,))).text
    is_theirs = condition not in WHAT and missing.person.standing is Standing.MEMBER
    assert ("• “wide”: " in told) is is_theirs
    assert "it fits" not in told


@of_each
def test_a_condition_is_grouped_by_what_it_depends_on(condition: Condition[Ask], key: str) -> None:
    _, missing = NARROW[key]
    same_person = replace(missing, person=ASKED.person)
    assert (condition in WHO) is (same_person == ASKED)
    assert (condition in WHO or condition is ABOUT_ENV) is (
        replace(same_person, env=ASKED.env) == ASKED
    )
    about_what = (missing.appid, missing.env) != (ASKED.appid, ASKED.env)
    assert (condition in WHAT) is about_what


@of_each
def test_a_wider_rule_covers_a_narrower_one_and_not_the_reverse(
    condition: Condition[Ask], key: str
) -> None:
    narrow, _ = NARROW[key]
    assert condition.covers(WIDE, narrow)
    assert condition.covers(narrow, narrow)
    assert not condition.covers(narrow, WIDE)


@of_each
def test_the_description_of_a_right_has_every_condition_except_who_it_is_for(
    condition: Condition[Ask], key: str
) -> None:
    narrow, _ = NARROW[key]
    described = right(ENGLISH, replace(narrow, name=WIDE.name)) != right(ENGLISH, WIDE)
    assert described is (condition not in WHO)


@pytest.mark.usefixtures("logging_as_before")
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
    return Rule(name, Effect.ALLOW, users=users, **facts)  # type: ignore[arg-type]  # as the table says


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
        (rule("a", envs=("*-1",)), Rule("b", Effect.APPROVE, users=ME, envs=("prod-1",))),
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
        (rule("a", envs=("PROD-1",)), Rule("b", Effect.APPROVE, users=ME, envs=("PROD-1",))),
        (rule("a"), rule("b", guests=True)),
        (rule("a"), Rule("b", Effect.DENY, users=ME)),
        (rule("a", envs=("prod-*",)), Rule("b", Effect.APPROVE, users=ME, envs=("prod-*",))),
        (rule("a", envs=("PROD-*",)), rule("b", envs=("prod-1",))),
    ],
)
def test_a_rule_that_no_earlier_one_covers_is_reached(earlier: Rule, later: Rule) -> None:
    assert hidden(earlier, later) == []


@pytest.mark.parametrize(
    ("glob", "possible"),
    [
        ("*", True),
        ("wx*", True),
        ("WX*", False),
        (A, True),
        (A.upper(), False),
        (A[:-1], False),
        (f"{A}0", False),
        (f"{A}*", True),
        (f"{A}?", False),
        (f"{A[:-1]}[!0-9a-fwx]", False),
        (f"{A[:-1]}[a-z]", True),
        ("?" * 18, True),
        ("?" * 17, False),
        ("?" * 40, False),
        ("*g*", False),
        ("*x*x*", True),
        ("5fe6*", False),
        ("w5fe6*", False),
        ("x*", False),
        ("w?5fe6*", True),
        ("?x5fe6*", True),
        ("**" * 400, True),
        ("*a" * 400, False),
        ("g" * 1001, False),
        ("[w]x*", True),
        ("[!w]x*", True),
        ("[]w]x*", True),
        ("[!]x*", False),
        ("wx[*", False),
        ("wx*\n", False),
        ("", False),
    ],
)
def test_a_glob_of_appids_is_possible_if_its_beginning_letters_and_length_are(
    glob: str, possible: bool
) -> None:
    assert can_match_appid(glob) is possible


@pytest.mark.parametrize(
    ("glob", "possible"),
    [
        ("*", True),
        ("prod-*", True),
        ("*-", True),
        ("-*", True),
        ("?-?", True),
        ("prod-1", True),
        ("prod_1", False),
        ("env", False),
        (A, False),
        ("PROD-*", True),
        ("* *", False),
        ("生产*", False),
        ("e" * 64 + "*", True),
        ("e" * 65 + "*", False),
        ("?" * 200, False),
        ("*a" * 400, False),
        ("*?" * 64, True),
        ("*?" * 64 + "?", False),
        ("[_.]*", False),
        ("[", False),
    ],
)
def test_a_glob_of_envs_is_possible_if_its_letters_and_length_are(
    glob: str, possible: bool
) -> None:
    assert can_match_env(glob) is possible


LETTERS = st.text("wx0123456789abcdef[]!?*-_", max_size=24)
BEGUN = st.builds(lambda word, end: f"wx{word}{end}", st.text("[]!a*?-0", max_size=8), LETTERS)
APPIDS = st.from_regex(r"wx[0-9a-f]{16}", fullmatch=True)
ENVS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?", fullmatch=True).filter(is_env)


SETS = st.text("abyzABYZ019-!]_", max_size=6).map(lambda inner: f"[{inner}]")


@st.composite
def globs_of(draw: st.DrawFn, words: st.SearchStrategy[str]) -> tuple[str, str]:
    """Return a word, and a glob made of it by putting wildcards in."""
    word = draw(words)
    cut, to = sorted((draw(st.integers(0, len(word))), draw(st.integers(0, len(word)))))
    fixed = st.sampled_from(("*", "**", "?" * (to - cut), f"[{word[cut:to]}]", "[!_]"))
    wild = draw(fixed | SETS | SETS.map(lambda inner: f"*{inner}*"))
    return word, f"{word[:cut]}{wild}{word[to:]}"


@given(globs_of(APPIDS) | st.tuples(APPIDS, LETTERS | BEGUN), globs_of(ENVS))
@example((A, "[!]*"), ("a", "[]a]"))
def test_a_glob_with_a_match_is_never_called_impossible(
    of_appid: tuple[str, str], of_env: tuple[str, str]
) -> None:
    appid, glob = of_appid
    assert can_match_appid(glob) or not fnmatchcase(appid, glob)
    env, other = of_env
    assert can_match_env(other) or not fnmatchcase(env, other)


@given(globs_of(APPIDS), st.lists(APPIDS | LETTERS), APPIDS)
def test_an_appid_fits_a_list_exactly_if_it_fits_one_of_it(
    drawn: tuple[str, str], others: list[str], another: str
) -> None:
    appid, glob = drawn
    for globs in ([*others, glob], [*others, appid], others):
        for each in (appid, another, *filter(is_appid, others)):
            assert fits_any(globs)(each) is any(fnmatchcase(each, glob) for glob in globs)


@given(globs_of(ENVS))
@example(("b-1", "[!A-Z]-1"))
@example(("a", "[_][a]"))
def test_globs_that_ignore_case_match_exactly_if_some_case_matches(
    drawn: tuple[str, str],
) -> None:
    env, glob = drawn[0][:6], drawn[1]
    cases = map("".join, product(*({letter.lower(), letter.upper()} for letter in env)))
    assert fits_any_case(env, glob) is any(fnmatchcase(case, glob) for case in cases)


@given(globs_of(ENVS), st.sampled_from((Effect.APPROVE, Effect.DENY)))
def test_no_spelling_of_an_env_evades_a_denying_rule(
    drawn: tuple[str, str], effect: Effect
) -> None:
    env, glob = drawn
    held = Policy((Rule("held", effect, envs=(glob,)), rule("all", frozenset("*"))))
    for case in (env, env.swapcase(), env.upper(), env.lower()):
        decided = deciding_rule(decide(held, ask(env=case)))
        assert decided
        assert decided.name == "held" or not fnmatchcase(env, glob)


@given(st.text(max_size=300))
def test_any_text_can_be_judged_as_a_glob(glob: str) -> None:
    assert not is_appid(glob) or can_match_appid(glob)
    assert not is_env(glob) or can_match_env(glob)
    can_match_appid(glob)
    can_match_env(f"{glob}*")
