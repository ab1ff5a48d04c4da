"""The use case of the App Home: a person's page, and which changes it shows."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bot.domain.link import LinkState
from bot.domain.request import Request, State
from bot.ledger import Entry, Ledger, LedgerDownError
from bot.messages import Message
from bot.messages.home import LISTED, Records, ToDecide, home
from bot.messages.words import Languages
from bot.policy.decide import is_operator, may_approve, rights
from bot.policy.kinds import Person, Policy, Unreadable
from bot.workflow.policy_in_force import PolicyInForce
from bot.workflow.ports import People
from bot.workflow.ruling import approving_rule
from bot.workflow.slash_command import line_of

_LEDGER_SECONDS = 5.0  # no ack depends on it, but somebody looks at the page

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Page:
    """A person's page, and who they were when it was made."""

    message: Message
    viewer: Person | Unreadable


@dataclass(frozen=True, slots=True)
class Home:
    """Makes pages; `link` and `token_states` are as in Ports."""

    in_force: PolicyInForce
    people: People
    ledger: Ledger
    languages: Languages
    link: Callable[[str | None], str | None]
    token_states: Callable[[], Awaitable[Sequence[LinkState]]]
    version: str

    async def page(self, team_id: str, user_id: str) -> Page:
        """Return a person's current page; it says what could not be read."""
        policy = self.in_force.policy
        person = await self.people.person(team_id, user_id, policy.groups)
        words = self.languages.to(person)
        mine = () if isinstance(person, Unreadable) else rights(policy, person)
        records = await self._records((team_id, user_id), policy, person)
        return Page(home(words, person, mine, records, self.version), person)

    def concerns(self, request: Request, viewer: Person | Unreadable) -> bool:
        """Tell whether a request may be on the page of this viewer, who did not ask for it."""
        return _concerns(self.in_force.policy, request, viewer)

    async def _records(
        self, who: tuple[str, str], policy: Policy, person: Person | Unreadable
    ) -> Records | None:
        """Return the page's records; None if the ledger is down or too slow."""
        link = self.link
        try:
            async with asyncio.timeout(_LEDGER_SECONDS):
                past = await self.ledger.history(who, None, LISTED + 1)
                waiting = await self._waiting(policy, person)
                stoppable = await self._stoppable(policy, person)
                links = await self.token_states()
        except (TimeoutError, LedgerDownError) as error:
            _log.warning(
                "an App Home without records: the ledger does not tell them",
                extra={"reason": str(error)},
            )
            return None
        lines, stop = ([line_of(entry, link) for entry in some] for some in (past, stoppable))
        return Records(lines, waiting, links, stop)

    async def _waiting(self, policy: Policy, person: Person | Unreadable) -> Sequence[ToDecide]:
        if isinstance(person, Unreadable) or not _approves(policy, person):
            return ()
        return [
            ToDecide(entry.request, entry.until or entry.created, self.link(entry.asked))
            for entry in await self.ledger.clicks.waiting(person.team_id)
            if _decides(policy, entry.request, person)
        ]

    async def _stoppable(self, policy: Policy, person: Person | Unreadable) -> Sequence[Entry]:
        """Return what this person may cancel: an operator everything, an approver the running batches that they approve."""
        if isinstance(person, Unreadable):
            return ()
        operator = is_operator(policy, person)
        if not operator and not _approves(policy, person):
            return ()
        return [
            entry
            for entry in await self.ledger.clicks.stoppable(person.team_id)
            if operator or (_begun(entry) and _decides(policy, entry.request, person))
        ]


def _begun(entry: Entry) -> bool:
    return entry.state not in {State.CONFIRMING, State.WAITING}


def _concerns(policy: Policy, request: Request, viewer: Person | Unreadable) -> bool:
    if isinstance(viewer, Unreadable) or request.origin.team_id != viewer.team_id:
        return False
    return is_operator(policy, viewer) or _decides(policy, request, viewer)


def _decides(policy: Policy, request: Request, viewer: Person) -> bool:
    rule = approving_rule(policy, request)
    return rule is not None and may_approve(rule, viewer, request.origin.user_id)


def _approves(policy: Policy, person: Person) -> bool:
    """Tell whether any rule makes this person an approver of others' requests."""
    return any(may_approve(rule, person, "") for rule in policy.rules)
