"""Whether those who agreed are enough, each of them counted once."""

from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.outcome import Party
from bot.policy.decide import is_named
from bot.policy.kinds import Approvers, Effect, Escalation, Person, Rule
from bot.policy.quorum import escalated, impossible, missing, still_to_agree


def someone(name: str, *groups: str) -> Person:
    return Person("T1", name, groups=frozenset(groups))


def users(*names: str, count: int = 1) -> Party:
    return Party(frozenset(names), count=count)


def group(name: str, count: int = 1) -> Party:
    return Party(groups=frozenset({name}), count=count)


ANN, BEN, EVE = someone("UANN", "SSEC"), someone("UBEN", "SSEC", "SOWN"), someone("UEVE")
TWO = Approvers(groups=frozenset({"SSEC"}), approvals=2)
BOTH = Approvers(all_of=(group("SSEC"), group("SOWN")))


@pytest.mark.parametrize(
    ("approvers", "agreed", "left"),
    [
        (Approvers(groups=frozenset({"SSEC"})), [ANN], ()),
        (TWO, [], (group("SSEC", 2),)),
        (TWO, [ANN], (group("SSEC"),)),
        (TWO, [ANN, BEN], ()),
        (TWO, [ANN, EVE], (group("SSEC"),)),
        (BOTH, [ANN], (group("SOWN"),)),
        (BOTH, [BEN], (group("SOWN"),)),
        (BOTH, [BEN, ANN], ()),
        (BOTH, [ANN, BEN], ()),
    ],
)
def test_each_person_fills_one_seat(
    approvers: Approvers, agreed: list[Person], left: tuple[Party, ...]
) -> None:
    assert missing(approvers, agreed) == left


@pytest.mark.parametrize(
    ("approvers", "never"),
    [
        (Approvers(frozenset({"U1"})), ()),
        (Approvers(frozenset({"U1"}), approvals=2), (users("U1"),)),
        (Approvers(frozenset({"*"}), approvals=2), ()),
        (Approvers(frozenset({"U1"}), frozenset({"S1"}), approvals=3), ()),
        (Approvers(all_of=(users("U1"), users("U1"))), (users("U1"),)),
        (Approvers(all_of=(users("U1", "U2"), users("U1"))), ()),
        (Approvers(all_of=(users("U1"), group("S1"))), ()),
    ],
)
def test_too_few_named_users_can_never_agree(
    approvers: Approvers, never: tuple[Party, ...]
) -> None:
    assert impossible(approvers) == never


@pytest.mark.parametrize(
    ("approvers", "agreed", "left"),
    [
        (
            Approvers(frozenset({"UANN", "UBEN", "UREQ"}), approvals=2),
            [ANN],
            (users("UBEN"),),
        ),
        (
            Approvers(frozenset({"UANN"}), frozenset({"SOWN"}), approvals=2),
            [ANN],
            (group("SOWN"),),
        ),
        (Approvers(all_of=(users("UREQ"), users("UANN"))), [ANN], (users("UREQ"),)),
        (Approvers(frozenset({"UANN", "*"}), approvals=2), [ANN], (users("*"),)),
    ],
)
def test_who_still_has_to_agree_are_others_than_those_who_did(
    approvers: Approvers, agreed: list[Person], left: tuple[Party, ...]
) -> None:
    assert still_to_agree(Rule("r", Effect.APPROVE, approvers=approvers), agreed, "UREQ") == left


def test_who_may_approve_their_own_request_has_to_agree_as_others_have() -> None:
    asked = Approvers(frozenset({"UANN", "UREQ"}), approvals=2)
    rule = Rule("r", Effect.APPROVE, approvers=asked, self_approval=True)
    assert still_to_agree(rule, [ANN], "UREQ") == (users("UREQ"),)


LATER = Escalation(timedelta(minutes=30), frozenset({"UEVE"}), frozenset({"SLATE"}), "C1")


@pytest.mark.parametrize(
    ("approvers", "agreed", "left"),
    [
        (replace(TWO, escalate=LATER), [ANN, EVE], ()),
        (replace(BOTH, escalate=LATER), [EVE, ANN], ()),
        (replace(BOTH, escalate=LATER), [EVE, someone("UZOE", "SLATE")], ()),
        (BOTH, [EVE, ANN], (group("SOWN"),)),
    ],
)
def test_whom_a_rule_escalates_to_fills_any_seat(
    approvers: Approvers, agreed: list[Person], left: tuple[Party, ...]
) -> None:
    rule = escalated(Rule("r", Effect.APPROVE, approvers=approvers))
    assert missing(rule.approvers, agreed) == left


_PARTIES = st.lists(st.builds(users, st.sampled_from("ABC"), st.sampled_from("ABC")), max_size=4)


@given(_PARTIES.filter(bool), st.sets(st.sampled_from("ABC")))
def test_they_are_enough_if_they_can_be_seated_in_some_order(
    parties: list[Party], names: set[str]
) -> None:
    people = [someone(name) for name in sorted(names)]
    orders = permutations(people, len(parties))
    can = any(all(map(is_named, parties, order)) for order in orders)
    assert (not missing(Approvers(all_of=tuple(parties)), people)) == can
