"""The record of the stand-in Slack: all messages and calls, and a way to wait for more."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Literal, TypeAlias

from bot.playground.loopback import JsonObject, StandIn
from bot.playground.slack.surfaces import View, ViewChange

Via: TypeAlias = Literal["ack", "api", "response_url", "slack"]
Change: TypeAlias = Literal["posted", "edited", "deleted"]
AckError: TypeAlias = Literal[
    "operation_timeout", "dispatch_failed", "http_client_error", "http_service_error"
]


@dataclass(frozen=True, slots=True)
class PostedMessage:
    """The current state of a message; an edit or a deletion replaces it in the transcript."""

    ts: str
    channel: str
    user: str
    text: str
    blocks: tuple[JsonObject, ...] = ()
    thread_ts: str | None = None
    ephemeral_to: str | None = None
    edits: int = 0
    edited_ts: str = ""
    via: Via = "api"
    metadata: JsonObject | None = None
    deleted: bool = False
    can_have_replies: bool = True


@dataclass(frozen=True, slots=True)
class ApiCall:
    """One call of the Web API, without its token; `error` is Slack's, or names the fault instead of which nothing happened."""

    method: str
    args: JsonObject
    error: str | None


@dataclass(frozen=True, slots=True)
class Ack:
    """The bot's ack of a delivery: the body of its response, and the seconds that it took.

    `error` is what Slack shows the user if there was no valid ack in time, `attempt` how often it was delivered before.
    """

    payload: JsonObject | None
    seconds: float
    _: KW_ONLY
    trigger_id: str
    envelope_id: str
    kind: str
    request: JsonObject
    error: AckError | None = None
    attempt: int = 0

    @property
    def errors(self) -> dict[str, str]:
        """The bot's errors about a form's values, by block_id."""
        body = self.payload or {}
        errors = body.get("errors") if body.get("response_action") == "errors" else None
        return {k: str(v) for k, v in errors.items()} if isinstance(errors, dict) else {}


Observer: TypeAlias = Callable[[PostedMessage, Change], None]
ViewObserver: TypeAlias = Callable[[View, ViewChange], None]


class Transcript(StandIn):
    """All messages and calls in order; each change wakes the tasks that wait in `until`."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[PostedMessage] = []
        self.calls: list[ApiCall] = []
        self.violations: list[str] = []
        self.absent: set[str] = set()
        """People whose Slack is closed: they do not get ephemeral messages, whatever the response says."""
        self.on_change: Observer | None = None
        self.on_view: ViewObserver | None = None
        self.views: dict[tuple[str, str], View] = {}
        """The view on each screen: a modal and an App Home for each person, by their id and its kind."""
        self.offered: dict[str, list[JsonObject]] = {}
        """The options that the bot last returned for each external select, by action_id."""
        self._where: dict[str, int] = {}
        self._index: defaultdict[tuple[str, ...], list[int]] = defaultdict(list)

    def post(self, message: PostedMessage) -> None:
        """Add a message."""
        at = len(self.messages)
        self._where[message.ts] = at
        self._index[_shelf(message)].append(at)
        self.messages.append(message)
        self._tell(message, "posted")

    def whisper(self, message: PostedMessage) -> None:
        """Show an ephemeral message, unless its person is absent or its thread has no replies.

        Source: docs.slack.dev, chat.postEphemeral: “only shown if there is already an active thread”, and delivery is not
        guaranteed, since “the user must be currently active”.
        """
        active = message.thread_ts is None or self.thread(message.channel, message.thread_ts)
        if active and message.ephemeral_to not in self.absent:
            self.post(message)

    def edit(self, message: PostedMessage) -> None:
        """Replace the message with the same channel and ts."""
        self.messages[self._where[message.ts]] = message
        self._tell(message, "edited")

    def delete(self, ts: str) -> None:
        """Delete a message, as a person would by hand; KeyError if there is none."""
        at = self._where[ts]
        self.messages[at] = replace(self.messages[at], deleted=True)
        self._tell(self.messages[at], "deleted")

    def sought(self, ts: str) -> PostedMessage | None:
        """Return the message with this ts in any channel, even if it is deleted."""
        index = self._where.get(ts)
        return None if index is None else self.messages[index]

    def record(self, call: ApiCall) -> None:
        """Record a call of the Web API."""
        self.calls.append(call)
        self.changed()

    def modal(self, user: str) -> View | None:
        """Return a person's open modal."""
        return self.views.get((user, "modal"))

    def home(self, user: str) -> View | None:
        """Return the view last published to a person's App Home."""
        return self.views.get((user, "home"))

    def view(self, view_id: str) -> View | None:
        """Return the current state of the view with this id, unless it is closed."""
        return next((each for each in self.views.values() if each.id == view_id), None)

    def show(self, view: View, change: ViewChange) -> View:
        """Show a new view or a new state of one, and notify the observers."""
        self.views[view.user, view.kind] = view
        self._tell_of(view, change)
        return view

    def _tell_of(self, view: View, change: ViewChange) -> None:
        if self.on_view is not None:
            self.on_view(view, change)
        self.changed()

    def _tell(self, message: PostedMessage, change: Change) -> None:
        if self.on_change is not None:
            self.on_change(message, change)
        self.changed()

    def find(self, channel: str, ts: str) -> PostedMessage | None:
        """Return the message that the Web API finds there: not deleted and not ephemeral."""
        message = self.at(channel, ts)
        return None if message is None or message.ephemeral_to is not None else message

    def at(self, channel: str, ts: str) -> PostedMessage | None:
        """Return the message that a person sees there: possibly ephemeral, but not deleted."""
        message = self.sought(ts)
        there = message is not None and message.channel == channel and not message.deleted
        return message if there else None

    def parents(self, channel: str) -> list[PostedMessage]:
        """Return a channel's messages outside of threads, without ephemeral ones, oldest first."""
        return self._shelved("parents", channel)

    def thread(self, channel: str, ts: str) -> list[PostedMessage]:
        """Return a thread's replies, oldest first, without the parent."""
        return self._shelved("thread", channel, ts)

    def shown_to(self, user_id: str) -> list[PostedMessage]:
        """Return the ephemeral messages for this person, oldest first."""
        return self._shelved("shown", user_id)

    def _shelved(self, *shelf: str) -> list[PostedMessage]:
        found = [self.messages[at] for at in self._index.get(shelf, ())]
        return [each for each in found if not each.deleted]

    def transcript(self) -> str:
        """Return everything so far as readable text."""
        lines = [f"{m.channel} {m.user} {m.ephemeral_to or ''}: {m.text}" for m in self.messages]
        lines += [f"violation: {each}" for each in self.violations]
        refused = [call for call in self.calls if call.error is not None]
        lines += [f"refused: {call.method} {call.error}" for call in refused]
        return "\n".join(lines) or "(nothing happened)"


def _shelf(message: PostedMessage) -> tuple[str, ...]:
    if message.ephemeral_to is not None:
        return "shown", message.ephemeral_to
    if message.thread_ts is not None:
        return "thread", message.channel, message.thread_ts
    return "parents", message.channel
