"""Hours of mixed commands with faults: the bot's use of resources must not grow."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp
from sqlalchemy import NullPool, create_engine, text

from bot.playground.environments import chain_environment, slack_environment
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import POLICY, World
from tests.benchmarks.bars import Bar
from tests.benchmarks.standins import WrongResultError
from tests.benchmarks.storm import Storm, Tally
from tests.faults.bots import Bot

LOOKS = 13
"""How often the idle bot is examined; the first time it is not warmed up, and does not count."""

_TOGETHER = 4  # stretches whose results are judged together
_REST_WITHIN = 60.0
_SETTLE = 16.0  # seconds: aiohttp keeps idle connections for fifteen
_SECRET = "made-up"  # a marker in every secret of the playground
_SEED = 20261126
_OPEN = "SELECT count(*) FROM requests WHERE state NOT IN ('ended', 'confirming', 'waiting')"


@dataclass(frozen=True, slots=True)
class Look:
    """The idle bot after a stretch: bytes, counts, and the mean milliseconds of a transaction in that stretch."""

    minutes: float
    answered: int
    memory: int
    tasks: int
    descriptors: int
    ledger: float


async def soak(minutes: float, tell: Callable[[str], None]) -> list[Look]:
    """Run a storm for this many minutes, with a pause after each stretch; return the state at each pause."""
    looks: list[Look] = []
    stretch = 60 * minutes / LOOKS
    async with (
        LocalSlack(World()) as slack,
        LocalWeChat() as wechat,
        _bot(slack, wechat) as running,
    ):
        storm = Storm(slack, wechat, _SEED)
        before, tallies = await running.ledger(), [storm.tally()]
        for number in range(1, LOOKS + 1):
            await storm.blow(stretch)
            await running.rest(slack)
            tallies.append(storm.tally())
            # One failing users.info causes denials for five seconds, which can fill a short stretch.
            tally = tallies[-1].since(tallies[max(number - _TOGETHER, 0)])
            if number >= _TOGETHER and (wrong := wrongs(tally, slack.violations, running.bot.log)):
                raise WrongResultError(f"Up to stretch {number}: {' '.join(wrong)}")
            now = await running.ledger()
            took = (now[0] - before[0]) / max(now[1] - before[1], 1)
            before = now
            looks.append(
                Look(
                    number * stretch / 60,
                    storm.answered,
                    running.memory(),
                    await running.tasks(),
                    running.descriptors(),
                    1000 * took,
                )
            )
            tell(
                f"{number} of {LOOKS}: {_line(looks[-1])}; {tally.done} done lately, {tally.left} not, {tally.shared} shared"
            )
        if code := await running.bot.end(signal.SIGTERM):
            raise WrongResultError(f"The bot ended with {code} on SIGTERM.")
    return looks


def wrongs(tally: Tally, violations: Sequence[str], log: str) -> list[str]:
    """Return a sentence for each problem that the faults do not explain; they leave most requests working."""
    found = []
    if 4 * tally.left > tally.done:
        found.append(f"People did {tally.done} things, and {tally.left} they could not do.")
    if 3 * tally.answered <= tally.asked:
        found.append(f"Of {tally.asked} requests only {tally.answered} were answered.")
    if 2 * tally.shared <= tally.wanted:
        found.append(f"Of {tally.wanted} shares only {tally.shared} were made.")
    if violations:
        found.append(f"Slack's rules were broken: {violations[0]}.")
    if _SECRET in log:
        found.append("A secret is in the log.")
    return found


def soak_bars(looks: Sequence[Look]) -> list[Bar]:
    """Return the bars: the last two looks compared to the first third, without the very first look."""
    warm = looks[1:]
    third = max(len(warm) // 3, 1)

    def ends(figure: Callable[[Look], float]) -> tuple[float, float]:
        """Return the minimum of the first third and of the last two: noise on the machine only adds to a figure."""
        return min(map(figure, warm[:third])), min(map(figure, warm[-2:]))

    memory, ledger = ends(lambda look: look.memory), ends(lambda look: look.ledger)
    tasks, files = ends(lambda look: look.tasks), ends(lambda look: look.descriptors)
    growth, slower = memory[1] / memory[0] - 1, ledger[1] / ledger[0]
    return [
        Bar("memory", f"{growth:+.1%}", "≤ +5 %", growth <= 0.05),
        Bar("tasks", f"{tasks[1] - tasks[0]:+.0f}", "≤ +2", tasks[1] - tasks[0] <= 2),
        Bar("file descriptors", f"{files[1] - files[0]:+.0f}", "≤ +3", files[1] - files[0] <= 3),
        Bar("ledger, mean of a transaction", f"{slower:.2f} ×", "≤ 1.25 ×", slower <= 1.25),
    ]


def _line(look: Look) -> str:
    return (
        f"{look.answered:,} answered, {look.memory / 1e6:.1f} MB, {look.tasks} tasks, "
        f"{look.descriptors} descriptors, {look.ledger:.2f} ms a transaction"
    )


@dataclass(frozen=True, slots=True)
class _Running:
    """The bot's process, seen from outside."""

    bot: Bot
    database: str
    metrics_url: str

    def memory(self) -> int:
        """Return the resident bytes."""
        return self.bot.memory()

    def descriptors(self) -> int:
        """Return the number of open files and sockets."""
        return len(list(Path(f"/proc/{self.bot.pid}/fd").iterdir()))

    async def tasks(self) -> int:
        """Return the number of tasks in its event loop."""
        return int(await self._metric("share_env_loop_tasks"))

    async def ledger(self) -> tuple[float, float]:
        """Return the total seconds of all transactions so far, and their number."""
        name = "share_env_ledger_seconds"
        return await self._metric(f"{name}_sum"), await self._metric(f"{name}_count")

    async def rest(self, slack: LocalSlack) -> None:
        """Wait until the bot is idle."""
        engine = create_engine(self.database, poolclass=NullPool)
        async with asyncio.timeout(_REST_WITHIN):
            while True:
                with engine.connect() as connection:
                    left = connection.scalar(text(_OPEN))
                if not left and slack.sockets.connections:
                    break
                await asyncio.sleep(0.25)
        await asyncio.sleep(_SETTLE)

    async def _metric(self, name: str) -> float:
        async with aiohttp.ClientSession() as http, http.get(self.metrics_url) as answer:
            page = await answer.text()
        values = re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", page, re.MULTILINE)
        return sum(map(float, values))


@asynccontextmanager
async def _bot(slack: LocalSlack, wechat: LocalWeChat) -> AsyncIterator[_Running]:
    """Run the bot as a process that keeps the platform's chain, with the demo's policy."""
    with TemporaryDirectory() as directory:
        folder, port = Path(directory), free_port()
        policy, database = folder / "policy.toml", f"sqlite:///{folder}/ledger.db"
        policy.write_text(POLICY, encoding="utf-8")
        environ = {
            **slack_environment(slack),
            **chain_environment(wechat, port),
            "POLICY_FILE": str(policy),
            "DATABASE_URL": database,
        }
        bot = Bot(environ, folder)
        await bot.start()
        try:
            yield _Running(bot, database, f"http://127.0.0.1:{port}/metrics")
        finally:
            await bot.end()
