"""The views on people's screens, a modal and an App Home for each person, and the triggers that open them.

A trigger_id opens one view within three seconds of the click. Some of that time has passed when the app gets the payload,
so for the app it can expire sooner: `lifetime` is what is left. Sources: docs.slack.dev,
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
    """A modal or an App Home on one person's screen; `body` is the bot's view, with Slack's additions.

    `typed` has the person's changes by block_id and action_id, `errors` the bot's errors by block_id.
    """

    id: str
    user: str
    body: JsonObject
    typed: Typed = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """`modal` or `home`."""
        return str(self.body["type"])

    @property
    def callback_id(self) -> str:
        """The view's callback_id, chosen by the bot."""
        return str(self.body.get("callback_id", ""))

    @property
    def blocks(self) -> list[JsonObject]:
        """The view's blocks, each with an id."""
        return objects(self.body["blocks"])


class Surfaces:
    """All views; `number` returns an unused number, and `tell` is called after each change.

    `offered` has the options that the bot last returned for each external select, by action_id.
    """

    def __init__(
        self,
        number: Callable[[], int],
        tell: Callable[[View, ViewChange], None],
    ) -> None:
        self.offered: dict[str, list[JsonObject]] = {}
        self._number = number
        self._tell = tell
        self._views: dict[tuple[str, str], View] = {}

    def modal(self, user: str) -> View | None:
        """Return a person's open modal."""
        return self._views.get((user, "modal"))

    def home(self, user: str) -> View | None:
        """Return the view last published to a person's App Home."""
        return self._views.get((user, "home"))

    def find(self, view_id: str) -> View | None:
        """Return the current state of the view with this id, unless it is closed."""
        return next((each for each in self._views.values() if each.id == view_id), None)

    def open(self, user: str, body: JsonObject) -> View:
        """Show a modal in place of an open one."""
        return self._show(self._new(user, body), "opened")

    def publish(self, user: str, body: JsonObject) -> View:
        """Show a view in a person's App Home; the view's id stays."""
        view = self.home(user) or self._new(user, body)
        return self.update(view, body)

    def update(self, view: View, body: JsonObject) -> View:
        """Give a view another body; what was typed is kept for elements with the same ids."""
        current = replace(view, body=body, errors={})
        return self._show(current, "published" if current.kind == "home" else "updated")

    def refuse(self, view: View, errors: dict[str, str]) -> None:
        """Show the bot's errors in a form, which stays open."""
        self._show(replace(view, errors=errors), "refused")

    def put(self, view: View) -> None:
        """Replace the view with this id without notifying anybody."""
        self._views[view.user, view.kind] = view

    def close(self, view: View) -> None:
        """Remove a modal."""
        if self._views.pop((view.user, "modal"), None):
            self._tell(view, "closed")

    def _show(self, view: View, change: ViewChange) -> View:
        self.put(view)
        self._tell(view, change)
        return view

    def _new(self, user: str, body: JsonObject) -> View:
        return View(f"V{self._number():010d}", user, body)


LIFETIME = 3.0


class Triggers:
    """The trigger_ids that were sent to the app: for each the person and the time; None once it is used.

    `clock` returns Unix seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lifetime = LIFETIME
        self._clock = clock
        self._sent: dict[str, tuple[str, float] | None] = {}

    def note(self, trigger_id: str, user: str) -> None:
        """Start the lifetime of a trigger_id; one that was sent before keeps its own."""
        self._sent.setdefault(trigger_id, (user, self._clock()))

    def exchange(self, trigger_id: str) -> str:
        """Use up a trigger_id and return its person, or refuse it."""
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
