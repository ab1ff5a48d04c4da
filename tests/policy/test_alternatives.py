from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy.conditions import OPTIONS
from bot.policy.decide import Alternative, alternatives, decide
from bot.policy.kinds import Allow, Ask, DeniedByRule, Deny, Effect, Policy, Rule
from tests.policy.test_decide import (
    ANN_MAY,
    ASKS,
    BOB_MAY,
    HERE,
    HERE_ONLY,
    JUST_ANN,
    OPS,
    OPS_ANN,
    OPS_MAY,
    OPS_MAY_NOT,
    PLAN,
    POLICIES,
    QA,
    TESTS_ONLY,
    THERE,
    ask,
    users,
)

OPS_HERE = Rule("ops here", Effect.ALLOW, groups=users(OPS, QA), channels=users(HERE, THERE))
IN_OPS, FROM_HERE = {"group": OPS}, {"channel": HERE}
IN_X = replace(JUST_ANN, groups=users("S0X"))
UNREAD_X = replace(JUST_ANN, unreadable={"S0X": PLAN})


@pytest.mark.parametrize(
    ("rules", "asked", "expected"),
    [
        pytest.param((OPS_MAY,), ask(), [Alternative(IN_OPS, Allow(OPS_MAY))], id="a group"),
        pytest.param((OPS_MAY,), ask(IN_X), [], id="a group, but the groups are known"),
        pytest.param((OPS_MAY,), ask(UNREAD_X), [], id="a group, but it is unreadable"),
        pytest.param((OPS_MAY,), ask(OPS_ANN), [], id="a group that holds them"),
        pytest.param((BOB_MAY,), ask(), [], id="a rule for another person"),
        pytest.param(
            (HERE_ONLY,),
            ask(channel=""),
            [Alternative(FROM_HERE, Allow(HERE_ONLY))],
            id="a channel",
        ),
        pytest.param((HERE_ONLY,), ask(channel=THERE), [], id="a channel that is known"),
        pytest.param(
            (OPS_HERE,),
            ask(channel=""),
            [
                Alternative({"group": group, "channel": channel}, Allow(OPS_HERE))
                for group in (OPS, QA)
                for channel in (HERE, THERE)
            ],
            id="every pair of group and channel",
        ),
        pytest.param(
            (OPS_HERE,), ask(channel="C0X"), [], id="the channel is known, and not the rule's"
        ),
        pytest.param(
            (OPS_MAY_NOT, ANN_MAY),
            ask(),
            [Alternative(IN_OPS, Deny(DeniedByRule(OPS_MAY_NOT)))],
            id="a denial before the permission",
        ),
        pytest.param((ANN_MAY, OPS_MAY_NOT), ask(), [], id="a denial behind the permission"),
        pytest.param((replace(TESTS_ONLY, groups=users(OPS)),), ask(), [], id="other envs"),
    ],
)
def test_alternatives_assume_the_groups_and_channel_that_are_not_known(
    rules: tuple[Rule, ...], asked: Ask, expected: list[Alternative]
) -> None:
    assert list(alternatives(Policy(rules), asked)) == expected


@given(POLICIES, ASKS, st.sets(st.sampled_from(("group", "channel"))))
def test_each_alternative_has_the_decision_of_its_assumption_which_differs_from_the_present_one(
    policy: Policy, drawn: Ask, unknown: set[str]
) -> None:
    person = replace(drawn.person, groups=frozenset(), unreadable={})
    asked = replace(
        drawn,
        person=person if "group" in unknown else replace(person, groups=users("S0X")),
        channel="" if "channel" in unknown else drawn.channel,
    )
    for other in alternatives(policy, asked):
        then = asked
        for option in OPTIONS:
            if option.name in other.values:
                then = option.with_value(then, other.values[option.name])
        assert other.decision == decide(policy, then) != decide(policy, asked)
        assert set(other.values) <= unknown
