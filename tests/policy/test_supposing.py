from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.policy import Allow, Ask, DeniedByRule, Deny, Effect, Miss, Policy, Rule, decide
from bot.policy.supposing import Supposed, supposing
from tests.policy.test_decide import (
    ANN_MAY,
    ASKS,
    BOB_MAY,
    HERE,
    HERE_ONLY,
    OPS,
    OPS_ANN,
    OPS_MAY,
    OPS_MAY_NOT,
    POLICIES,
    QA,
    TESTS_ONLY,
    THERE,
    ask,
    users,
)

WHO, CHANNEL = Miss.WHO, Miss.CHANNEL
OPS_HERE = Rule("ops here", Effect.ALLOW, groups=users(OPS, QA), channels=users(HERE, THERE))


@pytest.mark.parametrize(
    ("rules", "asked", "unknown", "expected"),
    [
        pytest.param(
            (OPS_MAY,), ask(), (WHO,), [Supposed(OPS, None, Allow(OPS_MAY))], id="a group"
        ),
        pytest.param((OPS_MAY,), ask(), (), [], id="a group, but all groups are known"),
        pytest.param((OPS_MAY,), ask(OPS_ANN), (WHO,), [], id="a group that holds them"),
        pytest.param((BOB_MAY,), ask(), (WHO,), [], id="nobody becomes somebody else"),
        pytest.param(
            (HERE_ONLY,),
            ask(channel=""),
            (CHANNEL,),
            [Supposed(None, HERE, Allow(HERE_ONLY))],
            id="a channel",
        ),
        pytest.param((HERE_ONLY,), ask(channel=""), (WHO,), [], id="a channel that is known"),
        pytest.param(
            (OPS_HERE,),
            ask(channel=""),
            (WHO, CHANNEL),
            [
                Supposed(group, channel, Allow(OPS_HERE))
                for group in (OPS, QA)
                for channel in (HERE, THERE)
            ],
            id="a group and a channel, each with each",
        ),
        pytest.param((OPS_HERE,), ask(channel=""), (WHO,), [], id="one of the two is known"),
        pytest.param(
            (OPS_MAY_NOT, ANN_MAY),
            ask(),
            (WHO,),
            [Supposed(OPS, None, Deny(DeniedByRule(OPS_MAY_NOT)))],
            id="a denial that would come first",
        ),
        pytest.param((ANN_MAY, OPS_MAY_NOT), ask(), (WHO,), [], id="a denial that comes too late"),
        pytest.param((replace(TESTS_ONLY, groups=users(OPS)),), ask(), (WHO,), [], id="other envs"),
    ],
)
def test_what_is_not_known_of_who_asks_is_supposed(
    rules: tuple[Rule, ...], asked: Ask, unknown: tuple[Miss, ...], expected: list[Supposed]
) -> None:
    assert list(supposing(Policy(rules), asked, unknown)) == expected


@given(POLICIES, ASKS, st.sets(st.sampled_from((WHO, CHANNEL))))
def test_what_is_supposed_is_what_would_be_decided_and_differs(
    policy: Policy, asked: Ask, unknown: set[Miss]
) -> None:
    for other in supposing(policy, asked, unknown):
        groups = asked.person.groups | ({other.group} if other.group else set())
        person = replace(asked.person, groups=groups)
        then = replace(asked, person=person, channel=other.channel or asked.channel)
        assert other.decision == decide(policy, then) != decide(policy, asked)
        assert other.group is None or WHO in unknown
        assert other.channel is None or CHANNEL in unknown
