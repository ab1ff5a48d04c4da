"""The policy's decisions, which only the requester sees: denials, `why` and dry runs.

A full member learns the rules about this env and appid, and which of their own conditions fail; a guest, somebody from
outside and whoever Slack does not know learn only whom to ask. Nobody learns of other people, groups or channels.
"""

from collections.abc import Sequence
from typing import assert_never

from bot.command.correction import with_reason
from bot.command.grammar import BLANK_REASON, Share
from bot.domain.request import Request
from bot.messages.blocks import COPIED_LIMIT, Copied, Mended, Message, message, small
from bot.messages.rules import UNREADABLE, fit, rule_name, under, who_can_fix
from bot.messages.words import (
    FOR_GOOD,
    Mrkdwn,
    Words,
    code,
    escape,
    how_many,
    msgid,
    plainly,
    sentences,
    when,
)
from bot.policy.decide import (
    covering,
    may_break_glass,
    may_share_later,
    may_share_somewhere,
    whatever_reason,
)
from bot.policy.kinds import (
    Allow,
    Ask,
    Decision,
    DeniedByRule,
    Deny,
    Freeze,
    Frozen,
    GroupUnreadable,
    NeedsApproval,
    NeedsConfirmation,
    NoRule,
    NotEntitled,
    Permitted,
    PersonUnreadable,
    Policy,
    ReasonWanted,
    Rule,
    Standing,
)


def denied(
    words: Words, because: Deny, ask: Ask, policy: Policy, appids: Sequence[str] = ()
) -> Message:
    """Say that the policy denies the request and why, which rules come closest, and who can grant it.

    `appids` are those of a batch that it is about.
    """
    receivers = how_many(words, appids or (ask.appid,))
    may_not = _may_not(words, because, ask, policy, receivers)
    no = sentences(words, may_not, words("Nothing was done."))
    return message(no) + why_denied(words, because, ask)


def why_denied(words: Words, no: Deny, ask: Ask) -> Message:
    """Say why the policy denies a request, which rules come closest, and who can grant it."""
    return message(_because(words, no, ask), _near(words, no, ask), _who_can(words, no))


def reason_wanted(words: Words, rule: Rule, share: Share) -> Mended:
    """Say what the rule that decides wants of a reason, and give the line that was typed with a place for it."""
    wanted, line = _reason_wanted(words, rule), with_reason(share)
    fits = len(escape(line)) <= COPIED_LIMIT
    said = message(
        sentences(words, wanted, words("Nothing was done.")),
        words("Send it again, with your own words for {blank}:", blank=code(BLANK_REASON))
        if fits
        else words("Send it again with `--reason`."),
        Copied(line) if fits else None,
    )
    return Mended(said.parts, "reason", wanted)


def _reason_wanted(words: Words, rule: Rule) -> Mrkdwn:
    if rule.reason_pattern is None:
        return words("Rule {rule} wants a reason.", rule=rule_name(rule))
    return words(
        "Rule {rule} wants a reason with a part that fits {pattern}.",
        rule=rule_name(rule),
        pattern=code(rule.reason_pattern, 200),
    )


def no_owner(words: Words, ask: Ask) -> Message:
    """Say that the env has no known owner."""
    return message(
        words("I do not know which mini program owns {env}. Nothing was done.", env=code(ask.env)),
        words(
            "Check the env's id. If it is right, it needs an owner: an `[[owner]]` in the policy file, or "
            "`WECHAT_AUTHORIZER_APPID`."
        ),
        words("*Who can fix it:* {contact}."),
    )


def own_receiver(words: Words, owner: str, env: str) -> Message:
    """Say that one of the receivers is the env's owner."""
    return message(
        words(
            "{owner} owns {env}, so there is nothing to share with it. Nothing was done.",
            owner=code(owner),
            env=code(env),
        ),
        words("Name the mini program that is to receive access; leave the owner out."),
    )


def dry_run(words: Words, decision: Permitted, request: Request) -> Message:
    """Say what would happen without `--dry-run`; this must not be mistaken for a success."""
    say = words.about(request)
    return message(
        sentences(words, words("🧪 *Dry run: nothing was shared.*"), _step(words, decision)),
        sentences(
            words,
            say(
                "I would ask WeChat to share {env} with {receivers}, with the token of its owner {owner}."
            ),
            None if request.again else words("I do not repeat what was shared before."),
        ),
        small(sentences(words, words(FOR_GOOD), words("To do it, ask again without the dry run."))),
    )


def as_dry_run(words: Words, told: Message) -> Message:
    """Add to a refusal, which has no buttons, that it is the result of a dry run; what they can mend, they read as it is."""
    if isinstance(told, Mended):
        return told
    return message(words("🧪 *Dry run.* This is what you would be told:")) + told


def why(words: Words, decision: Decision, ask: Ask, policy: Policy) -> Message:
    """Say which rule decides and why, and how the rules about this env and appid match; a question has no reason."""
    decision = whatever_reason(decision) if ask.reason is None else decision
    return message(
        _summary(words, decision, ask, policy),
        _looked_at(words, ask, policy),
        _who_can(words, decision) if isinstance(decision, Deny) else None,
    )


def _is_stranger(ask: Ask) -> bool:
    return ask.person.standing is not Standing.MEMBER


def _looked_at(words: Words, ask: Ask, policy: Policy) -> str | None:
    """Return how the rules about this env and appid match; None if there are none, and for strangers."""
    looked = () if _is_stranger(ask) else covering(policy, ask)
    lines = [
        words("{rule}: {fit}", rule=rule_name(verdict.rule), fit=fit(words, verdict))
        for verdict in looked
    ]
    title = words("*The rules about this, in order; the first that matches decides*")
    return under(words, title, lines) if lines else None


