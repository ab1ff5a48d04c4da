"""A bot in this process with its Slack and WeChat, and what people type, click and are shown there."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.app.running import running
from bot.playground.loopback import Json
from bot.playground.slack.server import Ack, LocalSlack, PostedMessage
from bot.playground.slack.surfaces import View
from bot.playground.slack.transcript import Change
from bot.playground.slack.workspace import Where
from bot.playground.wechat.server import LocalWeChat
from bot.runtime.clock import Runtime
from tests.conftest import (
    ASK,
    RELEASES,
    REQUESTER,
    calls_of,
    opened,
    replies,
    rows,
    settings_of,
    soon,
    states,
)

APPROVALS = "C0APPROVALS"
APPROVER, SECOND_APPROVER = "U0APPROVER", "U0APPROVER2"
SECOND = "U0SECOND"
"""Somebody else who may share."""
SECRET = "C0SECRET"
"""A private channel without the bot."""

DENY = """
[[rule]]
name = "freeze"
users = ["*"]
effect = "deny"
"""
ALLOW = """
[[rule]]
name = "platform team"
users = ["U0REQUESTER", "U0SECOND", "U0CHINESE"]
effect = "allow"
"""
CONFIRM = f"{ALLOW}confirm = true\n"
APPROVE = """
[[rule]]
name = "four eyes"
users = ["U0REQUESTER", "U0SECOND", "U0CHINESE", "U0APPROVER"]
effect = "approve"
approvers = { groups = ["S0APPROVERS"], channel = "C0APPROVALS", expires = "2h" }
"""
BOTH = f"{APPROVE}confirm = true\n"


def approved_by(*users: str, name: str = "four eyes") -> str:
    """Return the rule APPROVE with these approvers instead of the group."""
    rule = APPROVE.replace("four eyes", name)
    return rule.replace('groups = ["S0APPROVERS"]', f"users = {json.dumps(users)}")


def for_platform_team(rule: str) -> str:
    """Return a rule for the members of a group instead of the people that it names."""
    return re.sub("^users = .*$", 'groups = ["S0PLATFORM"]', rule, flags=re.MULTILINE)


@dataclass
class Rig:
    """A local Slack and WeChat, and one ledger, on which bots run in this process one after the other.

    `heard` has the ephemeral and direct messages to each person, oldest first; `reload` reloads the policy file.
    """

    slack: LocalSlack
    wechat: LocalWeChat
    database: Path
    environ: dict[str, str]
    runtime: Runtime
    reload: asyncio.Event = field(default_factory=asyncio.Event)
    heard: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        self.slack.on_change = self._saw

    @asynccontextmanager
    async def bot(self, rules: str) -> AsyncIterator[None]:
        """Run the bot with these rules; it is stopped at the end of the context."""
        path = self.write(rules)
        kept = {name: value for name, value in self.environ.items() if "ALLOWED" not in name}
        ruled = settings_of(kept | {"POLICY_FILE": str(path)})
        async with running(ruled, self.runtime, self.reload):
            yield
        assert self.slack.violations == []

    def write(self, rules: str) -> Path:
        """Write these rules to the policy file atomically, and return its path."""
        path = self.database.with_name("policy.toml")
        new = path.with_suffix(".new")
        new.write_text(f'contact = "the platform team"\n{rules}', encoding="utf-8")
        return new.replace(path)

    async def ask(self, text: str = ASK, user: str = REQUESTER, channel: str = RELEASES) -> str:
        """Type a command, and return the bot's ack."""
        ack = await self.slack.command(user, channel, text)
        assert ack.payload is not None, ack.error
        return str(ack.payload["text"])

    def shown(self, user: str = REQUESTER) -> PostedMessage:
        """Return the last ephemeral message to a person."""
        return self.slack.shown_to(user)[-1]

    def direct_messages(self, user: str = REQUESTER) -> list[PostedMessage]:
        """Return the bot's direct messages to a person, oldest first."""
        conversation = self.slack.direct_message(user)
        assert conversation is not None
        return self.slack.parents(conversation.id)

    def told_directly(self, user: str = REQUESTER) -> PostedMessage:
        """Return the bot's last direct message to a person."""
        return self.direct_messages(user)[-1]

    async def open_home(self, user: str = REQUESTER) -> str:
        """Open a person's App Home, and return its text."""
        before = calls_of(self.slack, "views.publish")
        ack = await self.slack.open_home(user)
        assert ack.error is None
        await self.slack.until(lambda slack: calls_of(slack, "views.publish") > before)
        await soon(lambda: self.home(user))
        return self.home(user)

    def home(self, user: str = REQUESTER) -> str:
        """Return the text of a person's App Home, which is empty before it is published."""
        home = self.slack.home(user)
        blocks = home.blocks if home else ()
        return "\n".join(str(block.get("text") or block.get("elements")) for block in blocks)

    async def click(self, user: str, where: Where, button: str, team: str | None = None) -> str:
        """Click a button, and return the answer that only this person is shown."""
        before = len(self.heard[user])
        ack = await self.slack.click(user, where, button, team=team)
        assert ack.error is None
        return await self._told(user, before)

    async def forge(self, ack: Ack, by: str, **other: Json) -> str:
        """Send a click's payload again with changes; return the answer that only `by` is shown."""
        before = len(self.heard[by])
        payload = {**ack.request, "trigger_id": self.slack.next_trigger(), **other}
        await self.slack.deliver("interactive", payload)
        return await self._told(by, before)

    async def open(self, user: str, button: str, where: Where | None = None) -> View:
        """Click approve or reject, and return the modal."""
        question = where or await self.question()
        ack = await self.slack.click(user, question, button)
        assert ack.error is None
        return await opened(self.slack, user)

    async def decide(
        self, user: str, button: str, comment: str | None = None, where: Where | None = None
    ) -> str:
        """Approve or reject with a comment, and return the answer that only the approver is shown."""
        return await self.send(user, await self.open(user, button, where), comment)

    async def send(self, user: str, view: View, comment: str | None = None) -> str:
        """Submit a decision's modal, and return the answer that only the approver is shown."""
        before = len(self.heard[user])
        ack = await self.slack.submit(user, view, {"comment": comment} if comment else {})
        assert (ack.error, ack.errors) == (None, {})
        return await self._told(user, before)

    async def question(self) -> PostedMessage:
        """Return the question to the approvers, once the request waits for them."""
        await soon(lambda: self.column("wake") is not None and self.column("holder") is None)
        return self.slack.parents(APPROVALS)[-1]

    async def over(self, requests: int = 1) -> None:
        """Wait until this many requests are recorded and all of them have ended."""
        await soon(lambda: states(self.database) == ["ended"] * requests)

    def parent(self, channel: str = RELEASES) -> str:
        """Return the parent message of the only request."""
        (parent,) = self.slack.parents(channel)
        return parent.text

    def replies(self, channel: str = RELEASES) -> list[str]:
        """Return the replies in the thread of the only request."""
        return replies(self.slack, channel)

    def column(self, name: str, of: str = "requests") -> object:
        """Return a column of the newest request, or of the newest row of another table."""
        order = "created" if of == "requests" else "id"
        query = f"SELECT {name} FROM {of} ORDER BY {order} DESC LIMIT 1"  # noqa: S608  # names of the tests
        found = rows(self.database, query)
        return found[0][0] if found else None

    def pass_time(self, seconds: float) -> None:
        """Move the times of all waiting requests this many seconds back."""
        times = ("created", "decided", "until", "wake")
        change = f"UPDATE requests SET {', '.join(f'{x} = {x} - {seconds}' for x in times)}"  # noqa: S608  # a number of the tests
        rows(self.database, change)

    def let_expire(self) -> None:
        """Expire all waiting requests, before a bot runs."""
        rows(self.database, "UPDATE requests SET until = 1")

    def _saw(self, message: PostedMessage, change: Change) -> None:
        if change == "deleted":
            return
        channel = self.slack.channels.get(message.channel)
        if message.ephemeral_to:
            self.heard[message.ephemeral_to].append(message.text)
        elif channel and channel.kind == "im":
            for user in channel.members:
                self.heard[user].append(message.text)

    async def _told(self, user: str, before: int) -> str:
        await self.slack.until(lambda _: len(self.heard[user]) > before)
        return self.heard[user][before]


def has_button(message: PostedMessage, button: str) -> bool:
    """Return whether a message has this button."""
    rows = [block.get("elements") for block in message.blocks if block["type"] == "actions"]
    return any(
        element.get("action_id") == button
        for row in rows
        if isinstance(row, list)
        for element in row
        if isinstance(element, dict)
    )


async def history_of(slack: LocalSlack, user: str, about: str = "") -> str:
    """Return the answer: a table, which follows the ack, or what the ack says."""
    before = len(slack.shown_to(user))
    ack = await slack.command(user, RELEASES, f"history {about}")
    if ack.payload is not None:
        return str(ack.payload["text"])
    await soon(lambda: len(slack.shown_to(user)) > before)
    return slack.shown_to(user)[-1].text
