"""Test in a channel what the bot assumes about Slack; the playground's README lists the assumptions."""

import re
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, TypeAlias

from bot.slack.api import BAD_TOKEN, Answered, Doubtful, Refused, Result, SlackApi, is_transient
from bot.slack.payloads import event_payload

BEHAVIOURS = (
    *("post-message", "metadata-read-back", "update-message", "update-keeps-metadata"),
    *("reply-in-thread", "ephemeral", "ephemeral-in-thread"),
    *("delete-message", "reply-to-deleted", "blocks-validate", "owner-envs", "owner-functions"),
)
"""The assumptions by their names in the playground's README, in the order of the tests."""

BEGINNING = "share-env-bot doctor:"
"""The start of each message, so that a person can find and delete one by hand."""

_SETUP = BAD_TOKEN | {
    *("channel_not_found", "is_archived", "missing_scope", "not_in_channel", "user_not_in_channel"),
}
"""Slack's errors about the arguments, which say nothing about its behaviour."""
_CODE = re.compile(r"[a-z_]{1,60}")  # the form of errors in the method reference
_ORPHANED = {"thread_not_found", "cannot_reply_to_message"}
_VITAL = {"post-message", "delete-message"}

_EVENT = "share_env_doctor"
_EDITED = "and this is its edited text"
_PAGE = 100
_LOOKS, _PAUSE = 3, 1.0  # a change may appear in the history with a delay
_PATIENCE = 30.0  # seconds for rate limits

Held: TypeAlias = Literal["yes", "no", "not tried"]
Step: TypeAlias = Callable[[], Awaitable[bool | str]]
"""Returns whether an assumption holds or, where Slack may behave in several ways, what was seen."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One test: whether the assumption held, and what was seen of it, without ids and secrets."""

    behaviour: str
    held: Held
    seen: str


class NoAnswerError(Exception):
    """Slack did not do what it was asked to; `no` is its refusal, or what came instead of an answer."""

    def __init__(self, no: Refused | Doubtful) -> None:
        super().__init__(no)
        self.no = no


@dataclass(slots=True)
class RealChannel:
    """One run's messages in a channel, each with the run's mark in its metadata; `user` is shown two ephemeral ones."""

    api: SlackApi
    channel: str
    _: KW_ONLY
    user: str
    mark: str
    sleep: Callable[[float], Awaitable[None]]
    _parent: str = field(default="", init=False)
    _posted: list[str] = field(default_factory=list, init=False)  # by ts, while not deleted
    _lost: bool = field(default=False, init=False)
    """Whether a message may exist whose ts is unknown."""

    async def try_all(self) -> list[Tried]:
        """Return the results, up to the first failure on which the rest depends."""
        found, shown = "found by conversations.history", "answered with message_ts"
        orphaned = "refused or top level"
        steps: tuple[tuple[str, Step, str], ...] = (
            ("post-message", self._post_first, "answered with channel, ts and message"),
            ("metadata-read-back", self._find, found),
            ("update-message", self._edit, "answered with the new text"),
            ("update-keeps-metadata", self._find, found),
            ("reply-in-thread", self._reply, "in its thread, also by conversations.replies"),
            ("ephemeral", self._show, shown),
            ("ephemeral-in-thread", self._show_in_thread, shown),
            ("delete-message", self._delete_first, "gone from conversations.history"),
            ("reply-to-deleted", self._reply_to_deleted, orphaned),
            ("reply-to-deleted", self._reply_to_another, orphaned),
        )
        tried = list[Tried]()
        for behaviour, step, seen in steps:
            tried.append(await _tried(behaviour, step, seen))
            if tried[-1].held != "yes" and behaviour in _VITAL:
                break
        return tried

    async def clear(self) -> bool:
        """Delete the messages, replies before their parent; return whether none can be left."""
        for ts in reversed([*self._posted]):
            with suppress(NoAnswerError):
                await self._delete(ts)
        return not (self._posted or self._lost)

    async def _post_first(self) -> bool:
        answer = await self._post("a message that goes away by itself")
        self._parent = str(answer.get("ts"))
        return all(answer.get(key) for key in ("channel", "ts", "message"))

    async def _find(self) -> bool:
        return await self._is_listed(self._parent)

    async def _edit(self) -> bool:
        """Change the text, and drop the metadata."""
        answer = await self._say("chat.update", _EDITED, ts=self._parent)
        return _EDITED in str(answer.get("text"))

    async def _reply(self) -> bool:
        answer = await self._post("a reply", thread_ts=self._parent)
        listed = await self._is_listed(str(answer.get("ts")), thread=self._parent)
        return listed and _thread_of(answer) == self._parent

    async def _show(self, where: str = "in the channel", **thread: str) -> bool:
        """Show an ephemeral message, which cannot be deleted and disappears when Slack is reloaded."""
        words = f"only you see this, {where}"
        answer = await self._say("chat.postEphemeral", words, user=self.user, **thread)
        return bool(answer.get("message_ts"))

    async def _show_in_thread(self) -> bool:
        return await self._show("in the thread", thread_ts=self._parent)

    async def _delete_first(self) -> bool:
        await self._delete(self._parent)
        return not await self._is_listed(self._parent, wanted=False)

    async def _reply_to_deleted(self) -> bool | str:
        return await self._orphan(self._parent, "one that had a reply")

    async def _reply_to_another(self) -> bool | str:
        ts = str((await self._post("another one")).get("ts"))
        await self._delete(ts)
        return await self._orphan(ts, "one without replies")

    async def _orphan(self, parent: str, which: str) -> bool | str:
        """Reply to a deleted message, and return which of the two known behaviours occurs; any other is new."""
        try:
            answer = await self._post("a reply to what is deleted", thread_ts=parent)
        except NoAnswerError as error:
            if isinstance(error.no, Refused) and error.no.error in _ORPHANED:
                return f"{which}: refused, {error.no.error}"
            raise
        return _thread_of(answer) is None and f"{which}: ok, and the reply stands top level"

    async def _post(self, words: str, **thread: str) -> Mapping[str, object]:
        metadata = {"event_type": _EVENT, "event_payload": {"mark": self.mark}}
        before, self._lost = self._lost, True  # until Slack answers, also if Ctrl-C comes first
        try:
            answer = await self._say("chat.postMessage", words, metadata=metadata, **thread)
        except NoAnswerError as error:
            self._lost = before or isinstance(error.no, Doubtful)
            raise
        self._lost = before
        self._posted.append(str(answer.get("ts")))
        return answer

    async def _say(self, method: str, words: str, **arguments: object) -> Mapping[str, object]:
        arguments |= {"channel": self.channel, "text": f"{BEGINNING} {words}"}
        return _data(await self.api.write(method, _PATIENCE, **arguments))

    async def _delete(self, ts: str) -> None:
        result = await self.api.write("chat.delete", _PATIENCE, channel=self.channel, ts=ts)
        if result != Refused("message_not_found"):
            _data(result)
        self._posted.remove(ts)

    async def _is_listed(self, message: str, *, thread: str = "", wanted: bool = True) -> bool:
        """Return whether a message of this run is listed, after some seconds if that is not what is `wanted`."""
        method = "conversations.replies" if thread else "conversations.history"
        where: dict[str, str | int] = {"channel": self.channel, "limit": _PAGE}
        where |= {"ts": thread} if thread else {}
        for look in range(_LOOKS):
            if look:
                await self.sleep(_PAUSE)
            result = await self.api.read(method, _PATIENCE, **where, include_all_metadata=True)
            listed = _data(result).get("messages")
            shown = filter(self._is_marked, listed if isinstance(listed, list) else ())
            if any(str(each.get("ts")) == message for each in shown) is wanted:
                return wanted
        return not wanted

    def _is_marked(self, message: object) -> bool:
        return isinstance(message, dict) and event_payload(message).get("mark") == self.mark


