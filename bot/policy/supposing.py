"""What the policy would decide with a group or a channel that the question does not name. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from bot.policy import Ask, Decision, Policy, Rule, decide
from bot.policy.conditions import CONDITIONS, Option


@dataclass(frozen=True, slots=True)
class Supposed:
    """Another decision: the one with these values of options, and the rest of the question as it is."""

    values: Mapping[str, str]
    decision: Decision


def supposing(policy: Policy, ask: Ask) -> tuple[Supposed, ...]:
    """Return the other decisions that are possible with what the question leaves open."""
    before = decide(policy, ask)
    found: dict[tuple[tuple[str, str], ...], Supposed] = {}
    for rule in policy.rules:
        for ways in _ways(rule, ask):
            supposed = ask
            for option, value in ways:
                supposed = option.given(supposed, value)
            if (decision := decide(policy, supposed)) != before:
                values = tuple((option.name, value) for option, value in ways)
                found[values] = Supposed(dict(values), decision)
    return tuple(found.values())


def _ways(rule: Rule, ask: Ask) -> Iterator[tuple[tuple[Option, str], ...]]:
    """Yield each combination of values with which the rule would fit; none where it misses what is known."""
    options = [condition.option for condition in CONDITIONS if condition.missed(rule, ask)]
    unknown = [option for option in options if option and not option.known(ask)]
    if options and unknown == options:
        yield from product(*([(each, v) for v in sorted(each.enough(rule))] for each in unknown))
