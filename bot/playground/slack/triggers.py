"""The trigger_id of each interaction: it opens one view, within three seconds.

Those are counted from the click, and some have passed once the app has it, so that it may expire sooner for the app:
`lifetime` is what is left. Sources: docs.slack.dev, interactivity/handling-user-interaction; reference/methods/views.open;
java-slack-sdk, issue 1439; bolt-js, issue 1662.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.playground.slack.refused import RefusedError

LIFETIME = 3.0


@dataclass(frozen=True, slots=True)
class Trigger:
    """Who caused it, when, and in which view if it was in one."""

    user: str
    at: float
    view_id: str = ""
    exchanged: bool = False


class Triggers:
    """Every trigger_id that was sent to the app; `clock` returns Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.lifetime = LIFETIME
        self._clock = clock
        self._sent: dict[str, Trigger] = {}

    def note(self, trigger_id: str, user: str, view_id: str = "") -> None:
        """Start the three seconds of a trigger_id; one that was sent before keeps its own."""
        self._sent.setdefault(trigger_id, Trigger(user, self._clock(), view_id))

    def exchange(self, trigger_id: str) -> Trigger:
        """Use a trigger_id up and return what is known of it, or refuse it."""
        trigger = self._sent.get(trigger_id)
        if trigger is None:
            raise RefusedError("invalid_trigger_id")
        if trigger.exchanged:
            raise RefusedError("exchanged_trigger_id")
        if self._clock() - trigger.at >= self.lifetime:
            raise RefusedError("expired_trigger_id")
        self._sent[trigger_id] = replace(trigger, exchanged=True)
        return trigger
