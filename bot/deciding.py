"""The use cases of the approvers: approve or reject what waits for them. The policy is asked anew."""

from dataclasses import replace

from bot.answering import Answering, Reply
from bot.click import Click
from bot.ledger import Entry, LedgerDownError
from bot.ledger.clicks import Move
from bot.ledger.entries import facts_of
from bot.messages import Message
from bot.messages import clicks as say
from bot.messages.words import Words
from bot.outcome import Denied, Rejected
from bot.patience import PATIENCE, within
from bot.policy import (
    Decision,
    Deny,
    Person,
    Rule,
    Unreadable,
    may_approve,
)
from bot.request import State
from bot.ruling import approving_rule, in_doubt, strictest


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
        rule = approving_rule(policy, entry.request, decision)
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
            rule = approving_rule(policy, entry.request, decision)
            no = await self._refused(words, click, rule, decision, entry, approver)
            if no:
                return Reply(no)
            if approved and in_doubt(decision):
                return Reply(say.cannot_tell_requester(words, asked_by))
            by = click.user_id
            if isinstance(decision, Deny) and (approved or rule is None):
                move = Move(State.ANSWERED, by, "denied", outcome=Denied())
            elif not approved:
                move = Move(State.ANSWERED, by, "rejected", outcome=Rejected(by, comment))
            elif self._by.other_owner(policy, entry):
                move = Move(State.ANSWERED, by, "denied", outcome=Denied(other_owner=True))
            else:
                by_rule = rule.name if rule else None
                move = Move(
                    State.PLACED if entry.place else State.ACCEPTED, by, "approved", rule=by_rule
                )
            move = replace(move, comment=comment, asked=click.question)
            return await self._decided(words, click, entry, move)
        except LedgerDownError as error:
            return self._by.down(words, click, error)

    async def _decided(self, words: Words, click: Click, entry: Entry, move: Move) -> Reply:
        moved = await self._by.ports.ledger.clicks.move(entry, move)
        if moved is None:
            return await self._by.too_late(words, click)
        self._by.go_on(moved)
        if isinstance(move.outcome, Denied):
            no_more = say.owner_changed if move.outcome.other_owner else say.allowed_no_more
            return Reply(no_more(words, entry.request))
        return Reply(say.decision_taken(words, entry.request, approved=move.outcome is None))

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
