"""The use case of the App Home: a person's page, and which changes it shows."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.link import LinkState
from bot.domain.request import BEGUN, Request
from bot.ledger import Entry, Ledger, LedgerDownError
from bot.messages import Message
from bot.messages.history import Line
from bot.messages.home import LISTED, Records, home
from bot.messages.words import Languages
from bot.policy.decide import is_operator, may_approve, rights
from bot.policy.kinds import Effect, Person, Policy, Unreadable
from bot.workflow.ports import LinkTo, People, PolicyInForce
from bot.workflow.ruling import review
from bot.workflow.slash_command import line_of

_MOST_READ = 50  # people; commands look people up too, and Slack allows some hundred calls a minute
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
    link: LinkTo
    token_states: Callable[[], Sequence[LinkState]]
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
        policy = self.in_force.policy
        if isinstance(viewer, Unreadable) or request.origin.team_id != viewer.team_id:
            return False
        # By which rule it is decided now depends on who asked, and they are not read for that.
        rule = next((rule for rule in policy.rules if rule.name == request.rule), None)
        waits = rule is None or rule.effect is Effect.APPROVE
        return (waits and _approves(policy, viewer)) or is_operator(policy, viewer)

    async def _records(
        self, who: tuple[str, str], policy: Policy, person: Person | Unreadable
    ) -> Records | None:
        """Return the page's records; None if the ledger is down or too slow."""
        try:
            async with asyncio.timeout(_LEDGER_SECONDS):
                past = await self.ledger.history(who, None, LISTED + 1)
                waiting, stoppable = await self._of_others(policy, person)
        except (TimeoutError, LedgerDownError) as error:
            _log.warning(
                "an App Home without records: the ledger does not tell them",
                extra={"reason": str(error)},
            )
            return None
        if not isinstance(person, Unreadable):
            waiting, stoppable = await self._for(policy, person, waiting, stoppable)
        lines, stop = (
            [line_of(entry, self.link, who[1]) for entry in some] for some in (past, stoppable)
        )
        decide = [
            Line(each.request, None, each.until or each.created, self.link(each.asked, own=True))
            for each in waiting
        ]
        return Records(lines, decide, self.token_states(), stop)

    async def _of_others(
        self, policy: Policy, person: Person | Unreadable
    ) -> tuple[Sequence[Entry], Sequence[Entry]]:
        """Return all requests that wait for a decision, and all that can be cancelled, if this person does either."""
        if isinstance(person, Unreadable):
            return (), ()
        operator, approves = is_operator(policy, person), _approves(policy, person)
        clicks, team = self.ledger.clicks, person.team_id
        return (
            await clicks.waiting(team) if approves else (),
            await clicks.stoppable(team) if operator or approves else (),
        )

    async def _for(
        self, policy: Policy, person: Person, waiting: Sequence[Entry], stoppable: Sequence[Entry]
    ) -> tuple[Sequence[Entry], Sequence[Entry]]:
        """Return the requests that wait for this person's decision, and those that they may cancel.

        An operator may cancel everything, an approver the running batches that they approve.
        """
        if is_operator(policy, person):
            return await self._decided_by(policy, person, waiting), stoppable
        begun = [entry for entry in stoppable if entry.state in BEGUN]
        decided = await self._decided_by(policy, person, [*waiting, *begun])
        may_cancel = [entry for entry in decided if entry.state in BEGUN]
        return [entry for entry in decided if entry.state not in BEGUN], may_cancel

    async def _decided_by(
        self, policy: Policy, person: Person, entries: Sequence[Entry]
    ) -> Sequence[Entry]:
        """Return the requests about which this person may decide, by the rules that decide about them now."""
        asked_by = [*dict.fromkeys(entry.request.origin.user_id for entry in entries)][:_MOST_READ]
        read = self.people.several
        known = await read(person.team_id, asked_by, policy.groups) if asked_by else {}
        decided = list[Entry]()
        for entry in entries:
            # A batch has up to 500 appids to decide about, and acks go first.
            await asyncio.sleep(0)
            by = entry.request.origin.user_id
            # Without who asked, the rule under which it was accepted counts.
            reviewed = review(policy, entry.request, known.get(by, Unreadable.SLACK_DOWN))
            if any(may_approve(rule, person, by) for rule in reviewed.rules):
                decided.append(entry)
        return decided


def _approves(policy: Policy, person: Person) -> bool:
    """Tell whether any rule makes this person an approver of others' requests."""
    return any(may_approve(rule, person, "") for rule in policy.rules)
