"""The use cases of the approvers: approve or reject what waits for them. The policy is asked anew."""

from dataclasses import dataclass, replace

from bot.domain.click import Click
from bot.domain.outcome import Denied, Ground, Rejected, Skipped
from bot.domain.request import State
from bot.ledger import Entry, LedgerDownError
from bot.ledger.clicks import Move
from bot.ledger.entries import facts_of
from bot.messages import Message
from bot.messages import clicks as say
from bot.messages.too_late import too_late
from bot.messages.words import Words
from bot.policy import Person, Policy, Rule, Unreadable, may_approve
from bot.workflow.clicks import Answering, Reply
from bot.workflow.deadline import PATIENCE, within
from bot.workflow.ports import Known
from bot.workflow.ruling import deciding_rules, ground_against, in_doubt, strictest


class Deciding:
    """Answers the approvers' clicks."""

    def __init__(self, answering: Answering) -> None:
        self._by = answering

    async def approve(self, click: Click, comment: str | None) -> Reply:
        """Let a request go on that an approver agrees to."""
        return await self._decide(click, comment, approved=True)

    async def reject(self, click: Click, comment: str | None) -> Reply:
        """End a request that an approver does not agree to."""
        return await self._decide(click, comment, approved=False)

    async def waiting(self, click: Click) -> tuple[Words, Entry | Message]:
        """Return the request to be decided about, or why there is nothing to decide, and the words to ask in.

        Nobody's rights are looked at, which may take Slack longer than a modal may wait.
        """
        words = await self._by.words_soon(click)
        try:
            entry = await self._by.find(click)
        except LedgerDownError as error:
            return words, self._by.down(words, click, error).message
        if entry is None:
            return words, say.no_such_request(words)
        if entry.state is not State.WAITING:
            return words, too_late(words, entry.request, entry.outcome)
        return words, entry

    async def may_not(self, click: Click, entry: Entry) -> Message | None:
        """Return why whoever clicked may not decide about a request; None if they may.

        Read as it is remembered, since a decision reads it anew; but nobody is refused by that.
        """
        policy, people = self._by.submitting.policy, self._by.ports.people
        approver = await self._by.person(click, policy, people)
        words = self._by.submitting.words(approver)
        stands = await self._stands(click, policy, entry, people)
        if not stands.is_several and not _no_approver(words, stands, entry, approver):
            return None
        now = self._by.now()
        approver = await self._by.person(click, policy, now)
        stands = await self._stands(click, policy, entry, now)
        try:
            if no := await self._refused(words, click, stands, entry, approver):
                return no
            over = stands.is_several
            return await self._over(words, click, entry, stands) if over else None
        except LedgerDownError as error:
            return self._by.down(words, click, error).message

    async def _decide(self, click: Click, comment: str | None, *, approved: bool) -> Reply:
        policy, now = self._by.submitting.policy, self._by.now()
        approver = await self._by.person(click, policy, now)
        words = self._by.submitting.words(approver)
        try:
            entry = await self._by.find(click)
            if entry is None:
                return Reply(say.no_such_request(words))
            if entry.state is not State.WAITING:
                return Reply(too_late(words, entry.request, entry.outcome))
            stands = await self._stands(click, policy, entry, now)
            if no := await self._refused(words, click, stands, entry, approver):
                return Reply(no)
            if approved and stands.in_doubt:
                return Reply(say.cannot_tell_requester(words, entry.request.origin.user_id))
            if stands.ground and (approved or not stands.may_be_rejected):
                return Reply(await self._over(words, click, entry, stands, comment))
            to = State.PLACED if entry.place else State.ACCEPTED
            rule = stands.rules[0].name if stands.rules else None
            move = Move(to, click.user_id, "approved", rule=rule)
            if not approved:
                end = Rejected(click.user_id, comment)
                move = Move(State.ANSWERED, click.user_id, "rejected", outcome=end)
            told = say.decision_taken(words, entry.request, approved=approved)
            return Reply(await self._moved(words, click, entry, move, comment, told))
        except LedgerDownError as error:
            return self._by.down(words, click, error)

    async def _stands(
        self, click: Click, policy: Policy, entry: Entry, people: Known
    ) -> "_Standing":
        asked_by = entry.request.origin.user_id
        requester = await people.person(click.team_id, asked_by, policy.groups)
        decisions = self._by.decisions(policy, entry, requester)
        return _Standing(
            deciding_rules(policy, entry.request, decisions),
            ground_against(policy, entry.request, decisions),
            in_doubt(strictest(decisions)[1]),
        )

    async def _over(
        self,
        words: Words,
        click: Click,
        entry: Entry,
        stands: "_Standing",
        comment: str | None = None,
    ) -> Message:
        """End what the policy of now does not let go on."""
        ground = stands.ground or Ground.NOT_ALLOWED
        move = Move(State.ANSWERED, click.user_id, "denied", outcome=Denied(ground))
        told = say.over_by_policy(words, entry.request, ground)
        return await self._moved(words, click, entry, move, comment, told)

    async def _moved(  # noqa: PLR0913, PLR0917  # what moves, by whom, and what they are told then
        self,
        words: Words,
        click: Click,
        entry: Entry,
        move: Move,
        comment: str | None,
        told: Message,
    ) -> Message:
        move = replace(move, comment=comment, asked=click.question)
        moved = await self._by.ports.ledger.clicks.move(entry, move)
        if moved is None:
            return (await self._by.too_late(words, click)).message
        self._by.go_on(moved)
        if isinstance(moved.outcome, Skipped):
            return say.skipped(words, entry.request, moved.outcome.why)
        return told

    async def _refused(
        self,
        words: Words,
        click: Click,
        stands: "_Standing",
        entry: Entry,
        person: Person | Unreadable,
    ) -> Message | None:
        """Return why this person may not decide, having recorded it where that is for sure; None if they may."""
        no = _no_approver(words, stands, entry, person)
        if no and no != say.cannot_tell_who(words):
            who = {"user": click.user_id, "channel": click.channel_id}
            said, origin = {**facts_of(entry.request), **who}, entry.request.origin
            await self._by.submitting.note("not an approver", origin, said, within(PATIENCE))
        return no


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a request stands by the policy of now: by which rules its approvers click, and why it cannot go on."""

    rules: tuple[Rule, ...]
    ground: Ground | None
    in_doubt: bool

    @property
    def is_several(self) -> bool:
        """Whether nobody can speak for all of it, not even to say no."""
        return self.ground is Ground.SEVERAL_RULES

    @property
    def may_be_rejected(self) -> bool:
        """Whether somebody can say no to all of it."""
        return bool(self.rules) and not self.is_several


def _no_approver(
    words: Words, stands: _Standing, entry: Entry, person: Person | Unreadable
) -> Message | None:
    """Return why this person may not decide; None if they may.

    Anybody may where no approvers are left and the policy does not let it go on: then there is nothing to decide.
    """
    if isinstance(person, Unreadable):
        return say.cannot_tell_who(words)
    if not stands.rules and stands.ground and not stands.in_doubt:
        return None
    asked_by = entry.request.origin.user_id
    if any(may_approve(rule, person, asked_by) for rule in stands.rules):
        return None
    if any(
        rule.approvers and rule.approvers.groups & set(person.unreadable) for rule in stands.rules
    ):
        return say.cannot_tell_who(words)
    alone = (replace(rule, self_approval=True) for rule in stands.rules)
    own = any(may_approve(rule, person, asked_by) for rule in alone)
    return say.not_an_approver(words, own=own)
