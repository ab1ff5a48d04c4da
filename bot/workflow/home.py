"""The use case of the App Home: a person's page, and which changes it shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.link import LinkState
from bot.domain.request import BEGUN, Request, State
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.messages import Message
from bot.messages.history import Line
from bot.messages.home import LISTED, Records, home
from bot.messages.words import Languages
from bot.policy.conditions import WHAT, misses
from bot.policy.decide import is_operator, may_approve, rights
from bot.policy.kinds import Ask, NeedsApproval, Person, Policy, Unreadable
from bot.workflow.deadline import in_time
from bot.workflow.ports import LinkTo, People, PolicyInForce
from bot.workflow.ruling import approving_rule, decide_again
from bot.workflow.slash_command import line_of

_LOOKED_UP = 20  # requesters for one page: Slack tells some hundred people a minute


@dataclass(frozen=True, slots=True)
class Page:
    """A person's page; one for somebody who `decides`, an approver or an operator, may show anybody's request."""

    message: Message
    decides: bool


@dataclass(frozen=True, slots=True)
class Home:
    """Makes pages; `link` and `token_states` are as in Ports."""

    in_force: PolicyInForce
    people: People
    ledger: Ledger
    languages: Languages
    link: LinkTo
    token_states: Callable[[], Sequence[LinkState]]
    version: str

    async def page(self, team_id: str, user_id: str) -> Page:
        """Return a person's current page; it says what could not be read."""
        policy = self.in_force.policy
        person = await self.people.person(team_id, user_id, policy.groups)
        words = self.languages.to(person)
        mine = () if isinstance(person, Unreadable) else rights(policy, person)
        decider = _decider(policy, person)
        records = await self._records((team_id, user_id), policy, decider)
        return Page(home(words, person, mine, records, self.version), decider is not None)

    async def _records(
        self, who: tuple[str, str], policy: Policy, decider: Person | None
    ) -> Records | None:
        """Return the page's records, with those of others for somebody who decides; None if the ledger is down or too slow."""
        missing = "the ledger does not tell the records of an App Home"
        past = await in_time(self.ledger.history(who, None, LISTED + 1), missing)
        others = await in_time(self.ledger.stoppable(who[0]), missing) if decider else ()
        if past is None or others is None:
            return None
        waiting, stoppable = await self._for(policy, decider, others) if decider else ((), ())
        lines, stop = (
            [line_of(entry, self.link, who[1]) for entry in some] for some in (past, stoppable)
        )
        decide = [
            Line(each.request, None, each.until or each.created, self.link(each.asked, own=True))
            for each in waiting
        ]
        return Records(lines, decide, self.token_states(), stop)

    async def _for(
        self, policy: Policy, person: Person, others: Sequence[Entry]
    ) -> tuple[Sequence[Entry], Sequence[Entry]]:
        """Return the requests that wait for this person's decision, and those that they may cancel.

        An operator may cancel everything, an approver the running batches that they approve.
        """
        moved = {
            each.request.id: each.request.origin.user_id
            for each in others
            if _moved(policy, person, each)
        }
        asked_by = [*dict.fromkeys(moved.values())][:_LOOKED_UP]
        told = await self.people.several(person.team_id, asked_by, policy.groups) if moved else {}
        decided = [
            entry
            for entry in others
            if _may_decide(policy, person, entry.request, told.get(moved.get(entry.request.id, "")))
        ]
        waiting = [entry for entry in decided if entry.state is State.WAITING]
        begun = [entry for entry in decided if entry.state in BEGUN]
        return waiting, others if is_operator(policy, person) else begun


def _moved(policy: Policy, person: Person, entry: Entry) -> bool:
    """Tell whether the rule that asked for an approval is gone, and this person may approve such a share by another."""
    request = entry.request
    if not (entry.state is State.WAITING or request.approval) or approving_rule(policy, request):
        return False
    asked = Ask(person, request.origin.channel_id, request.receivers[0], request.env)
    rules = (each for each in policy.approval_rules if may_approve(each, person, ""))
    return any(not misses(each, asked, WHAT) for each in rules)


def _may_decide(
    policy: Policy, person: Person, request: Request, requester: Person | Unreadable | None
) -> bool:
    """Tell whether a person approves by the rule that a request was accepted under; a click asks the policy anew.

    Once that rule is gone, the one counts that asks for an approval now, from this `requester`.
    """
    rule = approving_rule(policy, request)
    if rule is None and requester:
        (now,) = decide_again(policy, request, requester, request.receivers[:1])
        rule = now.decision.rule if isinstance(now.decision, NeedsApproval) else None
    return rule is not None and may_approve(rule, person, request.origin.user_id)


def _decider(policy: Policy, person: Person | Unreadable) -> Person | None:
    """Return the person if they are an operator or an approver, else None."""
    if isinstance(person, Unreadable):
        return None
    approves = any(may_approve(rule, person, "") for rule in policy.rules)
    return person if approves or is_operator(policy, person) else None
