"""Check the policy: its tests and its lint (`bot.policy.lint`), and what Slack knows about the people and channels in it."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from bot.domain.finding import Finding, Level, ok, unchecked, warning, wrong, wrong_by
from bot.domain.outcome import Party
from bot.domain.sentence import Sentence
from bot.ops.doctor.findings import listed, with_unread
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.slack_calls import SlackAnswers, approvers_channels_of
from bot.policy.kinds import (
    ANYONE,
    Approvers,
    Effect,
    Escalation,
    Operators,
    Person,
    Policy,
    Rule,
    Standing,
    Tested,
    Unreadable,
)
from bot.policy.lint import approval, escalation, freezes, ownerless, owners, reach
from bot.policy.quorum import missing
from bot.settings.table import Table
from bot.slack.api import Answered, Refused, Result
from bot.slack.directory import is_shared_outside


async def check_policy(setup: Setup) -> list[Finding]:
    """Return the findings about the policy, with what Slack said about people."""
    tested, problems = setup.parts.tested, setup.parts.problems
    if tested is None:
        return [
            unchecked("policy-tests", Sentence("there is no policy that can be read"), "settings")
        ]
    astray = any(Table.WECHAT_AUTHORIZER_APPID.name in problem for problem in problems)
    causes = ["settings"] if astray else []
    return [*findings_of(tested, setup.slack, "wrong", setup.runtime.now, *causes)]


def findings_of(
    tested: Tested, said: SlackAnswers, lost: Level, now: Callable[[], float], *causes: str
) -> Iterator[Finding]:
    """Yield the findings about a policy; one about envs without an owner has the level `lost` and these `causes`."""
    yield from _tests(tested)
    yield from _reach(tested.policy, said)
    yield from _approvers(tested.policy, said)
    yield from _owners(tested.policy, lost, causes)
    yield from _freezes(tested.policy, now)


def _tests(tested: Tested) -> Iterator[Finding]:
    for failed in tested.failed:
        yield wrong_by("policy-tests", failed)
    if not tested.failed:
        tests = tested.tests
        yield ok(
            "policy-tests",
            Sentence("all pass: {tests}", tests=tests)
            if tests
            else Sentence("the policy has none"),
        )


def _reach(policy: Policy, answers: SlackAnswers) -> Sequence[Finding]:
    name, findings = "policy-reach", [*reach(policy)]
    for rule in policy.rules:
        if rule.effect is not Effect.DENY and _active(rule, answers) == frozenset():
            why = Sentence(
                "“{name}” is for nobody: whom it names does not exist, is deactivated, or is in no group",
                name=rule.name,
            )
            fix = Sentence("Name people who are there, or take the rule out.")
            findings.append(warning(name, why, fix, *_named(rule)))
    return findings or [
        ok(name, Sentence("rules: {count}; each can be reached", count=len(policy.rules)))
    ]


def _active(
    who: Rule | Approvers | Operators | Escalation, answers: SlackAnswers, *, guests: bool = True
) -> frozenset[str] | None:
    """Return the active people among those who are named; None if Slack did not return enough."""
    shut = {Standing.DEACTIVATED, Standing.BOT, Unreadable.NOT_FOUND}
    shut |= set() if guests else {Standing.GUEST, Standing.OUTSIDER}
    known = answers.groups if isinstance(answers.groups, Mapping) else None
    if ANYONE in who.users or (who.groups and known is None):
        return None
    groups = [known.get(each) or frozenset() for each in who.groups] if known else []
    everybody = who.users.union(*groups)
    return frozenset(user for user in everybody if answers.people.get(user) not in shut)


def _named(who: Rule | Approvers | Escalation) -> tuple[str, ...]:
    """Return the checks of the named people and groups, which can explain why nobody is active."""
    checks = {"slack-people": who.users, "slack-groups": who.groups}
    return tuple(check for check, named in checks.items() if named)


def _approvers(policy: Policy, answers: SlackAnswers) -> Iterator[Finding]:
    rules, channels = policy.approval_rules, answers.channels
    findings = [finding for rule in rules for finding in _approval(rule, answers)]
    findings += _operators(policy, answers)
    yield from dict.fromkeys(findings)
    if not findings:
        named = sorted(approvers_channels_of(policy))
        unknown = [each for each in named if not isinstance(channels.get(each), Answered)]
        each = Sentence(
            "rules that ask for approval: {count}; each has approvers", count=len(rules)
        )
        each = with_unread(each, unknown)
        yield ok("policy-approvers", each if rules else Sentence("no rule asks for approval"))


def _approval(rule: Rule, answers: SlackAnswers) -> Iterator[Finding]:
    name, approvers = "policy-approvers", rule.approvers
    able = _active(approvers, answers, guests=False)
    if able == frozenset():
        why = Sentence("none of its approvers exists and is an active full member")
        found = Sentence(
            "nobody can approve what “{name}” asks for: {why}", name=rule.name, why=why
        )
        causes = () if _active(approvers, answers) else _named(approvers)  # guests are there
        yield wrong(name, found, Sentence("Name approvers who are there."), *causes)
    elif able is not None and approvers.needed > 1 and (few := _too_few(rule, able, answers)):
        yield few
    yield from approval(rule, able, _active(rule, answers))
    yield from escalation(rule)
    if approvers.escalate and _active(approvers.escalate, answers, guests=False) == frozenset():
        found = Sentence(
            "“{name}” escalates to nobody who is an active full member", name=rule.name
        )
        yield warning(
            name, found, Sentence("Name people who are there."), *_named(approvers.escalate)
        )
    later = [rule.approvers.escalate.channel] if rule.approvers.escalate else []
    for channel in dict.fromkeys([approvers.channel, *later]):
        yield from _channel(channel, answers.channels.get(channel))


def _too_few(rule: Rule, able: frozenset[str], answers: SlackAnswers) -> Finding | None:
    """Return a finding if so many approvals as the rule asks for cannot be given, or not to some of its requesters."""

    def left(without: frozenset[str] = frozenset()) -> tuple[Party, ...]:
        return missing(rule.approvers, _people(rule.approvers, able - without, answers))

    requesters = _active(rule, answers) or frozenset() if not rule.self_approval else frozenset()
    lost = {user: lack for user in sorted(requesters) if (lack := left(frozenset({user})))}
    lack = left() or (next(iter(lost.values())) if lost else ())
    if not lack:
        return None
    count = sum(each.count for each in lack)
    who = listed(sorted({who for each in lack for who in each.users | each.groups}))
    fix = Sentence("Name more approvers, add some to the group, or ask for fewer approvals.")
    if left() or len(lost) == len(requesters):
        found = Sentence(
            "“{name}” asks for more approvals than there are people: {count} missing of {who}",
            name=rule.name,
            count=count,
            who=who,
        )
        return wrong("policy-approvers", found, fix)
    found = Sentence(
        "“{name}” asks for more approvals than there are people, if {requesters} ask: {count} missing of {who}",
        name=rule.name,
        requesters=listed([*lost]),
        count=count,
        who=who,
    )
    return warning("policy-approvers", found, fix)


def _people(approvers: Approvers, able: frozenset[str], answers: SlackAnswers) -> Iterator[Person]:
    """Yield these people, each with those of the approvers' groups that contain them."""
    known = answers.groups if isinstance(answers.groups, Mapping) else {}
    for user_id in sorted(able):
        groups = (each for each in approvers.groups if user_id in (known.get(each) or ()))
        yield Person("", user_id, groups=frozenset(groups))


