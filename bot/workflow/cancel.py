"""The use case of those who may stop a request: whoever asked for it, whoever may approve it, the operators."""

from bot.domain.click import Click
from bot.domain.outcome import Cancelled
from bot.domain.request import BEGUN, State
from bot.ledger import Entry, LedgerDownError
from bot.ledger.clicks import Move
from bot.messages import Message
from bot.messages import clicks as say
from bot.messages.too_late import too_late
from bot.messages.words import Words
from bot.policy import Policy, Rule, Unreadable, is_operator, may_approve
from bot.workflow.clicks import Answering, Reply
from bot.workflow.ports import Known
from bot.workflow.ruling import deciding_rules


class Cancelling:
    """Answers clicks that take back what has not begun."""

    def __init__(self, answering: Answering) -> None:
        self._by = answering

    async def cancel(self, click: Click) -> Reply:
        """Take back a request that waits for people, or what has not begun of a batch."""
        policy = self._by.submitting.policy
        words = await self._by.words(click)
        try:
            entry = await self._by.find(click)
            if entry is None:
                return Reply(say.no_such_request(words))
            own = entry.request.origin.user_id == click.user_id
            if not own and (no := await self._refused(words, policy, click, entry)):
                return Reply(no)
            return await self._cancelled(words, click, entry, own=own)
        except LedgerDownError as error:
            return self._by.down(words, click, error)

    async def _cancelled(self, words: Words, click: Click, entry: Entry, *, own: bool) -> Reply:
        request, by = entry.request, click.user_id
        begun = entry.state in BEGUN
        if begun and request.is_batch:
            count = await self._by.ports.ledger.batches.cancel(request, by)
            return Reply(say.rest_cancelled(words, count))
        if entry.state not in {State.CONFIRMING, State.WAITING}:
            late = too_late(words, request, entry.outcome)
            return Reply(late, settles=own and not begun and click.place is None)
        # Whoever takes back what they are asked to confirm knows it; of anything else somebody is to be told.
        silent = own and entry.state is State.CONFIRMING
        to = State.ENDED if silent else State.ANSWERED
        move = Move(to, by, "cancelled", outcome=Cancelled(by), place=click.place)
        moved = await self._by.ports.ledger.clicks.move(entry, move)
        if moved is None:
            return await self._by.too_late(words, click)
        self._by.go_on(moved)
        return Reply(say.cancelled(words, request), settles=silent)

    async def _refused(
        self, words: Words, policy: Policy, click: Click, entry: Entry
    ) -> Message | None:
        """Return why whoever clicked may not cancel what somebody else asked for; None if they may."""
        people = self._by.now()
        person = await self._by.person(click, policy, people)
        if isinstance(person, Unreadable):
            return say.cannot_tell_who(words)
        if is_operator(policy, person):
            return None
        rules = await self._deciding(policy, click, entry, people)
        asked_by = entry.request.origin.user_id
        if any(may_approve(rule, person, asked_by) for rule in rules):
            return None
        named = (rule.approvers.groups for rule in rules if rule.approvers)
        if policy.operators.groups.union(*named) & set(person.unreadable):
            return say.cannot_tell_who(words)
        return say.not_for_cancel(words, entry.request)

    async def _deciding(
        self, policy: Policy, click: Click, entry: Entry, people: Known
    ) -> tuple[Rule, ...]:
        asked_by = entry.request.origin.user_id
        requester = await people.person(click.team_id, asked_by, policy.groups)
        decisions = self._by.decisions(policy, entry, requester)
        return deciding_rules(policy, entry.request, decisions)
