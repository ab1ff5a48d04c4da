"""The guided first minute: five steps, the line to type for each, and how to see that it is done."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from bot.playground.slack.transcript import PostedMessage
from bot.playground.world import APPID

_MANY = " ".join(f"wx{number:016x}" for number in range(1, 13))


@dataclass(frozen=True, slots=True)
class ThingToTry:
    """One step. It is done when a typed line, or a message outside of threads, begins as `done`.

    `wechat` is set before the step; `then` names the next person.
    """

    title: str
    words: str
    line: str
    done: str
    role: str = "requester"
    wechat: str = ""
    then: str = ""

    def is_done(self, messages: Iterable[PostedMessage], lines: Iterable[str]) -> bool:
        """Return whether the step is done, judging by the messages and the typed lines."""
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
