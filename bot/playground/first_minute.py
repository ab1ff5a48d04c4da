"""The guided first minute: five steps, the line for each, and how one sees that it is done."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.playground.slack.transcript import PostedMessage
from bot.playground.world import APPID, PLACES

_OUTCOMES = ("✅", "❌", "❔")
_DECIDED = re.compile(r"[^\w<]+<@\w+> (approved|rejected) this")
_BATCH = re.compile(r" with \d+ mini programs")
_MANY = " ".join(f"wx{number:016x}" for number in range(1, 13))

Done = Callable[[Sequence[PostedMessage], Sequence[str]], bool]


@dataclass(frozen=True, slots=True)
class ThingToTry:
    """One thing to try; `done` looks at the messages and at what was typed. `wechat` is set before, `then` says who is next."""

    title: str
    words: str
    line: str
    done: Done
    role: str = "requester"
    wechat: str = ""
    then: str = ""


def _ended(messages: Sequence[PostedMessage]) -> list[str]:
    """Return how requests ended, as the channel is told."""
    texts = [each.text for each in messages if not each.thread_ts]
    return [text for text in texts if text.startswith(_OUTCOMES)]


def _shared(messages: Sequence[PostedMessage], _: Sequence[str]) -> bool:
    return any(text.startswith("✅") for text in _ended(messages))


def _failed(messages: Sequence[PostedMessage], _: Sequence[str]) -> bool:
    return any(not text.startswith("✅") for text in _ended(messages))


def _decided(messages: Sequence[PostedMessage], _: Sequence[str]) -> bool:
    asked = (each.text for each in messages if each.channel == PLACES["approvals"])
    return any(_DECIDED.match(text) for text in asked)


def _batched(messages: Sequence[PostedMessage], _: Sequence[str]) -> bool:
    return any(_BATCH.search(text) for text in _ended(messages))


def _asked_why(_: Sequence[PostedMessage], lines: Sequence[str]) -> bool:
    return any(line.startswith("/share-env why ") for line in lines)


STEPS = (
    ThingToTry(
        "Share an env",
        "One line, and the answer comes in a thread.",
        f"/share-env {APPID} prod-1",
        _shared,
    ),
    ThingToTry(
        "Let WeChat fail",
        "WeChat says 85088; the bot says what that means and who can fix it.",
        f"/share-env {APPID} prod-2",
        _failed,
        wechat="85088",
    ),
    ThingToTry(
        "Ask for an approval, and decide it as somebody else",
        "Sharing core-1 needs one: the approvers are asked in their channel.",
        f"/share-env {APPID} core-1",
        _decided,
        then="approver",
    ),
    ThingToTry(
        "Share with twelve at once",
        "A batch is one message, whose progress you can watch.",
        f"/share-env {_MANY} prod-3",
        _batched,
    ),
    ThingToTry(
        "Ask why",
        "Which rule decides, and what would be enough.",
        f"/share-env why {APPID} prod-1",
        _asked_why,
        role="second",
    ),
)
