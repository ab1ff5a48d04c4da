"""The fixed scenario of the demo: what the bot does, and how it fails."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.playground.screen import Screen
from bot.playground.stage import APPID, PLACES, ROLES, Stage
from bot.playground.wechat import Code, Hang

SYSTEM_BUSY, NOT_ENABLED, NOT_ON_THE_LIST = -1, 85088, 61004
_WORDS = "access clientip is not registered, requestIP: 203.0.113.7"


@dataclass(frozen=True, slots=True)
class Act:
    """One command, who types it where, and what WeChat has in store."""

    title: str
    text: str
    role: str = "requester"
    place: str = "public"
    before: Callable[[Stage], None] = lambda _: None


def _expire(stage: Stage) -> None:
    stage.wechat.expire(stage.wechat.calls[-1].token)


def _not_enabled(stage: Stage) -> None:
    stage.wechat.next(Code(NOT_ENABLED))


def _busy(stage: Stage) -> None:
    stage.wechat.next(Code(SYSTEM_BUSY), Code(SYSTEM_BUSY))


def _silent(stage: Stage) -> None:
    stage.wechat.next(*[Hang(60)] * 4)


def _off_the_list(stage: Stage) -> None:
    _expire(stage)
    stage.wechat.platform.next("api_authorizer_token", Code(NOT_ON_THE_LIST, _WORDS))


ACTS = (
    Act("Whom the bot takes you for, and how the tokens stand", "whoami"),
    Act("A share, answered in a thread", f'{APPID} prod-1 --reason "release 4.2"'),
    Act("The same again: who did it before, when, and where", f"{APPID} prod-1"),
    Act("A mistake, and the corrected line", f"prod-1 {APPID.upper()}"),
    Act("A denial that says what would be enough", f"{APPID} prod-1", role="second"),
    Act(
        "The owner's token has expired: renewed, and tried again", f"{APPID} prod-2", before=_expire
    ),
    Act(
        "85088: the env's owner has not enabled cloud development",
        f"{APPID} prod-3",
        before=_not_enabled,
    ),
    Act("WeChat is busy twice, then answers", f"{APPID} prod-4", before=_busy),
    Act("WeChat never answers: the outcome is unknown", f"{APPID} prod-5", before=_silent),
    Act("Asked where the bot may not post", f"{APPID} prod-6", place="private"),
    Act(
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
        screen.typed(user, channel, f"/share-env {act.text}")
        await stage.type(user, channel, act.text)
