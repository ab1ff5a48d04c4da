"""Check the address of the HTTP listener, and which POSTs of Slack's and WeChat's the running bot has refused."""

import asyncio
from collections.abc import Iterator, Mapping

from bot.domain.finding import SET_THE_CLOCK, Finding, Problem, ok, warning, wrong, wrong_by
from bot.domain.sentence import Sentence
from bot.ops.doctor.setup import BotCounts, Setup
from bot.ops.doctor.transport import DEADLINE
from bot.runtime.listener import NotServed, is_taken, origin, unusable
from bot.runtime.observers import ELSEWHERE
from bot.settings.access import PlatformSettings
from bot.slack.events import PATH, NotFromSlack
from bot.wechat.push import PushRefusal

_LISTENER = "listener"
_DELIVERIES = "deliveries"
_WECHAT = "/wechat/events"
_PROOF = Sentence("only Slack's next command can prove that SLACK_SIGNING_SECRET is the right one")
_NOT_THE_CLOCK = Sentence(
    "If this clock is right by now, start the bot again to count anew. If it goes on, look whether the reverse proxy holds posts back."
)
_REASONS: Mapping[tuple[str, str], Problem] = {
    (path, why.name.lower()): why.value
    for path, reasons in ((PATH, NotFromSlack), (_WECHAT, PushRefusal), (ELSEWHERE, NotServed))
    for why in reasons
}
"""Why POSTs are refused, by their path and the reason's name in the metrics."""


async def check_listener(setup: Setup) -> list[Finding]:
    """Return whether the address can be used, or this bot answers there; nothing if no listener is needed."""
    address = setup.parts.listener
    if address is None:
        return []
    host, port = address.host, address.port
    shown = origin(host, port).removeprefix("http://")
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(DEADLINE):
            # As the bot would, but without accepting connections; closed at once.
            server = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    except (OSError, ValueError) as error:
        if not is_taken(error):
            return [wrong_by(_LISTENER, unusable(host, port, error))]
        if setup.running and setup.ledger.replicas != 0:
            return [ok(_LISTENER, Sentence("a bot that runs answers at {shown}", shown=shown))]
        found = Sentence("{shown} is taken, and no bot of this ledger answers there", shown=shown)
        fix = Sentence(
            "If it is the bot, look at the end of its log, then restart it; else stop it, or set another PORT."
        )
        return [wrong(_LISTENER, found, fix)]
    server.close()
    return [ok(_LISTENER, Sentence("{shown} can be used", shown=shown))]


async def check_deliveries(setup: Setup) -> list[Finding]:
    """Return the findings about refused POSTs of Slack's and WeChat's; nothing if none are expected."""
    parts, counted = setup.parts, setup.running
    by_http = parts.slack is not None and not parts.slack.app_token
    if not (by_http or isinstance(parts.tokens, PlatformSettings)):
        return []
    if counted is None:
        return (
            [ok(_DELIVERIES, Sentence("no bot answers here yet; {proof}", proof=_PROOF))]
            if by_http
            else []
        )
    unproven = by_http and not counted.acked
    if found := [*_refused(counted, unproven=unproven)]:
        return found
    if unproven:
        return [
            ok(
                _DELIVERIES,
                Sentence(
                    "the bot that runs was sent nothing of Slack's yet; {proof}", proof=_PROOF
                ),
            )
        ]
    others = sum(counted.refused.values())
    return [
        ok(
            _DELIVERIES,
            Sentence(
                "the bot that runs takes them; refused, as strangers': {others}", others=others
            ),
        )
    ]


def pushes_refused(counted: BotCounts | None) -> bool:
    """Return whether the bot that runs refused posts that may be WeChat's."""
    return counted is not None and any(path != PATH for path, _ in counted.refused)


def _refused(counted: BotCounts, *, unproven: bool) -> Iterator[Finding]:
    """Yield the refused POSTs that seem to be Slack's or WeChat's; `unproven` if none of Slack's was accepted yet."""
    for (path, reason), times in counted.refused.items():
        why = _REASONS.get((path, reason), Problem(""))
        if why.fix:
            posts = Sentence("one post") if times == 1 else Sentence("{times} posts", times=times)
            if path != ELSEWHERE:
                posts = Sentence("{posts} to {path}", posts=posts, path=path)
            found = Sentence(
                "the bot that runs refused {posts}: {found}", posts=posts, found=why.found
            )
            fix, causes = why.fix, list[str]()
            if fix == SET_THE_CLOCK:
                fix, causes = _NOT_THE_CLOCK, ["clock"]
            bad = unproven and path != _WECHAT
            yield (wrong if bad else warning)(_DELIVERIES, found, fix, *causes)
