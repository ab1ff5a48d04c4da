"""Whether those who agreed are enough: each of them fills one seat of a party at most. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from bot.domain.outcome import Party
from bot.policy.decide import is_named
from bot.policy.kinds import ANYONE, Approvers, Person, Rule


def missing(approvers: Approvers, agreed: Iterable[Person]) -> tuple[Party, ...]:
    """Return the parties of whom somebody still has to agree, each with how many; empty if those who agreed are enough.

    `agreed` are different people who may decide now.
    """
    return _unfilled(approvers.parties, agreed)


def still_to_agree(rule: Rule, agreed: Sequence[Person], requester_id: str) -> tuple[Party, ...]:
    """Return the parties of `missing` as people read them: without users who agreed, and the requester if they may not."""
    done = {person.user_id for person in agreed}
    done |= set() if rule.self_approval else {requester_id}
    return tuple(
        replace(party, users=party.users - done) if party.groups or party.users - done else party
        for party in missing(rule.approvers, agreed)
    )


def escalated(rule: Rule) -> Rule:
    """Return the rule for a request that has escalated: whom its `escalate` names may agree too, for any party."""
    approvers, more = rule.approvers, rule.approvers.escalate
    if more is None:
        return rule
    users, groups = approvers.users | more.users, approvers.groups | more.groups
    parties = tuple(
        replace(each, users=each.users | more.users, groups=each.groups | more.groups)
        for each in approvers.all_of
    )
    return replace(rule, approvers=replace(approvers, users=users, groups=groups, all_of=parties))


def impossible(approvers: Approvers) -> tuple[Party, ...]:
    """Return the parties that cannot all agree, since too few users are named; groups may have any number of members."""
    closed = [each for each in approvers.parties if not each.groups and ANYONE not in each.users]
    named = sorted(frozenset[str]().union(*(each.users for each in closed)))
    return _unfilled(closed, [Person("", user_id) for user_id in named])


def _unfilled(parties: Iterable[Party], people: Iterable[Person]) -> tuple[Party, ...]:
    """Return the parties with open seats once as many seats as possible are filled."""
    seats = [replace(party, count=1) for party in parties for _ in range(party.count)]
    taken: dict[int, Person] = {}
    for person in people:
        _seat(person, seats, taken, set())
    left = (seat for number, seat in enumerate(seats) if number not in taken)
    return tuple(replace(seat, count=len([*same])) for seat, same in groupby(left))


def _seat(
    person: Person, seats: Sequence[Party], taken: dict[int, Person], tried: set[int]
) -> bool:
    """Seat a person, if need be by seating others elsewhere (an augmenting path); False if nobody more can be seated."""
    for number, seat in enumerate(seats):
        if number in tried or not is_named(seat, person):
            continue
        tried.add(number)
        if number not in taken or _seat(taken[number], seats, taken, tried):
            taken[number] = person
            return True
    return False
