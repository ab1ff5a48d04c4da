"""The stand-ins for Slack and WeChat, and people who type commands and wait for the answers."""

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import uniform
from time import perf_counter

from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.slack.transcript import Change
from bot.playground.world import World
from tests.token_server import TokenWeChat

OWNER = "wx0123456789abcdef"

REQUESTER, CHANNEL = "U0REQUESTER", "C0RELEASES"

_ENV = "bench-1"
_APPID = re.compile(r"wx5[0-9a-f]{15}")
_SUMMARY = re.compile(r"^✅ \*All \d+ shared\.\*")
_ANSWER_WITHIN = 30.0


class WrongResultError(Exception):
    """A bot's result is wrong, so its timing is meaningless."""


@dataclass(frozen=True, slots=True)
class Took:
    """The seconds that one command took until its ack, and until its reply."""

    ack: float
    reply: float


@dataclass(frozen=True, slots=True)
class Load:
    """The seconds of many commands, and of all of them together."""

    each: tuple[Took, ...]
    together: float


class StandIns:
    """Both servers. Each command shares the same env with another appid, by which its answer is recognised.

    That corresponds to serving many merchants from few envs. Commands come from `requester`, in
    `channels` in turn.
    """

    def __init__(self, slack: LocalSlack, wechat: TokenWeChat) -> None:
        self.slack = slack
        self.wechat = wechat
        self.requester = REQUESTER
        self.channels: Sequence[str] = (CHANNEL,)
        self._asked = 0
        self._waiting: dict[tuple[str, str], asyncio.Future[float]] = {}
        self._batch: asyncio.Future[float] | None = None
        wechat.add_env(OWNER, _ENV)
        slack.on_change = self._look

    def environment(self) -> dict[str, str]:
        """Return the bot's settings for these servers."""
        world = self.slack.world
        return {
            "SLACK_BOT_TOKEN": world.bot_token,
            "SLACK_APP_TOKEN": world.app_token,
            "SLACK_API_URL": self.slack.api_url,
            "WECHAT_API_URL": self.wechat.url,
            "WECHAT_AUTHORIZER_APPID": OWNER,
            "WECHAT_AUTHORIZER_ACCESS_TOKEN": self.wechat.issue(OWNER),
            "SHARE_ENV_ALLOWED_USERS": REQUESTER,
        }

    async def load(self, commands: int, at_once: int) -> Load:
        """Return the times of `commands` typed by `at_once` people, each of whom waits for the answer.

        Raises WrongResultError if a command was not acked, shared and answered.
        """
        # Collect now, so that garbage of earlier commands is not collected during these.
        gc.collect()
        gc.freeze()
        turns = iter(range(commands))
        before = len(self.wechat.shared)
        begun = perf_counter()
        try:
            async with asyncio.TaskGroup() as people:
                tasks = [people.create_task(self._person(turns)) for _ in range(at_once)]
        except ExceptionGroup as wrong:
            raise wrong.exceptions[0] from None  # the others are the same
        together = perf_counter() - begun
        shared = len(self.wechat.shared) - before
        if shared != commands or self.slack.violations:
            raise WrongResultError(f"{shared} of {commands} shared, {self.slack.violations[:3]}")
        return Load(tuple(took for task in tasks for took in task.result()), together)

    async def batch(self, size: int) -> float:
        """Return the seconds from the command for a batch until its summary.

        Raises WrongResultError if not all of it was shared in time.
        """
        self._asked += 1
        appids = " ".join(f"wx{number:016x}" for number in range(size))
        env = f"batch-{self._asked}"
        self.wechat.add_env(OWNER, env)
        self._batch = asyncio.get_running_loop().create_future()
        begun = perf_counter()
        ack = await self.slack.command(REQUESTER, self.channels[0], f"{appids} {env}")
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                return await self._batch - begun
        except TimeoutError:
            raise WrongResultError(f"A batch was not answered; its ack: {ack.payload}.") from None

    async def beside(self, work: Awaitable[object], at_once: int, pause: float) -> list[Took]:
        """Return the times of single commands by `at_once` people while `work` runs.

        Each person pauses before each command, for `pause` seconds on average, at random so that they do not synchronise.
        """
        over = asyncio.Event()

        async def person() -> list[Took]:
            took = []
            while not over.is_set():
                await asyncio.sleep(uniform(0, 2 * pause))  # noqa: S311  # no secret
                took.append(await self._share())
            return took

        people = [asyncio.create_task(person()) for _ in range(at_once)]
        await work
        over.set()
        return [took for each in people for took in await each]

    async def _person(self, turns: Iterator[int]) -> list[Took]:
        return [await self._share() for _ in turns]

    async def _share(self) -> Took:
        self._asked += 1
        appid = f"wx5{self._asked:015x}"
        future = asyncio.get_running_loop().create_future
        replied = self._waiting[appid, "reply"] = future()
        edited = self._waiting[appid, "edited"] = future()
        begun = perf_counter()
        channel = self.channels[self._asked % len(self.channels)]
        ack = await self.slack.command(self.requester, channel, f"{appid} {_ENV}")
        if ack.error is not None:
            raise WrongResultError(f"The ack of {appid}: {ack.error}.")
        try:
            async with asyncio.timeout(_ANSWER_WITHIN):
                reply = await replied
                await edited
                return Took(ack.seconds, reply - begun)
        except TimeoutError:
            raise WrongResultError(f"{appid} was not answered; its ack: {ack.payload}.") from None

    def _look(self, message: PostedMessage, change: Change) -> None:
        if self._batch is not None and message.thread_ts and _SUMMARY.match(message.text):
            self._batch.set_result(perf_counter())
            self._batch = None
        found, what = _APPID.search(message.text), "reply" if message.thread_ts else change
        stands = self._waiting.pop((found[0], what), None) if found else None
        if stands is not None and not stands.done():
            stands.set_result(perf_counter())


@asynccontextmanager
async def standins(latency: float = 0.0, world: World | None = None) -> AsyncIterator[StandIns]:
    """Serve both on 127.0.0.1, with empty transcripts, while the context is open.

    `latency` is the seconds for each response of WeChat's.
    """
    async with LocalSlack(world or World()) as slack, TokenWeChat(latency) as wechat:
        yield StandIns(slack, wechat)
