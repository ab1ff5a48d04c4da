"""Submit a request again: what failed, on the requester's behalf, or what was shared before. Pure."""

from dataclasses import replace

from bot.command.grammar import Share
from bot.domain.click import Click
from bot.domain.outcome import retry_may_help
from bot.domain.request import Origin, Retry
from bot.messages.clicks import NothingDone
from bot.workflow.click_steps import ClickContext, ClickStep, Resubmit


def retry(context: ClickContext) -> ClickStep:
    """Retry what failed, on the requester's behalf; a request can be retried once."""
    entry, click = context.entry, context.click
    request = entry.request
    if entry.outcome is None or not retry_may_help(entry.outcome):
        return context.refuse(NothingDone.NO_SUCH_REQUEST)
    if entry.retried_by:
        return replace(context.refuse(NothingDone.RETRIED_ALREADY), spent=True)
    if no := context.forbidden(NothingDone.NOT_FOR_RETRY, operators=False):
        return no
    if not context.failed:
        return context.refuse(NothingDone.NO_SUCH_REQUEST)
    origin = request.origin
    here = click.channel_id == origin.channel_id  # not in a direct message
    clicked = replace(
        origin,
        trigger_id=click.trigger_id,
        response_url=click.response_url if context.own else "",
        thread_ts=click.active_thread if here else origin.thread_ts,
    )
    share = Share(context.failed, request.env, request.reason, again=request.again)
    return Resubmit(clicked, share, context.requester, Retry(request.id, click.user_id))


def share_again(context: ClickContext) -> ClickStep:
    """Share again what was shared before; the reason is the one given now, else the requester's own earlier one."""
    request, click = context.entry.request, context.click
    if request.appids:
        return context.refuse(NothingDone.NO_SUCH_REQUEST)
    reason = click.reason or (request.reason if context.own else None)
    share = Share((request.appid,), request.env, reason, again=True)
    return Resubmit(_origin(click), share, context.clicker, replaces=True)


def _origin(click: Click) -> Origin:
    return Origin(
        click.team_id,
        click.user_id,
        click.channel_id,
        click.channel_name,
        click.trigger_id,
        click.response_url,
        thread_ts=click.active_thread,
        active_thread=click.active_thread,
    )
