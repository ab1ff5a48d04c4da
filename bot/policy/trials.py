"""Run the tests that a policy file brings along: who should get what, what they get, and which rule decides. Pure."""

from dataclasses import dataclass
from typing import assert_never

from bot.domain.problem import Problem
from bot.policy import (
    Allow,
    Ask,
    Decision,
    Deny,
    Effect,
    NeedsApproval,
    NeedsConfirmation,
    Policy,
    decide,
    deciding_rule,
)
from bot.policy.errors import shown


@dataclass(frozen=True, slots=True)
class Trial:
    """One `[[test]]` of the file, by its number there: what is asked, and what should come of it."""

    number: int
    ask: Ask
    expect: Effect

    def run(self, policy: Policy) -> "Result":
        """Return what the policy decides."""
        return Result(self, decide(policy, self.ask))


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a Trial."""

    trial: Trial
    decision: Decision

    @property
    def passed(self) -> bool:
        """Tell whether the policy does what the file's author expects."""
        return effect_of(self.decision) is self.trial.expect

    def told(self) -> Problem:
        """Return what was asked, what came of it and by which rule; with the fix if that is not as it should be."""
        ask, got = self.trial.ask, effect_of(self.decision).value
        place = f"test {self.trial.number}: {ask.person.user_id} with {ask.appid} and {ask.env}"
        rule = deciding_rule(self.decision)
        why = shown(rule.name) if rule else "no rule matches"
        if self.passed:
            return Problem(f"{place} gets “{got}”, as it should ({why})")
        found = f"{place} should get “{self.trial.expect.value}” but gets “{got}” ({why})"
        return Problem(found, "Put the rules or the test right.")


def effect_of(decision: Decision) -> Effect:
    """Return what a decision comes to, whichever rule made it; a confirmation is a permission."""
    match decision:
        case Allow() | NeedsConfirmation():
            return Effect.ALLOW
        case NeedsApproval():
            return Effect.APPROVE
        case Deny():
            return Effect.DENY
        case _:
            assert_never(decision)
