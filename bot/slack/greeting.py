"""How Slack begins and ends a connection of Socket Mode: its hello, and why it refuses one. Pure.

Source: docs.slack.dev, "Using Socket Mode" (`num_connections`, `app_id`, `link_disabled`); slackapi/bolt-js, issues 2225
and 2238 (`too_many_websockets`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.domain.finding import Problem
from bot.domain.sentence import Sentence

MOST_CONNECTIONS = 10
"""Slack's limit for the connections of an app."""
TOO_MANY = "too_many_websockets"
LINK_DISABLED = "link_disabled"
REFUSALS: Mapping[str, Problem] = {
    TOO_MANY: Problem(
        Sentence("Slack has too many connections of this app: it allows ten"),
        Sentence("Stop the other copies of the bot."),
    ),
    LINK_DISABLED: Problem(
        Sentence("Socket Mode is switched off for this Slack app"),
        Sentence("On the app's page “Socket Mode”, choose “Enable Socket Mode”."),
    ),
}
"""Why Slack refuses a connection, by the reason in its `disconnect`."""


@dataclass(frozen=True, slots=True)
class Hello:
    """Slack's first message on a connection: the app's open connections, this one included, and the app's id."""

    connections: int | None
    app_id: str | None = None


Greeted = Callable[[Hello | str], None]
"""Is called with each hello, and with the reason of each refusal."""


def read_hello(payload: Mapping[str, object]) -> Hello:
    """Return what a `hello` says."""
    count, info = payload.get("num_connections"), payload.get("connection_info")
    app_id = info.get("app_id") if isinstance(info, dict) else None
    return Hello(
        count if isinstance(count, int) else None, app_id if isinstance(app_id, str) else None
    )
