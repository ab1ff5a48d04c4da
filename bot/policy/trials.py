"""Run the policy file's own `[[test]]`s: the question, the expected and the actual effect, and the deciding rule. Pure."""

from dataclasses import dataclass
from typing import assert_never

from bot.domain.problem import Problem
from bot.policy.decide import decide, deciding_rule
from bot.policy.errors import shown
from bot.policy.kinds import (
    Allow,
    Ask,
    Decision,
    Deny,
    Effect,
    NeedsApproval,
    NeedsConfirmation,
    Policy,
)


@dataclass(frozen=True, slots=True)
class Trial:
    """One `[[test]]`: its number in the file, the question, and the expected effect."""

    number: int
    ask: Ask
    expect: Effect

    def run(self, policy: Policy) -> "Result":
        """Return what the policy decides."""
        return Result(self, decide(policy, self.ask))


@dataclass(frozen=True, slots=True)
class Result:
    """The decision about a Trial's question."""

    trial: Trial
    decision: Decision

    @property
    def passed(self) -> bool:
        """Whether the decision has the expected effect."""
        return effect_of(self.decision) is self.trial.expect

    def sentence(self) -> Problem:
        """Return the question, the effect and the deciding rule as a sentence; with a fix if the test failed."""
        ask, got = self.trial.ask, effect_of(self.decision).value
        place = f"test {self.trial.number}: {ask.person.user_id} with {ask.appid} and {ask.env}"
        rule = deciding_rule(self.decision)
        why = shown(rule.name) if rule else "no rule matches"
        if self.passed:
            return Problem(f"{place} gets “{got}”, as it should ({why})")
        found = f"{place} should get “{self.trial.expect.value}” but gets “{got}” ({why})"
        return Problem(found, "Put the rules or the test right.")


def effect_of(decision: Decision) -> Effect:
    """Return the effect of a decision; one that needs a confirmation counts as ALLOW."""
    match decision:
        case Allow() | NeedsConfirmation():
            return Effect.ALLOW
        case NeedsApproval():
            return Effect.APPROVE
        case Deny():
            return Effect.DENY
        case _:
            assert_never(decision)


@dataclass(frozen=True, slots=True)
class Tested:
    """A valid policy, the results of its tests, and a sentence for each that failed.

    `duplicates` has a sentence for each duplicate in a list of the file.
    """

    policy: Policy
    results: tuple[Result, ...] = ()
    failed: tuple[Problem, ...] = ()
    duplicates: tuple[Problem, ...] = ()
