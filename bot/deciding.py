"""The use cases of the approvers: approve or reject what waits for them. The policy is asked anew."""

from dataclasses import replace

from bot.answering import PATIENCE, Answering, Reply
from bot.click import Click
from bot.ledger import Entry, LedgerDownError
from bot.ledger.entries import facts_of
from bot.messages import Message
from bot.messages import clicks as say
from bot.messages.words import Words
from bot.outcome import Denied, Outcome, Rejected
from bot.policy import (
    Decision,
    Deny,
    NeedsApproval,
    Person,
    Policy,
    Rule,
    Unreadable,
    may_approve,
)
from bot.request import State
from bot.ruling import in_doubt, strictest
from bot.submitting import within

_Course = tuple[State, str, Outcome | None]
"""Where a decision takes a request, the kind of its event, and how it ends by it."""


class Deciding:
    """Answers the approvers' clicks."""

    def __init__(self, answering: Answering) -> None:
        self._by = answering

    async def words(self, click: Click) -> Words:
        """Return the words of whoever clicked."""
        return await self._by.words(click)

    async def approve(self, click: Click, comment: str | None) -> Reply:
        """Let a request go on that an approver agrees to."""
        return await self._decide(click, comment, approved=True)

    async def reject(self, click: Click, comment: str | None) -> Reply:
        """End a request that an approver does not agree to."""
        return await self._decide(click, comment, approved=False)

    async def question(self, click: Click) -> Entry | Message:
        """Return the request that this person may decide about, or why they may not.

        Read as it is remembered, since a modal has to open within three seconds; but nobody is refused by that.
        """
        policy = self._by.submitting.policy
        approver = await self._by.person(click, policy)
        words = self._by.submitting.words(approver)
        try:
            entry = await self._by.find(click)
        except LedgerDownError:
            return say.click_not_recorded(words)
        if entry is None:
            return say.no_such_request(words)
        if entry.state is not State.WAITING:
            return say.too_late(words, entry.request, entry.outcome)
        requester = await self._by.ports.people.person(
            click.team_id, entry.request.origin.user_id, policy.groups
        )
        _, decision = strictest(self._by.decisions(policy, entry, requester))
        rule = _rule(policy, entry, decision)
        if not _no_approver(words, rule, decision, entry, approver):
            return entry
        approver = await self._by.person(click, policy, anew=True)
        return await self._refused(words, click, rule, decision, entry, approver) or entry

    async def _decide(self, click: Click, comment: str | None, *, approved: bool) -> Reply:
        policy = self._by.submitting.policy
        approver = await self._by.person(click, policy, anew=True)
        words = self._by.submitting.words(approver)
        try:
            entry = await self._by.find(click)
            if entry is None:
                return Reply(say.no_such_request(words))
            if entry.state is not State.WAITING:
                return Reply(say.too_late(words, entry.request, entry.outcome))
            asked_by = entry.request.origin.user_id
            requester = await self._by.ports.people.person(
                click.team_id, asked_by, policy.groups, anew=True
            )
            _, decision = strictest(self._by.decisions(policy, entry, requester))
            rule = _rule(policy, entry, decision)
            no = await self._refused(words, click, rule, decision, entry, approver)
            if no:
                return Reply(no)
            if approved and in_doubt(decision):
                return Reply(say.cannot_tell_who(words))
            if isinstance(decision, Deny) and (approved or rule is None):
                course: _Course = State.ANSWERED, "denied", Denied()
            elif not approved:
                course = State.ANSWERED, "rejected", Rejected(click.user_id, comment)
            elif self._by.other_owner(policy, entry):
                course = State.ANSWERED, "denied", Denied(other_owner=True)
            else:
                course = State.PLACED if entry.place else State.ACCEPTED, "approved", None
            return await self._decided(words, click, entry, comment, course)
        except LedgerDownError as error:
            return self._by.down(words, click, error)

    async def _decided(
        self, words: Words, click: Click, entry: Entry, comment: str | None, course: _Course
    ) -> Reply:
        to, kind, outcome = course
        where = f"{click.channel_id} {click.message_ts}" if click.message_ts else None
        moved = await self._by.ports.ledger.clicks.move(
            entry,
            to,
            click.user_id,
            kind,
            comment=comment,
            outcome=outcome,
            asked=where,
        )
        if moved is None:
            return await self._by.too_late(words, click)
        self._by.go_on(moved)
        if isinstance(outcome, Denied):
            no_more = say.owner_changed if outcome.other_owner else say.allowed_no_more
            return Reply(no_more(words, entry.request))
        return Reply(say.decision_taken(words, entry.request, approved=outcome is None))

    async def _refused(  # noqa: PLR0913, PLR0917  # as _no_approver, and who clicked
        self,
        words: Words,
        click: Click,
        rule: Rule | None,
        decision: Decision,
        entry: Entry,
        person: Person | Unreadable,
    ) -> Message | None:
        """Return why this person may not decide, having recorded it where that is for sure; None if they may."""
        no = _no_approver(words, rule, decision, entry, person)
        if no and no != say.cannot_tell_who(words):
            who = {"user": click.user_id, "channel": click.channel_id}
            said, origin = {**facts_of(entry.request), **who}, entry.request.origin
            await self._by.submitting.note("not an approver", origin, said, within(PATIENCE))
        return no


def _rule(policy: Policy, entry: Entry, decision: Decision) -> Rule | None:
    """Return the rule whose approvers decide: the one that now asks for it, else the one that did, if it still does."""
    if isinstance(decision, NeedsApproval):
        return decision.rule
    rule = policy.rule(entry.request.rule)
    return rule if rule and rule.approvers else None


def _no_approver(
    words: Words, rule: Rule | None, decision: Decision, entry: Entry, person: Person | Unreadable
) -> Message | None:
    """Return why this person may not decide, by `rule`; None if they may.

    Anybody may where no approvers are left and the policy says no: then there is nothing to decide.
    """
    if isinstance(person, Unreadable):
        return say.cannot_tell_who(words)
    if rule is None or rule.approvers is None:
        over = isinstance(decision, Deny) and not in_doubt(decision)
        return None if over else say.not_an_approver(words, own=False)
    asked_by = entry.request.origin.user_id
    if may_approve(rule, person, asked_by):
        return None
    if rule.approvers.groups & set(person.unreadable):
        return say.cannot_tell_who(words)
    own = may_approve(replace(rule, self_approval=True), person, asked_by)
    return say.not_an_approver(words, own=own)
