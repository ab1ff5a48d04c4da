from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.domain.outcome import Party
from bot.policy.decide import (
    approver_users,
    covering,
    decide,
    decide_all,
    deciding_rule,
    explain,
    is_operator,
    may_approve,
    may_share_somewhere,
    nearest,
    owner_of,
    rights,
    whatever_reason,
)
from bot.policy.hours import read_hours
from bot.policy.kinds import (
    ANYONE,
    Allow,
    Approvers,
    Ask,
    Decided,
    Decision,
    DeniedByRule,
    Deny,
    Effect,
    GroupUnreadable,
    Miss,
    NeedsApproval,
    NeedsConfirmation,
    NoRule,
    NotEntitled,
    Operators,
    Owner,
    Person,
    Policy,
    Rule,
    Standing,
    Unreadable,
    Verdict,
)
from tests import asking
from tests.asking import NOW, at

A, B = "wx5fe6bb43205e9e70", "wx0123456789abcdef"
ANN, BOB, OPS, QA = "U0ANN", "U0BOB", "S0OPS", "S0QA"
HERE, THERE = "C0HERE", "C0THERE"
PLAN, DOWN = Unreadable.PAID_PLAN, Unreadable.SLACK_DOWN


def users(*ids: str) -> frozenset[str]:
    return frozenset(ids)


ANN_MAY = Rule("ann may", Effect.ALLOW, users=users(ANN))
ANN_SURELY = Rule("ann, when sure", Effect.ALLOW, users=users(ANN), confirm=True)
ANN_MUST_ASK = Rule("ann must ask", Effect.APPROVE, users=users(ANN))
ANN_MAY_NOT = Rule("ann may not", Effect.DENY, users=users(ANN))
BOB_MAY = Rule("bob may", Effect.ALLOW, users=users(BOB))
OPS_MAY = Rule("ops may", Effect.ALLOW, groups=users(OPS))
OPS_SURELY = Rule("ops, when sure", Effect.ALLOW, groups=users(OPS), confirm=True)
OPS_MUST_ASK = Rule("ops must ask", Effect.APPROVE, groups=users(OPS))
OPS_MAY_NOT = Rule("ops may not", Effect.DENY, groups=users(OPS))
QA_MAY = Rule("qa may", Effect.ALLOW, groups=users(QA))
ANN_OR_OPS = Rule("ann or ops may", Effect.ALLOW, users=users(ANN), groups=users(OPS))
ALL_MAY = Rule("all may", Effect.ALLOW, users=users(ANYONE))
ALL_AND_GUESTS = Rule("all may, guests too", Effect.ALLOW, users=users(ANYONE), guests=True)
NOBODY_MAY = Rule("nobody may", Effect.DENY)
NO_PROD = Rule("no prod", Effect.DENY, envs=("prod-*",))
HERE_ONLY = Rule("only here", Effect.ALLOW, users=users(ANN), channels=users(HERE))
T1_ONLY = Rule("only T1", Effect.ALLOW, users=users(ANN), workspaces=users("T1"))
TESTS_ONLY = Rule("tests only", Effect.ALLOW, users=users(ANN), envs=("test-*", "qa-?"))
B_ONLY = Rule("b only", Effect.ALLOW, users=users(ANN), appids=("wx0123*",))

OPS_ANN = Person("T1", ANN, groups=users(OPS))
OPS_UNREAD = Person("T1", ANN, unreadable={OPS: PLAN})
JUST_ANN = Person("T1", ANN)


def ask(person: Person = JUST_ANN, channel: str = HERE, appid: str = A, env: str = "prod-1") -> Ask:
    return asking.ask(person, channel, appid, env)


def ann(standing: Standing) -> Ask:
    return ask(Person("T1", ANN, standing))


def no_rule(**near: tuple[Rule, Miss]) -> Deny:
    return Deny(NoRule(tuple(Verdict(rule, frozenset({miss})) for rule, miss in near.values())))


def unread(rule: Rule, trouble: Unreadable = PLAN) -> Deny:
    return Deny(GroupUnreadable(rule, trouble))


