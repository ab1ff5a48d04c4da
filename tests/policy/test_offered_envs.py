"""The envs that the form offers: all that a person may share, and none that they surely may not."""

from dataclasses import replace
from itertools import product

import pytest

from bot.policy.decide import decide, may_share_env, named_envs
from bot.policy.kinds import Deny, Effect, Owner, Person, Policy, Rule, Standing, Unreadable
from tests import asking
from tests.asking import at

A, B = "wx5fe6bb43205e9e70", "wx0123456789abcdef"
WHO = Person("T1", "U1")


def rule(name: str, effect: Effect = Effect.ALLOW, **more: object) -> Rule:
    return Rule(name, effect, **more)  # type: ignore[arg-type]  # as the table says


@pytest.mark.parametrize(
    ("rules", "may"),
    [
        ([], False),
        ([rule("all")], True),
        ([rule("other env", envs=("test-*",))], False),
        ([rule("other person", users=frozenset({"U2"}))], False),
        ([rule("asks", Effect.APPROVE)], True),
        ([rule("elsewhere", channels=frozenset({"C9"}))], True),
        ([rule("no", Effect.DENY), rule("all")], False),
        ([rule("all"), rule("no", Effect.DENY)], True),
        ([rule("no", Effect.DENY, channels=frozenset({"C1"})), rule("all")], True),
        ([rule("no", Effect.DENY, appids=(A,)), rule("all")], True),
        ([rule("no", Effect.DENY, appids=(A,)), rule("one", appids=(A,))], False),
        (
            [
                rule("no", Effect.DENY, channels=frozenset({"C1", "C2"})),
                rule("there", channels=frozenset({"C1"})),
            ],
            False,
        ),
        ([rule("in doubt", groups=frozenset({"S1"}))], False),
        ([rule("in doubt", groups=frozenset({"S1"})), rule("all")], True),
        ([rule("in doubt", Effect.DENY, groups=frozenset({"S1"})), rule("all")], False),
        ([rule("in doubt", confirm=True, groups=frozenset({"S1"})), rule("all")], False),
    ],
)
def test_an_env_is_offered_if_a_rule_may_allow_it(rules: list[Rule], may: bool) -> None:
    person = replace(WHO, unreadable={"S1": Unreadable.SLACK_DOWN})
    assert may_share_env(Policy(tuple(rules)), at(person), "prod-1") is may


@pytest.mark.parametrize(
    ("standing", "may"),
    [
        (Standing.MEMBER, True),
        (Standing.GUEST, False),
        (Standing.OUTSIDER, False),
        (Standing.BOT, False),
        (Standing.DEACTIVATED, False),
    ],
)
def test_people_who_may_not_share_are_offered_no_env(standing: Standing, may: bool) -> None:
    assert may_share_env(Policy((rule("all"),)), at(replace(WHO, standing=standing)), "e") is may


FEW_RULES = [
    rule("r", effect, channels=frozenset(channels), appids=appids, groups=frozenset(groups))
    for effect in (Effect.ALLOW, Effect.APPROVE, Effect.DENY)
    for channels in ((), ("C1",), ("C1", "C2"))
    for appids in (("*",), (A,))
    for groups in ((), ("S1",))
]


@pytest.mark.parametrize("person", [WHO, replace(WHO, unreadable={"S1": Unreadable.SLACK_DOWN})])
def test_every_env_that_a_person_may_share_is_offered(person: Person) -> None:
    asks = [
        asking.ask(person, channel, appid, "prod-1")
        for channel in ("C1", "C2", "C3")
        for appid in (A, B)
    ]
    for rules in product(FEW_RULES, repeat=2):
        policy = Policy(rules)
        if not all(isinstance(decide(policy, ask), Deny) for ask in asks):
            assert may_share_env(policy, at(person), "prod-1"), rules


def test_the_envs_that_a_policy_names_are_those_without_globs() -> None:
    policy = Policy(
        (
            rule("one", envs=("prod-1", "test-*", "a?b", "[a]")),
            rule("no", Effect.DENY, envs=("secret",)),
        ),
        (Owner(A, ("prod-2", "prod-1", "*")),),
    )
    assert named_envs(policy) == ("prod-1", "prod-2")
