"""Bots as processes that can be killed, frozen and restarted, and assertions about the result."""

import asyncio
import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import NullPool, create_engine, text

from bot.playground.slack.server import Ack, LocalSlack, PostedMessage
from bot.playground.slack.transcript import Change
from bot.playground.world import APPID, OWNER
from tests.conftest import RELEASES, REQUESTER, over_http
from tests.processes import ROOT, Forked, fork, kept, start
from tests.said import IN_DOUBT
from tests.token_server import TokenWeChat, environment

FINAL = ("✅", "❌", "❔")

MADE_UP = "made-up"
"""A marker that every secret of the playground contains, and no other text."""


def environ(slack: LocalSlack, wechat: TokenWeChat, database: str) -> dict[str, str]:
    """Return the environment of a bot with these two servers."""
    return {
        **environment(slack, wechat),
        "WECHAT_AUTHORIZER_APPID": OWNER,
        "SHARE_ENV_ALLOWED_USERS": "U0REQUESTER",
        "DATABASE_URL": database,
        "SHUTDOWN_GRACE": "10",
    }


class Bot:
    """Runs `python -m bot`, one process at a time, with the same environment at each start."""

    def __init__(self, environ: Mapping[str, str], folder: Path, name: str = "bot") -> None:
        self._environ = {**kept(), **environ}
        self._folder = folder
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | Forked | None = None

    @property
    def log(self) -> str:
        """Return the log so far."""
        return self._log.read_text(encoding="utf-8")

    @property
    def pid(self) -> int:
        """The pid of the last process."""
        assert self._process
        return self._process.pid

    @property
    def grace(self) -> float:
        """The bot's SHUTDOWN_GRACE in seconds, or its default."""
        return float(self._environ.get("SHUTDOWN_GRACE", "10"))

    def logged(self, event: str) -> set[str]:
        """Return the ids of the requests that were logged with this event."""
        lines = (json.loads(line) for line in self.log.splitlines() if line.startswith("{"))
        return {line["request"] for line in lines if line["event"] == event and "request" in line}

    async def start(self) -> None:
        """Start the bot and wait until it is ready."""
        await self.launch()
        assert self._process
        assert self._process.stdout
        ready = await asyncio.wait_for(self._process.stdout.readline(), 60)
        assert ready, self.log[-2000:]

    async def launch(
        self, stdout: int = asyncio.subprocess.PIPE, stderr: int | None = None
    ) -> None:
        """Start the bot; its output is read and kept unless it is directed elsewhere.

        It is a fresh Python if the environment has variables for Python itself.
        """
        run = fork if self._environ["PYTHONPATH"] == str(ROOT) else start
        with self._log.open("ab") as log:
            heard = log.fileno() if stderr is None else stderr
            folder, how = self._folder, {"stdout": stdout, "stderr": heard}
            self._process = await run(self._environ, folder, "-m", "bot", flags=(), **how)

    def memory(self, what: str = "VmRSS") -> int:
        """Return the resident bytes; with `VmHWM`, their maximum since `forget_peak`."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        (kilobytes,) = re.findall(rf"^{what}:\s+(\d+)", status, re.MULTILINE)
        return int(kilobytes) * 1024

    def forget_peak(self) -> None:
        """Reset the peak of the resident memory."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5", encoding="ascii")  # proc(5)

    def send(self, sign: signal.Signals) -> None:
        """Send a signal if the process is running."""
        if self._process and self._process.returncode is None:
            # Not send_signal(), which polls the process, so that asyncio would miss its exit.
            with suppress(ProcessLookupError):
                os.kill(self._process.pid, sign)

    async def end(self, sign: signal.Signals = signal.SIGKILL) -> int | None:
        """Send a signal, wait for the exit, and return the exit code."""
        self.send(sign)
        return await self.ended()

    async def ended(self) -> int | None:
        """Wait for the exit, and return the exit code."""
        return await asyncio.wait_for(self._process.wait(), 60) if self._process else None