DECISIONS: dict[str, tuple[tuple[Rule, ...], Ask, Decision]] = {
    "without any rule nobody may": ((), ask(), no_rule()),
    "a rule that names the person applies": ((ANN_MAY,), ask(), Allow(ANN_MAY)),
    "a rule that names somebody else does not apply": (
        (BOB_MAY,),
        ask(),
        no_rule(bob=(BOB_MAY, Miss.WHO)),
    ),
    "of two rules that match, the first decides": ((ANN_MAY, ALL_MAY), ask(), Allow(ANN_MAY)),
    "a rule that does not match is skipped": ((BOB_MAY, ALL_MAY), ask(), Allow(ALL_MAY)),
    "a denial before a permission wins": (
        (NO_PROD, ANN_MAY),
        ask(),
        Deny(DeniedByRule(NO_PROD)),
    ),
    "a denial after a permission has no effect": ((ANN_MAY, NO_PROD), ask(), Allow(ANN_MAY)),
    "a denial of other envs is skipped": (
        (NO_PROD, ANN_MAY),
        ask(env="test-1"),
        Allow(ANN_MAY),
    ),
    "a denial ignores the case of the env": (
        (NO_PROD, ANN_MAY),
        ask(env="PRoD-1"),
        Deny(DeniedByRule(NO_PROD)),
    ),
    "a denial ignores the case of its own globs": (
        (replace(NO_PROD, envs=("LIVE-[a-c]*",)), ANN_MAY),
        ask(env="live-B2"),
        Deny(DeniedByRule(replace(NO_PROD, envs=("LIVE-[a-c]*",)))),
    ),
    "a required approval ignores the case of the env": (
        (replace(ANN_MUST_ASK, envs=("prod-*",)), ANN_MAY),
        ask(env="Prod-1"),
        NeedsApproval(replace(ANN_MUST_ASK, envs=("prod-*",))),
    ),
    "a permission heeds the case of the env": (
        (TESTS_ONLY,),
        ask(env="Test-1"),
        no_rule(),
    ),
    "a denial that names nobody is for everybody": (
        (NOBODY_MAY, ANN_MAY),
        ask(),
        Deny(DeniedByRule(NOBODY_MAY)),
    ),
    "a star among the users means everybody": ((ALL_MAY,), ask(), Allow(ALL_MAY)),
    "a member of a rule's group may": ((OPS_MAY,), ask(OPS_ANN), Allow(OPS_MAY)),
    "somebody outside a rule's group may not": (
        (OPS_MAY,),
        ask(),
        no_rule(ops=(OPS_MAY, Miss.WHO)),
    ),
    "a user of a rule need not be in its group": ((ANN_OR_OPS,), ask(), Allow(ANN_OR_OPS)),
    "a member of a rule's group need not be one of its users": (
        (ANN_OR_OPS,),
        ask(Person("T1", BOB, groups=users(OPS, QA))),
        Allow(ANN_OR_OPS),
    ),
    "a rule for a channel applies there": ((HERE_ONLY,), ask(), Allow(HERE_ONLY)),
    "a rule for a channel applies nowhere else": (
        (HERE_ONLY,),
        ask(channel=THERE),
        no_rule(here=(HERE_ONLY, Miss.CHANNEL)),
    ),
    "a rule for a workspace applies there, in any channel": (
        (T1_ONLY,),
        ask(channel=THERE),
        Allow(T1_ONLY),
    ),
    "a rule for a workspace applies in no other, to the same person": (
        (T1_ONLY,),
        replace(ask(), workspace="T2"),
        Deny(NoRule((Verdict(T1_ONLY, frozenset({Miss.WORKSPACE})),))),
    ),
    "a denial for a workspace leaves the others alone": (
        (replace(NO_PROD, workspaces=users("T2")), ANN_MAY),
        ask(),
        Allow(ANN_MAY),
    ),
    "a rule without channels applies in a direct message too": (
        (ANN_MAY,),
        ask(channel="D0ANN"),
        Allow(ANN_MAY),
    ),
    "an env that fits a glob is covered": ((TESTS_ONLY,), ask(env="test-1"), Allow(TESTS_ONLY)),
    "an env that fits the second glob is covered": (
        (TESTS_ONLY,),
        ask(env="qa-7"),
        Allow(TESTS_ONLY),
    ),
    "a question mark stands for exactly one character": (
        (TESTS_ONLY,),
        ask(env="qa-77"),
        no_rule(),
    ),
    "a glob must fit the whole env": ((TESTS_ONLY,), ask(env="my-test-1"), no_rule()),
    "an appid that fits a glob is covered": ((B_ONLY,), ask(appid=B), Allow(B_ONLY)),
    "an appid that fits no glob is not": ((B_ONLY,), ask(), no_rule()),
    "a rule may require a confirmation": ((ANN_SURELY,), ask(), NeedsConfirmation(ANN_SURELY)),
    "a rule may require an approval": ((ANN_MUST_ASK,), ask(), NeedsApproval(ANN_MUST_ASK)),
    "a rule that does not mention guests does not apply to them": (
        (ALL_MAY,),
        ann(Standing.GUEST),
        no_rule(all=(ALL_MAY, Miss.GUEST)),
    ),
    "a guest may not, even if named": (
        (ANN_MAY,),
        ann(Standing.GUEST),
        no_rule(ann=(ANN_MAY, Miss.GUEST)),
    ),
    "a rule for guests applies to them": (
        (ALL_AND_GUESTS,),
        ann(Standing.GUEST),
        Allow(ALL_AND_GUESTS),
    ),
    "somebody from outside counts as a guest": (
        (ALL_MAY,),
        ann(Standing.OUTSIDER),
        no_rule(all=(ALL_MAY, Miss.GUEST)),
    ),
    "somebody from outside may where guests may": (
        (ALL_AND_GUESTS,),
        ann(Standing.OUTSIDER),
        Allow(ALL_AND_GUESTS),
    ),
    "a denial applies to guests without mentioning them": (
        (NO_PROD, ALL_AND_GUESTS),
        ann(Standing.GUEST),
        Deny(DeniedByRule(NO_PROD)),
    ),
    "a bot may never share": (
        (ALL_AND_GUESTS,),
        ann(Standing.BOT),
        Deny(NotEntitled()),
    ),
    "a deactivated person may never share": (
        (ANN_MAY,),
        ann(Standing.DEACTIVATED),
        Deny(NotEntitled()),
    ),
    "a bot is denied as a bot, whatever the rules say": (
        (NOBODY_MAY,),
        ann(Standing.BOT),
        Deny(NotEntitled()),
    ),
    "a permission for an unreadable group does not apply": (
        (OPS_MAY,),
        ask(OPS_UNREAD),
        unread(OPS_MAY),
    ),
    "an unreadable permission is skipped, and a later permission decides": (
        (OPS_MAY, ANN_MAY),
        ask(OPS_UNREAD),
        Allow(ANN_MAY),
    ),
    "an unreadable permission is skipped, and a later approval decides": (
        (OPS_MAY, ANN_MUST_ASK),
        ask(OPS_UNREAD),
        NeedsApproval(ANN_MUST_ASK),
    ),
    "an unreadable permission is skipped, and a later denial decides": (
        (OPS_MAY, NO_PROD),
        ask(OPS_UNREAD),
        Deny(DeniedByRule(NO_PROD)),
    ),
    "an unreadable denial is not skipped": (
        (OPS_MAY_NOT, ANN_MAY),
        ask(OPS_UNREAD),
        unread(OPS_MAY_NOT),
    ),
    "an unreadable approval is not skipped": (
        (OPS_MUST_ASK, ANN_MAY),
        ask(OPS_UNREAD),
        unread(OPS_MUST_ASK),
    ),
    "an unreadable confirmation is not skipped": (
        (OPS_SURELY, ANN_MAY),
        ask(OPS_UNREAD),
        unread(OPS_SURELY),
    ),
    "a permission before an unreadable denial decides": (
        (ANN_MAY, OPS_MAY_NOT),
        ask(OPS_UNREAD),
        Allow(ANN_MAY),
    ),
    "of two unreadable permissions the first is named": (
        (QA_MAY, OPS_MAY),
        ask(Person("T1", ANN, unreadable={OPS: PLAN, QA: DOWN})),
        unread(QA_MAY, DOWN),
    ),
    "an unreadable group does not matter if the rule misses for another reason too": (
        (replace(OPS_MAY_NOT, envs=("test-*",)), ANN_MAY),
        ask(OPS_UNREAD),
        Allow(ANN_MAY),
    ),
    "an unreadable group does not matter if the rule names the person": (
        (ANN_OR_OPS,),
        ask(OPS_UNREAD),
        Allow(ANN_OR_OPS),
    ),
    "one readable group with the person in it is enough": (
        (replace(OPS_MAY, groups=users(OPS, QA)),),
        ask(Person("T1", ANN, groups=users(QA), unreadable={OPS: PLAN})),
        Allow(replace(OPS_MAY, groups=users(OPS, QA))),
    ),
    "a guest whose group is unreadable may not": (
        (OPS_MAY,),
        ask(replace(OPS_UNREAD, standing=Standing.GUEST)),
        Deny(NoRule((Verdict(OPS_MAY, frozenset({Miss.GUEST, Miss.UNREADABLE}), PLAN),))),
    ),
}


