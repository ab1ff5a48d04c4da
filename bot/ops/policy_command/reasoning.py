"""Why the policy decides one question as it does, for a terminal or as JSON; what the bot would say is in its own words."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from bot.domain.language import Language
from bot.locale import tongues
from bot.messages.rules import fit
from bot.messages.rulings import answer, near, who_can
from bot.ops.policy_command.person import NO_GROUPS, called, person_facts, plain
from bot.policy import (
    Allow,
    Ask,
    Decision,
    Deny,
    Miss,
    NeedsApproval,
    NeedsConfirmation,
    Person,
    Policy,
    decide,
    deciding_rule,
    explain,
    nearest,
    owner_of,
)
from bot.policy.conditions import OPTIONS
from bot.policy.errors import quoted
from bot.policy.supposing import Supposed, supposing

_HOUR = timedelta(hours=1)
_NO_OWNER = "Owner: none is known here, so nothing is shared. Add an [[owner]], or set WECHAT_AUTHORIZER_APPID."


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What the policy says to one ask, and what it would say with groups and channels that were not named."""

    policy: Policy
    ask: Ask

    def lines(self) -> Iterator[str]:
        """Yield the decision, in the bot's words and in short, and what led to it."""
        policy, ask, words = self.policy, self.ask, tongues(Language.ENGLISH).channel
        decision = decide(policy, ask)
        yield f"{called(ask.person)}, {f'in {ask.channel}' if ask.channel else 'no channel given'}"
        yield f"  /share-env why {ask.appid} {ask.env}"
        said = [answer(words, decision, ask, policy)]
        if isinstance(decision, Deny):
            said += filter(None, (near(words, decision), who_can(words, decision, policy)))
        yield from (f"  │ {line}" for part in said for line in plain(part).splitlines())
        yield f"Decision: {_decided(decision)}"
        yield from _how(decision)
        owner = owner_of(policy, ask.env)
        yield f"Owner: {owner}, whose token is used" if owner else _NO_OWNER
        yield "The rules, in order; the first that fits decides:"
        for number, verdict in enumerate(explain(policy, ask), 1):
            yield f"  {number}. {quoted(verdict.rule.name)}: {plain(fit(words, verdict))}"
        others = supposing(policy, ask)
        if any("group" in other.values for other in others):
            yield NO_GROUPS
        for other in others:
            yield f"If {_supposed(ask.person, other)}: {_decided(other.decision)}"

    def facts(self) -> dict[str, object]:
        """Return the same as JSON has it; times in seconds."""
        policy, ask, words = self.policy, self.ask, tongues(Language.ENGLISH).channel
        decision = decide(policy, ask)
        return {
            **person_facts(ask.person),
            "channel": ask.channel or None,
            "appid": ask.appid,
            "env": ask.env,
            **_decision_facts(decision),
            "approvers": _approvers_facts(decision),
            "owner": owner_of(policy, ask.env),
            "rules": [
                {
                    "rule": verdict.rule.name,
                    "fits": not verdict.misses,
                    "misses": [miss.name.lower() for miss in Miss if miss in verdict.misses],
                    "why": plain(fit(words, verdict)),
                }
                for verdict in explain(policy, ask)
            ],
            "nearest": [verdict.rule.name for verdict in nearest(policy, ask)]
            if isinstance(decision, Deny)
            else [],
            "contact": policy.contact,
            "if": [
                {
                    **{option.name: other.values.get(option.name) for option in OPTIONS},
                    **_decision_facts(other.decision),
                }
                for other in supposing(policy, ask)
            ],
        }


def _word(decision: Decision) -> str:
    match decision:
        case Allow():
            return "allow"
        case NeedsConfirmation():
            return "confirm"
        case NeedsApproval():
            return "approve"
        case Deny():
            return "deny"
        case _:
            assert_never(decision)


def _decided(decision: Decision) -> str:
    rule = deciding_rule(decision)
    word = "confirm first" if isinstance(decision, NeedsConfirmation) else _word(decision)
    return f"{word}, by rule {quoted(rule.name)}" if rule else f"{word}, since no rule fits"


def _how(decision: Decision) -> Iterator[str]:
    """Yield what comes before the call to WeChat."""
    rule = deciding_rule(decision)
    if isinstance(decision, Deny) or rule is None:
        return
    if rule.confirm:
        yield "First: whoever asks has to confirm it"
    if rule.approvers:
        who = [*sorted(rule.approvers.users), *sorted(rule.approvers.groups)]
        span = rule.approvers.expires
        time = f"{span // _HOUR}h" if not span % _HOUR else f"{span // timedelta(minutes=1)}m"
        yield f"Approvers: {', '.join(who)}; asked in {rule.approvers.channel}, for {time}"


def _supposed(person: Person, other: Supposed) -> str:
    values = other.values
    said = [each.says.format(values[each.name]) for each in OPTIONS if each.name in values]
    return f"{person.user_id} {' and '.join(said)}"


def _decision_facts(decision: Decision) -> dict[str, object]:
    rule = deciding_rule(decision)
    return {
        "decision": _word(decision),
        "rule": rule.name if rule else None,
        "confirm": rule.confirm if rule else False,
    }


def _approvers_facts(decision: Decision) -> dict[str, object] | None:
    rule = deciding_rule(decision)
    if rule is None or rule.approvers is None:
        return None
    return {
        "users": sorted(rule.approvers.users),
        "groups": sorted(rule.approvers.groups),
        "channel": rule.approvers.channel,
        "expires": rule.approvers.expires.total_seconds(),
        "self_approval": rule.self_approval,
    }
