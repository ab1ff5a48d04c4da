"""The guided first minute: five steps, the line for each, and how one sees that it is done."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.playground.slack.transcript import PostedMessage
from bot.playground.world import APPID

_MANY = " ".join(f"wx{number:016x}" for number in range(1, 13))


@dataclass(frozen=True, slots=True)
class ThingToTry:
    """One thing to try; what begins as `done` shows that it was: a line that was typed, or a message outside of threads.

    `wechat` is set before, `then` says who is next.
    """

    title: str
    words: str
    line: str
    done: str
    role: str = "requester"
    wechat: str = ""
    then: str = ""

    def is_done(self, messages: Iterable[PostedMessage], lines: Iterable[str]) -> bool:
        """Tell whether it was done, by the messages and by what was typed."""
        told = (*lines, *(each.text for each in messages if not each.thread_ts))
        return any(re.match(self.done, each) for each in told)


STEPS = (
    ThingToTry(
        "Share an env",
        "One line, and the answer comes in a thread.",
        f"/share-env {APPID} prod-1",
        "✅",
    ),
    ThingToTry(
        "Let WeChat fail",
        "WeChat says 85088; the bot says what that means and who can fix it.",
        f"/share-env {APPID} prod-2",
        "[❌❔]",
        wechat="85088",
    ),
    ThingToTry(
        "Ask for an approval, and decide it as somebody else",
        "Sharing core-1 needs one: the approvers are asked in their channel.",
        f"/share-env {APPID} core-1",
        r"[^\w<]+<@\w+> (approved|rejected) this",
        then="approver",
    ),
    ThingToTry(
        "Share with twelve at once",
        "A batch is one message, whose progress you can watch.",
        f"/share-env {_MANY} prod-3",
        r"[✅❌❔].* with \d+ mini programs",
    ),
    ThingToTry(
        "Ask why",
        "Which rule decides, and what would be enough.",
        f"/share-env why {APPID} prod-1",
        "/share-env why ",
        role="second",
    ),
)
