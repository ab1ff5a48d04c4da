"""What a use case needs, without Slack and WeChat: a directory, a ledger in memory, and a list of the begun requests."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest

from bot.domain.installation import Installation
from bot.domain.outcome import Readiness
from bot.ledger.database import open_database
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.playground.world import OWNER
from bot.policy.kinds import Effect, Person, Policy, Rule
from bot.runtime.clock import Runtime
from bot.runtime.tasks import Tasks
from bot.slack.directory import Directory
from bot.workflow.judge import Judge
from bot.workflow.ports import PolicyInForce, Ports
from tests.conftest import Clock
from tests.databases import ledger_of
from tests.languages import LANGUAGES

OPEN_TO_ALL = Policy((Rule("all", Effect.ALLOW),), default_owner=OWNER)


class Members:
    """A directory in which everybody is in every group; it counts the `lookups` of people, and lists the `channels` to read."""

    def __init__(self) -> None:
        self.lookups = 0
        self.channels: list[str] = []

    async def person(
        self, team_id: str, user_id: str, groups: frozenset[str], *, fresh: bool = False
    ) -> Person:
        """Return a member of all requested groups, after some turns of the loop."""
        del fresh
        self.lookups += 1
        for _ in range(3):
            await asyncio.sleep(0)
        return Person(team_id, user_id, groups=groups)

    async def several(
        self, team_id: str, user_ids: Sequence[str], groups: frozenset[str], *, fresh: bool = False
    ) -> dict[str, Person]:
        """Return all of these people."""
        return {each: await self.person(team_id, each, groups, fresh=fresh) for each in user_ids}

    async def approvers(self, rule: Rule, requester_id: str, most: int) -> list[str]:
        """Return all users that the rule names."""
        return sorted(rule.approvers.users - {requester_id})[:most]

    def prefetch_channel(self, channel: str) -> None:
        """Note which channel would be read."""
        self.channels.append(channel)


@pytest.fixture
async def tasks() -> AsyncIterator[Tasks]:
    tasks = Tasks()
    yield tasks
    await tasks.drain(5)


@pytest.fixture
async def ledger() -> AsyncIterator[Ledger]:
    ledger = ledger_of(open_database("sqlite://", Runtime()), "a")
    await ledger.start()
    yield ledger
    await ledger.close()


@pytest.fixture
def members() -> Members:
    return Members()


@pytest.fixture
def people_clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of what is cached of people; it is moved by hand, while leases go on by the machine's."""
    clock = Clock()
    monkeypatch.setattr(
        "bot.app.wiring.Directory", lambda api, team_id, _: Directory(api, team_id, clock)
    )
    return clock


@pytest.fixture
def begun() -> list[Entry]:
    """The requests that the use case has handed to the worker."""
    return []


@pytest.fixture
def judge(members: Members, runtime: Runtime) -> Judge:
    return Judge(PolicyInForce(OPEN_TO_ALL), members, runtime.now)


@pytest.fixture
def ports(
    members: Members, ledger: Ledger, begun: list[Entry], runtime: Runtime, tasks: Tasks
) -> Ports:
    async def process(entry: Entry) -> None:
        begun.append(entry)

    async def tell_privately(_: object, __: object) -> None:
        """Do nothing."""

    async def readiness(_owner: str, _env: str) -> Readiness:
        return Readiness.UNKNOWN

    async def unlisted(_owner: str) -> None:
        """Do nothing."""

    return Ports(
        installation=Installation("T1"),
        people=members,
        ledger=ledger,
        process=process,
        link=lambda ref, *, own: ref if own else None,
        token_states=tuple,
        new_id=runtime.new_id,
        start=tasks.start,
        stopping=tasks.stopping,
        languages=LANGUAGES,
        tell_privately=tell_privately,
        readiness=readiness,
        env_list=unlisted,
    )
