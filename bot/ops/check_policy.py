"""Judge the policy: its own tests, rules that nobody can reach or approve, and envs that nobody owns. Pure."""

from collections.abc import Iterator, Mapping

from bot.ops.check import Finding, listed, ok, unchecked, warning, wrong
from bot.ops.slack_answers import SlackAnswers
from bot.policy import (
    ANYONE,
    Approvers,
    Effect,
    Policy,
    Rule,
    Standing,
    Unreadable,
    named_envs,
    owner_of,
)
from bot.policy.file import Tested
from bot.policy.reach import shadowed
from bot.slack.api import Answered, Refused


def check_policy(tested: Tested | None, told: SlackAnswers) -> Iterator[Finding]:
    """Yield what is wrong with the policy; who is there and active is what Slack told."""
    if tested is None:
        yield unchecked("policy-tests", "there is no policy that can be read")
        return
    policy = tested.policy
    yield from _tests(tested)
    yield from _reach(policy, told)
    yield from _approvers(policy, told)
    yield _owners(policy)


def _tests(tested: Tested) -> Iterator[Finding]:
    for failed in tested.failed:
        found, _, fix = failed.partition(". ")
        yield wrong("policy-tests", found, fix)
    if not tested.failed:
        yield ok(
            "policy-tests", f"all pass: {tested.tests}" if tested.tests else "the policy has none"
        )


def _reach(policy: Policy, told: SlackAnswers) -> Iterator[Finding]:
    name, found = "policy-reach", False
    for rule, wider in shadowed(policy):
        found = True
        why = f"“{rule.name}” never decides: “{wider.name}”, which comes first, always does"
        yield warning(name, why, "Move the narrower rule up, or take it out.")
    for rule in policy.rules:
        if rule.effect is not Effect.DENY and not _anybody(rule.users, rule.groups, told):
            found = True
            why = f"“{rule.name}” is for nobody: whom it names does not exist, is deactivated, or is in no group"
            yield warning(name, why, "Name people who are there, or take the rule out.")
    if not found:
        yield ok(name, f"rules: {len(policy.rules)}; each can be reached")


def _anybody(users: frozenset[str], groups: frozenset[str], told: SlackAnswers) -> bool:
    """Tell whether somebody who may act is named; in doubt, yes."""
    return ANYONE in users or not (users or groups) or _who(users, groups, told) != frozenset()


def _who(
    users: frozenset[str], groups: frozenset[str], told: SlackAnswers, *, guests: bool = True
) -> frozenset[str] | None:
    """Return who is meant and active; None where Slack did not tell enough to say."""
    shut = {Standing.DEACTIVATED, Standing.BOT, Unreadable.NOT_FOUND}
    shut |= set() if guests else {Standing.GUEST, Standing.OUTSIDER}
    known = told.groups
    if ANYONE in users or (groups and not isinstance(known, Mapping)):
        return None
    members = (
        [known[g].members for g in groups if g in known and known[g].active]
        if isinstance(known, Mapping)
        else []
    )
    everybody = users.union(*members)
    return frozenset(user for user in everybody if told.people.get(user) not in shut)


def _approvers(policy: Policy, told: SlackAnswers) -> Iterator[Finding]:
    name = "policy-approvers"
    asking = [(rule, rule.approvers) for rule in policy.rules if rule.approvers]
    problems = [problem for each in asking for problem in _approval(*each, told)]
    for found, fix in dict.fromkeys(problems):
        yield wrong(name, found, fix)
    if not problems:
        yield ok(
            name,
            f"rules that ask for approval: {len(asking)}; each has approvers"
            if asking
            else "no rule asks for approval",
        )


def _approval(rule: Rule, approvers: Approvers, told: SlackAnswers) -> Iterator[tuple[str, str]]:
    able = _who(approvers.users, approvers.groups, told, guests=False)
    asking = _who(rule.users, rule.groups, told)
    alone = able is not None and len(able) == 1 and able == asking and not rule.self_approval
    if able == frozenset():
        why = "none of its approvers exists and is an active full member"
        yield (
            f"nobody can approve what “{rule.name}” asks for: {why}",
            "Name approvers who are there.",
        )
    elif alone:
        why = "its only approver is the only one who may ask"
        yield (
            f"nobody can approve what “{rule.name}” asks for: {why}",
            "Name another approver, or set self_approval = true.",
        )
    channel, answer = approvers.channel, told.channels.get(approvers.channel)
    if isinstance(answer, Refused) and answer.error == "channel_not_found":
        yield (
            f"the approvers' channel {channel} does not exist, or is private and without the bot",
            "Correct the id, or type /invite @share-env in it.",
        )
    shown = answer.data.get("channel") if isinstance(answer, Answered) else None
    if isinstance(shown, dict) and shown.get("is_archived"):
        yield (
            f"the approvers' channel {channel} is archived",
            "Bring it back, or name another channel.",
        )
    elif isinstance(shown, dict) and shown.get("is_member") is False:
        yield (
            f"the bot is not in the approvers' channel {channel}",
            "Type /invite @share-env in it.",
        )


def _owners(policy: Policy) -> Finding:
    ownerless = [env for env in named_envs(policy) if owner_of(policy, env) is None]
    if ownerless:
        fix = "Add them to an [[owner]] in the policy file, or set WECHAT_AUTHORIZER_APPID."
        return wrong("policy-owners", f"no mini program is known to own {listed(ownerless)}", fix)
    return ok(
        "policy-owners",
        f"{listed(list(policy.all_owners))}; no named env is without"
        if policy.all_owners
        else "no named env is without",
    )
