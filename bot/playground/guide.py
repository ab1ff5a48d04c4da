"""What a person can type in the demo: the help, the completion of a line, and the guided first minute."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from bot.command.grammar import SLASH_COMMAND, SUBCOMMANDS, is_appid
from bot.playground.slack.transcript import PostedMessage
from bot.playground.troubles import TROUBLES
from bot.playground.world import ABOUT, APPID

PEOPLE = ", ".join(f"{role} ({about})" for role, about in ABOUT.items())
CONVERSATIONS = "public, private (the bot was not invited), dm (between two people), app (with the bot), archived, approvals, shared, or a channel's name"
HELP = (
    (f"{SLASH_COMMAND} APPID ENV", f"ask as in Slack; an appid to try: {APPID}"),
    (":click WORDS [REQUEST]", "click a button; without words: what there is to click"),
    (
        ":open [home | WORDS]",
        "open the form, the bot's Home, or the form from a message with these words",
    ),
    (":submit NAME=VALUE …", f"fill in and submit the form, such as env=prod-1 appids={APPID}"),
    (":close", "close the form"),
    (":as ROLE", PEOPLE),
    (":in PLACE", CONVERSATIONS),
    (":wechat WORD", f"what WeChat does next: an errcode such as 85088, or {', '.join(TROUBLES)}"),
    (":say TEXT", "write a message"),
    (
        ":reply WORDS TEXT",
        "answer the message with these words, in its thread; a text with @share-env is a command there",
    ),
    (":json [WORDS]", "what Slack holds of the newest message with these words"),
    (":audit [REQUEST]", "what the ledger holds"),
    (":policy [FILE]", "show the policy, or put another one into force"),
    (":language TAG", "start the bot again, to speak en or zh-CN in channels"),
    (":save FILE", "keep what was done, as a script"),
    (":replay FILE", "do again what a script holds"),
    ("help, quit", ""),
)
"""What can be typed, and what it does."""

Choice: TypeAlias = tuple[str, str]

_COMMANDS: Sequence[Choice] = (
    (SLASH_COMMAND, "share an env with an app; alone it opens a form"),
    ("/invite @share-env", "add the bot to this conversation"),
)
_FIRST: Sequence[Choice] = (
    (APPID, "an app to try"),
    # Of a line of help, what the subcommand does.
    *sorted((row.verb.value, re.split("` |;", row.help)[1]) for row in SUBCOMMANDS),
)
_ENVS: Sequence[Choice] = (
    ("prod-1", "the platform team may"),
    ("test-1", "second may as well"),
    ("live-1", "asks whether you are sure"),
    ("core-1", "needs an approval"),
    ("books-1", "needs two approvals"),
    ("pay-1", "needs a ticket in the reason"),
    ("vault-1", "is frozen"),
)


def completions(line: str) -> Iterator[Choice]:
    """Yield what can replace a line's last word, with a description of each."""
    before, blank, last = line.rpartition(" ")
    for word, about in _choices(before.split()) if blank else _COMMANDS:
        if word.startswith(last) and word != last:
            yield f"{word} ", about


def _choices(before: Sequence[str]) -> Sequence[Choice]:
    """Return what can follow these words."""
    match before:
        case [command] if command == SLASH_COMMAND:
            return _FIRST
        case [command, *_, last] if command == SLASH_COMMAND and is_appid(last):
            return _ENVS
        case _:
            return []


_MANY = " ".join(f"wx{number:016x}" for number in range(1, 61))


@dataclass(frozen=True, slots=True, kw_only=True)
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
        typed = any(re.match(self.done, each) for each in lines)
        return typed or any(map(self.shows, messages))

    def shows(self, message: PostedMessage) -> bool:
        """Return whether a message shows that the step is done."""
        return not message.thread_ts and re.match(self.done, message.text) is not None


STEPS = (
    ThingToTry(
        title="Share an env",
        words="One line, and the answer comes in a thread.",
        line=f"/share-env {APPID} prod-1",
        done="✅ <@",
    ),
    ThingToTry(
        title="Let WeChat fail",
        words="WeChat says 85088; the bot says what that means and who can fix it.",
        line=f"/share-env {APPID} prod-2",
        done="[❌❔]",
        wechat="85088",
    ),
    ThingToTry(
        title="Ask for an approval, and decide it as somebody else",
        words="Sharing core-1 needs one: the approvers are asked in their channel.",
        line=f"/share-env {APPID} core-1",
        done=r"[^\w<]+<@\w+> (approved|rejected) this",
        then="approver",
    ),
    ThingToTry(
        title="Share with sixty at once",
        words="A batch is one message, whose progress you can watch while WeChat takes its time.",
        line=f"/share-env {_MANY} prod-3",
        done=r"[✅❌❔].* with \d+ apps",
        wechat="batch",
    ),
    ThingToTry(
        title="Ask why",
        words="Which rule decides, and what you miss in it.",
        line=f"/share-env why {APPID} prod-1",
        done="/share-env why ",
        role="second",
    ),
)
