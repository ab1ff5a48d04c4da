import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.finding import Finding
from bot.policy.conditions import fits_any_case
from bot.policy.decide import decide, deciding_rule, owner_of
from bot.policy.kinds import (
    ANYONE,
    Approvers,
    Ask,
    Effect,
    Escalation,
    Owner,
    Person,
    Policy,
    Rule,
    Standing,
)
from bot.policy.lint import (
    approval,
    envs_in_vain,
    escalation,
    ownerless,
    owners,
    reach,
    shadowed,
)
from tests import asking
from tests.policy.test_conditions import ENVS, NARROW, globs_of
from tests.policy.test_decide import GROUPS, HERE, IDS, POLICIES, RULES, THERE, users

A, B = "wx5fe6bb43205e9e70", "wx0123456789abcdef"
ME, YOU, US = users("U1"), users("U2"), users("U1", "U2")
ALL = users(ANYONE)
OPS = users("S0OPS")


def rule(name: str = "r", people: frozenset[str] = ME, **facts: object) -> Rule:
    return Rule(name, Effect.ALLOW, users=people, **facts)  # type: ignore[arg-type]  # as the table says


def findings(found: Iterator[Finding]) -> list[tuple[str, bool]]:
    return [(each.found, each.level == "wrong") for each in found]


DENY_LIVE = Rule("deny", Effect.DENY, envs=("live-*",))
WITH_EFFECT = [
    pytest.param((rule(appids=("wx*", "*e70", A)),), id="globs that match appids"),
    pytest.param((rule(envs=("prod-*", "?", "[a-c]*")),), id="globs that match envs"),
    pytest.param((rule(people=ALL),), id="everyone alone"),
    pytest.param((rule(people=frozenset(), groups=OPS),), id="a group alone"),
    pytest.param((rule("a", US), rule("b", ALL)), id="a wider rule behind a narrow one"),
    pytest.param((rule("a", US), Rule("deny", Effect.DENY)), id="a denial for everyone else"),
    pytest.param((DENY_LIVE, rule("all", ALL)), id="a denial before a permission for everyone"),
    pytest.param(
        (rule("all", ALL, envs=("prod-*",)), DENY_LIVE), id="a denial of envs that no rule permits"
    ),
]
NOBODY = ("nobody may share anything: every rule that decides anything denies", False)
WITHOUT_EFFECT = [
    pytest.param(
        (rule("all", ALL), rule("b")),
        ("“b” never decides: “all”, which comes first, always does", False),
        id="a rule behind one that always decides",
    ),
    pytest.param(
        (rule("a", envs=("prod-[12]",)), rule("b", envs=("prod-[12]",))),
        ("“b” never decides: “a”, which comes first, always does", False),
        id="the same set of envs again",
    ),
    pytest.param(
        (rule("all", ALL, guests=True), Rule("deny", Effect.DENY)),
        ("“deny” never decides: “all”, which comes first, always does", False),
        id="a denial behind a permission for everyone",
    ),
    pytest.param((Rule("deny", Effect.DENY),), NOBODY, id="a denial for everyone"),
    pytest.param(
        (rule("all", ALL), DENY_LIVE),
        ("“deny” decides only for guests: “all”, which comes first, decides for all others", False),
        id="a denial behind a permission for everyone but guests",
    ),
    pytest.param(
        (rule("all", ALL, envs=("live-*", "prod-*")), DENY_LIVE),
        (
            (
                "“deny” decides only for guests and envs in another letter case: “all”, which comes "
                "first, decides for all others"
            ),
            False,
        ),
        id="a denial behind a permission of the same envs",
    ),
    pytest.param(
        (
            rule("all", ALL, envs=("live-*",)),
            Rule("ask", Effect.APPROVE, users=ALL, envs=("live-1",)),
        ),
        (
            (
                "“ask” decides only for envs in another letter case: “all”, which comes first, decides "
                "for all others"
            ),
            False,
        ),
        id="an approval behind a permission of the same env",
    ),
]


@pytest.mark.parametrize("rules", WITH_EFFECT)
def test_rules_that_can_decide_have_no_findings(rules: tuple[Rule, ...]) -> None:
    assert findings(reach(Policy(rules))) == []


@pytest.mark.parametrize(("rules", "found"), WITHOUT_EFFECT)
def test_a_rule_or_an_entry_without_effect_is_named(
    rules: tuple[Rule, ...], found: tuple[str, bool]
) -> None:
    assert findings(reach(Policy(rules))) == [found]


def test_where_nobody_may_share_that_alone_is_named() -> None:
    policy = Policy((Rule("deny", Effect.DENY), rule("lost")))
    assert findings(reach(policy)) == [NOBODY]


ALONE = (
    "nobody can approve what “r” asks for: its only approver is the only one who may ask",
    True,
)


