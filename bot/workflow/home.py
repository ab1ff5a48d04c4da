"""The use case of the App Home: a person's page, and which changes it shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.installation import Installation
from bot.domain.link import LinkState
from bot.domain.request import BEGUN, Origin, Request, State
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.messages import Message
from bot.messages.history import Line
from bot.messages.home import LISTED, Records, home
from bot.messages.words import Languages
from bot.policy.kinds import NeedsApproval
from bot.policy.quorum import escalated
from bot.workflow.deadline import in_time
from bot.workflow.judge import Asker, Judge, approving_rule
from bot.workflow.ports import LinkTo
from bot.workflow.slash_command import line_of

_LOOKED_UP = 20  # requesters for one page: Slack tells some hundred people a minute


@dataclass(frozen=True, slots=True)
class Page:
    """A person's page; one for somebody who `decides`, an approver or an operator, may show anybody's request."""

    message: Message
    decides: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Makes pages; `link` and `token_states` are as in Ports."""

    installation: Installation
    judge: Judge
    ledger: Ledger
    languages: Languages
    link: LinkTo
    token_states: Callable[[], Sequence[LinkState]]
    version: str

    async def page(self, team_id: str, user_id: str) -> Page:
        """Return a person's current page, with their own requests in this workspace; it says what could not be read."""
        nowhere = Origin(
            team_id=team_id,
            user_id=user_id,
            channel_id="",
            channel_name="",
            trigger_id="",
            response_url="",
        )  # the App Home is no channel
        asker = await self.judge.asker(nowhere)
        words, decides = self.languages.to(asker.person), _decides(asker)
        records = await self._records((team_id, user_id), asker, decides=decides)
        page = home(words, asker.person, asker.rights, records, self.version)
        return Page(page, decides)

    async def _records(
        self, who: tuple[str, str], asker: Asker, *, decides: bool
    ) -> Records | None:
        """Return the page's records, with those of others for somebody who decides; None if the ledger is down or too slow."""
        missing = "the ledger does not tell the records of an App Home"
        past = await in_time(self.ledger.history(who, None, LISTED + 1), missing)
        of_workspace = None if self.installation.is_wide else who[0]
        others = await in_time(self.ledger.stoppable(of_workspace), missing) if decides else ()
        if past is None or others is None:
            return None
        waiting, stoppable = await self._for(asker, others)
        lines, stop = (
            [line_of(entry, self.link, who[1]) for entry in some] for some in (past, stoppable)
        )
        decide = [
            Line(each.request, None, each.until or each.created, self.link(each.asked, own=True))
            for each in waiting
        ]
        return Records(lines, decide, self.token_states(), stop)

    async def _for(
        self, decider: Asker, others: Sequence[Entry]
    ) -> tuple[Sequence[Entry], Sequence[Entry]]:
        """Return those of `others` that wait for this person's decision, and those that they may cancel.

        An operator may cancel everything, an approver the running batches that they approve.
        """
        moved = [entry.request for entry in others if _moved(decider, entry)]
        known = [*dict.fromkeys(request.origin.user_id for request in moved)][:_LOOKED_UP]
        looked_up = [request for request in moved if request.origin.user_id in known]
        askers = await self.judge.askers([request.origin for request in looked_up], decider.policy)
        requesters = {request.id: by for request, by in zip(looked_up, askers, strict=True)}
        deciding = [
            entry
            for entry in others
            if _may_decide(decider, entry.request, requesters.get(entry.request.id))
        ]
        waiting = [entry for entry in deciding if entry.state is State.WAITING]
        begun = [entry for entry in deciding if entry.state in BEGUN]
        return waiting, others if decider.is_operator else begun


def _moved(decider: Asker, entry: Entry) -> bool:
    """Tell whether the rule that asked for an approval is gone, and this person may approve such a share by another."""
    request = entry.request
    asked = entry.state is State.WAITING or request.approval
    if not asked or approving_rule(decider.policy, request):
        return False
    return decider.may_approve_such(request.receivers[0], request.env)


def _may_decide(decider: Asker, request: Request, requester: Asker | None) -> bool:
    """Tell whether a person approves by the rule that a request was accepted under; a click asks the policy anew.

    Once that rule is gone, the one counts that asks for an approval now, from this `requester`.
    """
    rule = approving_rule(decider.policy, request)
    if rule is None and requester:
        _, decision = requester.decisions(
            request.receivers[:1], request.env, request.reason
        ).strictest
        rule = decision.rule if isinstance(decision, NeedsApproval) else None
        rule = escalated(rule) if rule and request.escalated else rule
    return rule is not None and decider.may_approve([rule], request.origin.user_id)


def _decides(asker: Asker) -> bool:
    """Tell whether this person is an operator or an approver."""
    return asker.is_operator or asker.may_approve(map(escalated, asker.policy.rules), "")
