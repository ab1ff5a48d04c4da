"""What the policy lets one person share, for a terminal or as JSON; the rules are told in the bot's own words."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from bot.domain.language import Language
from bot.locale import tongues
from bot.messages.rules import contact, right
from bot.ops.policy_command.person import NO_GROUPS, called, person_facts, plain
from bot.policy import Effect, Person, Policy, Rule, rights
from bot.policy.conditions import CONDITIONS, About


@dataclass(frozen=True, slots=True)
class Rights:
    """What one person may share: in one channel, or wherever they ask."""

    policy: Policy
    person: Person
    channel: str | None

    @property
    def known(self) -> tuple[Rule, ...]:
        """The rules that let the person share something there."""
        return self._rights(self.person)

    @property
    def perhaps(self) -> tuple[Rule, ...]:
        """The rules that do so if the person is in a group; none where groups were named."""
        if self.person.groups:
            return ()
        all_groups = replace(self.person, groups=self.policy.groups)
        return tuple(rule for rule in self._rights(all_groups) if rule not in self.known)

    def _rights(self, person: Person) -> tuple[Rule, ...]:
        return rights(self.policy, person, self.channel)

    def lines(self) -> Iterator[str]:
        """Yield a line for each rule that lets the person share something, or who can grant it."""
        words, known = tongues(Language.ENGLISH).channel, self.known
        there = f" in {self.channel}" if self.channel else ""
        if known:
            yield f"{called(self.person)} may share{there}:"
            yield from (f"  • {plain(right(words, rule))}" for rule in known)
        else:
            whom = plain(contact(words, self.policy))
            yield f"{called(self.person)} may not share any env{there}. Who can grant it: {whom}."
        if self.perhaps:
            yield NO_GROUPS
        for rule in self.perhaps:
            groups = " or ".join(sorted(rule.groups))
            yield f"If {self.person.user_id} is in {groups}: {plain(right(words, rule))}"
        if any(rule.effect is Effect.DENY for rule in self.policy.rules):
            yield "Rules that deny can take some of it away. Name --appid and --env to be sure."

    def facts(self) -> dict[str, object]:
        """Return the same as JSON has it."""
        return {
            **person_facts(self.person),
            "channel": self.channel,
            "rights": [_rule_facts(rule) for rule in self.known],
            "if": [{"groups": sorted(rule.groups), **_rule_facts(rule)} for rule in self.perhaps],
            "contact": self.policy.contact,
        }


def _rule_facts(rule: Rule) -> dict[str, object]:
    facts: dict[str, object] = {
        "rule": rule.name,
        "effect": rule.effect.value,
        "confirm": rule.confirm,
    }
    for about in (About.WHAT, About.WHERE):
        for condition in CONDITIONS:
            facts |= condition.terms(rule) if condition.about is about else {}
    return facts
