"""Ask once more: for what failed, on behalf of whoever asked; or for what was shared before, all the same. Pure."""

from dataclasses import replace

from bot.command import Share, ShareMany
from bot.domain.click import Click
from bot.domain.outcome import retry_may_help
from bot.domain.request import Origin, Retry
from bot.messages import clicks as say
from bot.policy import Unreadable, may_approve
from bot.workflow.ruling import approving_rule
from bot.workflow.seen import AskAgain, ClickStep, Reply, Seen


def retry(seen: Seen) -> ClickStep:
    """Ask once more for what failed, on behalf of whoever asked; once."""
    words, entry, request, click = seen.words, seen.entry, seen.request, seen.click
    if entry.outcome is None or not retry_may_help(entry.outcome):
        return Reply(say.no_such_request(words))
    if entry.retried_by:
        return Reply(say.retried_already(words), spent=True)
    if isinstance(seen.clicker, Unreadable):
        return Reply(say.cannot_tell_who(words))
    origin, rule = request.origin, approving_rule(seen.policy, request)
    if not seen.own and not (rule and may_approve(rule, seen.clicker, origin.user_id)):
        return Reply(say.not_for_retry(words, request))
    share = _what_failed(seen)
    if share is None:
        return Reply(say.no_such_request(words))
    here = click.channel_id == origin.channel_id  # and not where they were told alone
    clicked = replace(
        origin,
        trigger_id=click.trigger_id,
        response_url=click.response_url if seen.own else "",
        thread_ts=click.thread_ts if here else origin.thread_ts,
    )
    return AskAgain(clicked, share, seen.requester, Retry(request.id, click.user_id))


def _what_failed(seen: Seen) -> Share | ShareMany | None:
    """Return what to ask for once more."""
    request = seen.request
    more = request.reason, False, request.again
    match seen.failed:
        case ():
            return None
        case (appid,):
            return Share(appid, request.env, *more)
        case failed:
            return ShareMany(failed, request.env, *more)


def again(seen: Seen) -> ClickStep:
    """Ask for what was shared before, all the same: for the reason given now, else for one's own of before."""
    request, click = seen.request, seen.click
    if request.is_batch:
        return Reply(say.no_such_request(seen.words))
    reason = click.reason or (request.reason if seen.own else None)
    share = Share(request.appid, request.env, reason, again=True)
    return AskAgain(_origin(click), share, seen.clicker, settles=True)


def _origin(click: Click) -> Origin:
    return Origin(
        click.team_id,
        click.user_id,
        click.channel_id,
        click.channel_name,
        click.trigger_id,
        click.response_url,
        click.thread_ts,
        click.active_thread,
    )
