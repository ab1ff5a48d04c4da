"""The parts of a bot's replicas that keep the platform's tokens, and pushes with any CreateTime."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

import httpx
from aiohttp import web
from cryptography.fernet import Fernet
from sqlalchemy import PoolProxiedConnection, text

from bot.ledger.ledger import Ledger
from bot.ledger.seal import Seal
from bot.ledger.tokens import StoredToken, Tokens
from bot.playground.wechat.pushes import Push, Stamp, event, sealed
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import OWNER
from bot.runtime.bounded import BODIES, Bodies
from bot.runtime.tasks import Tasks
from bot.settings.access import PlatformSettings
from bot.wechat.callback import Callback, PushHandler
from bot.wechat.chain import Chain
from bot.wechat.component import Component
from bot.wechat.push import RANDOM_BYTES
from bot.wechat.transport import WeChatApi
from bot.wechat.upkeep import Upkeep
from tests.databases import Database

KEY = Fernet.generate_key().decode()
LIFE = 7200.0

_numbers = count(1)


async def briefly(seconds: float) -> None:
    """Sleep for a hundredth of the requested time."""
    await asyncio.sleep(seconds / 100)


@dataclass
class Replica:
    """The token chain of one replica, wired as in `bot.app.token_source`."""

    ledger: Ledger
    tokens: Tokens
    component: Component
    chain: Chain
    upkeep: Upkeep
    handler: PushHandler
    woken: list[None]
    renewals: list[tuple[str, str]]
    """The reported renewals: link and result."""

    async def kept(self, name: str) -> StoredToken:
        """Return the ledger's row of this name, which must exist."""
        found = await self.tokens.find(name)
        assert found is not None
        return found

    async def until_stored(self, name: str) -> StoredToken:
        """Wait until the ledger has a token of this name, and return its row."""
        async with asyncio.timeout(30):
            while (found := await self.kept(name)).value is None:  # noqa: ASYNC110  # the ledger sends no event
                await asyncio.sleep(0.01)
        return found

    async def token(self, owner: str = OWNER) -> str:
        """Return an owner's token, which must be available."""
        got = await self.chain.token(owner)
        assert isinstance(got, str), got
        return got


@dataclass
class Replicas:
    """Makes replicas with one database, one WeChat and, by default, one clock."""

    http: httpx.AsyncClient
    wechat: LocalWeChat
    database: Database
    clock: Callable[[], float]
    made: list[Replica] = field(default_factory=list)

    def make(
        self,
        *,
        clock: Callable[[], float] | None = None,
        owners: tuple[str, ...] = (OWNER,),
        seeds: dict[str, str] | None = None,
        appsecret: str | None = None,
        jitter: Callable[[], float] = lambda: 0.5,
    ) -> Replica:
        """Return another replica."""
        platform = self.wechat.platform
        ledger = self.database.ledger(f"replica-{next(_numbers)}")
        tokens = ledger.tokens(platform.component_appid, Seal([KEY]))
        secret = appsecret or platform.appsecret
        wechat = WeChatApi(self.http, self.wechat.url, time.monotonic)
        component = Component(wechat, platform.component_appid, lambda: secret, 3.0, briefly)
        renewals: list[tuple[str, str]] = []
        chain = Chain(
            component,
            tokens,
            seeds or {},
            clock or self.clock,
            briefly,
            renewed=lambda link, result: renewals.append((link, result)),
        )
        upkeep = Upkeep(chain, tokens, lambda: owners, jitter, time.monotonic)
        woken: list[None] = []

        def wake() -> None:
            woken.append(None)
            upkeep.wake()

        handler = PushHandler(chain, tokens, wake)
        self.made.append(
            Replica(ledger, tokens, component, chain, upkeep, handler, woken, renewals)
        )
        return self.made[-1]

    async def restarted(self) -> Replica:
        """Stop all replicas and their ledgers, and return a new replica."""
        await self.stop()
        await self.database.close()
        self.database.ledgers.clear()
        return self.make()

    async def stop(self) -> None:
        """Stop all replicas."""
        for replica in self.made:
            await replica.chain.close(0)
        self.made.clear()

    def change(self, name: str, changes: str) -> None:
        """Change the ledger's row of a name, past every replica; `changes` is SQL."""
        with self.database.engine.begin() as connection:
            changed = f"UPDATE tokens SET {changes} WHERE name = :name"  # noqa: S608
            assert connection.execute(text(changed), {"name": name}).rowcount == 1

    def later(self, seconds: float, *names: str) -> None:
        """Let this much time pass for these names by the database's clock."""
        for name in names:
            self.change(name, f"issued = issued - {seconds}, expires = expires - {seconds}")

    def run_out(self, *names: str) -> None:
        """Let these names expire by the database's clock."""
        self.later(LIFE, *names)

    def row(self, name: str) -> dict[str, object]:
        """Return the row of a name as it is stored, with sealed secrets."""
        rows = self.database.rows(f"SELECT * FROM tokens WHERE name = '{name}'")  # noqa: S608
        return rows[0] if rows else {}

    @contextmanager
    def down(self) -> Iterator[None]:
        """Let the ledger neither read nor write tokens."""
        with self.database.engine.begin() as connection:
            connection.execute(text("ALTER TABLE tokens RENAME TO tokens_elsewhere"))
        try:
            yield
        finally:
            with self.database.engine.begin() as connection:
                connection.execute(text("ALTER TABLE tokens_elsewhere RENAME TO tokens"))

    def break_after_commit(self) -> None:
        """Let the connection break at the next commit, after the database has made it and before it says so."""
        dialect = self.database.opened[-1].engine.dialect
        commit = dialect.do_commit

        def commit_and_break(dbapi_connection: PoolProxiedConnection) -> None:
            dialect.do_commit = commit  # type: ignore[method-assign]
            commit(dbapi_connection)
            raise sqlite3.OperationalError("the connection broke")

        dialect.do_commit = commit_and_break  # type: ignore[method-assign]

    @contextmanager
    def full(self) -> Iterator[None]:
        """Let SQLite store no new token, though leases can be taken."""
        full = "SELECT abs(-9223372036854775808)"  # an overflow; RAISE would be an error of the statement's data
        with self.database.engine.begin() as connection:
            connection.execute(
                text(f"CREATE TRIGGER full BEFORE UPDATE OF value ON tokens BEGIN {full}; END")
            )
        try:
            yield
        finally:
            with self.database.engine.begin() as connection:
                connection.execute(text("DROP TRIGGER full"))


