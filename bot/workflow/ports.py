"""What the use cases need from Slack, from WeChat and from each other: ports, so that they know neither."""

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.domain.batch import Pause
from bot.domain.link import LinkState
from bot.domain.outcome import AfterShare, Called, Outcome, Readiness, Step, Tally
from bot.domain.request import Origin, Request
from bot.ledger import Entry, Ledger
from bot.messages import Message
from bot.messages.words import Tongues
from bot.policy import Person, Rule, Unreadable
from bot.runtime.observers import no_op


class AwayError(Exception):
    """Slack takes nothing for now: what was to be said is owed, and said later; `after` is how long Slack asks to wait.

    Whoever says it then looks first, since it may stand all the same.
    """

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Place(Protocol):
    """Where the answer to one request goes; every method raises AwayError."""

    @property
    def ref(self) -> str:
        """The place in words that `Places.reopen` understands."""

    async def go_on(self, request: Request) -> None:
        """Show that a request waits for people no more, and what is under way instead."""

    async def progress(self, request: Request, tally: Tally, pause: Pause | None) -> None:
        """Show how far a batch has come, and why it pauses."""

    async def close(
        self,
        request: Request,
        outcome: Outcome,
        *,
        look_since: float | None,
        called_again: bool,
        after: AfterShare,
    ) -> bool:
        """Deliver how the request ended; False where every way is closed for good.

        With `look_since` the answer may stand already, if no longer than since then; with `called_again` it says that WeChat was asked twice.
        """


class Places(Protocol):
    """Settles where answers go; `open` and `find` raise AwayError."""

    async def open(
        self, request: Request, *, look_since: float | None, waiting: bool
    ) -> Place | None:
        """Return the place, having said there what is under way or waited for; None if there is none."""

    def reopen(self, request: Request, ref: str | None) -> Place:
        """Return a place that was settled before or, without one, the requester's own."""

    async def find(self, request: Request, since: float) -> Place:
        """Return the place that was settled `since` then without being recorded or, without one, the requester's own."""


class Approvals(Protocol):
    """Asks those who may approve; every method raises AwayError."""

    async def ask(
        self, request: Request, past: Sequence[Entry], *, look_since: float | None, until: float
    ) -> str | None:
        """Return where the approvers were asked, or None if none of them can be reached; `past` are earlier shares of the env."""

    async def remind(self, request: Request, ref: str, until: float) -> None:
        """Remind the approvers, once."""

    async def settle(self, entry: Entry) -> None:
        """Show where they were asked who decided and when, and how it ended."""


class Owners(Protocol):
    """Shares the envs of their owners."""

    async def share(
        self,
        owner: str,
        env: str,
        appid: str,
        told: Callable[[Step], None],
        may_retry: Callable[[], Awaitable[bool]],
    ) -> Called:
        """Return how sharing the owner's `env` with `appid` ended; `told` hears of each step, and what it raises ends it.

        Without the leave of `may_retry` there is no further try.
        """


class People(Protocol):
    """Tells who somebody is, in time for the ack."""

    async def person(
        self, team_id: str, user_id: str, groups: frozenset[str], *, anew: bool = False
    ) -> Person | Unreadable:
        """Return the person with those of `groups` that hold them, or why Slack did not tell; `anew` past what is remembered.

        A group that was not asked about would count as one that does not hold them, so `groups` are those of the policy
        that is to decide.
        """

    async def several(
        self, team_id: str, user_ids: Iterable[str], groups: frozenset[str], *, anew: bool = False
    ) -> Mapping[str, Person | Unreadable]:
        """Return these people, each as `person` does: for one decision, which reads the groups once."""

    async def has_approver(self, rule: Rule, requester_id: str) -> bool:
        """Tell whether anybody may decide about a request of this requester's; in doubt, yes."""


ReadinessCheck = Callable[[str, str], Awaitable[Readiness]]
"""Tells whether an owner's env can be used by others."""


async def not_checked(owner: str, env: str) -> Readiness:
    """Look at nothing."""
    del owner, env
    return Readiness.UNKNOWN


@dataclass(frozen=True, slots=True)
class Ports:
    """What the use cases need from outside."""

    people: People
    ledger: Ledger
    process: Callable[[Entry], Coroutine[None, None, None]]
    link: Callable[[str | None], str | None]
    """Returns the address of an entry's `place` or of what it has `asked`."""
    token_states: Callable[[], Awaitable[Sequence[LinkState]]]
    new_id: Callable[[], str]
    start: Callable[[Coroutine[None, None, None]], None]
    tongues: Tongues
    tell_privately: Callable[[Origin, Message], Awaitable[None]]
    """Tells whoever asked, alone, where they asked."""
    changed: Callable[[Request], None] = no_op
    """Hears of each move of a request, once it is recorded."""
    look: ReadinessCheck = not_checked