@pytest.mark.parametrize(
    ("decision", "expected"),
    [
        (Allow(ANN_MAY), ANN_MAY),
        (NeedsConfirmation(ANN_SURELY), ANN_SURELY),
        (NeedsApproval(ANN_MUST_ASK), ANN_MUST_ASK),
        (Deny(DeniedByRule(NO_PROD)), NO_PROD),
        (Deny(GroupUnreadable(OPS_MAY, PLAN)), OPS_MAY),
        (Deny(NoRule(())), None),
        (Deny(NotEntitled()), None),
    ],
    ids=["allow", "confirm", "approve", "denied by rule", "unreadable", "no rule", "a bot"],
)
def test_a_decision_names_the_rule_that_decided_if_any(
    decision: Decision, expected: Rule | None
) -> None:
    assert deciding_rule(decision) is expected


@pytest.mark.parametrize(("rules", "asked", "expected"), DECISIONS.values(), ids=list(DECISIONS))
def test_a_question_gets_this_decision(
    rules: tuple[Rule, ...], asked: Ask, expected: Decision
) -> None:
    assert decide(Policy(rules), asked) == expected


@pytest.mark.parametrize("trouble", Unreadable)
def test_a_denial_names_why_the_group_is_unreadable(trouble: Unreadable) -> None:
    person = Person("T1", ANN, unreadable={OPS: trouble})
    assert decide(Policy((OPS_MAY,)), ask(person)) == unread(OPS_MAY, trouble)


