"""Test in a channel what the bot assumes about Slack: each step reports what it saw, and later steps build on it."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress

from bot.ops.doctor.real_channel import NoAnswerError, RealChannel, Shown, ts_of
from bot.ops.doctor.real_tried import Tried, no_answer
from bot.slack.api import Answered, Refused

Tell = Callable[[Tried], None]
Asked = Callable[[str], Awaitable[bool]]

_FIRST, _SECOND = "a message that goes away by itself", "and this is its edited text"
_EPHEMERAL, _IN_THREAD = "only you, in the channel", "only you, in the thread"


async def try_slack(channel: RealChannel, user: str, tell: Tell, looks: Asked | None) -> None:
    """Run the steps until one fails that the rest depends on; `user` is shown ephemeral messages, `looks` asks about them."""
    parent = await _post(channel, tell)
    if parent is None:
        return
    if await _find(channel, parent, tell):
        await _edit(channel, parent, tell)
    if not await _reply(channel, parent, tell):
        return  # a reply that exists after all could not be found once its parent is deleted
    await _show(channel, user, parent, tell, looks)
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


async def _show(
    channel: RealChannel, user: str, parent: str, tell: Tell, looks: Asked | None
) -> None:
    tries = (
        ("ephemeral", _EPHEMERAL, None, "in the channel"),
        ("ephemeral-in-thread", _IN_THREAD, parent, "in the message's thread"),
    )
    for name, words, thread_ts, where in tries:
        with _trying(name, tell) as found:
            result = await channel.show(user, words, thread_ts)
            told = bool(result.data.get("message_ts"))
            found(told, "ok" if told else "ok, without message_ts")
            if looks:
                with _trying("ephemeral-delivered", tell) as delivered:
                    saw = await looks(f"Look {where}: do you see “{words}”?")
                    delivered(saw, f"{where}: {'seen' if saw else 'not seen'}")


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
