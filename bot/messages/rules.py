"""The policy's rules in words: what a rule allows whom, why it does not match, and what Slack did not return."""

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from typing import assert_never

from bot.messages.words import (
    Mrkdwn,
    Words,
    channel_name,
    code,
    escape,
    group_name,
    listed,
    mention,
    msgid,
    shortened,
    some,
)
from bot.policy.decide import approver_groups, approver_users
from bot.policy.kinds import ANYONE, Effect, Miss, Rule, Standing, Unreadable, Verdict

STANDINGS = {
    Standing.MEMBER: msgid("a full member of this workspace"),
    Standing.GUEST: msgid("a guest of this workspace"),
    Standing.OUTSIDER: msgid("a member of another workspace"),
    Standing.BOT: msgid("a bot"),
    Standing.DEACTIVATED: msgid("a deactivated account"),
}
UNREADABLE = {
    Unreadable.MISSING_SCOPE: msgid("I lack a scope, users:read or usergroups:read"),
    Unreadable.PAID_PLAN: msgid("user groups need a paid Slack plan"),
    Unreadable.RATE_LIMITED: msgid("Slack asked me to slow down; try again in a minute"),
    Unreadable.NOT_FOUND: msgid("Slack does not know this id"),
    Unreadable.SLACK_DOWN: msgid("Slack did not tell me; try again in a minute"),
}
LISTED_RULES = 10
_LIST_ROOM = 2000  # characters of one message's 4000
_NAME_LIMIT = 80


_FITS = {
    Effect.ALLOW: msgid("it fits, and allows it"),
    Effect.APPROVE: msgid("it fits, and asks for an approval"),
    Effect.DENY: msgid("it fits, and says no"),
}


def who_can_fix(words: Words) -> str:
    """Return whom to contact if the bot cannot find out who a person is, or who is in a group."""
    return words("*Who can fix it:* {contact}, if this goes on.")


def under(words: Words, title: str, lines: Sequence[str]) -> str:
    """Return lines about rules below their title, as many as fit into a message."""
    return f"{title}\n{some(words, lines, _LIST_ROOM, LISTED_RULES)}"


def fit(words: Words, verdict: Verdict) -> str:
    """Return why a rule does not match, or that it matches."""
    misses = [_missed(words, verdict, miss) for miss in Miss if miss in verdict.misses]
    if misses:
        return _joined(words, misses)
    rule, fits = verdict.rule, words(_FITS[verdict.rule.effect])
    if rule.confirm and rule.effect is not Effect.DENY:
        return words("{what} (needs a confirmation)", what=fits)
    return fits


def _joined(words: Words, said: Sequence[str]) -> str:
    return reduce(lambda one, other: words("{one}, and {other}", one=one, other=other), said)


def _missed(words: Words, verdict: Verdict, miss: Miss) -> str:
    rule = verdict.rule
    match miss:
        case Miss.WHO:
            return words("it is for {who}", who=_people(words, rule.users, rule.groups))
        case Miss.GUEST:
            return words("it does not let in guests or people of other workspaces")
        case Miss.CHANNEL:
            return words("it counts only in {channels}", channels=_channels(words, rule))
        case Miss.APPID:
            return words("it is about other appids ({appids})", appids=_globs(words, rule.appids))
        case Miss.ENV:
            return words("it is about other envs ({envs})", envs=_globs(words, rule.envs))
        case Miss.UNREADABLE:
            return _joined(words, [unread(words, *each) for each in verdict.unreadable])
        case _:
            assert_never(miss)


def unread(words: Words, group: str, trouble: Unreadable) -> Mrkdwn:
    """Return that Slack did not return who is in a group, and why."""
    return words(
        "I could not find out who is in {group} ({trouble})",
        group=group_name(group),
        trouble=words(UNREADABLE[trouble]),
    )


def right(words: Words, rule: Rule) -> str:
    """Return what a rule allows, in one line."""
    what = words("any env") if rule.envs == (ANYONE,) else _globs(words, rule.envs)
    if rule.appids != (ANYONE,):
        globs = _globs(words, rule.appids)
        what = words("{envs} with appids {appids}", envs=what, appids=globs)
    if rule.channels:
        what = words("{what} in {channels}", what=what, channels=_channels(words, rule))
    if rule.confirm:
        what = words("{what} (needs a confirmation)", what=what)
    if rule.effect is Effect.APPROVE:
        what = words("{what} (needs an approval)", what=what)
    return words("{what}, by rule {rule}", what=what, rule=rule_name(rule))


def approvers(words: Words, rules: Collection[Rule], requester_id: str) -> Mrkdwn:
    """Return the people that rules name as approvers of a request by this requester."""
    return _people(words, approver_users(rules, requester_id), approver_groups(rules))


def _people(words: Words, users: Iterable[str], groups: Iterable[str]) -> Mrkdwn:
    members = (words("members of {group}", group=group_name(group)) for group in sorted(groups))
    return listed(words, [*map(mention, sorted(users)), *members])


def _channels(words: Words, rule: Rule) -> str:
    return listed(words, [*map(channel_name, sorted(rule.channels))])


def _globs(words: Words, globs: Iterable[str]) -> str:
    return listed(words, [code(glob) for glob in globs], 8)


def rule_name(rule: Rule) -> Mrkdwn:
    """Return the name of a rule in quotation marks."""
    return Mrkdwn(f"“{escape(shortened(rule.name, _NAME_LIMIT))}”")
