"""Test in a channel what the bot assumes about Slack: each step reports what it saw, and later steps build on it."""

from collections.abc import Awaitable, Callable

from bot.ops.doctor.real_channel import RealChannel, Shown, ts_of
from bot.ops.doctor.real_tried import Tried, code_of, failed, held, no_answer
from bot.slack.api import Answered, Doubtful, Refused, Result

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
        if (other := ts_of(await channel.post("another one"))) and isinstance(
            await channel.delete(other), Answered
        ):
            await _reply_to_deleted(channel, other, "without replies", tell)


async def _post(channel: RealChannel, tell: Tell) -> str | None:
    name, result = "post-message", await channel.post(_FIRST)
    if not isinstance(result, Answered):
        tell(no_answer(name, result))
        return None
    lacking = [key for key in ("channel", "ts", "message") if not result.data.get(key)]
    seen = f"ok, without {', '.join(lacking)}" if lacking else "ok, with channel, ts and message"
    tell(Tried(name, not lacking, seen))
    return ts_of(result)


async def _find(channel: RealChannel, parent: str, tell: Tell) -> bool:
    name = "metadata-read-back"
    found = await channel.look_until(lambda shown: parent in _all_ts(shown))
    if not isinstance(found, list):
        tell(no_answer(name, found))
        return False
    there = parent in _all_ts(found)
    tell(Tried(name, there, f"{'found' if there else 'not found'} by conversations.history"))
    return there


async def _edit(channel: RealChannel, parent: str, tell: Tell) -> None:
    name, kept = "update-message", "update-keeps-metadata"
    result = await channel.edit(parent, _SECOND)
    if not isinstance(result, Answered):
        tell(no_answer(name, result))
        return

    def edited(shown: list[Shown]) -> bool:
        return any(_is_at(each, parent) and _SECOND in str(each.get("text")) for each in shown)

    found = await channel.look_until(edited)
    if not isinstance(found, list):
        tell(no_answer(kept, found))
        return
    stays = parent in _all_ts(found)
    tell(Tried(kept, stays, "it is still there" if stays else "not found by it any more"))
    if stays:
        new = edited(found)
        tell(Tried(name, new, "ok, with the new text" if new else "ok, and still the old text"))


async def _reply(channel: RealChannel, parent: str, tell: Tell) -> bool:
    name, result = "reply-in-thread", await channel.post("a reply", parent)
    if not isinstance(result, Answered):
        tell(no_answer(name, result))
        return False
    ts = ts_of(result) or ""
    found = await channel.look_until(lambda shown: ts in _all_ts(shown), parent)
    if not isinstance(found, list):
        tell(no_answer(name, found))
        return False
    in_answer = _thread_of(result) == parent
    listed = any(_is_at(each, ts) and each.get("thread_ts") == parent for each in found)
    seen = [
        f"thread_ts {'in' if in_answer else 'missing in'} the answer",
        f"{'listed' if listed else 'not listed'} by conversations.replies",
    ]
    tell(Tried(name, in_answer and listed, ", ".join(seen)))
    return True


async def _show(
    channel: RealChannel, user: str, parent: str, tell: Tell, looks: Asked | None
) -> None:
    tries = (
        ("ephemeral", _EPHEMERAL, None, "in the channel"),
        ("ephemeral-in-thread", _IN_THREAD, parent, "in the message's thread"),
    )
    for name, words, thread_ts, where in tries:
        result = await channel.show(user, words, thread_ts)
        if not isinstance(result, Answered):
            tell(no_answer(name, result))
            continue
        told = bool(result.data.get("message_ts"))
        tell(Tried(name, told, "ok" if told else "ok, without message_ts"))
        if looks:
            saw = await looks(f"Look {where}: do you see “{words}”?")
            tell(Tried("ephemeral-delivered", saw, f"{where}: {'seen' if saw else 'not seen'}"))


async def _delete(channel: RealChannel, parent: str, tell: Tell) -> bool:
    name, result = "delete-message", await channel.delete(parent)
    if not isinstance(result, Answered):
        tell(no_answer(name, result))
        return False
    found = await channel.look_until(lambda shown: parent not in _all_ts(shown))
    if not isinstance(found, list):
        tell(no_answer(name, found))
        return True
    gone = parent not in _all_ts(found)
    tell(Tried(name, gone, "ok, and it is gone" if gone else "ok, and it is still there"))
    return True


async def _reply_to_deleted(channel: RealChannel, parent: str, which: str, tell: Tell) -> None:
    """Report which of the two known behaviours occurs; any other is new."""
    name, result = "reply-to-deleted", await channel.post("a reply to what is deleted", parent)
    match result:
        case Refused("thread_not_found" | "cannot_reply_to_message"):
            tell(held(name, f"one {which}: refused, {code_of(result)}"))
        case Refused() | Doubtful():
            tell(no_answer(name, result))
        case Answered() if (thread_ts := _thread_of(result)) is not None:
            where = "in its thread" if thread_ts == parent else "in another thread"
            tell(failed(name, f"one {which}: ok, and the reply stands {where}"))
        case Answered():
            ts = ts_of(result) or ""
            found = await channel.look_until(lambda shown: ts in _all_ts(shown))
            if not isinstance(found, list):
                tell(no_answer(name, found))
                return
            there = ts in _all_ts(found)
            seen = "ok, and the reply stands top level" if there else "ok, and the reply is nowhere"
            tell(Tried(name, there, f"one {which}: {seen}"))


def _thread_of(result: Result) -> object:
    message = result.data.get("message") if isinstance(result, Answered) else None
    return message.get("thread_ts") if isinstance(message, dict) else None


def _all_ts(shown: list[Shown]) -> set[object]:
    return {each.get("ts") for each in shown}


def _is_at(shown: Shown, ts: str) -> bool:
    return shown.get("ts") == ts