def test_explain_judges_every_rule_in_order_with_all_its_misses() -> None:
    rule = replace(BOB_MAY, channels=users(THERE), appids=(B,), envs=("test-*",))
    guest = Person("T1", ANN, Standing.GUEST, unreadable={OPS: PLAN, "S0OTHER": DOWN})
    policy = Policy((rule, OPS_MAY_NOT, ALL_AND_GUESTS))
    assert explain(policy, ask(guest)) == (
        Verdict(rule, frozenset({Miss.WHO, Miss.GUEST, Miss.CHANNEL, Miss.APPID, Miss.ENV})),
        Verdict(OPS_MAY_NOT, frozenset({Miss.UNREADABLE}), PLAN),
        Verdict(ALL_AND_GUESTS, frozenset()),
    )


def test_of_several_unreadable_groups_of_a_rule_the_first_in_alphabetical_order_counts() -> None:
    rule = replace(OPS_MAY, groups=users(OPS, QA, "S0A"))
    person = Person("T1", ANN, unreadable={QA: DOWN, OPS: PLAN})
    assert explain(Policy((rule,)), ask(person))[0].trouble is PLAN


def test_the_nearest_rules_are_the_permissions_for_this_env_and_appid() -> None:
    policy = Policy((NOBODY_MAY, TESTS_ONLY, B_ONLY, BOB_MAY, HERE_ONLY, OPS_MUST_ASK))
    near = nearest(policy, ask(channel=THERE))
    assert covering(policy, ask(channel=THERE)) == (Verdict(NOBODY_MAY, frozenset()), *near)
    assert [verdict.rule for verdict in near] == [BOB_MAY, HERE_ONLY, OPS_MUST_ASK]
    assert [set(verdict.misses) for verdict in near] == [{Miss.WHO}, {Miss.CHANNEL}, {Miss.WHO}]


RIGHTS: dict[str, tuple[Person, list[Rule]]] = {
    "a member has the rules that name them and those for everybody": (
        JUST_ANN,
        [ANN_MUST_ASK, HERE_ONLY, TESTS_ONLY, B_ONLY, ALL_MAY, ALL_AND_GUESTS],
    ),
    "a member of a group has the rules for the group too": (
        OPS_ANN,
        [ANN_MUST_ASK, OPS_MAY, HERE_ONLY, TESTS_ONLY, B_ONLY, ALL_MAY, ALL_AND_GUESTS],
    ),
    "an unreadable group gives no rights": (
        OPS_UNREAD,
        [ANN_MUST_ASK, HERE_ONLY, TESTS_ONLY, B_ONLY, ALL_MAY, ALL_AND_GUESTS],
    ),
    "a guest has the rules for guests": (Person("T1", ANN, Standing.GUEST), [ALL_AND_GUESTS]),
    "somebody from outside has the rules for guests": (
        Person("T1", ANN, Standing.OUTSIDER),
        [ALL_AND_GUESTS],
    ),
    "a bot has nothing": (Person("T1", ANN, Standing.BOT), []),
    "a deactivated person has nothing": (Person("T1", ANN, Standing.DEACTIVATED), []),
}


@pytest.mark.parametrize(("person", "expected"), RIGHTS.values(), ids=list(RIGHTS))
def test_a_person_has_these_rights(person: Person, expected: list[Rule]) -> None:
    may = (ANN_MUST_ASK, BOB_MAY, OPS_MAY, HERE_ONLY, TESTS_ONLY, B_ONLY, ALL_MAY, ALL_AND_GUESTS)
    rules = (ANN_MAY_NOT, *may)
    assert list(rights(Policy(rules), at(person))) == expected


