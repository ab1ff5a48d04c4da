"""The demo's fixed scenario: what the bot does, and how it fails."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.playground.faults import Code, Fault, Hang
from bot.playground.orders import Orders
from bot.playground.screen import Screen
from bot.playground.wechat.server import SHARE, LocalWeChat
from bot.playground.world import APPID

SYSTEM_BUSY, NOT_ENABLED, NOT_ON_THE_LIST = -1, 85088, 61004
_WORDS = "access clientip is not registered, requestIP: 203.0.113.7"


@dataclass(frozen=True, slots=True)
class Scene:
    """The lines that one person types, and WeChat's behaviour; without a title it continues the scene before."""

    title: str
    lines: str
    role: str = "requester"
    place: str = "public"
    before: Callable[[LocalWeChat], None] = lambda _: None


def _failing(*faults: Fault) -> Callable[[LocalWeChat], None]:
    return lambda wechat: wechat.fail(SHARE, *faults)


def _slow(wechat: LocalWeChat) -> None:
    """Take 0.4 s for each call: two hundred, twenty at once, take four seconds, and progress is shown after three."""
    wechat.latency = 0.4
    wechat.fail(SHARE, *[Code(0)] * 7, Code(NOT_ENABLED))


def _quick(wechat: LocalWeChat) -> None:
    wechat.latency = 0.0


def _expire(wechat: LocalWeChat) -> None:
    wechat.expire(wechat.calls[-1].token)


def _off_the_list(wechat: LocalWeChat) -> None:
    _expire(wechat)
    wechat.fail("api_authorizer_token", Code(NOT_ON_THE_LIST, _WORDS))


_MANY = " ".join(f"wx{number:016x}" for number in range(1, 201))

SCENES = (
    Scene("Whom the bot takes you for, and how the tokens stand", "/share-env whoami"),
    Scene("A share, answered in a thread", f'/share-env {APPID} prod-1 --reason "release 4.2"'),
    Scene(
        "The same again: who did it before, when, and where",
        f"/share-env {APPID} prod-1",
    ),
    Scene(
        "A rule that asks whether you are sure",
        f'/share-env {APPID} live-1\n:click "Share it"',
    ),
    Scene(
        "A rule that asks the approvers, who decide in their channel",
        f'/share-env {APPID} core-1 --reason "orders app needs the stock data"',
    ),
    Scene("", ':click Approve\n:submit comment="Fine, after the release"', role="approver"),
    Scene(
        "Many mini programs at once: one message, a progress bar, failures grouped",
        f"/share-env {_MANY} prod-1",
        before=_slow,
    ),
    Scene(
        "The same bot, to somebody whose Slack is in Chinese",
        f"/share-env {APPID} prod-8",
        role="mei",
        before=_quick,
    ),
    Scene("A mistake, and the corrected line", f"/share-env prod-1 {APPID.upper()}"),
    Scene("A denial that says what would be enough", f"/share-env {APPID} prod-1", role="second"),
    Scene(
        "The owner's token has expired: renewed, and tried again",
        f"/share-env {APPID} prod-2",
        before=_expire,
    ),
    Scene(
        "85088: the env's owner has not enabled cloud development",
        f"/share-env {APPID} prod-3",
        before=_failing(Code(NOT_ENABLED)),
    ),
    Scene(
        "WeChat is busy twice, then answers",
        f"/share-env {APPID} prod-4",
        before=_failing(Code(SYSTEM_BUSY), Code(SYSTEM_BUSY)),
    ),
    Scene(
        "WeChat never answers: the outcome is unknown",
        f"/share-env {APPID} prod-5",
        before=_failing(*[Hang(60)] * 4),
    ),
    Scene("Asked where the bot may not post", f"/share-env {APPID} prod-6", place="private"),
    Scene(
        "The token chain breaks: which link, who fixes it, and how",
        f"/share-env {APPID} prod-7",
        before=_off_the_list,
    ),
)


async def play(orders: Orders, screen: Screen, wechat: LocalWeChat) -> None:
    """Play all scenes and print them."""
    for scene in SCENES:
        if scene.title:
            screen.heading(scene.title)
        scene.before(wechat)
        orders.role, orders.place = scene.role, scene.place
        await orders.play(scene.lines.split("\n"))
