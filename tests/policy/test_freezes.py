"""Freezes: what a file may say, and that one denies what the rules permit, for as long as it lasts."""

from dataclasses import replace

import pytest

from bot.policy.decide import decide, deciding_rule, in_general, whatever_reason
from bot.policy.kinds import (
    Allow,
    Approvers,
    Ask,
    Decision,
    DeniedByRule,
    Deny,
    Effect,
    Freeze,
    Frozen,
    GroupUnreadable,
    NeedsApproval,
    NoRule,
    Person,
    Policy,
    ReasonWanted,
    Rule,
    Unreadable,
)
from bot.policy.lint import freezes
from tests import asking
from tests.asking import NOW
from tests.policy.reading import read_policy

A = "wx5fe6bb43205e9e70"
ANN, OPS = Person("T1", "U1"), "S0OPS"
FREE = Rule("free", Effect.ALLOW, users=frozenset({"*"}))
ASKS = Rule("asks", Effect.APPROVE, users=frozenset({"*"}), approvers=Approvers())
NO = Rule("no", Effect.DENY)
WANTS = replace(FREE, name="wants", require_reason=True)
ON = Freeze(NOW, NOW + 60, "release week", ("prod-*",), groups=frozenset({OPS}))
LONGER = replace(ON, ends=NOW + 90)
ASKED = asking.ask(ANN, "C1", A, "prod-1", None)


def frozen(rule: Rule, freeze: Freeze = ON) -> Deny:
    return Deny(Frozen(NeedsApproval(rule) if rule is ASKS else Allow(rule), freeze))


DOWN = replace(ANN, unreadable={OPS: Unreadable.SLACK_DOWN})
UNTOLD = Deny(GroupUnreadable(FREE, Unreadable.SLACK_DOWN, ON))


@pytest.mark.parametrize(
    ("rule", "on", "asked", "expected"),
    [
        pytest.param(FREE, [ON], ASKED, frozen(FREE), id="its first moment"),
        pytest.param(FREE, [ON], replace(ASKED, at=NOW + 59), frozen(FREE), id="its last second"),
        pytest.param(FREE, [ON], replace(ASKED, at=NOW - 1), Allow(FREE), id="before it"),
        pytest.param(FREE, [ON], replace(ASKED, at=NOW + 60), Allow(FREE), id="when it ends"),
        pytest.param(FREE, [ON], replace(ASKED, env="test-1"), Allow(FREE), id="another env"),
        pytest.param(FREE, [ON], replace(ASKED, env="Prod-1"), frozen(FREE), id="capital letters"),
        pytest.param(ASKS, [ON], ASKED, frozen(ASKS), id="what asks for approval"),
        pytest.param(NO, [ON], ASKED, Deny(DeniedByRule(NO)), id="a denial is told first"),
        pytest.param(WANTS, [ON], ASKED, frozen(WANTS), id="before a reason is asked for"),
        pytest.param(FREE, [ON, LONGER], ASKED, frozen(FREE, LONGER), id="that which ends last"),
        pytest.param(
            FREE,
            [ON],
            replace(ASKED, person=replace(ANN, groups=frozenset({OPS}))),
            Allow(FREE),
            id="a group that it excepts",
        ),
        pytest.param(
            FREE, [replace(ON, users=frozenset({"U1"}))], ASKED, Allow(FREE), id="a user likewise"
        ),
        pytest.param(FREE, [ON], replace(ASKED, person=DOWN), UNTOLD, id="an unreadable group"),
        pytest.param(
            FREE,
            [ON, replace(LONGER, groups=frozenset())],
            replace(ASKED, person=DOWN),
            frozen(FREE, replace(LONGER, groups=frozenset())),
            id="another freeze, which is sure",
        ),
    ],
)
def test_a_freeze_denies_what_the_rules_permit(
    rule: Rule, on: list[Freeze], asked: Ask, expected: Decision
) -> None:
    assert decide(Policy((rule,), freezes=tuple(on)), asked) == expected


def test_a_freeze_permits_nothing() -> None:
    excepted = replace(ASKED, person=replace(ANN, groups=frozenset({OPS})))
    assert decide(Policy((), freezes=(ON,)), excepted) == Deny(NoRule(()))


def test_a_frozen_decision_has_its_rule_and_what_it_is_in_general() -> None:
    assert deciding_rule(frozen(ASKS)) == ASKS
    assert in_general(frozen(ASKS)) == NeedsApproval(ASKS)
    assert whatever_reason(frozen(ASKS)) == frozen(ASKS)
    assert in_general(Deny(ReasonWanted(Allow(WANTS)))) == Allow(WANTS)


def test_a_policy_knows_the_groups_that_its_freezes_except() -> None:
    assert Policy((FREE,), freezes=(ON,)).groups == frozenset({OPS})


RULE = '[[rule]]\nusers = ["*"]\neffect = "allow"\n'
TIMES = "from = 2026-12-24T18:00:00+08:00\nuntil = 2027-01-04T01:00:00Z\n"
GOOD = f'{TIMES}reason = "end of the year"\n'