SEEN: dict[str, tuple[tuple[Rule, ...], Person, bool]] = {
    "a person who may share it from one channel only sees it": ((HERE_ONLY,), JUST_ANN, True),
    "a person whom no rule names does not": ((BOB_MAY, OPS_MAY), JUST_ANN, False),
    "a denial in front hides it": ((NO_PROD, ANN_MAY), JUST_ANN, False),
    "a person who may share it from one workspace only sees it from another": (
        (replace(T1_ONLY, workspaces=users("T9")),),
        JUST_ANN,
        True,
    ),
    "a denial for another channel hides nothing": (
        (replace(NO_PROD, channels=users(THERE)), ANN_MAY),
        JUST_ANN,
        True,
    ),
    "a denial except in one channel hides nothing": (
        (HERE_ONLY, NO_PROD, ANN_MAY),
        JUST_ANN,
        True,
    ),
    "an unreadable group shows nothing": ((OPS_MAY,), OPS_UNREAD, False),
    "a denial by an unreadable group hides it": ((OPS_MAY_NOT, ANN_MAY), OPS_UNREAD, False),
    "a bot never sees it": ((ALL_AND_GUESTS,), Person("T1", ANN, Standing.BOT), False),
}


@pytest.mark.parametrize(("rules", "person", "expected"), SEEN.values(), ids=list(SEEN))
def test_a_person_may_see_others_requests_exactly_if_they_may_share_the_same(
    rules: tuple[Rule, ...], person: Person, expected: bool
) -> None:
    assert may_share_somewhere(Policy(rules), at(person), [A], "prod-1") is expected


def test_a_batch_is_seen_by_who_may_share_with_one_of_its_appids() -> None:
    policy = Policy((replace(ANN_MAY, appids=(B,)), BOB_MAY))
    assert may_share_somewhere(policy, at(JUST_ANN), [A, B], "prod-1")
    assert not may_share_somewhere(policy, at(JUST_ANN), [A, A], "prod-1")


def test_of_a_batch_that_nobody_may_see_no_appid_is_looked_at() -> None:
    def unread() -> Iterator[str]:
        pytest.fail("a history has thousands")
        yield A

    assert not may_share_somewhere(Policy((BOB_MAY, OPS_MAY)), at(JUST_ANN), unread(), "prod-1")
    assert not may_share_somewhere(Policy((NO_PROD, ANN_MAY)), at(JUST_ANN), unread(), "prod-1")


OWNERS = (Owner(A, ("prod-*", "live")), Owner(B, ("*-1",)))


@pytest.mark.parametrize(
    ("env", "default", "expected"),
    [
        pytest.param("prod-2", None, A, id="a glob"),
        pytest.param("live", None, A, id="a whole id"),
        pytest.param("test-1", None, B, id="the second owner"),
        pytest.param("prod-1", None, A, id="the first of two that fit"),
        pytest.param("test-2", "wxdefault", "wxdefault", id="no owner fits, so the default"),
        pytest.param("Prod-2", "wxdefault", "wxdefault", id="capitals count"),
        pytest.param("test-2", None, None, id="no owner fits and there is no default"),
    ],
)
def test_the_owner_of_an_env_is_the_first_whose_glob_matches_or_the_default(
    env: str, default: str | None, expected: str | None
) -> None:
    assert owner_of(Policy((), OWNERS, default), env) == expected


def test_a_policy_knows_every_group_that_a_rule_names() -> None:
    assert Policy((ANN_OR_OPS, BOB_MAY, QA_MAY)).groups == users(OPS, QA)
    assert Policy(()).groups == users()


def test_a_policy_knows_the_groups_of_its_approvers_too() -> None:
    asking = replace(OPS_MUST_ASK, approvers=Approvers(users(BOB), users(QA, "S0X"), THERE, HOUR))
    assert Policy((ANN_MAY, asking)).groups == users(OPS, QA, "S0X")


def test_a_policy_knows_the_groups_of_its_operators_too() -> None:
    assert Policy((OPS_MAY,), operators=Operators(users(BOB), users(QA))).groups == users(OPS, QA)


@pytest.mark.parametrize("standing", Standing)
@pytest.mark.parametrize(
    ("operators", "person"),
    [
        (Operators(users(ANN)), JUST_ANN),
        (Operators(groups=users(OPS, QA)), OPS_ANN),
        (Operators(users(BOB), users(OPS)), OPS_ANN),
    ],
)
def test_operators_are_named_or_in_a_group_and_full_members(
    operators: Operators, person: Person, standing: Standing
) -> None:
    policy = Policy((), operators=operators)
    assert is_operator(policy, replace(person, standing=standing)) is (standing is Standing.MEMBER)
    assert not is_operator(Policy((OPS_MAY, ANN_MAY)), person)
    assert not is_operator(policy, Person("T1", "U0EVE", unreadable={OPS: PLAN}))


