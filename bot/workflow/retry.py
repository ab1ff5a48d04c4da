"""Ask once more: for what failed, on behalf of whoever asked; or for what was shared before, all the same."""

from dataclasses import replace

from bot.command import Share, ShareMany
from bot.domain.click import Click
from bot.domain.outcome import Failed, Finished, Unknown, may_help_again
from bot.domain.request import Origin, Retry
from bot.ledger import Entry, LedgerDownError
from bot.messages import clicks as say
from bot.policy import Unreadable, may_approve
from bot.workflow.clicks import Answering, Reply
from bot.workflow.deadline import PATIENCE, within
from bot.workflow.ruling import approving_rule


class Retrying:
    """Answers the clicks that ask once more."""

    def __init__(self, answering: Answering) -> None:
        self._by = answering

    async def retry(self, click: Click) -> Reply:
        """Ask once more for what failed, on behalf of whoever asked; once."""
        policy = self._by.submitting.policy
        people = self._by.now()
        person = await self._by.person(click, policy, people)
        words = self._by.submitting.words(person)
        try:
            entry = await self._by.find(click)
            if entry is None or entry.outcome is None or not may_help_again(entry.outcome):
                return Reply(say.no_such_request(words))
            if entry.retried_by:
                return Reply(say.retried_already(words))
            origin = entry.request.origin
            own = click.user_id == origin.user_id
            if isinstance(person, Unreadable):
                return Reply(say.cannot_tell_who(words))
            rule = approving_rule(policy, entry.request)
            if not own and not (rule and may_approve(rule, person, origin.user_id)):
                return Reply(say.not_for_retry(words, entry.request))
            share = await self._what_failed(entry)
        except LedgerDownError as error:
            return self._by.down(words, click, error)
        if share is None:
            return Reply(say.no_such_request(words))
        requester = await people.person(origin.team_id, origin.user_id, policy.groups)
        here = click.channel_id == origin.channel_id  # and not where they were told alone
        clicked = replace(
            origin,
            trigger_id=click.trigger_id,
            response_url=click.response_url if own else "",
            thread_ts=click.thread_ts if here else origin.thread_ts,
        )
        told = await self._by.submitting.submit(
            policy,
            clicked,
            share,
            requester,
            within(PATIENCE),
            retry=Retry(entry.request.id, click.user_id),
            words=words,
        )
        return Reply(told)

    async def _what_failed(self, entry: Entry) -> Share | ShareMany | None:
        """Return what to ask for once more: of a batch, the items that failed."""
        request = entry.request
        if not request.is_batch:
            return Share(request.appid, request.env, request.reason, again=request.again)
        failed = request.appids  # a batch that ended otherwise did so before any of its items began
        if isinstance(entry.outcome, Finished):
            outcomes = await self._by.ports.ledger.batches.outcomes(request.id)
            failed = tuple(
                appid for appid, outcome in outcomes if isinstance(outcome, Failed | Unknown)
            )
        more = request.reason, False, request.again
        match failed:
            case ():
                return None
            case (appid,):
                return Share(appid, request.env, *more)
            case _:
                return ShareMany(failed, request.env, *more)

    async def again(self, click: Click) -> Reply:
        """Ask for what was shared before, all the same: for the reason given now, else for one's own of before."""
        policy = self._by.submitting.policy
        person = await self._by.person(click, policy, self._by.now())
        words = self._by.submitting.words(person)
        try:
            entry = await self._by.find(click)
        except LedgerDownError as error:
            return self._by.down(words, click, error)
        if entry is None or entry.request.is_batch:
            return Reply(say.no_such_request(words))
        request = entry.request
        own = click.user_id == request.origin.user_id
        reason = click.reason or (request.reason if own else None)
        share = Share(request.appid, request.env, reason, again=True)
        told = await self._by.submitting.submit(
            policy, _origin(click), share, person, within(PATIENCE)
        )
        return Reply(told, settles=True)


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
