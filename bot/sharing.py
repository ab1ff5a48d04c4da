"""The use cases: what to say to a command, and which commands become requests.

Knows ports, not Slack and not HTTP. One walk: parse, who is it, may they, record; `carrying` does the rest.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, assert_never

from bot.command import Command, Help, History, Share, Whoami, Why, parse
from bot.command.mistake import Misread
from bot.ledger import (
    Accepted,
    Entry,
    Known,
    Ledger,
    LedgerDownError,
    SharedBefore,
    UnderWay,
)
from bot.link import LinkState
from bot.messages import Message
from bot.messages.answers import accepted
from bot.messages.history import history, no_history, not_recorded, shared_before, under_way
from bot.messages.mistakes import misread
from bot.messages.notices import stopping
from bot.messages.permissions import denied, dry_run, help_, needs_more, no_owner, whoami, why
from bot.policy import (
    Allow,
    Ask,
    Decision,
    Deny,
    NeedsApproval,
    NeedsConfirmation,
    Person,
    PersonUnreadable,
    Policy,
    Unreadable,
    decide,
    deciding_rule,
    explain,
    may_see,
    owner_of,
    rights,
)
from bot.request import Origin, Request, State

_TRIGGERS_KEPT = 2_000
_LOOKED_THROUGH = 50  # requests, of which those that may be seen are shown
_LEDGER_SECONDS = 2.0
_ACK_SECONDS = 2.6  # for everything together; Slack waits three for the ack

_log = logging.getLogger(__name__)


class People(Protocol):
    """Tells who somebody is, in time for the ack."""

    async def person(self, team_id: str, user_id: str) -> Person | Unreadable:
        """Return the person with their groups, or why Slack did not tell."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the use cases need from outside."""

    people: People
    ledger: Ledger
    carry: Callable[[Entry], Coroutine[None, None, None]]
    link: Callable[[str | None], str | None]
    token_states: Callable[[], Awaitable[Sequence[LinkState]]]
    new_id: Callable[[], str]
    start: Callable[[Coroutine[None, None, None]], None]


