"""The answer to a click that came too late: what became of the request."""

from typing import assert_never

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
    Unknown,
)
from bot.domain.request import Request
from bot.messages.blocks import Message, message
from bot.messages.words import Words


def too_late(words: Words, request: Request, outcome: Outcome | None) -> Message:
    """Say that the click came too late, and what became of the request."""
    return message(words("That came too late: {end}", end=_end(words, request, outcome)))


def _end(words: Words, request: Request, outcome: Outcome | None) -> str:  # noqa: C901  # one case for each outcome
    match outcome:
        case None if request.approval:
            return words("<@{by}> approved it already.", by=request.approval.by)
        case None:
            return words("it is under way already.")
        case Rejected(by):
            return words("<@{by}> rejected it already.", by=by)
        case Cancelled(by):
            return words("<@{by}> cancelled it.", by=by)
        case Expired():
            return words("it has expired, and nothing was shared.")
        case Denied(ground):
            return _ended_by_policy(words, ground)
        case Stopped():
            return words("the policy stopped it, and nothing was shared.")
        case Shared():
            return words("it was shared.")
        case Skipped(SkipReason.SHARED_BEFORE):
            return words("another request shared it meanwhile.")
        case Skipped():
            return words("another request is sharing it just now.")
        case Failed() | Unknown() | Finished():
            return words("it has ended; the answer is in its thread.")
        case _:
            assert_never(outcome)


def _ended_by_policy(words: Words, ground: Ground) -> str:
    match ground:
        case Ground.NOT_ALLOWED:
            return words("the policy does not allow it any more.")
        case Ground.SEVERAL_RULES:
            return words("different rules apply to it now, and nothing was shared.")
        case Ground.OTHER_OWNER:
            return words("its env has another owner now, and nothing was shared.")
        case _:
            assert_never(ground)
