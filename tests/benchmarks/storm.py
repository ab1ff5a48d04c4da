"""People who do everything that the bot allows, while Slack and WeChat keep failing.

The load is bounded: a fixed number of people do one thing at a time.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, fields
from itertools import count

from bot.playground.faults import Code, Drop, RateLimited, Slow, Status
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.server import Ack, LocalSlack, PostedMessage
from bot.playground.slack.transcript import Change
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, PLACES, ROLES
from tests.conftest import opened
from tests.cut_off import CUT_OFF
from tests.gzip_bomb import GZIP_BOMB

PEOPLE = 6
_PAUSE = 0.05  # seconds between two actions of one person
_FAULT_EVERY = 12  # actions
_PATIENCE = 30.0
_ASK = {"share", "again", "batch", "confirm", "approve"}
_ENDED = ("✅", "❌", "❔", "🚫", "⌛", "⚪", "🛑")
_ANSWERS = (
    Code(-1),
    Code(85088),
    Code(40001),
    Status(502),
    Status(403),
    Drop(),
    Drop(after_effect=True),
    CUT_OFF,
    GZIP_BOMB,
    Slow(1.0, after_effect=True),
)
_FAILURES = (Status(503), Drop(), Drop(after_effect=True), RateLimited(1))
_METHODS = ("chat.postMessage", "chat.update", "views.publish", "users.info")


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of actions, of failed actions, of requests and their ends, and of shares: single ones and all."""

    done: int
    left: int
    asked: int
    answered: int
    wanted: int
    shared: int

    def since(self, before: "Tally") -> "Tally":
        """Return the difference to an earlier tally."""
        return Tally(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(self)))


class Storm:
    """People and faults; `answered` counts the visible ends of requests, `left` the actions that could not be completed."""

    def __init__(self, slack: LocalSlack, wechat: LocalWeChat, seed: int) -> None:
        self.answered = 0
        self.done: Counter[str] = Counter()
        self.left = 0
        self._slack = slack
        self._wechat = wechat
        self._dice = random.Random(seed)  # noqa: S311  # only selects faults
        self._numbers = count(1)
        self._questions: dict[str, PostedMessage] = {}
        self._approver = asyncio.Lock()
        self._acts = {
            "share": self._share,
            "again": self._again,
            "batch": self._batch,
            "confirm": self._confirm,
            "approve": self._approve,
            "query": self._query,
            "denied": self._denied,
            "home": self._home,
        }
        slack.on_change = self._count_ends

    async def blow(self, seconds: float) -> None:
        """Let everybody act for this many seconds; return when each has completed the last action."""
        until = asyncio.get_running_loop().time() + seconds
        await asyncio.gather(*(self._person(until) for _ in range(PEOPLE)))

    def tally(self) -> "Tally":
        """Return the counts so far."""
        done, shared = self.done, len(self._wechat.shared)
        asked = sum(done[name] for name in _ASK)
        return Tally(done.total(), self.left, asked, self.answered, done["share"], shared)

    async def _person(self, until: float) -> None:
        while asyncio.get_running_loop().time() < until:
            if not self._slack.sockets.connections:
                await asyncio.sleep(_PAUSE)
                continue
            name = self._dice.choices(list(self._acts), (8, 2, 1, 2, 1, 4, 2, 1))[0]
            if self._dice.randrange(_FAULT_EVERY) == 0:
                await self._fail()
            try:
                async with asyncio.timeout(_PATIENCE):
                    await self._acts[name]()
            except (TimeoutError, ImpossibleError, LookupError):
                self.left += 1  # a fault may have hit what the person waits for
            else:
                self.done[name] += 1
            await asyncio.sleep(_PAUSE)

    async def _fail(self) -> None:
        """Inject a fault: mostly in WeChat, rarely on the socket."""
        roll = self._dice.random()
        if roll < 0.6:
            self._wechat.fail("shareenv", self._dice.choice(_ANSWERS))
        elif roll < 0.9:
            self._slack.fail(self._dice.choice(_METHODS), self._dice.choice(_FAILURES))
        elif roll < 0.95:
            self._slack.sockets.drop()
        else:
            await self._slack.sockets.disconnect()

    async def _share(self) -> None:
        await self._type(f'{APPID} prod-{next(self._numbers)} --reason "a soak"')

    async def _again(self) -> None:
        await self._type(f"{APPID} prod-{self._dice.randint(1, next(self._numbers))} --again")

    async def _batch(self) -> None:
        first = next(self._numbers)
        appids = " ".join(f"wx{number:016x}" for number in range(first, first + 10))
        await self._type(f"{appids} prod-1")

    async def _confirm(self) -> None:
        env = f"live-{next(self._numbers)}"
        await self._type(f"{APPID} {env}")
        requester, button = ROLES["requester"], self._dice.choice(("confirm", "cancel"))
        shown = [message for message in self._slack.shown_to(requester) if env in message.text]
        await self._slack.click(requester, shown[-1], button)

    async def _approve(self) -> None:
        env = f"core-{next(self._numbers)}"
        await self._type(f"{APPID} {env}")
        await self._slack.until(lambda _: env in self._questions, _PATIENCE)
        approver, button = ROLES["approver"], self._dice.choice(("approve", "reject"))
        async with self._approver:
            await self._slack.click(approver, self._questions.pop(env), button)
            modal = await opened(self._slack, approver)
            await self._slack.submit(approver, modal, {"comment": "fine"})

    async def _query(self) -> None:
        texts = (
            *("help", "whoami", "history", "history prod-1", "prod-1 oops"),
            *(f"why {APPID} prod-1", f"{APPID} prod-1 --dry-run"),
        )
        await self._type(self._dice.choice(texts))

    async def _denied(self) -> None:
        await self._type(f"{APPID} prod-{next(self._numbers)}", "second")

    async def _home(self) -> None:
        await self._slack.open_home(ROLES["requester"])

    async def _type(self, text: str, role: str = "requester") -> Ack:
        ack = await self._slack.command(ROLES[role], PLACES["public"], text)
        if ack.error is not None:
            raise TimeoutError(ack.error)
        return ack

    def _count_ends(self, message: PostedMessage, change: Change) -> None:
        if message.thread_ts or change == "deleted":
            return
        if message.channel == PLACES["approvals"]:
            if change == "posted" and "core-" in message.text:
                env = message.text.partition("core-")[2].split()[0].strip("`*.")
                self._questions[f"core-{env}"] = message
        elif message.text.startswith(_ENDED) and not message.ephemeral_to:
            self.answered += 1