@asynccontextmanager
async def keeping(*replicas: Replica) -> AsyncIterator[None]:
    """Run the upkeep of these replicas' tokens."""
    tasks = [asyncio.create_task(replica.upkeep.run()) for replica in replicas]
    try:
        yield
    finally:
        for task in tasks:
            await cancelled(task)


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel a task, and wait for its end."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def known_platform(appid: str, tokens: Sequence[str], keys: Sequence[str]) -> PlatformSettings:
    """Return the settings of a platform with these message tokens and EncodingAESKeys, newest first."""
    return PlatformSettings(
        appid=appid,
        appsecret="",
        message_tokens=tuple(tokens),
        encoding_aes_keys=tuple(keys),
        refresh_token=None,
        encryption_keys=(),
    )


def endpoints(wechat: LocalWeChat) -> list[str]:
    """Return the platform's calls by name, without `api_`."""
    return [call.endpoint.removeprefix("api_") for call in wechat.platform.calls]


def pushed(
    wechat: LocalWeChat, info_type: str, created: float, age: float = 0.0, /, **more: str
) -> Push:
    """Return a push with this CreateTime, signed `age` seconds ago."""
    platform = wechat.platform
    fields = event(platform.component_appid, info_type, int(created), **more)
    number = next(_numbers)
    stamp = Stamp(
        int(time.time() - age), f"{1_000_000_000 + number}", number.to_bytes(RANDOM_BYTES, "big")
    )
    return sealed(fields, platform.seal, stamp)


@asynccontextmanager
async def serving(wechat: LocalWeChat, replica: Replica) -> AsyncIterator[str]:
    """Serve the replica's callback as `bot.app.running` does; yield its address."""
    platform = wechat.platform
    known = known_platform(
        platform.component_appid, [platform.message_token], [platform.encoding_aes_key]
    )
    tasks = Tasks()
    callback = Callback(lambda: known, replica.handler.handle, time.time, tasks.start)
    async with served(callback) as url:
        yield url
    await tasks.drain(0)


@asynccontextmanager
async def served(callback: Callback) -> AsyncIterator[str]:
    """Serve a callback; yield its address."""
    server = web.Application()
    server[BODIES] = Bodies()
    server.router.add_post("/wechat/events", callback.answer)
    runner = web.AppRunner(server, access_log=None, auto_decompress=False, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/wechat/events"
    finally:
        await runner.cleanup()
