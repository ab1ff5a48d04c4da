"""Check token source 3: WeChat's pushes, each link of the chain in the ledger, its encryption, and permissions."""

from collections.abc import Iterator, Mapping, Sequence

from bot.domain.finding import Finding, Level, ok, unchecked, warning, wrong
from bot.domain.in_general import fix_of
from bot.domain.link import Link, LinkState
from bot.guidance import for_code
from bot.ledger.seal import PUT_BACK, Sealed
from bot.ledger.tokens import COMPONENT, TICKET, StoredToken
from bot.ops.doctor.findings import utc
from bot.ops.doctor.ledger import StoredTokens
from bot.ops.doctor.listener import pushes_refused
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.transport import DEADLINE
from bot.ops.doctor.wechat import causes_of, check_owners, failed, first_step
from bot.settings.access import PlatformSettings
from bot.wechat.api import NoAnswer
from bot.wechat.component import Component
from bot.wechat.transport import WeChatApi
from bot.wechat.upkeep import link_states

_LINKS = {
    Link.TICKET: ("ticket", "callback"),
    Link.PLATFORM: ("platform-token", "ticket"),
    Link.OWNER: ("owner-token", "platform-token"),
}
"""For each link its check, and the check of what it is obtained with."""
_SEALED: Mapping[Sealed, tuple[Level, str | None]] = {
    Sealed.NEWEST: ("ok", None),
    Sealed.OLDER: (
        "warning",
        "Keep the older key in TOKEN_ENCRYPTION_KEY until each was renewed once, in two hours.",
    ),
    Sealed.PLAIN: (
        "warning",
        "Start the bot with TOKEN_ENCRYPTION_KEY. Within two hours each is renewed, and encrypted.",
    ),
    Sealed.LOST: (
        "wrong",
        PUT_BACK,
    ),
}
_START = "Start the bot, and look at its log."
_COMPARE = (
    "At open.weixin.qq.com compare 授权事件接收URL with the bot's address; check the reverse proxy, HOST and PORT; "
    "look for “delivery refused” in the bot's log."
)
_SEEN_LATELY = 30 * 60.0
"""Seconds within which WeChat's last ticket should have come: it pushes one every ten minutes."""
_PERMISSIONS = "permissions"
_CLOUDBASE, _DEVELOPMENT = 49, 18
_BOTH_GRANTED = "permission sets 49 and 18 are granted, so only the platform's developers can open its CloudBase console (extAppid)"


async def check_chain(setup: Setup) -> list[Finding]:
    """Return the findings about each link, if the bot keeps a chain."""
    if not isinstance(setup.parts.tokens, PlatformSettings):
        return []
    ledger, kept = setup.ledger, setup.ledger.kept
    if kept is None:
        return [unchecked("callback", "the ledger cannot be read, or is not there yet", "ledger")]
    ticket = kept[TICKET][0] if TICKET in kept else None
    states = link_states({name: each for name, (each, _) in kept.items()}, setup.owners)
    where = "Look at the log of the bot that runs." if ledger.replicas else _START
    lost = {name for name, (_, found) in kept.items() if Sealed.LOST in found}
    names = (TICKET, COMPONENT, *setup.owners)
    links = [
        _link(each, where, lost=name in lost) for name, each in zip(names, states, strict=True)
    ]
    fix = _COMPARE if ledger.replicas else _START
    causes = ("deliveries",) if pushes_refused(setup.running) else ()
    return [_callback(ticket, fix, causes), *links, *_encryption(kept)]


def _encryption(kept: StoredTokens) -> Iterator[Finding]:
    """Yield how the tokens are encrypted."""
    for state in Sealed:
        names = sorted(
            _LINKS[Link.PLATFORM][0] if name == COMPONENT else name
            for name, (_, found) in kept.items()
            if state in found
        )
        if names:
            level, fix = _SEALED[state]
            yield Finding("encryption", level, f"{', '.join(names)}: {state.value}", fix)


def _callback(ticket: StoredToken | None, fix: str, causes: Sequence[str]) -> Finding:
    found = "WeChat has pushed no ticket yet"
    if ticket and ticket.issued is not None:
        age = ticket.life - ticket.left
        found = f"WeChat's last ticket came {int(age // 60)} minutes ago"
        if age <= _SEEN_LATELY:
            return ok("callback", found)
    return warning("callback", found, fix, *causes)


def _link(state: LinkState, where: str, *, lost: bool) -> Finding:
    """Return the finding about a link; `where` says where to look if no failure is known; `lost` is its key."""
    name, before = _LINKS[state.link]
    whose = f"{state.owner}: " if state.owner else ""
    fix, why, causes = where, "", ["encryption"] * lost
    if trouble := state.trouble:
        fix = first_step(trouble)
        why = f"; the last try failed ({utc(state.trouble_at)}): {trouble.title}"
        why += f" ({state.address})" if state.address else ""
        causes += causes_of(trouble, name)
    causes.append(before)
    if state.good_until is None:
        return wrong(name, f"{whose}there is no good one{why}", fix, *causes)
    good = f"{whose}good until {utc(state.good_until)}, renewed {utc(state.renewed)}{why}"
    return warning(name, good, fix, *causes) if why else ok(name, good)


async def check_permissions(setup: Setup) -> list[Finding]:
    """Return for each owner whether sets 49 and 18 are granted, by the ledger's platform token; nothing is renewed.

    With both, WeChat closes the CloudBase console to the owner's admin (cloudbase/common/problem).
    """
    platform, url, owners = setup.parts.tokens, setup.parts.wechat_url, setup.owners
    if not isinstance(platform, PlatformSettings) or url is None or not owners:
        return []
    value = setup.ledger.good(COMPONENT)
    if value is None:
        why = "the platform has no good token in the ledger"
        return [unchecked(_PERMISSIONS, why, "platform-token", "ledger")]
    runtime = setup.runtime
    wechat = WeChatApi(setup.http, url, runtime.clock)
    component = Component(wechat, platform.appid, platform.appsecret, DEADLINE, runtime.sleep)

    async def one(owner: str) -> Finding:
        told = await component.info(value, owner)
        if isinstance(told, NoAnswer):
            return failed(_PERMISSIONS, told)
        fix = fix_of(for_code(48001))
        if _CLOUDBASE not in told.granted:
            return wrong(_PERMISSIONS, f"permission set {_CLOUDBASE} is not granted", fix)
        if _DEVELOPMENT not in told.granted:
            lacking = f"{owner}: permission set {_DEVELOPMENT} is not granted, which goes with {_CLOUDBASE}"
            return warning(_PERMISSIONS, lacking, fix)
        return ok(_PERMISSIONS, f"{owner}: {_BOTH_GRANTED}")

    return await check_owners(_PERMISSIONS, owners, one)
