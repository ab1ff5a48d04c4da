"""The ports: what the use cases need from Slack, WeChat and each other, as protocols; and the policy in force."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from bot.command.grammar import MOST_APPIDS
from bot.domain.batch import Pause
from bot.domain.installation import Installation
from bot.domain.kept import KeptShare
from bot.domain.link import LinkState
from bot.domain.outcome import AfterCall, Called, Outcome, Party, Readiness, Step, Tally
from bot.domain.request import Origin, Request
from bot.guidance import EnvList, Trouble
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.messages import Message
from bot.messages.words import Languages
from bot.policy.kinds import Person, Policy, Rule, Unreadable
from bot.runtime.observers import no_op

_log = logging.getLogger(__name__)


class AwayError(Exception):
    """Slack is away or busy, so the message is owed; `after` is how many seconds Slack asks to wait.

    The message may have been posted nevertheless, so the retry has to look for it first.
    """

    def __init__(self, why: str, after: float = 0.0) -> None:
        super().__init__(why)
        self.after = after


class Places(Protocol):
    """The places for answers, each known by its reference; every method raises AwayError."""

    async def open(
        self, request: Request, *, look_since: float | None, waiting: bool
    ) -> str | None:
        """Post what is under way or waited for, and return the reference of that place; None if there is none."""

    async def find(self, request: Request, since: float) -> str | None:
        """Return the reference of a place that was opened `since` then, but not recorded; None if none is found."""

    async def go_on(self, request: Request, ref: str) -> None:
        """Show that a request no longer waits for people, and what is under way instead."""

    async def progress(self, request: Request, ref: str, tally: Tally, pause: Pause | None) -> None:
        """Show how far a batch has come, and why it pauses."""

    async def show_outcome(
        self, request: Request, ref: str | None, outcome: Outcome, since: float
    ) -> None:
        """Show once more how a request ended, since an earlier text may have come late.

        Also in a place that was opened `since` then, but not recorded.
        """

    async def close(  # noqa: PLR0913  # what ended, how, and what is known of earlier attempts
        self,
        request: Request,
        ref: str | None,
        outcome: Outcome,
        *,
        look_since: float | None,
        called_again: bool,
        after: AfterCall,
    ) -> bool:
        """Deliver the outcome, to the requester alone if no place was opened; False if Slack permanently refuses every way.

        With `look_since`, in Unix seconds, the answer may have been posted since then; with `called_again` it says that
        WeChat was called twice.
        """


class Approvals(Protocol):
    """Asks those who may approve; every method raises AwayError."""

    async def ask(  # noqa: PLR0913  # what is asked, and what is known of earlier attempts
        self,
        request: Request,
        past: Sequence[Entry | KeptShare],
        asked: str | None,
        record: Callable[[str], Awaitable[bool]],
        *,
        look_since: float | None,
        until: float,
        missing: Sequence[Party] = (),
    ) -> str | Trouble:
        """Ask the approvers who are yet to be asked, and return the reference, or why none will be asked.

        `past` are earlier shares of the env, also of deleted requests, `missing` are those of whom somebody has to agree, `asked` is the reference so
        far. `record` is called with the reference before the first question and after each; once it returns False, nobody
        more is asked.
        """

    async def escalation(self, request: Request, ref: str) -> str:
        """Return the reference with the places where those are to be asked to whom the request escalates."""

    async def remind(
        self, request: Request, ref: str, until: float, missing: Sequence[Party] = ()
    ) -> None:
        """Remind the approvers, once; `missing` are those of whom somebody has to agree."""

    async def tell_skipped(self, entry: Entry) -> None:
        """Tell the approvers, once, that the requester did not wait for them, and why."""

    async def show_decision(self, entry: Entry) -> None:
        """Show in the question who decided and when, and how it ended."""


class Twins(Protocol):
    """Ends messages that stand twice, since Slack carried out a call that was given up."""

    async def end(self, entry: Entry) -> None:
        """Keep one of each message of a request: the recorded one, else the oldest; raises AwayError."""


class Owners(Protocol):
    """Shares the envs of their owners."""

    async def share(
        self,
        owner: str,
        env: str,
        appid: str,
        on_step: Callable[[Step], None],
        may_call: Callable[[], bool],
    ) -> Called | None:
        """Share the owner's `env` with `appid` and return the outcome; never raises.

        `on_step` is called after each step; `may_call` is called before each attempt, and can forbid it: then there is no
        outcome.
        """


class People(Protocol):
    """Looks up people and their groups, in time for the ack, and channels for what is posted after it."""

    async def person(
        self, team_id: str, user_id: str, groups: frozenset[str], *, fresh: bool = False
    ) -> Person | Unreadable:
        """Return the person with those of `groups` that they are in, or why Slack did not answer.

        `groups` are all groups of the policy that is going to decide, since a group not named here counts as one that
        they are not in. `fresh` bypasses the cache.
        """

    async def several(
        self, team_id: str, user_ids: Sequence[str], groups: frozenset[str], *, fresh: bool = False
    ) -> Mapping[str, Person | Unreadable]:
        """Return these people, each as `person` does; reads the groups once."""

    async def approvers(self, rule: Rule, requester_id: str, most: int) -> Sequence[str]:
        """Return up to `most` users whom a rule names and who may decide about this requester's request; raises AwayError."""

    def prefetch_channel(self, channel: str) -> None:
        """Begin to read what has to be known of a channel before an answer is posted there; returns at once."""


