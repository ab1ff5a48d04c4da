"""Who may what: denials, `why`, `whoami`, `help` and dry runs, all for the requester alone."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import assert_never

from bot.link import LinkState
from bot.messages.blocks import Message, bullets, code, escape, listed, message, shortened, small
from bot.messages.chain import tokens
from bot.policy import (
    ANYONE,
    Allow,
    Ask,
    Decision,
    DeniedByRule,
    Deny,
    Effect,
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
    Unreadable.MISSING_SCOPE: "I lack a scope, users:read or usergroups:read",
    Unreadable.PAID_PLAN: "user groups need a paid Slack plan",
    Unreadable.RATE_LIMITED: "Slack asked me to slow down; try again in a minute",
    Unreadable.NOT_FOUND: "Slack does not know this id",
    Unreadable.SLACK_DOWN: "Slack did not answer in time; try again in a minute",
}
_LISTED_RULES = 10
_NAME_LIMIT = 80
_LIST_ROOM = 2000  # characters of one message's 4000


def denied(because: Deny, ask: Ask, policy: Policy) -> Message:
    """Say no, why, which rule would have sufficed and who can grant it; nothing was done."""
    return message(
        f"🚫 You may not share {code(ask.env)} with {code(ask.appid)} from here. Nothing was done.",
        _because(because),
        _near(because),
        _who_can(because, policy),
    )


def needs_more(decision: NeedsConfirmation | NeedsApproval, ask: Ask, policy: Policy) -> Message:
    """Say that the rule asks for a step which this version of the bot does not have yet."""
    step = _step(decision)
    return message(
        f"🚫 Sharing {code(ask.env)} with {code(ask.appid)} needs {step}. Nothing was done.",
        _asked(decision),
        _who_can(decision, policy),
    )


def no_owner(ask: Ask, policy: Policy) -> Message:
    """Say that no mini program is known to own the env; nothing was done."""
    return message(
        f"I do not know which mini program owns {code(ask.env)}. Nothing was done.",
        "Check the env's id. If it is right, it needs an owner: an `[[owner]]` in the policy file, or "
        "`WECHAT_AUTHORIZER_APPID`.",
        f"*Who can fix it:* {_contact(policy)}.",
    )


def dry_run(decision: Decision, ask: Ask, policy: Policy, owner: str | None) -> Message:
    """Say what would happen without `--dry-run`; never looks like a success."""
    match decision:
        case Deny():
            told = denied(decision, ask, policy)
        case NeedsConfirmation() | NeedsApproval():
            told = needs_more(decision, ask, policy)
        case Allow() if owner is None:
            told = no_owner(ask, policy)
        case Allow(rule):
            return message(
                f"🧪 *Dry run: nothing was shared.* Rule {_name(rule)} allows it.",
                f"I would ask WeChat to share {code(ask.env)} with {code(ask.appid)}, with the token of its "
                f"owner {code(owner or '')}, and answer in a thread here.",
                small(
                    "A share cannot be undone through WeChat's API. Leave out `--dry-run` to do it."
                ),
            )
        case _:
            assert_never(decision)
    return message("🧪 *Dry run.* This is what you would be told:") + told


def why(decision: Decision, ask: Ask, policy: Policy, verdicts: tuple[Verdict, ...]) -> Message:
    """Say which rule decides and why, and how each rule before it fits."""
    pair = f"share {code(ask.env)} with {code(ask.appid)} from here"
    match decision:
        case Allow(rule):
            line = f"✅ You may {pair}. Rule {_name(rule)} allows it."
        case NeedsConfirmation() | NeedsApproval():
            line = f"🚫 You may not {pair} without {_step(decision)}. {_asked(decision)}"
        case Deny():
            line = f"🚫 You may not {pair}. {_because(decision)}"
        case _:
            assert_never(decision)
    looked = [f"{_name(verdict.rule)}: {_fit(verdict)}" for verdict in verdicts]
    return message(
        line,
        f"*The rules, in order; the first that fits decides*\n{_some(looked)}" if looked else None,
        None if isinstance(decision, Allow) else _who_can(decision, policy),
    )


def whoami(
    person: Person | Unreadable,
    user_id: str,
    team_id: str,
    rules: tuple[Rule, ...],
    links: Sequence[LinkState] = (),
) -> Message:
    """Say whom the bot takes the requester for, which rules apply and, where any does, how the tokens stand."""
    ids = f"You are <@{user_id}>: user {code(user_id)}, workspace {code(team_id)}"
    if isinstance(person, Unreadable):
        return message(f"{ids}.", f"I could not find out more: {_UNREADABLE[person]}.")
    groups = listed([_group(group) for group in sorted(person.groups)], 20)
    unread = [f"{_group(group)}: {_UNREADABLE[why]}" for group, why in person.unreadable.items()]
    applies = listed([_name(rule) for rule in rules], _LISTED_RULES)
    return message(
        f"{ids}, {_STANDINGS[person.standing]}.",
        f"*Your user groups, of those that rules name:* {groups or 'none'}.",
        f"*Groups I could not read*\n{_some(unread)}" if unread else None,
        f"*Rules that apply to you:* {applies or 'none, so you may not share anything'}.",
    ) + tokens(links if rules else ())


def help_(person: Person | Unreadable, rules: tuple[Rule, ...], policy: Policy) -> Message:
    """Say what this requester may do, with the envs they may share."""
    if isinstance(person, Unreadable):
        may = f"I could not find out what you may share: {_UNREADABLE[person]}."
    elif rules:
        may = f"*What you may share*\n{_some([_right(rule) for rule in rules])}"
    else:
        may = f"You may not share any env yet. *Who can grant it:* {_contact(policy)}."
    share = [
        "`/share-env <appid> <env>` shares an env with a mini program; the answer comes in a thread",
        '`--reason "…"` adds why; `--dry-run` says what would happen and does nothing',
        "`--again` shares also what was shared before",
    ]
    ask = [
        "`/share-env why <appid> <env>` says which rule decides, and why",
        "`/share-env history` lists your requests; `history <env>` and `history <appid>` those about one",
        "`/share-env whoami` says whom I take you for",
        "`/share-env help` shows this",
    ]
    lines = [*(share if rules else []), *ask]
    return message(
        may,
        f"*What you can type*\n{bullets(line.replace('<', '&lt;').replace('>', '&gt;') for line in lines)}",
        small("A share cannot be undone through WeChat's API.") if rules else None,
    )


def _step(decision: NeedsConfirmation | NeedsApproval) -> str:
    return "a confirmation" if isinstance(decision, NeedsConfirmation) else "an approval"


def _asked(decision: NeedsConfirmation | NeedsApproval) -> str:
    return f"Rule {_name(decision.rule)} asks for it, and I cannot collect {_step(decision)} yet."


def _because(no: Deny) -> str:
    match no.because:
        case DeniedByRule(rule):
            return f"Rule {_name(rule)} says no."
        case NotEntitled(standing):
            return f"You are {_STANDINGS[standing]}, and such an account may never share."
        case PersonUnreadable(trouble):
            return f"I could not find out who you are: {_UNREADABLE[trouble]}."
        case GroupUnreadable(rule, group, trouble):
            return (
                f"Rule {_name(rule)} might {_effect(rule, '')}, but I could not find out who is in {_group(group)}: "
                f"{_UNREADABLE[trouble]}."
            )
        case NoRule(()):
            return (
                "No rule covers this env with this appid, whoever asks. Check both for typing mistakes; if they "
                "are right, it takes a new rule."
            )
        case NoRule():
            return "No rule lets you do that."
        case _:
            assert_never(no.because)


def _near(no: Deny) -> str | None:
    """Return the rules that would have sufficed, had it not been for what they miss."""
    if not isinstance(no.because, NoRule) or not no.because.nearest:
        return None
    lines = [f"rule {_name(verdict.rule)}: {_fit(verdict)}" for verdict in no.because.nearest]
    return f"*What comes closest*\n{_some(lines)}"


def _who_can(no: Deny | NeedsConfirmation | NeedsApproval, policy: Policy) -> str | None:
    contact = _contact(policy)
    match no:
        case Deny(NotEntitled()):
            return None
        case Deny(GroupUnreadable() | PersonUnreadable()):
            return f"*Who can fix it:* {contact}."
        case Deny():
            return f"*Who can grant it:* {contact}."
        case _:
            return f"*Who can grant it:* {contact}, by a rule that allows it without {_step(no)}."


def _fit(verdict: Verdict) -> str:
    """Return how a rule misses, in words, or that it fits."""
    rule = verdict.rule
    words = {
        Miss.WHO: f"it is for {_who(rule)}",
        Miss.GUEST: "it does not let in guests or people of other workspaces",
        Miss.CHANNEL: f"it counts only in {_channels(rule)}",
        Miss.APPID: f"it is about other appids ({_globs(rule.appids)})",
        Miss.ENV: f"it is about other envs ({_globs(rule.envs)})",
        Miss.UNREADABLE: ", ".join(
            f"I could not find out who is in {_group(group)} ({_UNREADABLE[trouble]})"
            for group, trouble in verdict.unreadable
        ),
    }
    misses = [words[miss] for miss in Miss if miss in verdict.misses]
    return ", and ".join(misses) if misses else f"it fits, and {_effect(rule)}"


def _effect(rule: Rule, s: str = "s") -> str:
    """Return what a rule does; with an empty `s`, what it might do."""
    match rule.effect:
        case Effect.ALLOW:
            return f"allow{s} it after a confirmation" if rule.confirm else f"allow{s} it"
        case Effect.APPROVE:
            return f"ask{s} for an approval"
        case Effect.DENY:
            return f"say{s} no"
        case _:
            assert_never(rule.effect)


def _right(rule: Rule) -> str:
    """Return what a rule lets people do, in one line."""
    appids = "" if rule.appids == (ANYONE,) else f" with appids {_globs(rule.appids)}"
    where = f" in {_channels(rule)}" if rule.channels else ""
    step = (
        "an approval" if rule.effect is Effect.APPROVE else "a confirmation" if rule.confirm else ""
    )
    after = f" (needs {step}, which I cannot collect yet)" if step else ""
    envs = "any env" if rule.envs == (ANYONE,) else _globs(rule.envs)
    return f"{envs}{appids}{where}{after}, by rule {_name(rule)}"


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
    return f"“{escape(shortened(rule.name, _NAME_LIMIT))}”"


def _contact(policy: Policy) -> str:
    return escape(policy.contact).rstrip(".")


def _some(lines: list[str]) -> str:
    """Return the first of `lines` with bullets, as many as there is room for, and the count of the rest."""
    ends = accumulate(len(line) for line in lines)
    shown = [line for line, end in zip(lines, ends, strict=True) if end <= _LIST_ROOM][
        :_LISTED_RULES
    ]
    more = len(lines) - len(shown)
    return bullets([*shown, *([f"and {more} more"] if more else [])])
