"""The views that people see in the stand-in Slack, a modal and an App Home for each, and what opens them.

A trigger_id opens one view, within three seconds. Those are counted from the click, and some have passed once the app
has it, so that it may expire sooner for the app: `lifetime` is what is left. Sources: docs.slack.dev,
interactivity/handling-user-interaction; reference/methods/views.open; java-slack-sdk, issue 1439; bolt-js, issue 1662.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from bot.playground.loopback import JsonObject, objects
from bot.playground.slack.refusals import RefusedError

ViewChange: TypeAlias = Literal["opened", "updated", "refused", "closed", "published"]
Typed: TypeAlias = dict[str, dict[str, JsonObject]]


@dataclass(frozen=True, slots=True)
class View:
    """A modal or a home as one person has it before them; `body` is what the bot gave, completed.

    `typed` is what they changed, by block_id and action_id, and `errors` what the bot said against
    it, by block_id.
    """

    id: str
    user: str
    body: JsonObject
    hash: str
    typed: Typed = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """Return `modal` or `home`."""
        return str(self.body["type"])

    @property
    def callback_id(self) -> str:
        """Return the bot's own name for the view."""
        return str(self.body.get("callback_id", ""))

    @property
    def blocks(self) -> list[JsonObject]:
        """Return its blocks, each with an id."""
        return objects(self.body["blocks"])


class Surfaces:
    """Every view there is; `number` returns one that was not used, and `tell` hears of each change.

    `offered` holds the options that the bot last gave to each external select, by action_id.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        number: Callable[[], int],
        tell: Callable[[View, ViewChange], None],
    ) -> None:
        self.offered: dict[str, list[JsonObject]] = {}
        self._clock = clock
        self._number = number
        self._tell = tell
        self._modals: dict[str, View] = {}
        self._homes: dict[str, View] = {}

    def views(self, user: str) -> list[View]:
        """Return the modal that a person has open, if there is one."""
        return [self._modals[user]] if user in self._modals else []

    def home(self, user: str) -> View | None:
        """Return what was last published to a person's App Home."""
        return self._homes.get(user)

    def find(self, view_id: str) -> View | None:
        """Return the view with this id as it now is, unless it is closed."""
        views = (*self._homes.values(), *self._modals.values())
        return next((each for each in views if each.id == view_id), None)

    def open(self, user: str, body: JsonObject) -> View:
        """Show a modal, instead of one that is open."""
        return self._show(self._new(user, body), "opened")

    def publish(self, user: str, body: JsonObject) -> View:
        """Show this in a person's App Home; it stays the same view, with a new hash."""
        before = self._homes.get(user)
        return (
            self.update(before, body) if before else self._show(self._new(user, body), "published")
        )

    def update(self, view: View, body: JsonObject) -> View:
        """Show another body in a view; what was typed stays where its ids stay."""
        current = replace(view, body=body, hash=self._hash(), errors={})
        return self._show(current, "published" if current.kind == "home" else "updated")

    def refuse(self, view: View, errors: dict[str, str]) -> None:
        """Show the bot's errors about the values of a form, which stays open."""
        self._show(replace(view, errors=errors), "refused")

    def put(self, view: View) -> None:
        """Replace the view with this id, without telling anybody."""
        (self._homes if view.kind == "home" else self._modals)[view.user] = view

    def close(self, view: View) -> None:
        """Take a modal away."""
        if self._modals.pop(view.user, None):
            self._tell(view, "closed")

    def _show(self, view: View, change: ViewChange) -> View:
        self.put(view)
        self._tell(view, change)
        return view

    def _new(self, user: str, body: JsonObject) -> View:
        return View(f"V{self._number():010d}", user, body, self._hash())

    def _hash(self) -> str:
        return f"{int(self._clock())}.{self._number():08x}"


LIFETIME = 3.0


class Triggers:
    """Every trigger_id that was sent to the app: who caused it, and when; None once it was used.

    `clock` returns Unix seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lifetime = LIFETIME
        self._clock = clock
        self._sent: dict[str, tuple[str, float] | None] = {}

    def note(self, trigger_id: str, user: str) -> None:
        """Start the three seconds of a trigger_id; one that was sent before keeps its own."""
        self._sent.setdefault(trigger_id, (user, self._clock()))

    def exchange(self, trigger_id: str) -> str:
        """Use a trigger_id up and return who caused it, or refuse it."""
        if trigger_id not in self._sent:
            raise RefusedError("invalid_trigger_id")
        sent = self._sent[trigger_id]
        if sent is None:
            raise RefusedError("exchanged_trigger_id")
        user, at = sent
        if self._clock() - at >= self.lifetime:
            raise RefusedError("expired_trigger_id")
        self._sent[trigger_id] = None
        return user
