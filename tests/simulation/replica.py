"""One replica of the bot: the real parts, wired by the real `wire`, on resources made by hand."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from bot.app.resources import Resources, Slack
from bot.app.token_source import token_source
from bot.app.wiring import Wired, wire
from bot.ledger.events import EventListener
from bot.ledger.ledger import Ledger
from bot.ledger.writer import LedgerDownError
from bot.playground.world import OWNER, World
from bot.policy.file import read_and_test
from bot.policy.kinds import Policy, Tested
from bot.runtime.clock import Runtime
from bot.runtime.observers import Observers
from bot.runtime.tasks import Tasks
from bot.settings.access import SlackSettings, TokenServerSettings
from bot.settings.load import Settings, load
from bot.slack.api import SlackApi, web_client
from bot.slack.preflight import Ready
from bot.wechat.transport import WeChatApi, client_over
from bot.workflow.ports import PolicyInForce
from tests.simulation.database import Database, SimulatedWriter, WriteFate
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.network import Network
from tests.simulation.services import TOKENS, WECHAT

_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
AUTHORIZATION = "Bearer made-up-authorization-of-the-token-server"


@cache
def policy_of(text: str) -> Policy:
    """Return the policy in a file's text."""
    tested = read_and_test(text, OWNER)
    if not isinstance(tested, Tested):
        raise TypeError(tested)
    return tested.policy


@cache
def settings() -> Settings:
    """Return the settings of every replica, but for Slack's address and the policy."""
    world = World()
    loaded = load(
        {
            "SLACK_BOT_TOKEN": world.bot_token,
            "SLACK_SIGNING_SECRET": world.signing_secret,
            "WECHAT_API_URL": WECHAT,
            "WECHAT_TOKEN_SERVER_URL": f"{TOKENS}/{{appid}}",
            "WECHAT_TOKEN_SERVER_AUTHORIZATION": AUTHORIZATION,
            "WECHAT_AUTHORIZER_APPID": OWNER,
            "SHARE_ENV_ALLOWED_USERS": "U0REQUESTER",
            "DATABASE_URL": "sqlite:///:memory:",
            "WECHAT_TIMEOUT": "5",
        }
    )
    if not isinstance(loaded, Settings):
        raise TypeError(loaded)
    return loaded


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What a replica finds where it runs; `now` is its machine's clock."""

    loop: SimulatedLoop
    network: Network
    database: Database
    write_fate: Callable[[str], WriteFate]
    now: Callable[[], float]
    policy: Callable[[], str]
    slack_url: str
    identity: dict[str, object]
    listeners: Sequence[EventListener]


class Replica:
    """One process of the bot, from its start to its end; its successor is another one."""

    def __init__(self, name: str, machine: Machine, dice: Random) -> None:
        self.name = name
        self.holder = f"{name} {dice.randrange(16**6):06x}"
        self.process = Process(name, machine.loop)
        self.parts: Wired | None = None
        self.ledger: Ledger | None = None
        self.in_force = PolicyInForce(policy_of(machine.policy()))
        self.failed = False
        self.over = False
        """Whether it has stopped by itself."""
        self._machine = machine
        self._dice = dice
        self._stop = asyncio.Event()
        self.process.spawn(self._run())

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
        except LedgerDownError:
            self.failed = True
        self.over = True

    async def _serve(self, stack: AsyncExitStack) -> None:
        """Do as `running` does, without what listens."""
        resources = self._resources()
        stack.push_async_callback(resources.ledger.close)
        await resources.ledger.start()
        self.ledger = resources.ledger
        source = token_source(stack, resources)
        parts = wire(stack, resources, source)
        kept = [parts.worker.leased.run(parts.worker.resume), parts.recheck.run()]
        for work in kept:
            stack.callback(resources.tasks.keep(work).cancel)
        stack.push_async_callback(resources.tasks.drain, resources.settings.shutdown_grace)
        self.parts = parts
        await self._stop.wait()
        self.parts = None

    def _resources(self) -> Resources:
        machine, dice = self._machine, self._dice
        runtime = Runtime(
            clock=machine.loop.time,
            since_boot=machine.loop.time,
            now=machine.now,
            jitter=dice.random,
            token_hex=lambda size: f"{dice.randrange(256**size):0{2 * size}x}",
            new_id=lambda: "".join(dice.choice(_LETTERS) for _ in range(8)),
        )
        world = World()
        slack = SlackSettings(world.bot_token, None, world.signing_secret, machine.slack_url)
        chosen = replace(
            settings(),
            slack=slack,
            tokens=TokenServerSettings(f"{TOKENS}/{{appid}}", AUTHORIZATION),
            policy=self.in_force.policy,
        )
        session = machine.network.session(self.process)
        client = web_client(slack, slack.bot_token, session)
        writer = SimulatedWriter(
            machine.database, self.process, machine.write_fate, machine.listeners
        )
        ledger = Ledger(
            machine.database.opened,
            writer,
            self.holder,
            clock=runtime.since_boot,
            recheck_after=runtime.recheck_after,
        )
        return Resources(
            settings=chosen,
            runtime=runtime,
            metrics=None,
            observers=Observers(),
            in_force=self.in_force,
            tasks=Tasks(),
            wechat=WeChatApi(client_over(session), WECHAT, runtime.clock),
            slack=Slack(client, SlackApi(client, runtime.sleep), Ready(machine.identity, None)),
            ledger=ledger,
        )
