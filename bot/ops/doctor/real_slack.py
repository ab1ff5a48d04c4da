"""Test in a channel what the bot assumes about Slack: each step reports what it saw, and later steps build on it.

The playground's README lists the assumptions.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.ops.doctor.real_channel import NoAnswerError, RealChannel, Shown, ts_of
from bot.slack.api import BAD_TOKEN, NOT_SENT, Answered, Doubtful, Refused, retry_after

BEHAVIOURS = (
    *("post-message", "metadata-read-back", "update-message", "update-keeps-metadata"),
    *("reply-in-thread", "ephemeral", "ephemeral-in-thread"),
    *("delete-message", "reply-to-deleted", "blocks-validate", "owner-envs", "owner-functions"),
)
"""The assumptions by their names in the playground's README, in the order of the tests."""

_SETUP = BAD_TOKEN | {
    *("channel_not_found", "is_archived", "missing_scope", "not_in_channel", "user_not_in_channel"),
}
"""Slack's errors about the arguments, which say nothing about its behaviour."""
_CODE = re.compile(r"[a-z_]{1,60}")  # the form of errors in the method reference

_FIRST, _SECOND = "a message that goes away by itself", "and this is its edited text"
_EPHEMERAL, _IN_THREAD = "only you, in the channel", "only you, in the thread"

Held: TypeAlias = Literal["yes", "no", "not tried"]


@dataclass(frozen=True, slots=True)
class Tried:
    """One test: whether the assumption held, and what was seen of it, without ids and secrets."""

    behaviour: str
    held: Held
    seen: str


Tell = Callable[[Tried], None]


async def try_slack(channel: RealChannel, user: str, tell: Tell) -> None:
    """Run the steps until one fails that the rest depends on; `user` is shown ephemeral messages."""
    parent = await _post(channel, tell)
    if parent is None:
        return
    if await _find(channel, parent, tell):
        await _edit(channel, parent, tell)
    if not await _reply(channel, parent, tell):
        return  # the next step needs an active thread
    await _show(channel, user, parent, tell)
    if await _delete(channel, parent, tell):
        await _reply_to_deleted(channel, parent, "that had a reply", tell)
        with suppress(NoAnswerError):
            if other := ts_of(await channel.post("another one")):
                await channel.delete(other)
                await _reply_to_deleted(channel, other, "without replies", tell)


@contextmanager
def _trying(behaviour: str, tell: Tell) -> Iterator[Callable[[bool, str], None]]:
    """Yield what takes the result for a behaviour; a call without an answer is the result as well."""
    try:
        yield lambda holds, seen: tell(Tried(behaviour, "yes" if holds else "no", seen))
    except NoAnswerError as error:
        tell(no_answer(behaviour, error.no))


async def _post(channel: RealChannel, tell: Tell) -> str | None:
    with _trying("post-message", tell) as found:
        result = await channel.post(_FIRST)
        lacking = [key for key in ("channel", "ts", "message") if not result.data.get(key)]
        seen = (
            f"ok, without {', '.join(lacking)}" if lacking else "ok, with channel, ts and message"
        )
        found(not lacking, seen)
        return ts_of(result)
    return None


async def _find(channel: RealChannel, parent: str, tell: Tell) -> bool:
    with _trying("metadata-read-back", tell) as found:
        there = parent in await channel.look_until(lambda shown: parent in shown)
        found(there, f"{'found' if there else 'not found'} by conversations.history")
        return there
    return False


async def _edit(channel: RealChannel, parent: str, tell: Tell) -> None:
    def edited(shown: Shown) -> bool:
        return parent in shown and _SECOND in str(shown[parent].get("text"))

    with _trying("update-message", tell) as edit_found:
        await channel.edit(parent, _SECOND)
        with _trying("update-keeps-metadata", tell) as found:
            shown = await channel.look_until(edited)
            stays, new = parent in shown, edited(shown)
            found(stays, "it is still there" if stays else "not found by it any more")
            if stays:
                edit_found(new, f"ok, {'with the new' if new else 'and still the old'} text")


async def _reply(channel: RealChannel, parent: str, tell: Tell) -> bool:
    with _trying("reply-in-thread", tell) as found:
        result = await channel.post("a reply", parent)
        ts = ts_of(result) or ""
        shown = await channel.look_until(lambda shown: ts in shown, parent)
        in_answer = _thread_of(result) == parent
        listed = ts in shown and shown[ts].get("thread_ts") == parent
        found(
            in_answer and listed,
            f"thread_ts {'in' if in_answer else 'missing in'} the answer, "
            f"{'listed' if listed else 'not listed'} by conversations.replies",
        )
        return True
    return False


async def _show(channel: RealChannel, user: str, parent: str, tell: Tell) -> None:
    tries = (("ephemeral", _EPHEMERAL, None), ("ephemeral-in-thread", _IN_THREAD, parent))
    for name, words, thread_ts in tries:
        with _trying(name, tell) as found:
            result = await channel.show(user, words, thread_ts)
            told = bool(result.data.get("message_ts"))
            found(told, "ok" if told else "ok, without message_ts")


async def _delete(channel: RealChannel, parent: str, tell: Tell) -> bool:
    name = "delete-message"
    with _trying(name, tell):
        await channel.delete(parent)
        with _trying(name, tell) as found:
            gone = parent not in await channel.look_until(lambda shown: parent not in shown)
            found(gone, f"ok, and it is {'gone' if gone else 'still there'}")
        return True
    return False


async def _reply_to_deleted(channel: RealChannel, parent: str, which: str, tell: Tell) -> None:
    """Report which of the two known behaviours occurs; any other is new."""
    name = "reply-to-deleted"
    with _trying(name, tell) as found:
        try:
            result = await channel.post("a reply to what is deleted", parent)
        except NoAnswerError as error:
            match error.no:
                case Refused("thread_not_found" | "cannot_reply_to_message" as why):
                    tell(Tried(name, "yes", f"one {which}: refused, {why}"))
                    return
                case _:
                    raise
        ts, thread_ts = ts_of(result) or "", _thread_of(result)
        if thread_ts is not None:
            where = "in its thread" if thread_ts == parent else "in another thread"
            tell(Tried(name, "no", f"one {which}: ok, and the reply stands {where}"))
            return
        there = ts in await channel.look_until(lambda shown: ts in shown)
        where = "stands top level" if there else "is nowhere"
        found(there, f"one {which}: ok, and the reply {where}")


def _thread_of(result: Answered) -> object:
    message = result.data.get("message")
    return message.get("thread_ts") if isinstance(message, dict) else None


def no_answer(behaviour: str, no: Refused | Doubtful) -> Tried:
    """Return the result for a failed call; only Slack's own refusal contradicts the assumption."""
    if retry_after(no) is not None:
        return Tried(behaviour, "not tried", "Slack asks to slow down")
    if isinstance(no, Doubtful):
        return Tried(behaviour, "not tried", "no answer of Slack's")
    if no.error == NOT_SENT:
        return Tried(behaviour, "not tried", "Slack could not be reached")
    held: Held = "not tried" if no.error in _SETUP else "no"
    return Tried(behaviour, held, f"refused: {code_of(no)}")


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


def verdict(tried: Iterable[Tried]) -> str:
    """Return one sentence about all results."""
    found = list(tried)
    kinds = (("Did not hold", "no"), ("Could not be tried", "not tried"))
    named = [(what, dict.fromkeys(e.behaviour for e in found if e.held == h)) for what, h in kinds]
    told = " ".join(f"{what}: {', '.join(names)}." for what, names in named if names)
    return told or f"All {len(found)} held."
