"""The actions of people on the stage; each is recorded as the line of a script that repeats it."""

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot.command.grammar import MENTION, SLASH_COMMAND
from bot.domain.language import Language
from bot.messages.words import escape
from bot.playground.loopback import Json
from bot.playground.slack.payloads import element_of
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.server import Ack, PostedMessage
from bot.playground.slack.surfaces import View, placed
from bot.playground.slack.workspace import Where
from bot.playground.stage import Stage
from bot.playground.targets import Targets, request_in, request_of
from bot.playground.troubles import behave, is_pending
from bot.playground.world import PLACES
from bot.slack.forms import MESSAGE_SHORTCUT, SHORTCUT

_BARE = re.compile(r"[\w.,/…-]+")


@dataclass
class Acts:
    """Performs people's actions; `lines` is the transcript, which `demo --script` can replay."""

    stage: Stage
    lines: list[str] = field(default_factory=list)
    _who: str = ""
    _where: str = ""
    _ordered: str = ""

    def __post_init__(self) -> None:
        self.targets = Targets(self.stage.slack)

    async def say(self, user: str, channel: str, text: str, thread: str = "") -> Ack | None:
        """Send text from the message box: a command or a message."""
        slack = self.stage.slack
        there = slack.channels.get(channel)
        if there is None or not slack.enters(user, there):
            raise ImpossibleError(f"{slack.people[user].name} cannot look in there.")
        if not text.strip():
            raise ImpossibleError("There is nothing to send.")
        parent = slack.at(channel, thread)
        if parent and parent.ephemeral_to:
            raise ImpossibleError("That message is only for you, and has no thread.")
        self._record(user, _typed(text), channel, reply_to=thread)
        word, *more = text.split(maxsplit=1)
        rest = "".join(more).strip()
        if word == SLASH_COMMAND and not thread:
            return await slack.command(user, channel, rest)
        if word.startswith("/"):
            said = self._slackbot(word, rest, channel, thread)
            slack.tell(user, channel, escape(said), thread or None)
            return None
        sent = html.escape(text, quote=False)  # Slack escapes &, < and >, and nothing else
        bot = slack.world.bot_user_id
        named = re.sub(rf"(?<!\S){re.escape(MENTION)}(?!\S)", f"<@{bot}>", sent)
        return await slack.say(user, channel, named, thread or None)

    async def click(self, user: str, where: Where, button: str, block: str | None = None) -> Ack:
        """Click a button of a message or a view."""
        slack = self.stage.slack
        at = slack.on_screen(user, where)
        try:
            found = element_of(at, button, block)
        except ImpossibleError:
            raise ImpossibleError("That button is gone.") from None
        self._record(user, f":click {_words(found.label, *request_in(found))}")
        return await slack.click(user, where, button, block=block)

    async def submit(self, user: str, view: View, values: Mapping[str, Json]) -> Ack:
        """Submit the top form, after each external select has loaded options for its value.

        Values are given by action_id, or as the page has them, by block_id and action_id.
        """
        entered: dict[str, Json] = {}
        for name, given in values.items():
            entered |= given if isinstance(given, dict) else {name: given}
        for found in placed(view.blocks):
            value = entered.get(found.action_id)
            if found.kind == "external_select" and isinstance(value, str):
                await self.stage.slack.options(user, view, found.action_id, value)
        self._record(user, f":submit {json.dumps(entered, ensure_ascii=False)}")
        return await self.stage.slack.submit(user, view, entered)

    def close(self, user: str, view: View) -> None:
        """Close a modal."""
        self._record(user, ":close")
        self.stage.slack.close(user, view)

    async def shortcut(self, user: str, message: PostedMessage | None = None) -> Ack:
        """Open the form by the shortcut; with a message, by the shortcut in that message's menu."""
        slack = self.stage.slack
        if message is None:
            self._record(user, ":open")
            return await slack.shortcut(user, SHORTCUT)
        self._record(user, f":open {_words(_snippet(message))}", message.channel)
        return await slack.message_shortcut(user, MESSAGE_SHORTCUT, message)

    async def home(self, user: str) -> Ack:
        """Open the bot's App Home."""
        self._record(user, ":open home")
        return await self.stage.slack.open_home(user)

    async def policy(self, text: str) -> list[str]:
        """Put a new policy into force, or return why it is refused."""
        self._write(f":policy {json.dumps(text, ensure_ascii=False)}")
        return await self.stage.rules.change(text)

    async def wechat(self, order: str) -> str:
        """Set how WeChat behaves from its next call on; return a sentence about it."""
        said = await behave(self.stage.wechat, order)
        self._ordered = order
        self._write(f":wechat {order}")
        return said

    @property
    def planned(self) -> str:
        """What WeChat was told to do and has not done yet; empty if nothing."""
        return self._ordered if self._ordered and is_pending(self.stage.wechat) else ""

    async def language(self, tag: str) -> None:
        """Let the bot start again, to speak another language in channels."""
        spoken = [each for each in Language if each.value == tag]
        if not spoken:
            tags = ", ".join(each.value for each in Language)
            raise ImpossibleError(f"The bot does not speak “{tag}”, but {tags}.")
        await self.stage.bot.speak(spoken[0])
        self._write(f":language {tag}")

    def _slackbot(self, word: str, rest: str, channel: str, thread: str) -> str:
        """Return Slack's own reply to a command that is not the bot's."""
        slack = self.stage.slack
        bot = f"@{slack.people[slack.world.bot_user_id].name}"
        if word == SLASH_COMMAND and thread:
            return f"{SLASH_COMMAND} is not supported in threads. Sorry!"
        # Nobody joins a direct message.
        if (word, rest) != ("/invite", bot) or slack.channels[channel].kind == "im":
            return f"{word} is not a valid command here. In channels you can type {SLASH_COMMAND} and /invite {bot}."
        slack.invite_bot(channel)
        return f"{bot} was added to this conversation."

    def _record(self, user: str, line: str, channel: str = "", reply_to: str = "") -> None:
        """Record an action, preceded by lines for the person and the place if they have changed."""
        if user != self._who:
            self._who = user
            self._write(f":as {self.stage.slack.people[user].name}")
        if channel and channel != self._where:
            self._where = channel
            named = (place for place, id_ in PLACES.items() if id_ == channel)
            self._write(f":in {next(named, self.stage.slack.channels[channel].name) or 'app'}")
        parent = self.stage.slack.at(channel, reply_to) if reply_to else None
        reply = f":reply {_words(_snippet(parent))} " if parent else ""
        self._write(f"{reply}{line}")

    def _write(self, line: str) -> None:
        self.lines.append(line)
        self.stage.slack.changed()


def _snippet(message: PostedMessage) -> str:
    return request_of(message) or message.text.split("\n")[0][:60]


def _words(*words: str) -> str:
    """Return the arguments of an order, quoted as JSON where necessary."""
    return " ".join(
        word if _BARE.fullmatch(word) else json.dumps(word, ensure_ascii=False) for word in words
    )


def _typed(text: str) -> str:
    """Return the line that types this text: a command as it is, unless it has several lines."""
    bare = text.startswith("/") and text.splitlines() == [text.strip()]
    return text if bare else f":say {json.dumps(text, ensure_ascii=False)}"