def test_each_owner_is_listed_once_in_order() -> None:
    first, second = Owner(A, ("*",)), Owner(B, ("prod-*",))
    policy = Policy((), (first, second, replace(first, envs=("live",))), default_owner=B)
    assert policy.all_owners == (A, B)
    assert Policy(()).all_owners == ()


HOUR = timedelta(hours=1)
APPROVERS = Approvers(users(BOB), users(), THERE, HOUR)
BY_BOB = replace(ANN_MUST_ASK, approvers=APPROVERS)
BY_OPS = replace(ANN_MUST_ASK, approvers=Approvers(users(), users(OPS), THERE, HOUR))
BY_ALL = replace(ANN_MUST_ASK, approvers=Approvers(users(ANYONE), users(), THERE, HOUR))
BY_ANN = replace(ANN_MUST_ASK, approvers=Approvers(users(ANN, BOB), users(OPS), THERE, HOUR))
JUST_BOB = Person("T1", BOB)
APPROVED: dict[str, tuple[Rule, Person, bool]] = {
    "a named person may": (BY_BOB, JUST_BOB, True),
    "somebody who is not named may not": (BY_BOB, Person("T1", "U0EVE"), False),
    "a member of a group may not if only persons are named": (
        BY_BOB,
        Person("T1", "U0EVE", groups=users(OPS)),
        False,
    ),
    "a member of a named group may": (BY_OPS, Person("T1", BOB, groups=users(OPS)), True),
    "a member of another group may not": (BY_OPS, Person("T1", BOB, groups=users(QA)), False),
    "nobody may because of an unreadable group": (
        BY_OPS,
        Person("T1", BOB, unreadable={OPS: PLAN}),
        False,
    ),
    "a named person may even if a group is unreadable": (
        BY_BOB,
        Person("T1", BOB, unreadable={OPS: PLAN}),
        True,
    ),
    "with a star, everybody may": (BY_ALL, JUST_BOB, True),
    "with a star, a guest may not": (BY_ALL, Person("T1", BOB, Standing.GUEST), False),
    "a named guest may not": (BY_BOB, Person("T1", BOB, Standing.GUEST), False),
    "a named person from outside may not": (BY_BOB, Person("T1", BOB, Standing.OUTSIDER), False),
    "a named bot may not": (BY_BOB, Person("T1", BOB, Standing.BOT), False),
    "a named but deactivated person may not": (
        BY_BOB,
        Person("T1", BOB, Standing.DEACTIVATED),
        False,
    ),
    "a requester may not approve their own request": (BY_ANN, JUST_ANN, False),
    "a requester may not, even as a member of a named group": (BY_OPS, OPS_ANN, False),
    "a requester may not, even with a star": (BY_ALL, JUST_ANN, False),
    "a named requester may if the rule allows self-approval": (
        replace(BY_ANN, self_approval=True),
        JUST_ANN,
        True,
    ),
    "self-approval does not make a requester an approver": (
        replace(BY_BOB, self_approval=True),
        JUST_ANN,
        False,
    ),
    "without approvers nobody may": (ANN_MUST_ASK, JUST_BOB, False),
    "without approvers nobody may, even with self-approval": (
        replace(ANN_MUST_ASK, self_approval=True),
        JUST_ANN,
        False,
    ),
}


@pytest.mark.parametrize(("rule", "person", "expected"), APPROVED.values(), ids=list(APPROVED))
def test_these_people_may_approve_anns_request(rule: Rule, person: Person, expected: bool) -> None:
    assert may_approve(rule, person, ANN) is expected


def test_a_requester_is_not_named_as_an_approver_unless_the_rule_allows_self_approval() -> None:
    assert approver_users((BY_ANN, BY_OPS), ANN) == users(BOB)
    assert approver_users((replace(BY_ANN, self_approval=True),), ANN) == users(ANN, BOB)


