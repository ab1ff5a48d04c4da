"""The fixed scenario of the demo: what the bot does, and how it fails."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.playground.faults import Code, Hang
from bot.playground.screen import Screen
from bot.playground.slack.server import PostedMessage
from bot.playground.stage import Stage
from bot.playground.world import APPID, PLACES, ROLES

_LONG = 20  # words
SYSTEM_BUSY, NOT_ENABLED, NOT_ON_THE_LIST = -1, 85088, 61004
_WORDS = "access clientip is not registered, requestIP: 203.0.113.7"


@dataclass(frozen=True, slots=True)
class TypedCommand:
    """One command, who types it where, and what WeChat has in store."""

    title: str
    text: str
    role: str = "requester"
    place: str = "public"
    before: Callable[[Stage], None] = lambda _: None
    then: Callable[[Stage, Screen], Awaitable[None]] | None = None


def _expire(stage: Stage) -> None:
    stage.wechat.expire(stage.wechat.calls[-1].token)


def _not_enabled(stage: Stage) -> None:
    stage.wechat.fail("shareenv", Code(NOT_ENABLED))


def _busy(stage: Stage) -> None:
    stage.wechat.fail("shareenv", Code(SYSTEM_BUSY), Code(SYSTEM_BUSY))


def _silent(stage: Stage) -> None:
    stage.wechat.fail("shareenv", *[Hang(60)] * 4)


def _off_the_list(stage: Stage) -> None:
    _expire(stage)
    stage.wechat.fail("api_authorizer_token", Code(NOT_ON_THE_LIST, _WORDS))


def _slow(stage: Stage) -> None:
    stage.wechat.latency = 0.4
    stage.wechat.fail("shareenv", *[Code(0)] * 7, Code(NOT_ENABLED))


async def _quick(stage: Stage, _: Screen) -> None:
    stage.wechat.latency = 0.0


async def _confirm(stage: Stage, screen: Screen) -> None:
    asked = stage.slack.messages[-1]
    await _click(stage, screen, "requester", asked, "Share it")
    await stage.ended(_request_of(asked))


async def _approve(stage: Stage, screen: Screen) -> None:
    asked = next(m for m in reversed(stage.slack.messages) if m.channel == PLACES["approvals"])
    await _click(stage, screen, "approver", asked, "Approve")
    approver = ROLES["approver"]
    await stage.slack.until(lambda slack: bool(slack.views(approver)))
    screen.clicked(approver, "Approve", "writes “Fine, after the release”")
    await stage.slack.submit(approver, stage.slack.views(approver)[-1], {"comment": _COMMENT})
    await stage.ended(_request_of(asked))
    await stage.slack.until(lambda slack: any(_is_settled(m, asked) for m in slack.messages))


def _is_settled(message: PostedMessage, asked: PostedMessage) -> bool:
    return message.ts == asked.ts and "it was shared" in message.text


async def _click(
    stage: Stage, screen: Screen, role: str, message: PostedMessage, button: str
) -> None:
    screen.clicked(ROLES[role], button)
    await stage.slack.click(ROLES[role], message, button)


def _request_of(message: PostedMessage) -> str:
    return str(re.findall(r"[Rr]equest `([a-z0-9]+)`", message.text)[-1])


# Twenty at once, for 0.4 seconds each: that takes four, and progress is shown after three.
_MANY = " ".join(f"wx{number:016x}" for number in range(1, 201))
_COMMENT = "Fine, after the release"

ACTS = (
    TypedCommand("Whom the bot takes you for, and how the tokens stand", "whoami"),
    TypedCommand("A share, answered in a thread", f'{APPID} prod-1 --reason "release 4.2"'),
    TypedCommand("The same again: who did it before, when, and where", f"{APPID} prod-1"),
    TypedCommand("A rule that asks whether you are sure", f"{APPID} live-1", then=_confirm),
    TypedCommand(
        "A rule that asks the approvers, who decide in their channel",
        f'{APPID} core-1 --reason "orders app needs the stock data"',
        then=_approve,
    ),
    TypedCommand(
        "Many mini programs at once: one message, a progress bar, failures grouped",
        f"{_MANY} prod-1",
        before=_slow,
        then=_quick,
    ),
    TypedCommand(
        "The same bot, to somebody whose Slack is in Chinese", f"{APPID} prod-8", role="mei"
    ),
    TypedCommand("A mistake, and the corrected line", f"prod-1 {APPID.upper()}"),
    TypedCommand("A denial that says what would be enough", f"{APPID} prod-1", role="second"),
    TypedCommand(
        "The owner's token has expired: renewed, and tried again", f"{APPID} prod-2", before=_expire
    ),
    TypedCommand(
        "85088: the env's owner has not enabled cloud development",
        f"{APPID} prod-3",
        before=_not_enabled,
    ),
    TypedCommand("WeChat is busy twice, then answers", f"{APPID} prod-4", before=_busy),
    TypedCommand("WeChat never answers: the outcome is unknown", f"{APPID} prod-5", before=_silent),
    TypedCommand("Asked where the bot may not post", f"{APPID} prod-6", place="private"),
    TypedCommand(
        "The token chain breaks: which link, who fixes it, and how",
        f"{APPID} prod-7",
        before=_off_the_list,
    ),
)


async def play(stage: Stage, screen: Screen) -> None:
    """Play every act, and show it."""
    for act in ACTS:
        screen.heading(act.title)
        act.before(stage)
        user, channel = ROLES[act.role], PLACES[act.place]
        screen.typed(user, channel, f"/share-env {_shortened(act.text)}")
        await stage.type(user, channel, act.text)
        if act.then:
            await act.then(stage, screen)


def _shortened(text: str) -> str:
    """Return what somebody typed, with a long list of appids cut."""
    words = text.split(" ")
    return text if len(words) <= _LONG else " ".join([*words[:2], "…", *words[-2:]])
