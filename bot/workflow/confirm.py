"""The use case of whoever asked: confirm what they are sure of."""

from bot.domain.click import Click
from bot.domain.outcome import Denied, Skipped
from bot.domain.request import State
from bot.ledger import Entry, LedgerDownError
from bot.ledger.clicks import Move
from bot.messages import clicks as say
from bot.messages.answers import accepted
from bot.messages.decisions import answer as ended
from bot.messages.decisions import sent_to_approvers
from bot.messages.permissions import denied
from bot.messages.too_late import too_late
from bot.messages.words import Words
from bot.policy import Deny, NeedsApproval, Person, Policy, Unreadable
from bot.workflow.clicks import Answering, Reply
from bot.workflow.ruling import ground_against, in_doubt, strictest


class Confirming:
    """Answers the requester's click."""

    def __init__(self, answering: Answering) -> None:
        self._by = answering

    async def confirm(self, click: Click) -> Reply:
        """Let a request go on that its requester is sure of."""
        policy = self._by.submitting.policy
        person = await self._by.person(click, policy, self._by.now())
        words = self._by.submitting.words(person)
        try:
            entry = await self._by.find(click)
            if wrong := self._not_mine(words, click, entry):
                return wrong
            assert entry is not None  # noqa: S101  # what is missing was answered above
            if isinstance(person, Unreadable):
                return Reply(say.cannot_tell_who(words))
            return await self._confirmed(words, policy, click, entry, person)
        except LedgerDownError as error:
            return self._by.down(words, click, error)

    async def _confirmed(
        self, words: Words, policy: Policy, click: Click, entry: Entry, person: Person
    ) -> Reply:
        request, by, url = entry.request, click.user_id, click.response_url
        decisions = self._by.decisions(policy, entry, person)
        ask, decision = strictest(decisions)
        if isinstance(decision, Deny) and in_doubt(decision):
            return Reply(denied(words, decision, ask, policy))
        if ground := ground_against(policy, request, decisions):
            over = Denied(ground)
            move = Move(State.ENDED, by, "denied", outcome=over)
            told = ended(words, request, over)
            if isinstance(decision, Deny):
                told = denied(words, decision, ask, policy)
        elif isinstance(decision, NeedsApproval) and decision.rule.approvers:
            patience = decision.rule.approvers.expires.total_seconds()
            move = Move(
                State.WAITING,
                by,
                "confirmed",
                response_url=url,
                patience=patience,
                rule=decision.rule.name,
            )
            told = sent_to_approvers(words, request)
        else:
            move = Move(State.ACCEPTED, by, "confirmed", response_url=url)
            told = accepted(words, request)
        moved = await self._by.ports.ledger.clicks.move(entry, move)
        if moved is None:
            return await self._by.too_late(words, click)
        self._by.go_on(moved)
        if isinstance(moved.outcome, Skipped):
            told = say.skipped(words, request, moved.outcome.why)
        return Reply(told, settles=True)

    def _not_mine(self, words: Words, click: Click, entry: Entry | None) -> Reply | None:
        """Return why this is not for whoever clicked, or not any more."""
        if entry is None:
            return Reply(say.no_such_request(words))
        if entry.request.origin.user_id != click.user_id:
            return Reply(say.not_yours(words, entry.request))
        if entry.state is not State.CONFIRMING:
            settles = click.place is None
            return Reply(too_late(words, entry.request, entry.outcome), settles=settles)
        return None