def test_every_key_of_a_freeze_is_read() -> None:
    more = 'envs = ["prod-*"]\nexcept = { users = ["U1X"], groups = ["S1X"] }\n'
    read = read_policy(f"{RULE}[[freeze]]\n{GOOD}[[freeze]]\n{GOOD}{more}", None)
    assert isinstance(read, Policy)
    plain = Freeze(1_798_106_400.0, 1_799_024_400.0, "end of the year")
    whole = replace(plain, envs=("prod-*",), users=frozenset({"U1X"}), groups=frozenset({"S1X"}))
    assert read.freezes == (plain, whole)


NO_MOMENT = "no date-time with its offset. Write it as 2026-12-24T18:00:00+08:00, without quotes."


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (TIMES, "freeze 1, reason: it is missing. Add it."),
        (GOOD + "envs = []", "freeze 1, envs: it is empty. Fill it in, or leave the key out."),
        (GOOD + "except = { users = ['*'] }", "freeze 1, except, users, 1: “*” is not a user id."),
        (GOOD + "except = { user = ['U1X'] }", "freeze 1, except, user: there is no such key. Did"),
        (GOOD.replace("from", "form"), "freeze 1, form: there is no such key. Did you mean from?"),
        (
            GOOD.replace("+08:00", ""),
            f"freeze 1, from: “2026-12-24 18:00:00” is {NO_MOMENT}",
        ),
        (GOOD.replace("T18:00:00+08:00", ""), "freeze 1, from: “2026-12-24” is no date-time with"),
        (
            GOOD.replace("2027-01-04T01:00:00Z", '"2027-01-04T01:00:00Z"'),
            "freeze 1, until: “2027-01-04T01:00:00Z” is no date-time with",
        ),
        (GOOD.replace("2026", "0001"), "freeze 1, from: “0001-12-24 18:00:00+08:00” is no date-"),
        (
            GOOD.replace("2027", "2026"),
            "freeze 1: its until is not after its from, so it is never on. Correct one of them.",
        ),
    ],
)
def test_mistakes_in_a_freeze_are_refused_with_their_places(text: str, problem: str) -> None:
    found = read_policy(f"{RULE}[[freeze]]\n{text}", None)
    assert isinstance(found, list)
    assert [each[: len(problem)] for each in found] == [problem]


def test_one_bracket_is_not_enough_for_a_freeze() -> None:
    fix = "Write [[freeze]] above each, with two brackets."
    assert read_policy(f"{RULE}[freeze]\n{GOOD}", None) == [f"freeze: it must be a list. {fix}"]


def test_a_freeze_that_never_begins_is_reported_beside_mistakes_of_single_keys() -> None:
    never = GOOD.replace("2027", "2026")
    found = read_policy(f"{RULE}hour = 9\n[[freeze]]\n{never}", None)
    assert found == [
        "rule 1, hour: there is no such key. Did you mean hours?",
        "freeze 1: its until is not after its from, so it is never on. Correct one of them.",
    ]


@pytest.mark.parametrize(
    ("at", "expect"),
    [
        ("", "allow"),
        ("at = 2026-12-24T17:59:59+08:00\n", "allow"),
        ("at = 2026-12-25T17:00:00+08:00\n", "deny"),
        ("at = 2027-01-04T09:00:00+08:00\n", "allow"),
        ("at = 2027-01-04T20:00:00+08:00\n", "deny"),
    ],
)
def test_a_test_of_the_file_is_asked_at_its_time_or_whatever_the_time_is(
    at: str, expect: str
) -> None:
    test = f'[[test]]\nuser = "U1X"\nappid = "{A}"\nenv = "prod-1"\n{at}expect = '
    hours = 'hours = "09:00-18:00 Asia/Shanghai"\n'
    text = f"{RULE}{hours}[[freeze]]\n{GOOD}{test}"
    assert isinstance(read_policy(f'{text}"{expect}"\n', None), Policy)
    other = "deny" if expect == "allow" else "allow"
    assert isinstance(read_policy(f'{text}"{other}"\n', None), list)


@pytest.mark.parametrize(
    ("rule", "envs", "at", "found"),
    [
        (FREE, ("prod-*",), NOW + 59, []),
        (FREE, ("prod-*",), NOW + 60, ["is over"]),
        (replace(FREE, envs=("prod-1",)), ("Prod-*", "*-1", "prod-?"), NOW, []),
        (
            replace(FREE, envs=("prod-*", "live-1")),
            ("prd-*", "prod-1", "live-2"),
            NOW,
            ["is for envs that no rule lets anybody share: prd-*, live-2"],
        ),
        (NO, ("*",), NOW, ["is for envs that no rule lets anybody share: *"]),
    ],
)
def test_a_freeze_that_is_over_or_in_vain_is_found(
    rule: Rule, envs: tuple[str, ...], at: float, found: list[str]
) -> None:
    policy = Policy((rule,), freezes=(replace(ON, envs=envs),))
    told = [each.found for each in freezes(policy, at)]
    assert told == [f"freeze 1 (“release week”) {each}" for each in found]
