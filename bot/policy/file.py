"""Parse the policy file: TOML text to a Policy, or to all problems with their places and fixes.

The format is described in this room's README. The file's own tests are run here, so that a policy that does not do
what its author expects never comes into force.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from pydantic import ValidationError

from bot.domain.finding import Problem
from bot.domain.sentence import Sentence
from bot.policy.decide import decide, deciding_rule, may_approve, may_break_glass
from bot.policy.errors import problem_of, quoted, sentence, shown, without_misspelt
from bot.policy.kinds import (
    Approvers,
    Decision,
    Deny,
    Effect,
    NeedsApproval,
    Operators,
    Owner,
    Policy,
    Tested,
)
from bot.policy.quorum import escalated, impossible, missing
from bot.policy.shapes import (
    AgreedEntry,
    ApproversEntry,
    EscalateEntry,
    File,
    FreezeEntry,
    NamedEntry,
    OwnerEntry,
    PartyEntry,
    Question,
    RuleEntry,
    StrictTable,
    TrialEntry,
)

Entry = TypeVar("Entry", bound=StrictTable)

_RIGHT_FIRST = Sentence("Put that line right first.")


def read_and_test(text: str, default_owner: str | None) -> Tested | list[Problem]:
    """Return the policy with the results of its own tests, which may have failed; or all problems in the file."""
    try:
        tables = tomllib.loads(text)
        file = File.model_validate(tables)
    except ValidationError as error:
        details = without_misspelt(error.errors(), _keys)
        of_keys = (sentence(detail, _keys(detail["loc"])) for detail in details)
        of_rules = _rule_problems(_valid(RuleEntry, tables.get("rule")))
        of_freezes = _freeze_problems(_valid(FreezeEntry, tables.get("freeze")))
        return [*of_keys, *of_rules, *of_freezes]
    except tomllib.TOMLDecodeError as error:
        return [
            Problem(
                Sentence("It is not valid TOML: {error}", error=shown(str(error), 300)),
                _RIGHT_FIRST,
            )
        ]
    except (ValueError, RecursionError):  # Python's own limits
        why = Sentence("a number is too long, or too many brackets stand in each other")
        return [Problem(Sentence("It is not valid TOML: {why}", why=why), _RIGHT_FIRST)]
    of_rules = _rule_problems(enumerate(file.rule, 1))
    of_freezes = _freeze_problems(enumerate(file.freeze, 1))
    if problems := [*of_rules, *of_freezes]:
        return problems
    policy = Policy(
        tuple(entry.rule(number) for number, entry in enumerate(file.rule, 1)),
        tuple(Owner(entry.appid, tuple(entry.envs)) for entry in file.owner),
        default_owner,
        file.contact,
        Operators(frozenset(file.operators.users), frozenset(file.operators.groups)),
        tuple(entry.freeze() for entry in file.freeze),
    )
    return Tested(policy, len(file.test), tuple(_failed(policy, file.test)))


def _failed(policy: Policy, tests: Iterable[TrialEntry]) -> Iterator[Problem]:
    """Yield a sentence for each test with another effect than expected; a permission after a confirmation is one.

    One that does not say when must not depend on it, since a file is read, and may be refused, at any time.
    """
    always = tuple(replace(rule, hours=None) for rule in policy.rules)
    timeless = replace(policy, rules=always, freezes=())
    for number, test in enumerate(tests, 1):
        decision = decide(policy if test.at else timeless, test.ask(0.0))
        effect, rule = _effect_of(decision, test), deciding_rule(decision)
        why = (
            Sentence("rule {name}", name=quoted(rule.name)) if rule else Sentence("no rule matches")
        )
        place = Sentence(
            "test {number}: {user} with {appid} and {env}",
            number=number,
            user=test.user,
            appid=test.appid,
            env=test.env,
        )
        breaks = isinstance(decision, NeedsApproval) and may_break_glass(
            decision.rule, test.ask(0.0).person
        )
        if test.break_glass not in {None, breaks}:
            may = Sentence(
                "{place} should be able to break the glass but is not ({why})", place=place, why=why
            )
            may_not = Sentence(
                "{place} should not be able to break the glass but is ({why})", place=place, why=why
            )
            yield Problem(
                may if test.break_glass else may_not, Sentence("Correct the rules or the test.")
            )
        if effect is not test.expect:
            found = Sentence(
                "{place} should get “{expected}” but gets “{got}” ({why})",
                place=place,
                expected=test.expect.value,
                got=effect.value,
                why=why,
            )
            yield Problem(found, Sentence("Correct the rules or the test."))


def _effect_of(decision: Decision, test: TrialEntry) -> Effect:
    """Return the effect that a test gets: a request is allowed once those who agreed are enough."""
    if isinstance(decision, Deny):
        return Effect.DENY
    if not isinstance(decision, NeedsApproval) or not test.agreed:
        return decision.rule.effect
    rule = decision.rule
    if rule.approvers.escalate and test.waited >= rule.approvers.escalate.after:
        rule = escalated(rule)
    people = {each.user: each.person() for each in test.agreed}.values()
    able = [person for person in people if may_approve(rule, person, test.user)]
    return rule.effect if missing(rule.approvers, able) else Effect.ALLOW


def read_question(words: Mapping[str, object]) -> Question | list[Problem]:
    """Validate a question by the rules of a `[[test]]`; else return the mistakes.

    The keys of `words` are the names of command-line options, and the sentences call them so.
    """
    if isinstance(at := words.get("at"), str):
        with suppress(ValueError):  # the sentence about it comes below
            words = {**words, "at": datetime.fromisoformat(at)}
    try:
        return Question.model_validate(words)
    except ValidationError as error:
        return [
            problem_of(detail, _keys(detail["loc"])).at(
                f"--{str(detail['loc'][0]).removesuffix('s')}"
            )
            for detail in error.errors()
        ]


def _keys(loc: Sequence[int | str]) -> Iterable[str]:
    """Return the valid keys of the table at `loc` (a pydantic location)."""
    tables: dict[int | str, type[StrictTable]] = {
        "freeze": FreezeEntry,
        "operators": NamedEntry,
        "owner": OwnerEntry,
        "rule": RuleEntry,
        "test": TrialEntry,
    }
    model = tables.get(loc[0], File)
    inner: dict[str, type[StrictTable]] = {
        "all_of": PartyEntry,
        "notify": NamedEntry,
        "escalate": EscalateEntry,
        "approvers": ApproversEntry,
        "agreed": AgreedEntry,
        "except": NamedEntry,
        "break_glass": NamedEntry,
    }
    within = (table for name, table in inner.items() if name in loc[:-1])
    there = next(within, model)
    return [field.alias or name for name, field in there.model_fields.items()]


def _valid(kind: type[Entry], tables: object) -> Iterator[tuple[int, Entry]]:
    """Yield those tables of a file with problems that have none of their own, with their numbers."""
    for number, table in enumerate(tables if isinstance(tables, list) else (), 1):
        with suppress(ValidationError):
            yield number, kind.model_validate(table)


def _freeze_problems(freezes: Iterable[tuple[int, FreezeEntry]]) -> Iterator[Problem]:
    """Yield the freezes that never begin, which nobody would notice."""
    for number, freeze in freezes:
        if freeze.begins >= freeze.until:
            found = Sentence("its until is not after its from, so it is never on")
            yield Problem(found, Sentence("Correct one of them.")).at(
                Sentence("freeze {number}", number=number)
            )


def _rule_problems(rules: Iterable[tuple[int, RuleEntry]]) -> Iterator[Problem]:
    """Yield the problems that involve several fields, with their places; names must differ."""
    names: set[str] = set()
    for number, rule in rules:
        problems = [*_contradictions(rule)]
        if rule.called(number) in names:
            fix = Sentence("Give each rule its own, so that answers are clear.")
            problems.append(Problem(Sentence("another rule has this name"), fix))
        names.add(rule.called(number))
        place = (
            Sentence("rule {number} ({name})", number=number, name=quoted(rule.name))
            if rule.name
            else Sentence("rule {number}", number=number)
        )
        yield from (problem.at(place) for problem in problems)


def _contradictory_approvers(entry: ApproversEntry) -> Iterator[Problem]:
    if entry.all_of and (entry.users or entry.groups or entry.approvals):
        found = Sentence(
            "all_of says whose approvals it takes, and so do users, groups or approvals"
        )
        yield Problem(found, Sentence("Keep all_of, or remove it."))
        return
    approvers = entry.approvers()
    if any(not (each.users or each.groups) for each in approvers.parties):
        found = Sentence("an entry of all_of names nobody")
        yield Problem(found, Sentence("Add users or groups to it."))
    elif impossible(approvers):
        found = Sentence(
            "it takes the approvals of {needed} different people, and too few are named",
            needed=approvers.needed,
        )
        yield Problem(found, Sentence("Name more users or a group, or ask for fewer approvals."))
    if (later := approvers.escalate) is None:
        return
    if not (later.users or later.groups):
        yield Problem(
            Sentence("escalate names nobody"), Sentence("Add users or groups to it, or remove it.")
        )
    if later.after >= approvers.expires:
        found = Sentence("a request has expired before escalate asks anybody")
        yield Problem(found, Sentence("Write a shorter after, or a longer expires."))


def _contradictory_glass(entry: NamedEntry, *, approves: bool) -> Iterator[Problem]:
    if not approves:
        found = Sentence('break_glass goes with effect = "approve" only')
        yield Problem(found, Sentence("Change the effect or remove it."))
    elif not (entry.users or entry.groups):
        found = Sentence("break_glass names nobody")
        yield Problem(found, Sentence("Add users or groups to it, or remove it."))


def _contradictions(rule: RuleEntry) -> Iterator[Problem]:
    approves, denies = rule.effect is Effect.APPROVE, rule.effect is Effect.DENY
    left_out = rule.users is None and rule.groups is None
    if not (rule.users or rule.groups or (denies and left_out)):
        yield Problem(
            Sentence("nobody is named"),
            Sentence('Add users or groups, or users = ["*"] for everyone.'),
        )
    approvers = rule.approvers.approvers() if rule.approvers else Approvers()
    if approves and not (approvers.users or approvers.groups):
        found = Sentence("it asks for approval, but nobody can give it")
        yield Problem(found, Sentence("Add approvers with users or groups."))
    elif rule.approvers:
        yield from _contradictory_approvers(rule.approvers)
    if approves and not rule.name:
        found = Sentence("what waits for an approval is known by its rule's name")
        yield Problem(found, Sentence('Add name = "…".'))
    if (rule.approvers or rule.self_approval) and not approves:
        found = Sentence('approvers and self_approval go with effect = "approve" only')
        yield Problem(found, Sentence("Change the effect or remove them."))
    if rule.break_glass:
        yield from _contradictory_glass(rule.break_glass, approves=approves)
    if denies and rule.guests:
        found = Sentence(
            'guests has no effect here: a rule with effect = "deny" denies guests and members alike'
        )
        yield Problem(found, Sentence("Remove it."))
    if denies and rule.require_reason:
        found = Sentence('a rule with effect = "deny" denies for any reason')
        yield Problem(found, Sentence("Remove require_reason."))
    if (rule.reason_pattern or rule.reason_url) and not rule.require_reason:
        found = Sentence("reason_pattern and reason_url go with require_reason = true only")
        yield Problem(found, Sentence("Add it, or remove them."))
