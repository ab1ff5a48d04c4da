"""Find what a person can act on: the newest message, view or element that matches."""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from bot.playground.loopback import JsonObject
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.slack.surfaces import Placed, View, placed


@dataclass
class Targets:
    """Finds targets by name; raises ImpossibleError if there is none.

    It waits up to `patience` seconds for one, since a script may be ahead of the bot.
    """

    slack: LocalSlack
    patience: float = 0.0

    def elements(self, user: str) -> Iterator[tuple[PostedMessage | View, Placed]]:
        """Yield all elements that a person can use, newest first; only those of the modal, if one is open."""
        if modal := self.slack.modal(user):
            yield from ((modal, each) for each in placed(modal.blocks))
            return
        for message in self._messages(user):
            yield from ((message, each) for each in placed(message.blocks))
        if home := self.slack.home(user):
            yield from ((home, each) for each in placed(home.blocks))

    async def element(
        self, user: str, label: str, about: str = ""
    ) -> tuple[PostedMessage | View, Placed]:
        """Return the newest element with this label or action_id; about this request, if one is given."""

        def found() -> Iterator[tuple[PostedMessage | View, Placed]]:
            for at, each in self.elements(user):
                if label in {each.label, each.action_id} and about in {"", *request_in(each)}:
                    yield at, each

        with contextlib.suppress(TimeoutError):
            await self.slack.until(lambda _: any(found()), self.patience)
        if newest := next(found(), None):
            return newest
        there = ", ".join(dict.fromkeys(f"“{each.label}”" for each in self.buttons(user)))
        others = f"There is {there}." if there else self.nothing(user)
        raise ImpossibleError(f"There is no “{label}” to click. {others}")

    def buttons(self, user: str) -> list[Placed]:
        """Return what a person can click."""
        return [each for _, each in self.elements(user) if each.label]

    def nothing(self, user: str) -> str:
        """Return a sentence for somebody who can click nothing."""
        if self.slack.modal(user):
            return "A form is open: :submit sends it, and :close closes it."
        return "Nothing here can be clicked."

    async def modal(self, user: str) -> View:
        """Return the open modal, once there is one."""
        with contextlib.suppress(TimeoutError):
            await self.slack.until(lambda slack: bool(slack.modal(user)), self.patience)
        if modal := self.slack.modal(user):
            return modal
        raise ImpossibleError("No form is open. :open opens one.")

    def message(self, user: str, snippet: str) -> PostedMessage:
        """Return the newest message visible to a person that contains these words."""
        for each in self._messages(user):
            if snippet in each.text:
                return each
        none = f"No message says “{snippet}”." if snippet else "There is no message yet."
        raise ImpossibleError(none)

    def place(self, user: str, where: JsonObject) -> PostedMessage | View:
        """Return the view or message that the page refers to."""
        if "ts" in where:
            return self.message_at(user, where)
        for each in (self.slack.modal(user), self.slack.home(user)):
            if each and each.id == where.get("view"):
                return each
        raise ImpossibleError("That view is closed.")

    def message_at(self, user: str, where: JsonObject) -> PostedMessage:
        """Return the message with a channel and a ts."""
        message = self.slack.at(str(where.get("channel")), str(where.get("ts")))
        if message is None or not self.slack.sees(user, message):
            raise ImpossibleError("That message is gone.")
        return message

    def _messages(self, user: str) -> Iterator[PostedMessage]:
        for each in reversed(self.slack.messages):
            if not each.deleted and self.slack.sees(user, each):
                yield each


def request_of(message: PostedMessage) -> str:
    """Return the id of a message's request; empty if it has none."""
    marked = (message.metadata or {}).get("event_payload")
    if isinstance(marked, dict) and "request" in marked:
        return str(marked["request"])
    found = re.findall(r"(?:[Rr]equest|请求) `([a-z0-9]+)`", message.text)
    return found[-1] if found else ""


def request_in(found: Placed) -> list[str]:
    """Return the id of a button's request, if it has one."""
    return str(found.element.get("value", "")).split()[:1]
