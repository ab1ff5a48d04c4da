"""Many faults at once in one workspace: each has its own person and channel, and one bot serves all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.playground.slack.server import Ack, LocalSlack, PostedMessage
from bot.playground.slack.transcript import Change
from bot.playground.world import APPID, BOT, Channel, ChannelKind, SlackUser
from tests.faults.bots import assert_keeps_secrets, request_of, rows
from tests.faults.fire import Fire, fire
from tests.faults.table import WORKED

RULES = """
[[rule]]
name = "everybody"
users = ["*"]
effect = "allow"
"""
ENDED = (
    "SELECT request FROM events WHERE kind IN ('delivered', 'not delivered', 'nowhere to answer')"
)


@dataclass
class Workspace:
    """One bot under test, with callbacks on its messages."""

    fire: Fire
    ended: set[str] = field(default_factory=set)
    _hears: dict[str, list[Callable[[PostedMessage], None]]] = field(default_factory=dict)
    _corners: int = 0

    @property
    def slack(self) -> LocalSlack:
        """The local Slack."""
        return self.fire.slack

    def corner(self, kind: ChannelKind = "public", *, invited: bool = True) -> "Corner":
        """Return a new person in a new channel."""
        self._corners += 1
        user, channel = f"U0P{self._corners}", f"C0P{self._corners}"
        self.slack.people[user] = SlackUser(user, f"person-{self._corners}")
        members = frozenset({user, BOT} if invited else {user})
        self.slack.channels[channel] = Channel(channel, f"corner-{self._corners}", kind, members)
        return Corner(self, user, channel)

    def on_message(self, where: str, do: Callable[[PostedMessage], None]) -> None:
        """Call `do` once, when the bot next posts in a channel or shows a person something there."""
        self._hears.setdefault(where, []).append(do)

    def saw(self, message: PostedMessage, change: Change) -> None:
        """Handle a message event."""
        if change == "posted" and message.via != "ack" and self._hears.get(message.channel):
            self._hears[message.channel].pop(0)(message)

    async def look(self) -> None:
        """Poll the ledger for requests that have ended."""
        while True:
            self.ended = set(rows(self.fire.database, ENDED))
            self.slack.changed()
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Corner:
    """A person in a channel."""

    workspace: Workspace
    user: str
    channel: str

    @property
    def slack(self) -> LocalSlack:
        """The local Slack."""
        return self.workspace.slack

    async def ask(self, within: float = 60.0) -> str:
        """Ask for a share; return all messages about it once it has ended, or the refusing ack."""
        return await self.answer(await self.command(f"{APPID} {self.new_env()}"), within)

    async def answer(self, ack: Ack, within: float = 60.0) -> str:
        """Return all messages about an accepted command, once it has ended."""
        id_ = request_of(ack)
        if id_ is None:
            return str((ack.payload or {}).get("text") or ack.error)
        await self.slack.until(lambda _: id_ in self.workspace.ended, within)
        return "\n".join(m.text for m in self.slack.messages if id_ in m.text and not m.deleted)

    async def command(self, text: str, trigger_id: str | None = None) -> Ack:
        """Type a command."""
        return await self.slack.command(self.user, self.channel, text, trigger_id=trigger_id)

    async def hears(self, words: str, within: float = 60.0) -> str:
        """Wait until this person alone was shown these words; return all that they alone were shown."""
        await self.slack.until(lambda _: words in self.told, within)
        return self.told

    @property
    def told(self) -> str:
        """All that was shown to this person alone, in ephemeral and direct messages."""
        direct = f"D{self.user[1:]}"
        seen = (
            m for m in self.slack.messages if direct == m.channel or m.ephemeral_to == self.user
        )
        return "\n".join(m.text for m in seen)

    def new_env(self) -> str:
        """Return an env that was not used before."""
        return self.workspace.fire.command().split()[-1]


@asynccontextmanager
async def workspace(folder: Path, rules: str = RULES, **more: str) -> AsyncIterator[Workspace]:
    """Run one bot for many corners; at the end, check that the next command works and that no secret leaked."""
    policy = folder / "policy.toml"
    policy.write_text(rules, encoding="utf-8")
    environ = {"POLICY_FILE": str(policy), "SHARE_ENV_ALLOWED_USERS": "", **more}
    async with fire(folder, **environ) as burning:
        space = Workspace(burning)
        burning.slack.on_change = space.saw
        looking = asyncio.create_task(space.look())
        try:
            yield space
            assert WORKED in await space.corner().ask()
            assert_keeps_secrets(burning.bot, burning.slack)
            assert burning.slack.violations == []
        finally:
            looking.cancel()
