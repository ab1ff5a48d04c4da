"""Many faults in one workspace at once: each has a person and a channel of its own, and one bot serves them all."""

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
    """One bot under fire, and what happens as its messages come."""

    fire: Fire
    ended: set[str] = field(default_factory=set)
    _hears: dict[str, list[Callable[[PostedMessage], None]]] = field(default_factory=dict)
    _corners: int = 0

    @property
    def slack(self) -> LocalSlack:
        """The stand-in Slack."""
        return self.fire.slack

    def corner(self, kind: ChannelKind = "public", *, invited: bool = True) -> "Corner":
        """Return a channel with somebody in it whom nobody has heard of before."""
        self._corners += 1
        user, channel = f"U0P{self._corners}", f"C0P{self._corners}"
        self.slack.people[user] = SlackUser(user, f"person-{self._corners}")
        members = frozenset({user, BOT} if invited else {user})
        self.slack.channels[channel] = Channel(channel, f"corner-{self._corners}", kind, members)
        return Corner(self, user, channel)

    def on_message(self, where: str, do: Callable[[PostedMessage], None]) -> None:
        """Do something, once, when the bot has posted in a channel, or shown somebody something there."""
        self._hears.setdefault(where, []).append(do)

    def saw(self, message: PostedMessage, change: Change) -> None:
        """Hear of a message."""
        if change == "posted" and message.via != "ack" and self._hears.get(message.channel):
            self._hears[message.channel].pop(0)(message)

    async def look(self) -> None:
        """Learn again and again from the ledger which requests have come to their end."""
        while True:
            self.ended = set(rows(self.fire.database, ENDED))
            self.slack.changed()
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Corner:
    """A person, in a channel."""

    workspace: Workspace
    user: str
    channel: str

    @property
    def slack(self) -> LocalSlack:
        """The stand-in Slack."""
        return self.workspace.slack

    async def ask(self, within: float = 60.0) -> str:
        """Ask for a share; return all that stands about it in Slack at its end, or the ack that said no."""
        return await self.answer(await self.command(f"{APPID} {self.new_env()}"), within)

    async def answer(self, ack: Ack, within: float = 60.0) -> str:
        """Return all that stands in Slack about what was taken on, at its end."""
        id_ = request_of(ack)
        if id_ is None:
            return str((ack.payload or {}).get("text") or ack.error)
        await self.slack.until(lambda _: id_ in self.workspace.ended, within)
        return "\n".join(m.text for m in self.slack.messages if id_ in m.text and not m.deleted)

    async def command(self, text: str, trigger_id: str | None = None) -> Ack:
        """Type a command."""
        return await self.slack.command(self.user, self.channel, text, trigger_id=trigger_id)

    async def hears(self, words: str, within: float = 60.0) -> str:
        """Return all that this person was told alone, once these words are among it."""
        await self.slack.until(lambda _: words in self.told, within)
        return self.told

    @property
    def told(self) -> str:
        """All that this person was told alone: for their eyes only, and directly."""
        direct = f"D{self.user[1:]}"
        seen = (
            m for m in self.slack.messages if direct == m.channel or m.ephemeral_to == self.user
        )
        return "\n".join(m.text for m in seen)

    def new_env(self) -> str:
        """Return an env that nobody has asked for before."""
        return self.workspace.fire.command().split()[-1]


@asynccontextmanager
async def workspace(folder: Path, rules: str = RULES, **more: str) -> AsyncIterator[Workspace]:
    """Start one bot for many corners; on leaving, the next command works and no secret is out."""
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
