import pytest

from bot.policy import Effect, Policy, Rule
from bot.policy.reach import shadowed

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
        (Rule("a", Effect.DENY), rule("b", guests=True)),
        (Rule("a", Effect.DENY, envs=("PROD-*",)), rule("b", envs=("prod-1", "Prod-x-*"))),
        (Rule("a", Effect.DENY, envs=("PROD-[!2]",)), Rule("b", Effect.DENY, envs=("prod-1",))),
        (rule("a", envs=("*-1",)), Rule("b", Effect.APPROVE, ME, envs=("prod-1",))),
    ],
)
def test_a_rule_that_another_always_precedes_never_decides(earlier: Rule, later: Rule) -> None:
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
        (rule("a"), rule("b", guests=True)),
        (rule("a"), Rule("b", Effect.DENY, ME)),
        (rule("a", envs=("prod-*",)), Rule("b", Effect.APPROVE, ME, envs=("prod-*",))),
        (rule("a", envs=("PROD-*",)), rule("b", envs=("prod-1",))),
    ],
)
def test_a_rule_that_decides_for_somebody_or_something_more_is_reached(
    earlier: Rule, later: Rule
) -> None:
    assert hidden(earlier, later) == []