def _summary(words: Words, decision: Decision, ask: Ask, policy: Policy) -> str:
    """Say whether the requester may share, and by which rule."""
    if isinstance(decision, Deny):
        no = _may_not(words, decision, ask, policy, code(ask.appid))
        return sentences(words, no, _because(words, decision, ask))
    env, appid = code(ask.env), code(ask.appid)
    may = words("✅ You may share {env} with {appid} from here.", env=env, appid=appid)
    wanted = _reason_wanted(words, decision.rule) if decision.rule.require_reason else None
    at_once = None
    if isinstance(decision, NeedsApproval) and may_break_glass(decision.rule, ask.person):
        at_once = words("If it cannot wait, you may share it without the approval, and say why.")
    return sentences(words, may, _step(words, decision), wanted, at_once)


def _may_not(words: Words, no: Deny, ask: Ask, policy: Policy, appid: Mrkdwn) -> str:
    """Say no, or that it is not known; “now” or “from here” only if it would be allowed at another time, or elsewhere."""
    if isinstance(no.because, PersonUnreadable | GroupUnreadable):
        text = msgid("🚫 I cannot tell whether you may share {env} with {appid}.")
    elif isinstance(no.because, ReasonWanted):
        text = msgid("🚫 You may not share {env} with {appid}.")
    elif may_share_later(policy, ask):
        text = msgid("🚫 You may not share {env} with {appid} now.")
    elif may_share_somewhere(policy, ask, [ask.appid], ask.env):
        text = msgid("🚫 You may not share {env} with {appid} from here.")
    else:
        text = msgid("🚫 You may not share {env} with {appid}.")
    return words(text, env=code(ask.env), appid=appid)


def _step(words: Words, decision: Permitted) -> str:
    """Return which rule allows it, and what is required first."""
    rule = rule_name(decision.rule)
    match decision:
        case Allow():
            return words("Rule {rule} allows it.", rule=rule)
        case NeedsConfirmation():
            return words("Rule {rule} allows it once you have confirmed it.", rule=rule)
        case NeedsApproval() if decision.rule.confirm:
            return words.count(
                "Rule {rule} allows it once you have confirmed it and an approver has agreed.",
                "Rule {rule} allows it once you have confirmed it and {count} approvers have agreed.",
                decision.rule.approvers.needed,
                rule=rule,
            )
        case NeedsApproval():
            return words.count(
                "Rule {rule} allows it once an approver has agreed.",
                "Rule {rule} allows it once {count} approvers have agreed.",
                decision.rule.approvers.needed,
                rule=rule,
            )
        case _:
            assert_never(decision)


def _because(words: Words, no: Deny, ask: Ask) -> str:
    """Return the reason; for strangers one that tells nothing of the rules, also not whether there are any about this."""
    match no.because:
        case PersonUnreadable(trouble):
            return words(
                "I could not find out who you are: {trouble}.", trouble=words(UNREADABLE[trouble])
            )
        case GroupUnreadable(trouble=trouble) if _is_stranger(ask) or no.because.freeze:
            text = msgid("I could not find out which groups you are in: {trouble}.")
            return words(text, trouble=words(UNREADABLE[trouble]))
        case GroupUnreadable(rule, trouble):
            return words(
                "Rule {rule} might decide this, but I could not find out whether you are in its groups: {trouble}.",
                rule=rule_name(rule),
                trouble=words(UNREADABLE[trouble]),
            )
        case DeniedByRule(rule) if not _is_stranger(ask):
            return words("Rule {rule} denies it.", rule=rule_name(rule))
        case NoRule(()) if not _is_stranger(ask):
            return words(
                "No rule allows this for anybody. Check env and appid for typing mistakes; if they are right, "
                "a new rule is needed."
            )
        case DeniedByRule() | NoRule() | NotEntitled():
            return words("No rule lets you do that.")
        case Frozen(_, freeze):
            return frozen(words, freeze, None if _is_stranger(ask) else freeze.reason)
        case ReasonWanted():
            return _reason_wanted(words, no.because.rule)
        case _:
            assert_never(no.because)


def frozen(words: Words, freeze: Freeze, reason: str | None) -> str:
    """Return that a freeze is on, until when and, for those who may read it, the `reason`."""
    until = when(freeze.ends)
    if reason is None:
        return words("A freeze is on. It ends {until}.", until=until)
    text = msgid("A freeze is on: “{reason}”. It ends {until}.")
    return words(text, until=until, reason=plainly(reason))


def _near(words: Words, no: Deny, ask: Ask) -> str | None:
    """Return the rules that come closest, and what the requester misses in each; None for strangers."""
    if _is_stranger(ask) or not isinstance(no.because, NoRule) or not no.because.nearest:
        return None
    lines = [
        words("rule {rule}: {fit}", rule=rule_name(verdict.rule), fit=fit(words, verdict))
        for verdict in no.because.nearest
    ]
    title = words("*What comes closest*")
    return under(words, title, lines)


def _who_can(words: Words, no: Deny) -> str | None:
    """Return who can grant or fix it; None if they can themselves."""
    if isinstance(no.because, ReasonWanted):
        return None
    if isinstance(no.because, PersonUnreadable | GroupUnreadable):
        return who_can_fix(words)
    if isinstance(no.because, Frozen):
        return words("Send it again after that. If it cannot wait, ask {contact}.")
    return words("*Who can grant it:* {contact}.")
