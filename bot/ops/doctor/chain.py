"""Check token source 3: WeChat's pushes, each link of the chain in the ledger, its encryption, and permissions."""

from collections.abc import Iterator, Mapping, Sequence

from bot.domain.finding import Finding, Level, at, ok, unchecked, warning, wrong
from bot.domain.in_general import fix_of, in_general
from bot.domain.link import Link, LinkState
from bot.domain.sentence import SEMICOLON, Sentence, joined
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
        Sentence(
            "Keep the older key in TOKEN_ENCRYPTION_KEY until each was renewed once, in two hours."
        ),
    ),
    Sealed.PLAIN: (
        "warning",
        Sentence(
            "Start the bot with TOKEN_ENCRYPTION_KEY. Within two hours each is renewed, and encrypted."
        ),
    ),
    Sealed.LOST: (
        "wrong",
        PUT_BACK,
    ),
}
_START = Sentence("Start the bot, and look at its log.")
_COMPARE = Sentence(
    "At open.weixin.qq.com compare 授权事件接收URL with the bot's address; check the reverse proxy, HOST and PORT; look for “delivery refused” in the bot's log."
)
_SEEN_LATELY = 30 * 60.0
"""Seconds within which WeChat's last ticket should have come: it pushes one every ten minutes."""
_PERMISSIONS = "permissions"
_CLOUDBASE, _DEVELOPMENT = 49, 18
_BOTH_GRANTED = Sentence(
    "permission sets 49 and 18 are granted, so only the platform's developers can open its CloudBase console (extAppid)"
)


async def check_chain(setup: Setup) -> list[Finding]:
    """Return the findings about each link, if the bot keeps a chain."""
    if not isinstance(setup.parts.tokens, PlatformSettings):
        return []
    ledger, kept = setup.ledger, setup.ledger.kept
    if kept is None:
        return [
            unchecked(
                "callback", Sentence("the ledger cannot be read, or is not there yet"), "ledger"
            )
        ]
    ticket = kept[TICKET][0] if TICKET in kept else None
    states = link_states({name: each for name, (each, _) in kept.items()}, setup.owners)
    where = Sentence("Look at the log of the bot that runs.") if ledger.replicas else _START
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
            yield Finding("encryption", level, at(", ".join(names), state.value), fix)


def _callback(ticket: StoredToken | None, fix: str, causes: Sequence[str]) -> Finding:
    found = Sentence("WeChat has pushed no ticket yet")
    if ticket and ticket.issued is not None:
        age = ticket.life - ticket.left
        found = Sentence("WeChat's last ticket came {minutes} minutes ago", minutes=int(age // 60))
        if age <= _SEEN_LATELY:
            return ok("callback", found)
    return warning("callback", found, fix, *causes)


def _link(state: LinkState, where: str, *, lost: bool) -> Finding:
    """Return the finding about a link; `where` says where to look if no failure is known; `lost` is its key."""
    name, before = _LINKS[state.link]
    fix, why, causes = where, list[str](), ["encryption"] * lost
    if trouble := state.trouble:
        fix = first_step(trouble)
        failed_at, title = utc(state.trouble_at), in_general(trouble.title)
        why = [Sentence("the last try failed ({at}): {title}", at=failed_at, title=title)]
        if state.address:
            why = [Sentence("{why} ({address})", why=why[0], address=state.address)]
        causes += causes_of(trouble, name)
    causes.append(before)
    if state.good_until is None:
        none = joined([Sentence("there is no good one"), *why], SEMICOLON)
        return wrong(name, _of(state.owner, none), fix, *causes)
    until, renewed = utc(state.good_until), utc(state.renewed)
    good = Sentence("good until {until}, renewed {renewed}", until=until, renewed=renewed)
    found = _of(state.owner, joined([good, *why], SEMICOLON))
    return warning(name, found, fix, *causes) if why else ok(name, found)


def _of(owner: str | None, found: str) -> str:
    return at(owner, found) if owner else found


async def check_permissions(setup: Setup) -> list[Finding]:
    """Return for each owner whether sets 49 and 18 are granted, by the ledger's platform token; nothing is renewed.

    With both, WeChat closes the CloudBase console to the owner's admin (cloudbase/common/problem).
    """
    platform, url, owners = setup.parts.tokens, setup.parts.wechat_url, setup.owners
    if not isinstance(platform, PlatformSettings) or url is None or not owners:
        return []
    value = setup.ledger.good(COMPONENT)
    if value is None:
        why = Sentence("the platform has no good token in the ledger")
        return [unchecked(_PERMISSIONS, why, "platform-token", "ledger")]
    runtime = setup.runtime
    wechat = WeChatApi(setup.http, url, runtime.clock)
    component = Component(
        wechat, platform.appid, lambda: platform.appsecret, DEADLINE, runtime.sleep
    )

    async def one(owner: str) -> Finding:
        told = await component.info(value, owner)
        if isinstance(told, NoAnswer):
            return failed(_PERMISSIONS, told)
        fix = fix_of(for_code(48001))
        if _CLOUDBASE not in told.granted:
            return wrong(
                _PERMISSIONS,
                Sentence("permission set {number} is not granted", number=_CLOUDBASE),
                fix,
            )
        if _DEVELOPMENT not in told.granted:
            lacking = Sentence(
                "{owner}: permission set {number} is not granted, which goes with {other}",
                owner=owner,
                number=_DEVELOPMENT,
                other=_CLOUDBASE,
            )
            return warning(_PERMISSIONS, lacking, fix)
        return ok(_PERMISSIONS, at(owner, _BOTH_GRANTED))

    return await check_owners(_PERMISSIONS, owners, one)