IDS = (ANN, BOB, "U0EVE")
GROUPS = (OPS, QA, "S0X")
BY_DAY = read_hours("09:00-18:00 UTC")
BY_NIGHT = read_hours("20:00-06:00 UTC")
AT_WEEKENDS = read_hours("Sat-Sun 00:00-24:00 UTC")
DRAWN: dict[str, st.SearchStrategy[object]] = {
    "name": st.just("r"),
    "effect": st.sampled_from(Effect),
    "users": st.frozensets(st.sampled_from((*IDS, ANYONE)), max_size=2),
    "groups": st.frozensets(st.sampled_from(GROUPS), max_size=2),
    "workspaces": st.frozensets(st.sampled_from(("T1", "T2")), max_size=1),
    "channels": st.frozensets(st.sampled_from((HERE, THERE)), max_size=1),
    "appids": st.sampled_from(((ANYONE,), (A,), ("wx0*",))),
    "envs": st.sampled_from(((ANYONE,), ("prod-*",), ("test-*", "prod-1"))),
    "confirm": st.booleans(),
    "guests": st.booleans(),
    "approvers": st.sampled_from(
        (Approvers(), APPROVERS, BY_ALL.approvers, BY_ANN.approvers, BY_OPS.approvers)
    ),
    "self_approval": st.booleans(),
    "require_reason": st.booleans(),
    "reason_pattern": st.sampled_from((None, "[A-Z]+-[0-9]+", "4[.]2")),
    "reason_url": st.sampled_from((None, "https://t.example/{reason}")),
    "hours": st.sampled_from((None, BY_DAY, BY_NIGHT, AT_WEEKENDS)),
    "break_glass": st.sampled_from((None, Party(frozenset({ANN}), frozenset({OPS})))),
}
RULES = st.builds(Rule, **DRAWN)
POLICIES = st.lists(RULES, max_size=6).map(lambda rules: Policy(tuple(rules)))
PLAIN_POLICIES = st.lists(
    RULES.map(lambda rule: replace(rule, effect=Effect.ALLOW, confirm=False)), max_size=6
).map(lambda rules: Policy(tuple(rules)))
PEOPLE = st.builds(
    Person,
    st.just("T1"),
    st.sampled_from(IDS),
    st.sampled_from(Standing),
    st.frozensets(st.sampled_from(GROUPS)),
    st.dictionaries(st.sampled_from(GROUPS), st.sampled_from(Unreadable), max_size=2),
).map(lambda person: replace(person, groups=person.groups - set(person.unreadable)))
ASKS = st.builds(
    Ask,
    PEOPLE,
    st.sampled_from(("T1", "T2", "T3")),
    st.sampled_from((HERE, THERE)),
    st.sampled_from((NOW, NOW + 12 * 3600, NOW + 5 * 86_400)),
    st.sampled_from((A, B)),
    st.sampled_from(("prod-1", "prod-2", "test-1")),
)


def without(asked: Ask, group: str, unreadable: Unreadable | None = None) -> Ask:
    """Return `asked` by a person who is not known to be in `group`."""
    person = asked.person
    unread = {name: why for name, why in person.unreadable.items() if name != group}
    known = replace(
        person,
        groups=person.groups - {group},
        unreadable=unread | ({group: unreadable} if unreadable else {}),
    )
    return replace(asked, person=known)


@given(POLICIES, ASKS, st.sampled_from(GROUPS), st.sampled_from(Unreadable))
def test_an_unreadable_group_never_turns_a_denial_into_a_permission(
    policy: Policy, asked: Ask, group: str, trouble: Unreadable
) -> None:
    before, after = decide(policy, asked), decide(policy, without(asked, group, trouble))
    assert isinstance(after, Deny) or not isinstance(before, Deny)


@given(POLICIES, ASKS, st.sampled_from(GROUPS), st.sampled_from(Unreadable))
def test_an_unreadable_group_never_removes_a_confirmation_or_an_approval(
    policy: Policy, asked: Ask, group: str, trouble: Unreadable
) -> None:
    before, after = decide(policy, asked), decide(policy, without(asked, group, trouble))
    assert not isinstance(after, Allow) or isinstance(before, Allow)


@given(POLICIES, ASKS)
def test_a_person_whom_no_rule_names_is_always_denied(policy: Policy, asked: Ask) -> None:
    stranger = replace(asked.person, user_id="U0STRANGER", groups=users("S0STRANGERS"))
    named = [rule for rule in policy.rules if (rule.users or rule.groups)]
    rules = tuple(replace(rule, users=rule.users - {ANYONE} or users(BOB)) for rule in named)
    assert isinstance(decide(Policy(rules), replace(asked, person=stranger)), Deny)


@given(PLAIN_POLICIES, ASKS, st.sampled_from(GROUPS))
def test_leaving_a_group_gives_no_additional_rights_if_all_rules_are_plain_permissions(
    policy: Policy, asked: Ask, group: str
) -> None:
    left = without(asked, group)
    assert isinstance(decide(policy, asked), Allow) or isinstance(decide(policy, left), Deny)
    before, after = rights(policy, asked), rights(policy, left)
    assert [rule for rule in after if rule not in before] == []