@pytest.mark.parametrize(
    ("approvers", "requesters", "found"),
    [
        pytest.param(ME, ME, [ALONE], id="the only approver is the requester"),
        pytest.param(US, ME, [], id="one of two approvers is the requester"),
        pytest.param(YOU, ME, [], id="somebody else approves"),
        pytest.param(ME, US, [], id="there is another requester"),
        pytest.param(US, US, [], id="each of two can approve the other's"),
        pytest.param(ME, None, [], id="everyone is a requester"),
        pytest.param(None, ME, [], id="everyone is an approver"),
        pytest.param(frozenset(), frozenset(), [], id="nobody is either"),
    ],
)
def test_a_rule_that_nobody_can_approve_is_named(
    approvers: frozenset[str] | None,
    requesters: frozenset[str] | None,
    found: list[tuple[str, bool]],
) -> None:
    asked = Rule("r", Effect.APPROVE)
    assert findings(approval(asked, approvers, requesters)) == found
    own = replace(asked, self_approval=True)
    assert findings(approval(own, approvers, requesters)) == []


def test_an_escalation_to_those_who_are_asked_already_is_named() -> None:
    asked = Approvers(YOU, frozenset({"S1"}), "C1")
    later = Escalation(timedelta(hours=1), YOU, frozenset(), "C1")
    found = [("“r” escalates only to those who are asked from the beginning", False)]
    for escalate, expected in (
        (None, []),
        (later, found),
        (replace(later, channel="C2"), []),
        (replace(later, users=ME), []),
    ):
        ruled = Rule("r", Effect.APPROVE, approvers=replace(asked, escalate=escalate))
        assert findings(escalation(ruled)) == expected


@pytest.mark.parametrize(
    ("owned", "found"),
    [
        pytest.param((Owner(A, ("prod-*",)), Owner(B, ("*",))), [], id="the wider one behind"),
        pytest.param(
            (Owner(A, ("*",)), Owner(B, ("prod-*", "live"))),
            [
                (f"owner 2 ({B}) never owns “prod-*”: owner 1, which comes first, does", False),
                (f"owner 2 ({B}) never owns “live”: owner 1, which comes first, does", False),
            ],
            id="the wider one first",
        ),
        pytest.param(
            (Owner(A, ("prod-*", "test-*")), Owner(B, ("prod-1",))),
            [(f"owner 2 ({B}) never owns “prod-1”: owner 1, which comes first, does", False)],
            id="one of two wider ones first",
        ),
        pytest.param(
            (Owner(A, ("prod-*",)), Owner(A, ("prod-1",))), [], id="the same owner, to name an env"
        ),
    ],
)
def test_owners_without_effect_are_named(
    owned: tuple[Owner, ...], found: list[tuple[str, bool]]
) -> None:
    assert findings(owners(Policy((rule(),), owned))) == found


def test_envs_that_no_owner_has_are_named_once() -> None:
    twice = (rule(envs=("prod-1", "lost-1", "lost-*")), rule("s", envs=("lost-*", "lost-1")))
    policy = Policy(twice, (Owner(A, ("prod-*",)),))
    assert ownerless(policy) == ["lost-1", "lost-*"]
    assert ownerless(replace(policy, default_owner=B)) == []


@pytest.mark.parametrize(
    ("effect", "glob", "owned", "is_lost"),
    [
        pytest.param(Effect.ALLOW, "prod-*", "prod-*", False, id="the same glob"),
        pytest.param(Effect.ALLOW, "prod-*", "*", False, id="a wider one"),
        pytest.param(Effect.ALLOW, "*", "prod-*", False, id="a narrower one"),
        pytest.param(Effect.ALLOW, "p[a-z]*", "prod-1", False, id="one env of it"),
        pytest.param(Effect.ALLOW, "*-eu", "prod-?", False, id="one that may overlap"),
        pytest.param(Effect.ALLOW, "live-*", "prod-*", True, id="another"),
        pytest.param(Effect.ALLOW, "live-?", "lives", True, id="another env"),
        pytest.param(Effect.ALLOW, "*-live", "*-prod", True, id="another end"),
        pytest.param(Effect.ALLOW, "*-live", "prod-[!a]", False, id="an end that may be another's"),
        pytest.param(Effect.APPROVE, "*-Prod", "[a-c]-prod", False, id="capitals at the end"),
        pytest.param(Effect.ALLOW, "Prod-*", "prod-*", True, id="capitals"),
        pytest.param(Effect.APPROVE, "Prod-*", "prod-*", False, id="where capitals do not matter"),
        pytest.param(Effect.APPROVE, "live-*", "prod-*", True, id="another, with approval"),
        pytest.param(Effect.DENY, "live-*", "prod-*", False, id="a denial"),
    ],
)
def test_a_pattern_is_named_if_no_owner_has_an_env_that_begins_and_ends_like_it(
    effect: Effect, glob: str, owned: str, is_lost: bool
) -> None:
    policy = Policy((Rule("r", effect, users=ME, envs=(glob,)),), (Owner(A, (owned,)),))
    assert ownerless(policy) == [glob] * is_lost