@asynccontextmanager
async def two_bots(
    environ: Mapping[str, str], folder: Path, ports: tuple[int, int] | None = None
) -> AsyncIterator[tuple[Bot, Bot]]:
    """Run two replicas with the same settings; over HTTP if they have ports."""
    one, other = (over_http(port) for port in ports) if ports else ({}, {})
    async with AsyncExitStack() as stack:
        bots = Bot({**environ, **one}, folder, "one"), Bot({**environ, **other}, folder, "other")
        for bot in bots:
            stack.push_async_callback(bot.end)
            await bot.start()
        yield bots


class Load:
    """People who type commands while the context is open, each command with another env.

    `pause` is in seconds, after each command. What they see is tracked as it changes.
    """

    def __init__(
        self, slack: LocalSlack, people: int = 4, pause: float = 0.05, env: str = "prod"
    ) -> None:
        self.accepted: set[str] = set()
        self.refused: list[Ack] = []
        self.in_doubt: list[Ack] = []
        """Told that this probably did not happen."""
        self.unanswered: list[Ack] = []
        """Without an ack in time, which Slack itself shows after three seconds."""
        self.finals: dict[str, float] = {}
        """When each request visibly ended, in seconds of time.monotonic()."""
        self._open: set[str] = set()
        self._slack = slack
        self._people, self._pause, self._env = people, pause, env
        self._numbers = count(1)
        self._over = False
        self._typing: list[asyncio.Task[None]] = []
        slack.on_change = self._saw

    async def __aenter__(self) -> Self:
        self._typing = [asyncio.create_task(self._type_on()) for _ in range(self._people)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        self._slack.changed()
        if error is not None:
            for task in self._typing:
                task.cancel()
        for result in await asyncio.gather(*self._typing, return_exceptions=True):
            if isinstance(result, Exception):
                raise result  # probably the reason why the wait timed out

    async def type_command(self) -> bool:
        """Type a command; return whether the bot accepted it."""
        user = REQUESTER
        ack = await self._slack.command(
            user, RELEASES, f"{APPID} {self._env}-{next(self._numbers)}"
        )
        said = str((ack.payload or {}).get("text", ""))
        id_ = request_of(ack)
        if id_:
            self.accepted.add(id_)
        elif ack.error:
            self.unanswered.append(ack)
        elif IN_DOUBT in said:
            self.in_doubt.append(ack)
        else:
            assert "nothing was done" in said.lower(), said
            self.refused.append(ack)
        self._slack.changed()
        return id_ is not None

    def assert_told_truly(self, told: str, wechat: TokenWeChat) -> None:
        """Assert that each command got an ack, each refusal says `told`, and each share is shown and was not refused."""
        assert self.unanswered == []
        assert all(told in str(ack.payload) for ack in self.refused)
        shared = {call.env for call in wechat.calls}
        assert shared.isdisjoint(map(env_of, self.refused))
        parents = " ".join(parent.text for parent in self._slack.parents(RELEASES)).split()
        assert {f"`{env}`" for env in shared} <= set(parents)

    async def more_accepted(self, commands: int, within: float = 20) -> None:
        """Wait until this many more commands were accepted."""
        enough = len(self.accepted) + commands
        await self._slack.until(lambda _: len(self.accepted) >= enough, within)

    async def all_answered(self, within: float) -> None:
        """Wait until all accepted requests, and all others that are visible, have ended."""
        await self._slack.until(
            lambda _: self.accepted <= self.finals.keys() and not self._open, within
        )

    @property
    def shown(self) -> set[str]:
        """The requests with a parent message."""
        return self._open | self.finals.keys()

    def under_way(self) -> set[str]:
        """Return the accepted requests that have not ended."""
        return self.accepted - self.finals.keys()

    async def _type_on(self) -> None:
        while not self._over:
            if self._slack.sockets.connections:
                accepted = await self.type_command()
                # A connection may be dead without the bot knowing.
                await asyncio.sleep(self._pause if accepted else max(self._pause, 0.01))
            else:
                await self._slack.until(
                    lambda slack: slack.sockets.connections > 0 or self._over, 60
                )

    def _saw(self, message: PostedMessage, _change: Change) -> None:
        if message.channel != RELEASES or message.thread_ts or message.ephemeral_to:
            return
        id_ = request_in(message)
        if message.text.startswith(FINAL):
            self.finals.setdefault(id_, time.monotonic())
            self._open.discard(id_)
        elif id_ not in self.finals:
            self._open.add(id_)


def env_of(ack: Ack) -> str:
    """Return the env of a command."""
    return str(ack.request["text"]).split()[-1]


def rows(database: str, query: str) -> list[Any]:
    """Run a query on a bot's database; return the first column of its rows."""
    engine = create_engine(database, poolclass=NullPool)
    with engine.connect() as connection:
        return list(connection.scalars(text(query)))


async def all_ended(database: str, within: float) -> None:
    """Wait until all requests have ended."""
    await until_none(database, "state <> 'ended'", within)


async def until_none(database: str, where: str, within: float) -> None:
    """Wait until no request matches."""
    query = f"SELECT id FROM requests WHERE {where}"  # noqa: S608  # conditions of the tests
    async with asyncio.timeout(within):
        while await asyncio.to_thread(rows, database, query):  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # a database sends no event


def assert_recorded_once(database: str, ids: set[str]) -> None:
    """Assert that the ledger has these requests, that all have ended, and that none was answered twice."""
    assert ids <= set(rows(database, "SELECT id FROM requests"))
    assert rows(database, "SELECT id FROM requests WHERE state <> 'ended'") == []
    for kind in ("accepted", "answered", "delivered"):
        twice = (
            f"SELECT request FROM events WHERE kind = '{kind}' GROUP BY request HAVING count(*) > 1"  # noqa: S608  # the words above
        )
        assert rows(database, twice) == [], kind


def assert_keeps_secrets(bot: Bot, slack: LocalSlack) -> None:
    """Assert that no secret is in the log, or in a visible message, modal or App Home."""
    assert MADE_UP not in bot.log
    assert "/commands/" not in bot.log, "a response_url"
    assert "/actions/" not in bot.log, "a response_url"
    for person in slack.people:
        for view in filter(None, (slack.modal(person), slack.home(person))):
            assert MADE_UP not in str(view.blocks)
    for message in slack.messages:
        assert MADE_UP not in str(message)


def request_of(ack: Ack) -> str | None:
    """Return the request id in an ack that accepts a command."""
    text = str((ack.payload or {}).get("text", ""))
    return text.rsplit("`", 2)[-2] if text.startswith("On it") else None


def request_in(message: PostedMessage) -> str:
    """Return the request id in a parent message."""
    return str(re.findall(r"Request `(\w+)`", message.text)[-1])


def lists(message: PostedMessage) -> bool:
    """Return whether a reply lists a batch's appids."""
    return "```" in message.text


def assert_answered_once(slack: LocalSlack, ids: set[str], *, only: bool = False) -> None:
    """Assert that each request has one parent in its final state and one reply; with `only`, no others."""
    parents = slack.parents(RELEASES)
    shown = Counter(map(request_in, parents))
    assert ids <= shown.keys(), ids - shown.keys()
    for parent in parents:
        id_ = request_in(parent)
        if only and id_ not in ids:
            continue
        replies = [reply for reply in slack.thread(RELEASES, parent.ts) if not lists(reply)]
        about = f"{id_}: {parent.text}\n" + "\n".join(reply.text for reply in replies)
        assert shown[id_] == 1, about
        assert parent.text.startswith(FINAL), about
        assert len(replies) == 1, about
    assert slack.violations == []