class Sharing:
    """Answers commands; what takes longer than an ack goes on in the background."""

    def __init__(self, policy: Policy, ports: Ports) -> None:
        self._policy = policy
        self._ports = ports
        self._answers: OrderedDict[str, asyncio.Task[Message]] = OrderedDict()
        self.stopping = False

    def stop(self) -> None:
        """Take no more requests on; say so to whoever asks."""
        self.stopping = True

    async def command(self, origin: Origin, text: str) -> Message:
        """Return what to say at once, to the requester alone; the same trigger twice is one command.

        Slack can deliver an envelope twice, and a signed HTTP body can be sent again for five minutes.
        """
        task = self._answers.get(origin.trigger_id)
        if task is None:
            task = asyncio.create_task(self._answer(origin, parse(text)))
            self._answers[origin.trigger_id] = task
            if len(self._answers) > _TRIGGERS_KEPT:
                self._answers.popitem(last=False)
        return await asyncio.shield(task)

    async def _answer(self, origin: Origin, command: Command | Misread) -> Message:
        until = asyncio.get_running_loop().time() + _ACK_SECONDS
        if isinstance(command, Misread):
            wrong = {"outcome": "mistake", "detail": type(command.mistake).__name__}
            await self._note("mistake", origin, wrong, until)
            return misread(command)
        person = await self._ports.people.person(origin.team_id, origin.user_id)
        mine = () if isinstance(person, Unreadable) else rights(self._policy, person)
        if not isinstance(command, Share):
            asked = {"detail": type(command).__name__.lower()}
            await self._note("asked", origin, asked, until)
        match command:
            case Help():
                return help_(person, mine, self._policy)
            case Whoami():
                links = await self._token_states(until)
                return whoami(person, origin.user_id, origin.team_id, mine, links)
            case Why(appid, env):
                ask, decision = self._decide(origin, person, appid, env)
                return why(decision, ask, self._policy, explain(self._policy, ask))
            case History(about):
                return await self._history(origin, person, about, until)
            case Share():
                return await self._submit(origin, command, person, until)
            case _:
                assert_never(command)

    async def _history(
        self, origin: Origin, person: Person | Unreadable, about: str | None, until: float
    ) -> Message:
        """List what this requester asked for or, with `about`, what they may also share themselves."""
        try:
            async with _in_time(until):
                found = await self._ports.ledger.history(
                    (origin.team_id, origin.user_id), about, _LOOKED_THROUGH
                )
        except (TimeoutError, LedgerDownError) as error:
            _log.error("no history", extra={"reason": str(error)})  # no trace
            return no_history()
        mine = (origin.team_id, origin.user_id)
        seen = [
            entry
            for entry in found
            if (entry.request.origin.team_id, entry.request.origin.user_id) == mine
            or (
                isinstance(person, Person)
                and may_see(self._policy, person, entry.request.appid, entry.request.env)
            )
        ]
        return history(
            [(e.request, e.outcome, e.created, self._ports.link(e.place)) for e in seen], about
        )

    async def _token_states(self, until: float) -> Sequence[LinkState]:
        """Return how the tokens stand; nothing while the ledger does not tell."""
        try:
            async with _in_time(until):
                return await self._ports.token_states()
        except (TimeoutError, LedgerDownError) as error:
            _log.error("no token states", extra={"reason": str(error)})  # no trace
            return ()

    def _decide(
        self, origin: Origin, person: Person | Unreadable, appid: str, env: str
    ) -> tuple[Ask, Decision]:
        if isinstance(person, Unreadable):
            nobody = Person(origin.team_id, origin.user_id)
            return Ask(nobody, origin.channel_id, appid, env), Deny(PersonUnreadable(person))
        ask = Ask(person, origin.channel_id, appid, env)
        return ask, decide(self._policy, ask)

    async def _submit(
        self, origin: Origin, share: Share, person: Person | Unreadable, until: float
    ) -> Message:
        """Record a request and start it, or say why there is none."""
        ask, decision = self._decide(origin, person, share.appid, share.env)
        decided_by = deciding_rule(decision)
        pair: dict[str, object] = {
            "env": share.env,
            "appid": share.appid,
            "rule": decided_by.name if decided_by else None,
        }
        owner = owner_of(self._policy, share.env)
        if share.dry_run:
            await self._note("dry run", origin, pair, until)
            return dry_run(decision, ask, self._policy, owner)
        match decision:
            case Deny(because):
                why_not = {"outcome": "denied", "detail": type(because).__name__}
                await self._note("denied", origin, pair | why_not, until)
                return denied(decision, ask, self._policy)
            case NeedsConfirmation() | NeedsApproval():
                await self._note("denied", origin, pair | {"outcome": "denied"}, until)
                return needs_more(decision, ask, self._policy)
            case Allow(rule):
                pass
            case _:
                assert_never(decision)
        if owner is None:
            await self._note("no owner", origin, pair | {"outcome": "denied"}, until)
            return no_owner(ask, self._policy)
        if self.stopping:
            return stopping()
        request = Request(
            self._ports.new_id(), origin, share.appid, share.env, owner, rule.name, share.reason
        )
        return await self._record(request, until, again=share.again)

    async def _record(self, request: Request, until: float, *, again: bool) -> Message:
        """Put the request into the ledger and say so; what the ledger does not take does not happen."""
        try:
            async with _in_time(until):
                found = await self._ports.ledger.accept(request, again=again)
        except (TimeoutError, LedgerDownError) as error:
            told = {"request": request.id, "reason": str(error)}
            _log.error("not recorded", extra=told)  # no trace
            return not_recorded()
        match found:
            case Accepted(entry):
                _event("accepted", request.origin, _facts(request))
                self._ports.start(self._ports.carry(entry))
                return accepted(request)
            case Known(Entry(state=State.ENDED, outcome=None)):
                return not_recorded()  # it was withdrawn, and whoever asked was told so
            case Known(entry):
                return accepted(entry.request)
            case UnderWay(entry):
                await self._note("under way", request.origin, _facts(request), until)
                return under_way(entry.request, self._ports.link(entry.place))
            case SharedBefore(entry):
                await self._note("shared before", request.origin, _facts(request), until)
                link = self._ports.link(entry.place)
                return shared_before(entry.request, entry.ended or entry.created, link)
            case _:
                assert_never(found)

    async def _note(
        self, what: str, origin: Origin, facts: Mapping[str, object], until: float
    ) -> None:
        """Record what is no request; an answer does not fail for want of its record."""
        _event(what, origin, facts)
        try:
            async with _in_time(until):
                await self._ports.ledger.note(what, origin, facts)
        except (TimeoutError, LedgerDownError) as error:
            _log.error("not recorded", extra={"reason": str(error)})  # no trace


def _in_time(until: float) -> asyncio.Timeout:
    """Return the limit for the ledger, in an answer that has to be there by `until` of the loop's clock."""
    return asyncio.timeout_at(min(until, asyncio.get_running_loop().time() + _LEDGER_SECONDS))


def _facts(request: Request) -> dict[str, object]:
    return {
        "request": request.id,
        "env": request.env,
        "appid": request.appid,
        "rule": request.rule,
    }


def _event(
    what: str, origin: Origin, facts: Mapping[str, object], level: int = logging.INFO
) -> None:
    """Write one log line for one event, with who and where."""
    who = {"team": origin.team_id, "user": origin.user_id, "channel": origin.channel_id}
    _log.log(level, what, extra={**who, **facts})
