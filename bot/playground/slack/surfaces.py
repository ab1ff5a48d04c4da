"""The views on people's screens, a modal and an App Home for each person, and the triggers that open them.

A trigger_id opens one view within three seconds of the click. Some of that time has passed when the app gets the payload,
so for the app it can expire sooner: `lifetime` is what is left. Sources: docs.slack.dev,
interactivity/handling-user-interaction; reference/methods/views.open; java-slack-sdk, issue 1439; bolt-js, issue 1662.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
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