def _operators(policy: Policy, answers: SlackAnswers) -> Iterator[Finding]:
    """Yield that all active operators are guests, whom no other check names."""
    guests = _active(policy.operators, answers)
    if guests and _active(policy.operators, answers, guests=False) == frozenset():
        why = Sentence(
            "all operators are guests, who may not cancel others' requests: {guests}",
            guests=listed(sorted(guests)),
        )
        yield wrong("policy-approvers", why, Sentence("Name an operator who is a full member."))


def _channel(channel: str, answer: Result | None) -> Iterator[Finding]:
    """Yield what Slack's answer about an approvers' channel says against it."""
    name, its = "policy-approvers", Sentence("the approvers' channel {channel}", channel=channel)
    found = answer.data.get("channel") if isinstance(answer, Answered) else None
    shown = found if isinstance(found, dict) else {}
    if is_shared_outside(shown):
        why = Sentence(
            "{its} is shared with another organisation, or about to be, so approvers are asked directly",
            its=its,
        )
        yield wrong(name, why, Sentence("Name a channel that only your own organisation reads."))
    if shown.get("is_archived"):
        yield wrong(
            name,
            Sentence("{its} is archived", its=its),
            Sentence("Bring it back, or name another channel."),
        )
    elif answer == Refused("channel_not_found") or shown.get("is_member") is False:
        why = Sentence("the bot is not in {its}, or there is no such channel", its=its)
        yield wrong(name, why, Sentence("Correct the id, or type /invite @share-env in it."))


def _freezes(policy: Policy, now: Callable[[], float]) -> Iterator[Finding]:
    name, count = "policy-freezes", len(policy.freezes)
    if not count:
        yield ok(name, Sentence("the policy has none"))
        return
    findings = [*freezes(policy, at := now())]
    yield from findings
    if not findings:
        on = sum(each.begins <= at for each in policy.freezes)
        yield ok(name, Sentence("freezes: {count}; on now: {on}", count=count, on=on))


def _owners(policy: Policy, lost: Level, causes: Sequence[str]) -> Iterator[Finding]:
    name, found, without = "policy-owners", [*owners(policy)], ownerless(policy)
    yield from found
    if not without and not policy.all_owners:
        without = [Sentence("any env")] * any(
            rule.effect is not Effect.DENY for rule in policy.rules
        )
    if without:
        why = Sentence("no mini program is known to own {without}", without=listed(without))
        fix = Sentence(
            "Add them to an [[owner]] in the policy file, or set WECHAT_AUTHORIZER_APPID where the bot runs."
        )
        yield Finding(name, lost, why, fix, tuple(causes))
    elif not found:
        every = Sentence(
            "{owners}; every env that rules name has an owner", owners=listed([*policy.all_owners])
        )
        yield ok(name, every if policy.all_owners else Sentence("no rule needs one"))
