"""The policy's rules in words, as people read them about themselves: what a rule allows, why it does not match."""

from collections.abc import Iterable, Sequence
from functools import reduce

from bot.messages.words import (
    Mrkdwn,
    Words,
    channel_name,
    code,
    escape,
    listed,
    msgid,
    shortened,
    some,
    when,
)
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
    Unreadable.BAD_TOKEN: msgid("I am not installed here any more"),
    Unreadable.PAID_PLAN: msgid("user groups need a paid Slack plan"),
    Unreadable.RATE_LIMITED: msgid("Slack asked me to slow down; try again in a minute"),
    Unreadable.NOT_FOUND: msgid("Slack does not know the id"),
    Unreadable.SLACK_DOWN: msgid("Slack did not answer; try again in a minute"),
}
LISTED_RULES = 10
_LIST_ROOM = 2000  # characters of one message's 4000
_NAME_LIMIT = 80


_FITS = {
    Effect.ALLOW: msgid("it matches, and allows it"),
    Effect.APPROVE: msgid("it matches, and asks for an approval"),
    Effect.DENY: msgid("it matches, and denies it"),
}
_MISSED = {
    Miss.WHO: msgid("you are not among its users and groups"),
    Miss.WORKSPACE: msgid("it does not apply in this workspace"),
    Miss.CHANNEL: msgid("it does not apply in this channel"),
    Miss.HOURS: msgid("it does not apply at this hour, but from {opens} on"),
    Miss.UNREADABLE: msgid("I could not find out whether you are in its groups ({trouble})"),
}
"""What a full member can miss in a rule for this env and appid; nobody else is told, and nothing about others."""


def who_can_fix(words: Words) -> str:
    """Return whom to contact if the bot cannot find out who a person is, or who is in a group."""
    return words("If this keeps happening, tell {contact}.")


def under(words: Words, title: str, lines: Sequence[str]) -> str:
    """Return lines about rules below their title, as many as fit into a message."""
    return f"{title}\n{some(words, lines, _LIST_ROOM, LISTED_RULES)}"


def fit(words: Words, verdict: Verdict) -> str:
    """Return which of a full member's own conditions a rule for this env and appid does not meet, or that it matches."""
    said = [_MISSED[miss] for miss in Miss if miss in verdict.misses]
    if said:
        trouble = words(UNREADABLE[verdict.trouble]) if verdict.trouble else ""
        opens = when(verdict.opens) if verdict.opens else ""
        misses = [words(text, trouble=trouble, opens=opens) for text in said]
        return reduce(lambda one, other: words("{one}, and {other}", one=one, other=other), misses)
    rule, fits = verdict.rule, words(_FITS[verdict.rule.effect])
    if rule.confirm and rule.effect is not Effect.DENY:
        fits = words("{what} (needs a confirmation)", what=fits)
    return words("{what} (needs a reason)", what=fits) if rule.require_reason else fits


def right(words: Words, rule: Rule) -> str:
    """Return what a rule allows, in one line."""
    what = words("any env") if rule.envs == (ANYONE,) else _globs(words, rule.envs)
    if rule.appids != (ANYONE,):
        globs = _globs(words, rule.appids)
        what = words("{envs} with appids {appids}", envs=what, appids=globs)
    if rule.workspaces:
        workspaces = listed(words, [*map(code, sorted(rule.workspaces))])
        what = words("{what} in workspace {workspaces}", what=what, workspaces=workspaces)
    if rule.channels:
        channels = listed(words, [*map(channel_name, sorted(rule.channels))])
        what = words("{what} in {channels}", what=what, channels=channels)
    if rule.hours:
        what = words("{what}, at {hours}", what=what, hours=code(rule.hours.text, 200))
    if rule.confirm:
        what = words("{what} (needs a confirmation)", what=what)
    if rule.effect is Effect.APPROVE:
        needed = rule.approvers.needed
        what = words.count(
            "{what} (needs an approval)", "{what} (needs {count} approvals)", needed, what=what
        )
    if rule.require_reason:
        what = words("{what} (needs a reason)", what=what)
    return words("{what}, by rule {rule}", what=what, rule=rule_name(rule))


def _globs(words: Words, globs: Iterable[str]) -> str:
    return listed(words, [code(glob) for glob in globs], 8)


def rule_name(rule: Rule) -> Mrkdwn:
    """Return the name of a rule in quotation marks."""
    return Mrkdwn(f"“{escape(shortened(rule.name, _NAME_LIMIT))}”")
