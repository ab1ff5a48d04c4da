"""The lines for the prompt and for scripts: commands as in Slack, and orders to the playground."""

import json
import re
from pathlib import Path

from bot.command.grammar import SLASH_COMMAND
from bot.playground.acts import Acts
from bot.playground.guide import CONVERSATIONS, HELP, PEOPLE
from bot.playground.loopback import Json
from bot.playground.screen import Screen
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.targets import request_in
from bot.playground.world import PLACES, ROLES

_PATIENCE = 10.0  # seconds
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_BUTTON = re.compile(rf"({_QUOTED}|.*?)(?:\s+(\S*\d\S*))?")
_PAIR = re.compile(rf"(?P<name>\w+)=(?P<value>{_QUOTED}|\S*)")
_WORD = re.compile(rf"{_QUOTED}|\S+")
_END = (":quit", ":exit", ":q", "quit", "exit")


class Orders:
    """Executes lines as one person in one place."""

    def __init__(
        self, acts: Acts, screen: Screen, role: str = "requester", place: str = "public"
    ) -> None:
        self.role, self.place = role, place
        self._acts, self._targets = acts, acts.targets
        self._screen = screen

    @property
    def user(self) -> str:
        """The id of the person who types."""
        return ROLES[self.role]

    @property
    def channel(self) -> str:
        """The id of the conversation in which they type."""
        return self._channel(self.place)

    @property
    def where(self) -> str:
        """The name of that conversation."""
        name = self._acts.stage.slack.channels[self.channel].name
        return f"#{name}" if name else self.place

    async def follow(self, line: str) -> bool:
        """Execute a line and print the result; return False if it ends the session."""
        line = line.strip()
        if line.partition(" ")[0] in _END:
            return False
        if not line or line.startswith("#"):
            return True
        try:
            said = await self._followed(line)
        except ImpossibleError as impossible:
            said = str(impossible)
        if said:
            self._screen.note(said)
        return True

    async def play(self, lines: list[str]) -> None:
        """Execute lines one after the other, each once the effects of the one before have ended; comments are headings."""
        self._targets.patience, before = _PATIENCE, self._targets.patience
        for line in lines:
            done = len(self._acts.lines)
            if line.startswith("#"):
                self._screen.heading(line.removeprefix("#").strip())
            if not await self.follow(line):
                break
            if len(self._acts.lines) > done:
                await self._acts.stage.quiet()
        self._targets.patience = before

    async def _followed(self, line: str) -> str | None:  # noqa: C901, PLR0912  # one case for each order
        """Execute a line, and return what to print."""
        acts = self._acts
        word, _, rest = line.partition(" ")
        match word, rest.strip():
            case _ if line.startswith("/"):
                await self._say(self.channel, line)
            case ":say", text:
                await self._say(self.channel, text)
            case ":as", role:
                self._as(role)
            case ":in", place:
                self._in(place)
            case ":reply", value:
                await self._reply(value)
            case ":click", value:
                return await self._click(value)
            case ":open", value:
                await self._open(value)
            case ":submit", value:
                return await self._submit(value)
            case ":close", _:
                acts.close(self.user, await self._targets.modal(self.user))
            case ":wechat", order:
                return await acts.wechat(order)
            case ":json", words:
                found = acts.stage.inside(self._targets.message(self.user, _text(words)))
                return json.dumps(found["message"], ensure_ascii=False, indent=2)
            case ":audit", request:
                rows = [
                    " ".join(map(str, each.values())) for each in acts.stage.events(request or None)
                ]
                return "\n".join(rows) or "The ledger holds nothing about that."
            case ":policy", "":
                return acts.stage.rules.text
            case ":policy", value:
                text = _text(value) if value.startswith('"') else content(value)
                return "\n".join(await acts.policy(text)) or "The policy is in force."
            case ":language", tag:
                await acts.language(tag)
                return "The bot has started again."
            case ":save", path if path:
                _keep(path, "\n".join([*acts.lines, ""]))
                return f"Play it again with: python -m bot demo --script {path}"
            case ":replay", path if path:
                await self.play(content(path).split("\n"))
                return f"That was {path}."
            case ((":help" | "help" | "?"), _):
                self._screen.table(HELP)
            case _:
                return f"Type {SLASH_COMMAND} … as in Slack, or help."
        return None

    def _as(self, value: str) -> None:
        if value not in ROLES:
            raise ImpossibleError(f"There is no role “{value}”. The roles: {PEOPLE}.")
        self.role = value

    def _in(self, value: str) -> None:
        place = value.removeprefix("#")
        if not self._channel(place):
            raise ImpossibleError(f"There is no place “{value}”. The places: {CONVERSATIONS}.")
        self.place = place

    async def _say(self, channel: str, value: str, thread: str = "") -> None:
        text = _text(value)
        if text.startswith("/"):
            self._screen.typed(self.user, channel, text)
        await self._acts.say(self.user, channel, text, thread)

    async def _reply(self, value: str) -> None:
        words = _WORD.match(value)
        if words is None:
            raise ImpossibleError("Say which message, and what: :reply WORDS TEXT.")
        parent = self._targets.message(self.user, _text(words[0]))
        text, thread = value[words.end() :].strip(), parent.thread_ts or parent.ts
        await self._say(parent.channel, text, thread)

    async def _click(self, value: str) -> str | None:
        words = _BUTTON.fullmatch(value)
        if not (value and words):
            buttons = self._targets.buttons(self.user)
            listed = (f"{each.label} {' '.join(request_in(each))}" for each in buttons)
            return "\n".join(listed) or self._targets.nothing(self.user)
        label, about = _text(words[1]), words[2] or ""  # a request's id has a digit
        at, found_ = await self._targets.element(self.user, label, about)
        self._screen.clicked(self.user, found_.label)
        await self._acts.click(self.user, at, found_.action_id, found_.block_id)
        return None

    async def _open(self, value: str) -> None:
        if value == "home":
            await self._acts.home(self.user)
        elif value in {"", "form"}:
            await self._acts.shortcut(self.user)
        else:
            await self._acts.shortcut(self.user, self._targets.message(self.user, _text(value)))

    async def _submit(self, value: str) -> str | None:
        view = await self._targets.modal(self.user)
        given = _value(value) if value.startswith("{") else None
        pairs = {pair["name"]: _text(pair["value"]) for pair in _PAIR.finditer(value)}
        entered = given if isinstance(given, dict) else pairs
        self._screen.submitted(self.user, view, entered.values())
        ack = await self._acts.submit(self.user, view, entered)
        return "\n".join(f"{field}: {said}" for field, said in ack.errors.items()) or None

    def _channel(self, place: str) -> str:
        """Return the id of a place; empty if there is none of that name."""
        slack = self._acts.stage.slack
        if place == "app":
            own = slack.direct_message(self.user)
            return own.id if own else ""
        return PLACES.get(place) or slack.named(place)


def _text(word: str) -> str:
    """Return a word, or the value of a JSON string."""
    value = _value(word) if word.startswith('"') else word
    return value if isinstance(value, str) else word


def _value(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except ValueError:
        return text
    return value


def _keep(path: str, text: str) -> None:
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise ImpossibleError(f"{path} cannot be written: {error.strerror}.") from None


def content(path: str) -> str:
    """Return a file's content."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "It is not text in UTF-8"
        raise ImpossibleError(f"{path} cannot be read: {why}.") from None
