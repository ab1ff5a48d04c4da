"""Cancel a request that has not begun: by its requester, its approvers and the operators. Pure."""

from dataclasses import replace

from bot.domain.outcome import Cancelled
from bot.domain.request import BEGUN, State
from bot.ledger.clicks import Move
from bot.messages.clicks import NothingDone, Settled, settled
from bot.workflow.click_steps import ApplyMove, CancelRest, ClickContext, ClickStep, late


def cancel(context: ClickContext) -> ClickStep:
    """Cancel a request that waits for people, or the items of a batch that have not begun."""
    words, entry, by = context.words, context.entry, context.click.user_id
    request = entry.request
    why = NothingDone.NOT_FOR_CANCEL
    if not context.own and (no := context.forbidden(why, operators=True)):
        return no
    begun = entry.state in BEGUN
    if begun and request.appids:
        return CancelRest()
    if entry.state not in {State.CONFIRMING, State.WAITING}:
        reply = late(words, context.click, entry)
        return replace(reply, replaces=reply.replaces and not begun)
    # A requester who cancels instead of confirming needs no further answer; all other cancellations are delivered.
    silent = context.own and entry.state is State.CONFIRMING
    to = State.ENDED if silent else State.ANSWERED
    move = Move(to, by, "cancelled", outcome=Cancelled(by), place=context.click.message)
    return ApplyMove(move, settled(words, request, Settled.CANCELLED), replaces=silent)