@given(POLICIES, ASKS)
def test_a_person_who_is_not_denied_has_the_deciding_rule_among_their_rights(
    policy: Policy, asked: Ask
) -> None:
    match decide(policy, asked):
        case Allow(rule) | NeedsConfirmation(rule) | NeedsApproval(rule):
            assert rule in rights(policy, asked)
            assert Verdict(rule, frozenset()) in explain(policy, asked)
        case Deny():
            pass


@given(POLICIES, ASKS)
def test_a_person_may_see_a_request_exactly_if_some_channel_permits_it_to_them_at_some_time(
    policy: Policy, asked: Ask
) -> None:
    moments = [NOW + hours * 3600 for hours in range(7 * 24)]
    places = product(("T1", "T2", "T3"), (HERE, THERE, "C0OTHER"))
    decisions = [
        whatever_reason(decide(policy, replace(asked, workspace=workspace, channel=channel, at=at)))
        for workspace, channel in places
        for at in moments
    ]
    let_through = any(not isinstance(each, Deny) for each in decisions)
    assert may_share_somewhere(policy, asked, [asked.appid], asked.env) is let_through


@given(POLICIES, ASKS, st.sampled_from(GROUPS), st.sampled_from(Unreadable))
def test_an_unreadable_group_never_shows_more_requests(
    policy: Policy, asked: Ask, group: str, trouble: Unreadable
) -> None:
    unread = without(asked, group, trouble)
    if may_share_somewhere(policy, unread, [asked.appid], asked.env):
        assert may_share_somewhere(policy, asked, [asked.appid], asked.env)


@given(POLICIES, ASKS)
def test_a_rule_added_at_the_end_changes_only_undecided_questions(
    policy: Policy, asked: Ask
) -> None:
    before = decide(policy, asked)
    after = decide(Policy((*policy.rules, ALL_AND_GUESTS)), asked)
    undecided = isinstance(before, Deny) and (
        isinstance(before.because, NoRule)
        or (isinstance(before.because, GroupUnreadable) and isinstance(after, Allow))
    )
    assert undecided or after == before


@given(RULES, PEOPLE, st.sampled_from(IDS))
def test_only_members_may_approve_and_their_own_requests_only_if_the_rule_says_so(
    rule: Rule, person: Person, asked_by: str
) -> None:
    if may_approve(rule, person, asked_by):
        assert person.standing is Standing.MEMBER
        assert rule.self_approval or person.user_id != asked_by


@given(RULES, PEOPLE, st.sampled_from(IDS), st.sampled_from(GROUPS), st.sampled_from(Unreadable))
def test_an_unreadable_group_makes_nobody_an_approver(
    rule: Rule, person: Person, asked_by: str, group: str, trouble: Unreadable
) -> None:
    unread = without(ask(person), group, trouble).person
    if may_approve(rule, unread, asked_by):
        assert may_approve(rule, person, asked_by)


@given(POLICIES, ASKS)
def test_approvers_do_not_influence_the_decision(policy: Policy, asked: Ask) -> None:
    others = tuple(
        replace(rule, approvers=Approvers(), self_approval=False) for rule in policy.rules
    )
    before, after = decide(policy, asked), decide(Policy(others), asked)
    assert type(before) is type(after)


# Many appids at once.


@given(
    st.lists(
        RULES.map(lambda rule: replace(rule, appids=(ANYONE,)))
        | RULES.map(lambda rule: replace(rule, users=users(ANYONE), channels=users())),
        max_size=3,
    ),
    ASKS,
)
@example([replace(NOBODY_MAY, appids=(A,)), ALL_MAY], ask())
def test_each_of_several_appids_is_decided_as_by_itself(rules: list[Rule], asked: Ask) -> None:
    policy, appids = Policy(tuple(rules)), [A, B, "wx00000000000000aa"]
    asks = [replace(asked, appid=appid) for appid in appids]
    alone = [Decided(each, decide(policy, each)) for each in asks]
    assert [*decide_all(policy, asked, appids, asked.env, asked.reason)] == alone


class Unread(tuple[str, ...]):
    """Appids of which nobody may look at one."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        pytest.fail("a rule may list hundreds, and a batch has hundreds")


def test_rules_for_other_envs_tell_no_appids_of_a_batch_apart() -> None:
    elsewhere = replace(ALL_MAY, envs=("live-*",), appids=Unread((A, B)))
    batch = decide_all(Policy((ALL_MAY, elsewhere)), ask(), [A, B], "prod-1", None)
    assert [decision for _, decision in batch] == [Allow(ALL_MAY)] * 2