class LinkTo(Protocol):
    """Links to the messages of an entry."""

    def __call__(self, ref: str | None, *, own: bool) -> str | None:
        """Return the URL of an entry's `place` or `asked`; None if there is none, or the reader cannot open it.

        A direct message can be opened only if it is the reader's `own`.
        """


ReadinessCheck = Callable[[str, str], Awaitable[Readiness]]
"""Returns the readiness of an owner's env."""


EnvListing = Callable[[str], Awaitable[EnvList | None]]
"""Returns WeChat's list of an owner's envs, of the last minutes; None if WeChat does not tell it."""


class PolicyInForce:
    """Holds the policy in force, the newest valid one; a handler reads it once, and decides all of one command or click by it."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.trouble: tuple[str, ...] | None = None
        """A sentence per reason why the newest policy was refused; None if it is in force."""
        self._listeners: list[Callable[[Policy], None]] = []

    def subscribe(self, listener: Callable[[Policy], None]) -> None:
        """Call `listener` with each policy that comes into force from now on; it must return at once."""
        self._listeners.append(listener)

    def swap(self, policy: Policy) -> None:
        """Put a policy into force, and tell the listeners, in order, if it differs; an error of one is logged only."""
        self.trouble = None
        if policy == self.policy:
            return
        self.policy = policy
        for listener in self._listeners:
            try:
                listener(policy)
            except Exception:  # noqa: BLE001  # a listener must break neither the watcher nor the others
                _log.exception("unforeseen error")

    def refuse(self, problems: Sequence[str]) -> None:
        """Record why a newer policy was refused; the policy in force stays."""
        self.trouble = tuple(problems)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What the use cases need from outside."""

    installation: Installation
    people: People
    ledger: Ledger
    process: Callable[[Entry], Coroutine[None, None, None]]
    link: LinkTo
    token_states: Callable[[], Sequence[LinkState]]
    new_id: Callable[[], str]
    start: Callable[[Coroutine[None, None, None]], None]
    stopping: Callable[[], bool]
    languages: Languages
    tell_privately: Callable[[Origin, Message], Awaitable[None]]
    """Posts a message that only the requester sees, where they asked."""
    readiness: ReadinessCheck
    env_list: EnvListing
    changed: Callable[[Request], None] = no_op
    """Called after each recorded move of a request."""
    most_appids: int = MOST_APPIDS
    """How many appids one command or form may name."""
    mentions: bool = False
    """Whether Slack tells the bot of messages that mention it."""
