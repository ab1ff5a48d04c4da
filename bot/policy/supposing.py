"""What the policy would decide if somebody were in a group, or asked in a channel, of which nothing is known. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from bot.policy import Ask, Decision, Miss, Policy, Verdict, decide, explain


@dataclass(frozen=True, slots=True)
class Supposed:
    """Another decision: that for somebody in `group`, asking in `channel`; None is as it was asked."""

    group: str | None
    channel: str | None
    decision: Decision


def supposing(policy: Policy, ask: Ask, unknown: Iterable[Miss]) -> tuple[Supposed, ...]:
    """Return how rules would decide otherwise, if nothing kept them from it but what is `unknown`.

    That is WHO, where it is not known which groups hold the person, and CHANNEL.
    """
    before, beyond = decide(policy, ask), frozenset(Miss) - set(unknown)
    found: dict[tuple[str | None, str | None], Supposed] = {}
    for verdict in explain(policy, ask):
        if verdict.misses and not verdict.misses & beyond:
            for group, channel in _ways(verdict):
                decision = decide(policy, _with(ask, group, channel))
                if decision != before:
                    found[group, channel] = Supposed(group, channel, decision)
    return tuple(found.values())


def _ways(verdict: Verdict) -> Iterator[tuple[str | None, str | None]]:
    """Yield each group and channel with which the rule would fit."""
    rule = verdict.rule
    for group in sorted(rule.groups) if Miss.WHO in verdict.misses else (None,):
        for channel in sorted(rule.channels) if Miss.CHANNEL in verdict.misses else (None,):
            yield group, channel


def _with(ask: Ask, group: str | None, channel: str | None) -> Ask:
    groups = ask.person.groups | ({group} if group else set())
    return replace(ask, person=replace(ask.person, groups=groups), channel=channel or ask.channel)
