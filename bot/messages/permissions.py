"""Who may what: denials, `why`, `whoami`, `help` and dry runs, all for the requester alone."""

from collections.abc import Iterable
from typing import assert_never

from bot.messages.blocks import Message, bullets, code, escape, listed, message, small
from bot.policy import (
    ANYONE,
    Allow,
    Ask,
    Decision,
    DeniedByRule,
    Deny,
    GroupUnreadable,
    Miss,
    NeedsApproval,
    NeedsConfirmation,
    NoRule,
    NotEntitled,
    Person,
    PersonUnreadable,
    Policy,
    Rule,
    Standing,
    Unreadable,
    Verdict,
)

_STANDINGS = {
    Standing.MEMBER: "a full member of this workspace",
    Standing.GUEST: "a guest of this workspace",
    Standing.OUTSIDER: "a member of another workspace",
    Standing.BOT: "a bot",
    Standing.DEACTIVATED: "a deactivated account",
}
_UNREADABLE = {
    Unreadable.MISSING_SCOPE: "the bot lacks a scope (users:read or usergroups:read)",
    Unreadable.PAID_PLAN: "user groups need a paid Slack plan",
    Unreadable.RATE_LIMITED: "Slack asks the bot to slow down; try again in a minute",
    Unreadable.NOT_FOUND: "Slack does not know it",
    Unreadable.SLACK_DOWN: "Slack did not answer in time; try again in a minute",
}
_LISTED_RULES = 10


def denied(because: Deny, ask: Ask, policy: Policy) -> Message:
    """Say no, why, which rule would have sufficed and who can grant it; nothing was done."""
    return message(
        f"🚫 You may not share {code(ask.env)} with {code(ask.appid)} from here. Nothing was done.",
        _because(because, ask),
        f"*Who can grant it:* {escape(policy.contact)}.",
    )


def needs_more(decision: NeedsConfirmation | NeedsApproval, ask: Ask, policy: Policy) -> Message:
    """Say that the rule asks for a step which this version of the bot does not have yet."""
    step = "a confirmation" if isinstance(decision, NeedsConfirmation) else "an approval"
    return message(
        f"🚫 Sharing {code(ask.env)} with {code(ask.appid)} needs {step}. Nothing was done.",
        f"Rule {_name(decision.rule)} asks for it, and I cannot collect {step} yet.",
        f"*Who can grant it:* {escape(policy.contact)}, by a rule that allows it without {step}.",
    )


def no_owner(ask: Ask, policy: Policy) -> Message:
    """Say that no mini program is known to own the env; nothing was done."""
    return message(
        f"I do not know which mini program owns {code(ask.env)}. Nothing was done.",
        "Check the env's id. If it is right, it needs an owner: an `[[owner]]` in the policy file, or "
        "`WECHAT_AUTHORIZER_APPID`.",
        f"*Who can fix it:* {escape(policy.contact)}.",
    )


def dry_run(decision: Decision, ask: Ask, policy: Policy, owner: str | None) -> Message:
    """Say what would happen without `--dry-run`; never looks like a success."""
    match decision:
        case Deny() as no:
            return message("🧪 *Dry run.* This is what you would be told:") + denied(
                no, ask, policy
            )
        case NeedsConfirmation() | NeedsApproval():
            would = message("🧪 *Dry run.* This is what you would be told:")
            return would + needs_more(decision, ask, policy)
        case Allow(rule):
            pass
        case _:
            assert_never(decision)
    if owner is None:
        return message("🧪 *Dry run.* This is what you would be told:") + no_owner(ask, policy)
    return message(
        f"🧪 *Dry run: nothing was shared.* Rule {_name(rule)} allows it.",
        f"I would ask WeChat to share {code(ask.env)} with {code(ask.appid)}, with the token of its owner "
        f"{code(owner)}, and answer in a thread here.",
        small("A share cannot be undone through WeChat's API. Leave out `--dry-run` to do it."),
    )


def why(decision: Decision, ask: Ask, policy: Policy, verdicts: tuple[Verdict, ...]) -> Message:
    """Say which rule decides and why, and how each rule before it fits."""
    pair = f"share {code(ask.env)} with {code(ask.appid)} from here"
    match decision:
        case Allow(rule):
            line = f"✅ You may {pair}. Rule {_name(rule)} allows it."
        case NeedsConfirmation(rule):
            line = f"You could {pair} after a confirmation. Rule {_name(rule)} asks for it."
        case NeedsApproval(rule):
            line = f"You could {pair} with an approval. Rule {_name(rule)} asks for it."
        case Deny() as no:
            line = f"🚫 You may not {pair}. {_because(no, ask)}"
        case _:
            assert_never(decision)
    looked = [f"{_name(verdict.rule)}: {_fit(verdict)}" for verdict in verdicts]
    return message(
        line,
        f"*The rules, in order; the first that fits decides*\n{_some(looked)}",
        f"*Who can grant more:* {escape(policy.contact)}." if isinstance(decision, Deny) else None,
    )