async def _tried(behaviour: str, step: Step, seen: str) -> Tried:
    try:
        holds = await step()
    except NoAnswerError as error:
        return no_answer(behaviour, error.no)
    if not holds:
        return Tried(behaviour, "no", f"not {seen}")
    return Tried(behaviour, "yes", holds if isinstance(holds, str) else seen)


def _data(result: Result) -> Mapping[str, object]:
    """Return what Slack answered; raises NoAnswerError."""
    if not isinstance(result, Answered):
        raise NoAnswerError(result)
    return result.data


def _thread_of(answer: Mapping[str, object]) -> object:
    message = answer.get("message")
    return message.get("thread_ts") if isinstance(message, dict) else None


def no_answer(behaviour: str, no: Refused | Doubtful) -> Tried:
    """Return the result for a failed call; only Slack's own refusal contradicts the assumption."""
    if isinstance(no, Doubtful) or is_transient(no):
        return Tried(behaviour, "not tried", "Slack is away or busy")
    return Tried(behaviour, "not tried" if no.error in _SETUP else "no", f"refused: {code_of(no)}")


def code_of(no: Refused) -> str:
    """Return Slack's error; a proxy's text, which may be anything, is not shown."""
    return no.error if _CODE.fullmatch(no.error) else "with words that are none of Slack's"


def completed(tried: Iterable[Tried]) -> list[Tried]:
    """Return the results in order, with a line for each assumption that was not tested."""
    found = list(tried)
    told = {each.behaviour for each in found} | {"blocks-validate"}  # if the app may use it
    found += [Tried(b, "not tried", "it never came to that") for b in BEHAVIOURS if b not in told]
    return sorted(found, key=lambda each: BEHAVIOURS.index(each.behaviour))


def table(tried: Iterable[Tried]) -> Iterator[str]:
    """Yield a Markdown table, to paste into an issue."""
    yield "| Behaviour | Held | What was seen |"
    yield "|---|---|---|"
    for each in tried:
        yield f"| `{each.behaviour}` | {each.held} | {each.seen} |"
