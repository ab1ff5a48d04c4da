"""Many faults at once in one workspace: each has its own person and channel, and one bot serves all."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from bot.playground.slack.server import Ack, LocalSlack, PostedMessage
from bot.playground.slack.transcript import Change
from bot.playground.world import BOT, Channel, SlackUser
from tests.faults.bots import assert_keeps_secrets, request_of, rows
from tests.faults.rig import ProcessRig, start_rig
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
    """One bot, with callbacks on its messages and the requests that have ended."""

    rig: ProcessRig
    ended: set[str] = field(default_factory=set)
    _callbacks: dict[str, list[Callable[[PostedMessage], None]]] = field(default_factory=dict)
    _members: int = 0

    @property
    def slack(self) -> LocalSlack:
        """The local Slack."""
        return self.rig.slack

    def new_member(self) -> "Member":
        """Return a new person in a new channel."""
        self._members += 1
        user, channel = f"U0P{self._members}", f"C0P{self._members}"
        self.slack.people[user] = SlackUser(user, f"person-{self._members}")
        name, members = f"member-{self._members}", frozenset({user, BOT})
        self.slack.channels[channel] = Channel(channel, name, kind="public", members=members)
        return Member(self, user, channel)

    def on_message(self, where: str, do: Callable[[PostedMessage], None]) -> None:
        """Call `do` once, when the bot next posts in a channel or shows a person something there."""
        self._callbacks.setdefault(where, []).append(do)

    def handle_message(self, message: PostedMessage, change: Change) -> None:
        """Handle a message event."""
        if change == "posted" and message.via != "ack" and self._callbacks.get(message.channel):
            self._callbacks[message.channel].pop(0)(message)

    async def poll_ledger(self) -> None:
        """Poll the ledger for requests that have ended."""
        while True:
            self.ended = set(rows(self.rig.database, ENDED))
            self.slack.changed()
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Member:
    """A person and their channel."""

    workspace: Workspace
    user: str
    channel: str

    @property
    def slack(self) -> LocalSlack:
        """The local Slack."""
        return self.workspace.slack

    def remove_bot(self) -> None:
        """Remove the bot from the channel, like `/remove`."""
        channel = self.slack.channels[self.channel]
        self.slack.channels[self.channel] = replace(channel, members=channel.members - {BOT})

    async def request_share(self, within: float = 60.0) -> str:
        """Ask for a share; return all messages about it once it has ended, or the refusing ack."""
        ack = await self.command(self.workspace.rig.command())
        id_ = request_of(ack)
        if id_ is None:
            return str((ack.payload or {}).get("text") or ack.error)
        await self.slack.until(lambda _: id_ in self.workspace.ended, within)
        return "\n".join(m.text for m in self.slack.messages if id_ in m.text and not m.deleted)

    async def command(self, text: str, trigger_id: str | None = None) -> Ack:
        """Type a command."""
        return await self.slack.command(self.user, self.channel, text, trigger_id=trigger_id)

    async def wait_for_words(self, words: str) -> str:
        """Wait until this person alone was shown these words; return all that they alone were shown."""
        await self.slack.until(lambda _: words in self.private_text, 60)
        return self.private_text

    @property
    def private_text(self) -> str:
        """All that was shown to this person alone, in ephemeral and direct messages."""
        direct = f"D{self.user[1:]}"
        seen = (
            m for m in self.slack.messages if direct == m.channel or m.ephemeral_to == self.user
        )
        return "\n".join(m.text for m in seen)


@asynccontextmanager
async def open_workspace(folder: Path) -> AsyncIterator[Workspace]:
    """Run one bot for many people; at the end, check that the next command works and that no secret leaked."""
    policy = folder / "policy.toml"
    policy.write_text(RULES, encoding="utf-8")
    async with start_rig(folder, POLICY_FILE=str(policy), SHARE_ENV_ALLOWED_USERS="") as rig:
        workspace = Workspace(rig)
        rig.slack.on_change = workspace.handle_message
        polling = asyncio.create_task(workspace.poll_ledger())
        try:
            yield workspace
            assert WORKED in await workspace.new_member().request_share()
            assert_keeps_secrets(rig.bot, rig.slack)
            assert rig.slack.violations == []
        finally:
            polling.cancel()