def whoami(
    person: Person | Unreadable, user_id: str, team_id: str, rules: tuple[Rule, ...]
) -> Message:
    """Say whom the bot takes the requester for, and which rules apply."""
    ids = f"You are <@{user_id}>: user {code(user_id)}, workspace {code(team_id)}"
    if isinstance(person, Unreadable):
        return message(f"{ids}.", f"Slack did not tell me more: {_UNREADABLE[person]}.")
    groups = listed([_group(group) for group in sorted(person.groups)], 20)
    unread = [f"{_group(group)}: {_UNREADABLE[why]}" for group, why in person.unreadable.items()]
    applies = listed([_name(rule) for rule in rules], _LISTED_RULES)
    return message(
        f"{ids}, {_STANDINGS[person.standing]}.",
        f"*Your user groups, of those that rules name:* {groups or 'none'}.",
        f"*Groups I could not read*\n{_some(unread)}" if unread else None,
        f"*Rules that apply to you:* {applies or 'none, so you may not share anything'}.",
    )


def help_(person: Person | Unreadable, rules: tuple[Rule, ...], policy: Policy) -> Message:
    """Say what this requester may do, with the envs they may share."""
    if isinstance(person, Unreadable):
        may = f"I could not find out what you may share: {_UNREADABLE[person]}."
    elif rules:
        may = f"*What you may share*\n{_some([_right(rule) for rule in rules])}"
    else:
        may = f"You may not share any env yet. *Who can grant it:* {escape(policy.contact)}."
    share = [
        "`/share-env <appid> <env>` shares an env with a mini program; the answer comes in a thread",
        '`--reason "…"` adds why; `--dry-run` says what would happen and does nothing',
    ]
    ask = [
        "`/share-env why <appid> <env>` says which rule decides, and why",
        "`/share-env whoami` says whom I take you for",
        "`/share-env help` shows this",
    ]
    lines = [*(share if rules else []), *ask]
    return message(
        may,
        f"*What you can type*\n{bullets(line.replace('<', '&lt;').replace('>', '&gt;') for line in lines)}",
        small("A share cannot be undone through WeChat's API.") if rules else None,
    )


def _because(no: Deny, ask: Ask) -> str:
    match no.because:
        case DeniedByRule(rule):
            return f"Rule {_name(rule)} says no."
        case NotEntitled(standing):
            return f"This is {_STANDINGS[standing]}, and those may never share."
        case PersonUnreadable(trouble):
            return f"Slack did not tell me who you are: {_UNREADABLE[trouble]}."
        case GroupUnreadable(rule, group, trouble):
            return (
                f"Rule {_name(rule)} might allow it, but Slack did not tell me who is in {_group(group)}: "
                f"{_UNREADABLE[trouble]}."
            )
        case NoRule(()):
            return f"No rule covers this env and appid, for anybody: {code(ask.env)} is in none."
        case NoRule(near):
            return f"No rule lets you. What would be enough:\n{_some([_enough(v) for v in near])}"
        case _:
            assert_never(no.because)


def _enough(verdict: Verdict) -> str:
    return f"rule {_name(verdict.rule)}: {_fit(verdict)}"


def _fit(verdict: Verdict) -> str:
    """Return how a rule misses, in words, or that it fits."""
    rule = verdict.rule
    words = {
        Miss.WHO: f"it is for {_who(rule)}",
        Miss.GUEST: "it does not let guests in",
        Miss.CHANNEL: f"it counts only in {_channels(rule)}",
        Miss.APPID: f"it is about other appids ({_globs(rule.appids)})",
        Miss.ENV: f"it is about other envs ({_globs(rule.envs)})",
        Miss.UNREADABLE: ", ".join(
            f"Slack did not tell who is in {_group(group)} ({_UNREADABLE[trouble]})"
            for group, trouble in verdict.unreadable
        ),
    }
    misses = [words[miss] for miss in Miss if miss in verdict.misses]
    return " and ".join(misses) if misses else f"it fits, and its effect is {rule.effect.value}"


def _right(rule: Rule) -> str:
    """Return what a rule lets people do, in one line."""
    appids = "" if rule.appids == (ANYONE,) else f" with appids {_globs(rule.appids)}"
    where = f" in {_channels(rule)}" if rule.channels else ""
    after = " (needs approval, which I cannot collect yet)" if rule.approvers else ""
    sure = " (needs a confirmation, which I cannot collect yet)" if rule.confirm else ""
    envs = "any env" if rule.envs == (ANYONE,) else _globs(rule.envs)
    return f"{envs}{appids}{where}{after or sure}, by rule {_name(rule)}"


def _who(rule: Rule) -> str:
    if ANYONE in rule.users or not (rule.users or rule.groups):
        return "everyone"
    users = [f"<@{user}>" for user in sorted(rule.users)]
    return listed([*users, *(f"members of {_group(group)}" for group in sorted(rule.groups))])


def _channels(rule: Rule) -> str:
    return listed([f"<#{channel}>" for channel in sorted(rule.channels)])


def _group(group: str) -> str:
    return f"<!subteam^{group}>"


def _globs(globs: Iterable[str]) -> str:
    return listed([code(glob) for glob in globs], 8)


def _name(rule: Rule) -> str:
    return f"“{escape(rule.name)}”"


def _some(lines: list[str]) -> str:
    more = len(lines) - _LISTED_RULES
    return bullets([*lines[:_LISTED_RULES], *([f"and {more} more"] if more > 0 else [])])
