"""The use cases: answer a command, and carry a request from the policy's yes to its outcome.

Knows ports, not Slack and not HTTP. One walk: parse, who is it, may they, settle where the answer goes,
ask WeChat, deliver.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Protocol, assert_never

from bot.command import Command, Help, Share, Whoami, Why, parse
from bot.command.mistake import Misread
from bot.guidance import Trouble, for_trouble
from bot.messages import Message
from bot.messages.answers import accepted
from bot.messages.mistakes import misread
from bot.messages.notices import stopping
from bot.messages.permissions import denied, dry_run, help_, needs_more, no_owner, whoami, why
from bot.outcome import Failed, Outcome, Shared, Unknown
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
    explain,
    owner_of,
    rights,
)
from bot.request import Origin, Request

_TRIGGERS_KEPT = 2_000

_log = logging.getLogger(__name__)


class People(Protocol):
    """Tells who somebody is, in time for the ack."""

    async def person(self, team_id: str, user_id: str) -> Person | Unreadable:
        """Return the person with their groups, or why Slack did not tell."""


class Place(Protocol):
    """Where the answer to one request goes."""

    async def close(self, request: Request, outcome: Outcome) -> bool:
        """Deliver how the request ended; False when it got nowhere."""


class Places(Protocol):
    """Settles where answers go."""

    async def open(self, request: Request) -> Place | None:
        """Return the place, having said there what is under way; None if there is none."""


class Owners(Protocol):
    """Shares the envs of their owners."""

    async def share(self, owner: str, env: str, appid: str) -> Outcome:
        """Return how sharing the owner's `env` with `appid` ended."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the use cases need from outside."""

    people: People
    places: Places
    owners: Owners
    new_id: Callable[[], str]
    start: Callable[[Coroutine[None, None, None]], None]


class Sharing:
    """Answers commands; what takes longer than an ack goes on in the background."""

    def __init__(self, policy: Policy, ports: Ports) -> None:
        self._policy = policy
        self._ports = ports
        self._answers: OrderedDict[str, asyncio.Task[Message]] = OrderedDict()
        self._stopping = False

    def stop(self) -> None:
        """Take no more requests on; say so to whoever asks."""
        self._stopping = True

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
        if isinstance(command, Misread):
            _event("mistake", origin, {"mistake": type(command.mistake).__name__})
            return misread(command)
        person = await self._ports.people.person(origin.team_id, origin.user_id)
        mine = () if isinstance(person, Unreadable) else rights(self._policy, person)
        if not isinstance(command, Share):
            _event("asked", origin, {"command": type(command).__name__.lower()})
        match command:
            case Help():
                return help_(person, mine, self._policy)
            case Whoami():
                return whoami(person, origin.user_id, origin.team_id, mine)
            case Why(appid, env):
                ask, decision = self._decide(origin, person, appid, env)
                return why(decision, ask, self._policy, explain(self._policy, ask))
            case Share():
                return self._submit(origin, command, person)
            case _:
                assert_never(command)

    def _decide(
        self, origin: Origin, person: Person | Unreadable, appid: str, env: str
    ) -> tuple[Ask, Decision]:
        if isinstance(person, Unreadable):
            nobody = Person(origin.team_id, origin.user_id)
            return Ask(nobody, origin.channel_id, appid, env), Deny(PersonUnreadable(person))
        ask = Ask(person, origin.channel_id, appid, env)
        return ask, decide(self._policy, ask)

    def _submit(self, origin: Origin, share: Share, person: Person | Unreadable) -> Message:
        """Start a request, or say why there is none."""
        ask, decision = self._decide(origin, person, share.appid, share.env)
        pair = {"env": share.env, "appid": share.appid}
        owner = owner_of(self._policy, share.env)
        if share.dry_run:
            _event("dry run", origin, pair)
            return dry_run(decision, ask, self._policy, owner)
        match decision:
            case Deny(because):
                _event("denied", origin, pair | {"because": type(because).__name__})
                return denied(decision, ask, self._policy)
            case NeedsConfirmation() | NeedsApproval():
                _event("denied", origin, pair | {"rule": decision.rule.name})
                return needs_more(decision, ask, self._policy)
            case Allow(rule):
                pass
            case _:
                assert_never(decision)
        if owner is None:
            _event("no owner", origin, pair)
            return no_owner(ask, self._policy)
        if self._stopping:
            return stopping()
        request = Request(
            self._ports.new_id(), origin, share.appid, share.env, owner, rule.name, share.reason
        )
        _event("accepted", origin, _facts(request))
        self._ports.start(self._run(request))
        return accepted(request)

    async def _run(self, request: Request) -> None:
        delivered = False
        try:
            delivered = await self._carry_out(request)
        finally:
            if not delivered:  # also when it is cut short, or fails in a way nobody foresaw
                _event("not delivered", request.origin, _facts(request), logging.ERROR)

    async def _carry_out(self, request: Request) -> bool:
        """Return whether the requester has heard how the request ended."""
        place = await self._ports.places.open(request)
        if place is None:
            # Nobody would hear how it ended, so it does not begin.
            _event("nowhere to answer", request.origin, _facts(request), logging.ERROR)
            return False
        began = time.monotonic()
        outcome = await self._outcome(request)
        took = {"seconds": round(time.monotonic() - began, 3)}
        _event("ended", request.origin, _facts(request) | _ending(outcome) | took)
        return await place.close(request, outcome)

    async def _outcome(self, request: Request) -> Outcome:
        """Return how the call ended; also when it is cut short, which leaves the share unknown."""
        try:
            return await self._ports.owners.share(request.owner, request.env, request.appid)
        except asyncio.CancelledError:
            return Unknown(for_trouble(Trouble.STOPPED))
        except Exception:  # noqa: BLE001  # the requester is told, whatever went wrong
            _log.exception("unforeseen error", extra={"request": request.id})
            return Unknown(for_trouble(Trouble.BUG))


def _facts(request: Request) -> dict[str, object]:
    return {
        "request": request.id,
        "env": request.env,
        "appid": request.appid,
        "owner": request.owner,
        "rule": request.rule,
    }


def _ending(outcome: Outcome) -> dict[str, object]:
    facts: dict[str, object] = {
        "outcome": type(outcome).__name__.lower(),
        "tries": outcome.tries,
    }
    match outcome:
        case Shared():
            return facts
        case Failed(guidance, said) | Unknown(guidance, said):
            facts["guidance"] = guidance.key
            return facts | ({"errcode": said.errcode, "rid": said.rid} if said else {})


def _event(
    what: str, origin: Origin, facts: Mapping[str, object], level: int = logging.INFO
) -> None:
    """Write one log line for one event, with who and where."""
    who = {"team": origin.team_id, "user": origin.user_id, "channel": origin.channel_id}
    _log.log(level, what, extra={**who, **facts})
