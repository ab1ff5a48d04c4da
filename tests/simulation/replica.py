"""One replica of the bot: the real parts, wired by the real `wire`, on resources made by hand."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import cache, partial
from random import Random
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from bot.app.policy_watcher import Judged, PolicyFile, PolicyWatcher
from bot.app.resources import CannotStartError, Resources, open_ledger, open_slack
from bot.app.running import serve
from bot.app.wiring import Wired, wire
from bot.domain.language import Language
from bot.ledger.events import EventListener
from bot.observe.logs.events import RepeatedFailures
from bot.playground.world import OWNER, World
from bot.policy.file import read_and_test
from bot.policy.kinds import Policy, Tested
from bot.runtime.clock import Runtime
from bot.runtime.observers import Observers
from bot.runtime.tasks import Tasks
from bot.settings import policy as settings
from bot.settings.access import CollectorSettings, SlackSettings, TokenServerSettings, TokenSettings
from bot.settings.load import policy_of as policy_in
from bot.settings.policy import Content
from bot.settings.secrets import SecretsInForce, secrets_of
from bot.wechat.transport import WeChatApi, client_over
from bot.workflow.ports import PolicyInForce
from tests.simulation.chain import SECRETS as _CHAINS_SECRETS
from tests.simulation.database import Database, SimulatedWriter, WriteFate
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.policy_file import PATH, SimulatedFile
from tests.simulation.services import TOKENS, WECHAT

if TYPE_CHECKING:
    from bot.ledger.entries import Entry
    from bot.ledger.ledger import Ledger

_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
_WECHATS_SECONDS, _GRACE = 5.0, 10.0
_DELETES_EVERY = 15.0
AUTHORIZATION = "Bearer made-up-authorization-of-the-token-server"
TOKEN_SERVER = TokenServerSettings(f"{TOKENS}/{{appid}}", AUTHORIZATION)
SECRETS = (
    World().bot_token,
    World().signing_secret,
    AUTHORIZATION,
    AUTHORIZATION.split()[1],
    *_CHAINS_SECRETS,
)


@cache
def policy_of(text: str) -> Policy:
    """Return the policy in a file's text."""
    tested = read_and_test(text, OWNER)
    if not isinstance(tested, Tested):
        raise TypeError(tested)
    return tested.policy


async def _judge(content: Content) -> Judged:
    return policy_in(PATH, OWNER, TOKEN_SERVER, content)


def _started_with(judged: Judged) -> Policy:
    if isinstance(judged, Policy):
        return judged
    raise CannotStartError(tuple(judged), wrong_setup=True)


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a replica finds where it runs; `now` is its machine's clock."""

    loop: SimulatedLoop
    network: Network
    database: Database
    write_fate: Callable[[str], WriteFate]
    now: Callable[[], float]
    file: SimulatedFile
    heard_policy: Callable[["Replica", Policy], None]
    """Is told of each policy that comes into force on a replica."""
    slack_url: str
    note: Callable[[str, str], None]
    listeners: Sequence[EventListener]
    tokens: TokenSettings = TOKEN_SERVER
    collector: CollectorSettings | None = None
    keep_days: int | None = None


class Replica:
    """One process of the bot, from its start to its end; its successor is another one."""

    def __init__(self, name: str, machine: Machine, dice: Random) -> None:
        self.name = name
        self.process = Process(name, machine.loop)
        self.parts: Wired | None = None
        self.ledger: Ledger | None = None
        self.in_force: PolicyInForce | None = None
        self.over = False
        """Whether it has stopped by itself."""
        self._machine = machine
        self._dice = dice
        self.reload = asyncio.Event()
        self._stop = asyncio.Event()
        self.process.spawn(self._run())

    def holds(self, request_id: str, fence: int) -> bool:
        """Tell whether its own lease still covers a request, of which it asks nothing but the id and the fencing token."""
        held = SimpleNamespace(request=SimpleNamespace(id=request_id), fence=fence)
        return self.ledger is not None and self.ledger.lease.covers(cast("Entry", held))

    @property
    def accepts(self) -> bool:
        """Whether payloads reach it."""
        return self.process.alive and self.parts is not None

    def stop(self) -> None:
        """Ask it to stop, as SIGTERM does."""
        self.process.later(0, self._stop.set)

    async def _run(self) -> None:
        try:
            async with AsyncExitStack() as stack:
                await self._serve(stack)
        except CannotStartError as error:
            self._machine.note(self.name, f"cannot start: {error}")
        self.over = True

    async def _serve(self, stack: AsyncExitStack) -> None:
        """Do as `running` does, without what listens."""
        read = partial(self._machine.file.read, self.process)
        content = await self._settled(read)
        policy = _started_with(await _judge(content))
        self._machine.heard_policy(self, policy)
        resources = await self._open(stack, policy)
        self.ledger = resources.ledger
        parts = wire(
            stack,
            resources,
            self._machine.tokens,
            Language.ENGLISH,
            _WECHATS_SECONDS,
            collector=self._machine.collector,
            keep_days=self._machine.keep_days,
        )
        file = PolicyFile(PATH, content, read, _judge)
        watcher = PolicyWatcher(resources.in_force, file, self.reload)
        serve(stack, resources.tasks, parts, watcher, _GRACE)
        self.parts = parts
        await self._stop.wait()
        self.parts = None

    async def _settled(self, read: Callable[[], asyncio.Future[Content]]) -> Content:
        """Read the policy file as a start does: again while it may be half written."""
        while True:
            content = await read()
            left = settings.settles_in(self._machine.file.changed, self._machine.loop.true_time())
            if not left:
                return content
            await asyncio.sleep(left)

    async def _open(self, stack: AsyncExitStack, policy: Policy) -> Resources:
        machine, dice = self._machine, self._dice
        runtime = Runtime(
            clock=machine.loop.time,
            since_boot=machine.loop.true_time,
            now=machine.now,
            jitter=dice.random,
            token_hex=lambda size: f"{dice.randrange(256**size):0{2 * size}x}",
            new_id=lambda: "".join(dice.choice(_LETTERS) for _ in range(8)),
            delete_every=_DELETES_EVERY,
        )
        world = World()
        access = SlackSettings(world.bot_token, None, world.signing_secret, machine.slack_url)
        session, observers = machine.network.session(self.process), Observers()
        secrets = SecretsInForce(secrets_of(access, machine.tokens))
        slack = await open_slack(access, secrets, session, runtime, observers)
        writer = SimulatedWriter(
            machine.database, self.process, machine.write_fate, machine.listeners
        )
        ledger = await open_ledger(stack, machine.database.opened, writer, runtime)
        self.in_force = PolicyInForce(policy)
        self.in_force.subscribe(partial(machine.heard_policy, self))
        return Resources(
            runtime=runtime,
            metrics=None,
            observers=observers,
            in_force=self.in_force,
            secrets=secrets,
            tasks=Tasks(),
            wechat=WeChatApi(client_over(session), WECHAT, runtime.clock),
            failures=RepeatedFailures(runtime.clock),
            slack=slack,
            ledger=ledger,
        )
