"""The results of the policy file's own `[[test]]`s: the expected and the actual effect, and the deciding rule. Pure."""

from dataclasses import dataclass, field

from bot.domain.finding import Problem
from bot.policy.decide import deciding_rule
from bot.policy.errors import shown
from bot.policy.kinds import Ask, Decision, Deny, Effect, Policy


@dataclass(frozen=True, slots=True)
class Result:
    """One `[[test]]`: its number in the file, the question, the expected effect, and what the policy decided."""

    number: int
    ask: Ask
    expect: Effect
    decision: Decision

    @property
    def effect(self) -> Effect:
        """The effect of the decision; one that needs a confirmation counts as ALLOW."""
        return Effect.DENY if isinstance(self.decision, Deny) else self.decision.rule.effect

    @property
    def passed(self) -> bool:
        """Whether the decision has the expected effect."""
        return self.effect is self.expect

    def sentence(self) -> Problem:
        """Return the question, the effect and the deciding rule as a sentence; with a fix if the test failed."""
        ask, got = self.ask, self.effect.value
        place = f"test {self.number}: {ask.person.user_id} with {ask.appid} and {ask.env}"
        rule = deciding_rule(self.decision)
        why = shown(rule.name) if rule else "no rule matches"
        if self.passed:
            return Problem(f"{place} gets “{got}”, as it should ({why})")
        found = f"{place} should get “{self.expect.value}” but gets “{got}” ({why})"
        return Problem(found, "Put the rules or the test right.")


@dataclass(frozen=True, slots=True)
class Tested:
    """A valid policy, the results of its tests, a sentence for each that failed, and the content of its file."""

    policy: Policy
    results: tuple[Result, ...] = ()
    failed: tuple[Problem, ...] = ()
    text: str | None = field(default=None, repr=False)
