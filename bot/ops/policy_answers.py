"""The policy's answer to one question, for a terminal; the bot's reply is quoted in its own words."""

import re
from collections.abc import Iterator
from datetime import timedelta

from bot.domain.language import Language
from bot.locale import languages
from bot.messages.rules import fit, right
from bot.messages.rulings import answer, near, who_can
from bot.messages.words import as_typed, contact_in
from bot.policy.decide import decide, deciding_rule, explain, owner_of, rights
from bot.policy.errors import quoted
from bot.policy.kinds import (
    Ask,
    Decision,
    Deny,
    Effect,
    NeedsConfirmation,
    Person,
    Policy,
    Standing,
)

_HOUR = timedelta(hours=1)
_NO_OWNER = "Owner: none is known here, so nothing is shared. Add an [[owner]], or set WECHAT_AUTHORIZER_APPID."
_MENTION = re.compile(r"<(?:[@#]|!subteam\^)(\w+)>")
_BOLD = re.compile(r"^\*([^*`\n]+)\*", re.MULTILINE)


def explanation(policy: Policy, ask: Ask) -> Iterator[str]:
    """Yield the decision, in the bot's words and in short, and what led to it."""
    words = languages(Language.ENGLISH, lambda: policy.contact).channel
    decision = decide(policy, ask)
    yield f"{_called(ask.person)}, {f'in {ask.channel}' if ask.channel else 'no channel given'}"
    yield f"  /share-env why {ask.appid} {ask.env}"
    parts = [answer(words, decision, ask, policy)]
    if isinstance(decision, Deny):
        parts += filter(None, (near(words, decision), who_can(words, decision)))
    yield from (f"  │ {line}" for part in parts for line in _plain(part).splitlines())
    yield f"Decision: {_decided(decision)}"
    yield from _how(decision)
    owner = owner_of(policy, ask.env)
    yield f"Owner: {owner}, whose token is used" if owner else _NO_OWNER
    yield "The rules, in order; the first that fits decides:"
    for number, verdict in enumerate(explain(policy, ask), 1):
        yield f"  {number}. {quoted(verdict.rule.name)}: {_plain(fit(words, verdict))}"


def listing(policy: Policy, person: Person, channel: str | None) -> Iterator[str]:
    """Yield a line for each rule that permits the person something, or who can grant it.

    Without a channel, what they may share from anywhere.
    """
    words, known = languages(Language.ENGLISH).channel, rights(policy, person, channel)
    there = f" in {channel}" if channel else ""
    if known:
        yield f"{_called(person)} may share{there}:"
        yield from (f"  • {_plain(right(words, rule))}" for rule in known)
    else:
        whom = _plain(contact_in(words, policy.contact))
        yield f"{_called(person)} may not share any env{there}. Who can grant it: {whom}."
    if any(rule.effect is Effect.DENY for rule in policy.rules):
        yield "Rules that deny can take some of it away. Name --appid and --env to be sure."


def unread_groups(policy: Policy, person: Person) -> Iterator[str]:
    """Yield which groups the answer depends on, if none was given."""
    groups = sorted({group for rule in policy.rules for group in rule.groups})
    if groups and not person.groups:
        told = f"If {person.user_id} is in {' or '.join(groups)}, say so with --group."
        yield f"Who is in a group cannot be read here. {told}"


def _plain(text: str) -> str:
    """Return Slack's mrkdwn as plain text: ids for mentions, no markup."""
    return as_typed(_BOLD.sub(r"\1", _MENTION.sub(r"\1", text)).replace("`", ""))


def _called(person: Person) -> str:
    """Return a person's id, with their groups and whether they are a guest."""
    guest = ", a guest" if person.standing is Standing.GUEST else ""
    groups = f" of {', '.join(sorted(person.groups))}" if person.groups else ""
    return f"{person.user_id}{groups}{guest}"


def _decided(decision: Decision) -> str:
    rule = deciding_rule(decision)
    if isinstance(decision, NeedsConfirmation):
        word = "confirm first"
    else:
        word = "deny" if isinstance(decision, Deny) else decision.rule.effect.value
    return f"{word}, by rule {quoted(rule.name)}" if rule else f"{word}, since no rule fits"


def _how(decision: Decision) -> Iterator[str]:
    """Yield what happens before the call to WeChat."""
    rule = deciding_rule(decision)
    if isinstance(decision, Deny) or rule is None:
        return
    if rule.confirm:
        yield "First: whoever asks has to confirm it"
    if rule.effect is Effect.APPROVE:
        who = [*sorted(rule.approvers.users), *sorted(rule.approvers.groups)]
        span = rule.approvers.expires
        time = f"{span // _HOUR}h" if not span % _HOUR else f"{span // timedelta(minutes=1)}m"
        yield f"Approvers: {', '.join(who)}; asked in {rule.approvers.channel}, for {time}"
