"""How any request ended, in a few words: its sign, its state in a list, and a clause for those who come too late."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from typing import Final, Literal

from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Failed,
    Finished,
    Ground,
    Outcome,
    Rejected,
    Shared,
    Skipped,
    SkipReason,
    Stopped,
    Tally,
    Unknown,
)
from bot.domain.request import Request
from bot.messages.words import Mrkdwn, Words, msgid

Kind = type[Outcome] | Ground | SkipReason | Literal["confirmation", "approval"]
"""A kind of outcome that has words of its own: its class or, if it says why it ended, that."""


@dataclass(frozen=True, slots=True)
class Brief:
    """One kind of outcome in a few words; the placeholders are a request's, `mark`, and in a clause `by`."""

    mark: str
    state: str
    """In a list of requests."""
    clause: str
    """The end of a sentence, for those who come too late."""
    headline: str
    """Of the parent message in the channel."""


_NOT_SHARED = msgid("{mark} {who} asked to share {env} with {receivers}. It was not shared.")
_EXPIRED = Brief(
    "⌛",
    msgid("expired"),
    msgid("it has expired, and nothing was shared. The answer has a button to try again."),
    _NOT_SHARED,
)
_DENIED = Brief("🚫", msgid("denied"), msgid("the policy does not allow it any more."), _NOT_SHARED)
BRIEFS: Final[Mapping[Kind, Brief]] = {
    Shared: Brief(
        "✅",
        msgid("shared"),
        msgid("it was shared."),
        msgid("✅ {who} shared {env} with {appid}."),
    ),
    Failed: Brief(
        "❌",
        msgid("not shared"),
        msgid("it did not succeed; the answer to the requester says why."),
        _NOT_SHARED,
    ),
    Unknown: Brief(
        "❔",
        msgid("unknown"),
        msgid("it may or may not have been shared; the answer to the requester says more."),
        msgid("❔ {who} asked to share {env} with {appid}. It may or may not have been shared."),
    ),
    Rejected: Brief("🚫", msgid("rejected"), msgid("<@{by}> rejected it already."), _NOT_SHARED),
    Cancelled: Brief("🚫", msgid("cancelled"), msgid("<@{by}> cancelled it."), _NOT_SHARED),
    "confirmation": _EXPIRED,
    "approval": _EXPIRED,
    Ground.NOT_ALLOWED: _DENIED,
    Ground.SEVERAL_RULES: replace(
        _DENIED, clause=msgid("different rules apply to it now, and nothing was shared.")
    ),
    Ground.OTHER_OWNER: replace(
        _DENIED, clause=msgid("its env has another owner now, and nothing was shared.")
    ),
    Stopped: Brief(
        "🚫",
        msgid("stopped by the policy"),
        msgid("the policy stopped it, and nothing was shared."),
        _NOT_SHARED,
    ),
    SkipReason.SHARED_BEFORE: Brief(
        "✅",
        msgid("shared by another request"),
        msgid("another request shared it meanwhile."),
        msgid(
            "✅ {who} asked to share {env} with {receivers}. Another request shared it meanwhile."
        ),
    ),
    SkipReason.UNDER_WAY: Brief(
        "🚫",
        msgid("left to another request"),
        msgid("another request was sharing it already, or waiting to."),
        msgid(
            "🚫 {who} asked to share {env} with {receivers}. Another request was sharing it already, or waiting to."
        ),
    ),
}
"""All but a batch, whose items ended in several ways."""


def kind_of(outcome: Outcome) -> Kind:
    """Return the kind of an outcome, for tables."""
    match outcome:
        case Denied(why) | Skipped(why) | Expired(why):
            return why
        case _:
            return type(outcome)


def mark(outcome: Outcome) -> str:
    """Return the sign of an outcome; for a batch, of the worst one in it."""
    if not isinstance(outcome, Finished):
        return BRIEFS[kind_of(outcome)].mark
    tally = outcome.tally
    if tally.failed:
        return "❌"
    if tally.unknown:
        return "❔"
    if tally.cancelled or tally.stopped:
        return "❌" if tally.shared else "🚫"
    return "🚫" if outcome.left_to_others and not tally.shared else "✅"


def state(words: Words, outcome: Outcome) -> str:
    """Return the sign and the state of an outcome, for a list."""
    if isinstance(outcome, Finished):
        return f"{mark(outcome)} {counts(words, outcome.tally)}"
    return f"{mark(outcome)} {words(BRIEFS[kind_of(outcome)].state)}"


def became(words: Words, request: Request, outcome: Outcome | None) -> str:
    """Return how a request ended, as the end of a sentence."""
    match outcome:
        case None if request.approval:
            return words("<@{by}> approved it already.", by=request.approval.by)
        case None:
            return words("it is under way already.")
        case Finished(tally) if tally.stopped:
            return words(
                "the policy stopped {count} of {total}.", count=tally.stopped, total=tally.total
            )
        case Finished(tally):
            return words("the batch ended with {counts}.", counts=counts(words, tally))
        case Rejected(by) | Cancelled(by):
            return words(BRIEFS[type(outcome)].clause, by=by)
        case _:
            return words(BRIEFS[kind_of(outcome)].clause)


def counts(words: Words, tally: Tally) -> Mrkdwn:
    """Return how many items ended in each way, without zeros."""
    told = (
        (tally.shared, words("{count} shared", count=tally.shared)),
        (tally.skipped, words("{count} left out", count=tally.skipped)),
        (tally.failed, words("{count} not shared", count=tally.failed)),
        (tally.unknown, words("{count} unknown", count=tally.unknown)),
        (tally.cancelled, words("{count} cancelled", count=tally.cancelled)),
        (tally.stopped, words("{count} stopped by the policy", count=tally.stopped)),
    )
    said = [text for count, text in told if count] or [words("nothing was done")]
    return reduce(lambda one, other: words("{one}, {next}", one=one, next=other), said)
