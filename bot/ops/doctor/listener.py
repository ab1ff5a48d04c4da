"""Check the address of the HTTP listener, and which POSTs of Slack's and WeChat's the running bot has refused."""

import asyncio
from collections.abc import Iterator, Mapping

from bot.domain.finding import SET_THE_CLOCK, Finding, Problem, ok, warning, wrong, wrong_by
from bot.ops.doctor.setup import BotCounts, Setup
from bot.ops.doctor.transport import DEADLINE
from bot.ops.listener import ELSEWHERE, NotServed, origin, unusable
from bot.settings.access import PlatformSettings
from bot.settings.load import Address
from bot.slack.events import NotFromSlack
from bot.wechat.push import STALE_AFTER, PushRefusal

_LISTENER = "listener"
_DELIVERIES = "deliveries"
_SLACK, _WECHAT = "/slack/events", "/wechat/events"
_PROOF = "only Slack's next command can prove that SLACK_SIGNING_SECRET is the right one"
_NOT_THE_CLOCK = (
    "By now this clock is less than five minutes off: start the bot again to count anew. "
    "If it goes on, look whether the reverse proxy holds posts back."
)
_REASONS: Mapping[tuple[str, str], Problem] = {
    (path, why.name.lower()): why.value
    for path, reasons in ((_SLACK, NotFromSlack), (_WECHAT, PushRefusal), (ELSEWHERE, NotServed))
    for why in reasons
}
"""Why POSTs are refused, by their path and the reason's name in the metrics."""


async def check_listener(setup: Setup) -> list[Finding]:
    """Return whether the address can be used, or a bot answers there; nothing if no listener is needed."""
    address = setup.parts.listener
    if address is None:
        return []
    host, port = address.host, address.port
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(DEADLINE):
            # As the bot would, but without accepting connections; closed at once.
            place = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    except (OSError, ValueError) as error:
        problem = unusable(host, port, error)
        if problem.taken:
            return [_taken(address, await setup.running, (await setup.ledger).replicas)]
        return [wrong_by(_LISTENER, problem.problem)]
    place.close()
    return [ok(_LISTENER, f"{_shown(address)} can be used")]


def _taken(address: Address, bot: BotCounts | TimeoutError | None, replicas: int | None) -> Finding:
    """Return whether what listens there is this bot, judging by its metrics and the `replicas` on this ledger."""
    if isinstance(bot, BotCounts) and replicas == 0:
        found = f"a bot answers at {_shown(address)}, and none runs on this ledger"
        fix = (
            "If it is another bot, set another PORT; if it is this one, look at the end of its log."
        )
        return warning(_LISTENER, found, fix)
    if isinstance(bot, BotCounts):
        return ok(_LISTENER, f"a bot that runs answers at {_shown(address)}")
    if bot is None:
        taken = f"{_shown(address)} is taken by another program"
        return wrong(_LISTENER, taken, "Stop it, or set another PORT.")
    taken = f"{_shown(address)} is taken, and what listens there does not answer"
    fix = "If it is the bot, look at the end of its log, then restart it; else stop it, or set another PORT."
    return wrong(_LISTENER, taken, fix)


def _shown(address: Address) -> str:
    return origin(address.host, address.port).removeprefix("http://")


async def check_deliveries(setup: Setup) -> list[Finding]:
    """Return the findings about refused POSTs of Slack's and WeChat's; nothing if none are expected."""
    parts = setup.parts
    by_http = parts.slack is not None and not parts.slack.app_token
    pushed = isinstance(parts.tokens, PlatformSettings)
    if parts.listener is None or not (by_http or pushed):
        return []
    counted = await setup.running
    if not isinstance(counted, BotCounts):
        return [ok(_DELIVERIES, f"no bot answers here yet; {_PROOF}")] if by_http else []
    taken = {_SLACK: counted.acked > 0 or not by_http, _WECHAT: counted.ticket_taken or not pushed}
    taken[ELSEWHERE] = all(taken.values())
    await setup.slack  # whose answer tells the time
    off = [abs(ahead) for ahead in setup.traffic.ahead.values()]
    found = [*_wrong(counted, taken, right=bool(off) and max(off) <= STALE_AFTER)]
    if found:
        return found
    if by_http and not counted.acked:
        return [ok(_DELIVERIES, f"the bot that runs was sent nothing of Slack's yet; {_PROOF}")]
    others = sum(counted.refused.values())
    return [
        ok(_DELIVERIES, f"the bot that runs takes them; refused, as strangers' may be: {others}")
    ]


def pushes_refused(counted: BotCounts | TimeoutError | None) -> bool:
    """Return whether the bot that runs refused posts that may be WeChat's."""
    return isinstance(counted, BotCounts) and any(path != _SLACK for path, _ in counted.refused)


def _wrong(counted: BotCounts, taken: Mapping[str, bool], *, right: bool) -> Iterator[Finding]:
    """Yield what is wrong with the posts; `right` if this clock cannot be why they are refused as stale."""
    for (path, reason), times in counted.refused.items():
        others, why = taken.get(path, True), _REASONS.get((path, reason), Problem(""))
        # A stranger can post with a bad signature, but has no reason to sign at another path: one URL of several is wrong.
        if why.fix and (not others or path == ELSEWHERE):
            where = "" if path == ELSEWHERE else f" to {path}"
            posts = "one post" if times == 1 else f"{times} posts"
            found = f"the bot that runs refused {posts}{where}: {why.found}"
            fix, causes = why.fix, ("clock",) if why.fix == SET_THE_CLOCK else ()
            if causes and right:
                fix, causes = _NOT_THE_CLOCK, ()
            yield (warning if others else wrong)(_DELIVERIES, found, fix, *causes)
