"""How each kind of outcome is worded: its sign, its few words in lists, and why nothing was shared."""

from collections.abc import Mapping
from dataclasses import dataclass
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
from bot.domain.request import Approval, Request
from bot.messages.words import Mrkdwn, Words, code, msgid, when, why_command

Kind = type[Outcome] | Ground | SkipReason | Literal["confirmation", "approval"]
"""A kind of outcome that has words of its own: its class or, if it says why it ended, that."""


@dataclass(frozen=True, slots=True)
class Ending:
    """One kind of outcome in words; the placeholders are a request's, and `by`, `until`, `command` and `history`."""

    mark: str
    state: str
    """In a list of requests, in the channels, and for those who come too late."""
    why: str = ""
    """In the answer: why WeChat was not called."""
    then: str = ""
    """In the answer: what to do next, if WeChat was not called."""


ENDINGS: Final[Mapping[Kind, Ending]] = {
    Shared: Ending("✅", msgid("shared")),
    Failed: Ending("❌", msgid("not shared")),
    Unknown: Ending("❔", msgid("unknown, it may have been shared")),
    Rejected: Ending(
        "🚫",
        msgid("rejected by <@{by}>"),
        msgid("🚫 *Rejected* by <@{by}>. Nothing was shared."),
        msgid("Talk to them before you ask again."),
    ),
    Cancelled: Ending(
        "🚫",
        msgid("cancelled by <@{by}>"),
        msgid("🚫 *Cancelled* by <@{by}>. Nothing was shared."),
        msgid("To share it after all, send the command again."),
    ),
    "confirmation": Ending(
        "⌛",
        msgid("expired"),
        msgid("⌛ *You did not confirm in time.* Nothing was shared."),
        msgid("To share it after all, try again."),
    ),
    "approval": Ending(
        "⌛",
        msgid("expired"),
        msgid("⌛ *No approver decided in time.* Nothing was shared."),
        msgid("Talk to an approver, then try again. If you know none, ask {contact}."),
    ),
    Ground.NOT_ALLOWED: Ending(
        "🚫",
        msgid("denied, since the policy no longer allows it"),
        msgid("🚫 *The policy does not allow this any more.* Nothing was shared."),
        msgid("{command} shows what the policy says now."),
    ),
    Ground.FROZEN: Ending(
        "🚫",
        msgid("denied, because of a freeze"),
        msgid("🚫 *A freeze is on.* It ends {until}. Nothing was shared."),
        msgid("To share it after that, send the command again. {command} says more."),
    ),
    Ground.SEVERAL_RULES: Ending(
        "🚫",
        msgid("denied, since different rules apply to it now"),
        msgid("🚫 *Different rules now apply to these apps.* Nothing was shared."),
        msgid(
            "When you asked, one rule covered all of them. Now send one command for each rule. {command} shows the rule for one appid; type it for the others too."
        ),
    ),
    Ground.OTHER_OWNER: Ending(
        "🚫",
        msgid("denied, since the env has another owner now"),
        msgid("🚫 *The env has another owner now.* Nothing was shared."),
        msgid(
            "The policy named {owner} when you asked, and does not any more. To share it all the same, send the command again."
        ),
    ),
    Ground.OWN_RECEIVER: Ending(
        "🚫",
        msgid("denied, since a receiver owns the env now"),
        msgid("🚫 *A receiver owns the env now.* Nothing was shared."),
        msgid("An owner needs no share. For other receivers, send the command without it."),
    ),
    Stopped: Ending(
        "🚫",
        msgid("stopped by the policy"),
        msgid("🚫 *Stopped by the policy.* Nothing was shared."),
        msgid(
            "The policy allowed this when you asked, and no longer does. {command} shows what it says now."
        ),
    ),
    SkipReason.SHARED_BEFORE: Ending(
        "✅",
        msgid("already shared by another request"),
        msgid("✅ *Another request shared it* while this one waited, so I did nothing more."),
        msgid("To share it once more, send the command with `--again`."),
    ),
    SkipReason.UNDER_WAY: Ending(
        "🚫",
        msgid("skipped, since another request does it"),
        msgid(
            "🚫 *Another request is sharing it just now, or waiting to*, so this one did nothing."
        ),
        msgid("{history} tells how that one ends. If it fails, send the command again."),
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


def named_in(outcome: Outcome) -> Mapping[str, str]:
    """Return the placeholders that an outcome fills: who rejected or cancelled it, and when what denies it ends."""
    by = outcome.by if isinstance(outcome, Rejected | Cancelled) else ""
    until = when(outcome.until) if isinstance(outcome, Denied) and outcome.until else ""
    return {"by": by, "until": until}


def mark(outcome: Outcome) -> str:
    """Return the sign of an outcome; for a batch, of the worst one in it."""
    if not isinstance(outcome, Finished):
        return ENDINGS[kind_of(outcome)].mark
    tally = outcome.tally
    if tally.failed:
        return "❌"
    if tally.unknown:
        return "❔"
    if tally.cancelled or tally.stopped:
        return "❌" if tally.shared else "🚫"
    return "🚫" if outcome.left_to_others and not tally.shared else "✅"


def state(words: Words, outcome: Outcome) -> Mrkdwn:
    """Return in a few words how a request ended."""
    if isinstance(outcome, Finished):
        return counts(words, outcome.tally)
    return words(ENDINGS[kind_of(outcome)].state, **named_in(outcome))


def next_step(words: Words, request: Request, outcome: Outcome, appid: str) -> str:
    """Return what the requester does next about an appid for which WeChat was not called."""
    return words.about(request)(
        ENDINGS[kind_of(outcome)].then,
        command=why_command(appid, request.env),
        history=code(f"/share-env history {appid}"),
    )


def became(words: Words, request: Request, outcome: Outcome | None) -> Mrkdwn:
    """Return in a few words how a request ended, that it was approved, or that it is under way."""
    if outcome:
        return state(words, outcome)
    if isinstance(request.approval, Approval):
        return words("approved by <@{by}>", by=request.approval.by)
    return words("under way")


def counts(words: Words, tally: Tally) -> Mrkdwn:
    """Return how many items ended in each way, without zeros."""
    told = (
        (tally.shared, words("{count} shared", count=tally.shared)),
        (tally.skipped, words("{count} skipped", count=tally.skipped)),
        (tally.failed, words("{count} not shared", count=tally.failed)),
        (tally.unknown, words("{count} unknown", count=tally.unknown)),
        (tally.cancelled, words("{count} cancelled", count=tally.cancelled)),
        (tally.stopped, words("{count} stopped by the policy", count=tally.stopped)),
    )
    said = [text for count, text in told if count] or [words("nothing was done")]
    return reduce(lambda one, other: words("{one}, {next}", one=one, next=other), said)