@given(globs_of(ENVS), globs_of(ENVS), st.sampled_from((Effect.ALLOW, Effect.APPROVE)))
@example(("a-1", "a-*"), ("A-2", "A-*"), Effect.APPROVE)
def test_a_pattern_that_is_named_matches_no_env_of_an_owner(
    of_rule: tuple[str, str], of_owner: tuple[str, str], effect: Effect
) -> None:
    asked = Rule("r", effect, users=ME, envs=(of_rule[1],))
    policy = Policy((asked,), (Owner(A, (of_owner[1],)),))
    fits = fnmatchcase if effect is Effect.ALLOW else fits_any_case
    fitting = [env for env in (of_rule[0], of_owner[0]) if fits(env, of_rule[1])]
    if ownerless(policy):
        assert {owner_of(policy, env) for env in fitting} <= {None}


OWNERS = st.lists(
    st.builds(
        Owner,
        st.sampled_from((A, B)),
        st.sampled_from((("prod-*",), ("*",), ("prod-1", "a_b"), ("test-?", "prod-1"))),
    ),
    max_size=3,
).map(tuple)


@given(POLICIES, OWNERS, st.sampled_from((None, A)))
def test_findings_about_any_policy_are_sentences(
    policy: Policy, owned: tuple[Owner, ...], default: str | None
) -> None:
    whole = replace(policy, owners=owned, default_owner=default)
    for found in [*reach(whole), *owners(whole)]:
        assert found.found
        assert not found.found.endswith(".")
        assert re.fullmatch(r"[A-Z].*\.", found.fix or "")
    assert {owner_of(whole, env) for env in ownerless(whole)} <= {None}
    named = {env for rule in whole.rules for env in rule.envs} | {e for o in owned for e in o.envs}
    assert set(ownerless(whole)) <= named


FIELDS = ("effect", *NARROW)


@given(RULES, RULES, st.sets(st.sampled_from(FIELDS), min_size=4))
def test_a_rule_that_is_reported_as_unreachable_never_decides(
    earlier: Rule, later: Rule, alike: set[str]
) -> None:
    same = {field: getattr(earlier, field) for field in alike}
    policy = Policy((earlier, replace(later, name="later", **same)))
    if list(shadowed(policy)):
        assert "later" not in {deciding.name for deciding in map(deciding_in(policy), ASKED)}


def deciding_in(policy: Policy) -> Callable[[Ask], Rule]:
    return lambda asked: deciding_rule(decide(policy, asked)) or policy.rules[0]


ASKED = [
    asking.ask(Person("T1", user, standing, groups=users(*groups)), channel, appid, env)
    for user in IDS
    for standing in (Standing.MEMBER, Standing.GUEST)
    for groups in ((), (GROUPS[0],), GROUPS)
    for channel in (HERE, THERE)
    for appid in (A, B)
    for env in ("prod-1", "prod-2", "test-1", "PROD-1", "tesT-1")
]


@pytest.mark.parametrize(
    ("rules", "owned", "held", "found"),
    [
        pytest.param((rule(envs=("prod-1", "prod-*")),), (), {A: ["prod-1"]}, [], id="all there"),
        pytest.param(
            (rule(envs=("prod-9",)),),
            (),
            {A: ["prod-1", "test-1"]},
            [f"no env in service of its owner: prod-9; {A} has prod-1, test-1"],
            id="an env that its owner lacks",
        ),
        pytest.param(
            (rule(envs=("life-*", "prod-*")),),
            (),
            {A: ["prod-1"]},
            [f"fits no env in service: life-*; {A} has prod-1"],
            id="a rule's pattern that fits none",
        ),
        pytest.param(
            (rule(),),
            (Owner(B, ("live-*",)),),
            {B: [], A: ["live-1"]},
            [f"fits no env in service: live-*, *; {B} has none; {A} has live-1"],
            id="an owner's pattern that fits none of its own",
        ),
        pytest.param(
            (rule(envs=("prod-9", "life-*")),), (), {}, [], id="an owner nobody could ask"
        ),
        pytest.param(
            (rule(envs=("life-*",)),),
            (Owner(B, ("live-*",)),),
            {A: ["prod-1"]},
            [],
            id="a pattern that may be for an owner nobody could ask",
        ),
        pytest.param(
            (rule(), Rule("d", Effect.DENY, envs=("old-1", "old-*"))),
            (),
            {A: ["a"]},
            [],
            id="denied",
        ),
    ],
)
def test_envs_that_their_owners_do_not_have_are_named(
    rules: tuple[Rule, ...],
    owned: tuple[Owner, ...],
    held: dict[str, list[str]],
    found: list[str],
) -> None:
    policy = Policy(rules, owned, default_owner=A)
    assert [each.found for each in envs_in_vain(policy, held)] == found
