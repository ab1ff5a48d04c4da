"""Check each owner's token with a read-only call, /tcb/getenvinfo; no token is renewed."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus

import httpx

from bot.domain.finding import Finding, at, ok, unchecked, wrong
from bot.domain.in_general import fix_of, in_general
from bot.domain.sentence import Sentence
from bot.guidance import AutoRetry, EnvList, Guidance, Trouble, for_code
from bot.ops.doctor.findings import in_the_way, listed
from bot.ops.doctor.ledger import LedgerLook
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.transport import DEADLINE, each
from bot.policy.lint import envs_in_vain
from bot.runtime.clock import Runtime
from bot.settings.access import (
    FixedTokenSettings,
    PlatformSettings,
    TokenServerSettings,
    TokenSettings,
)
from bot.wechat.api import NoAnswer, get_env_info, in_service, read_envs
from bot.wechat.tokens import FixedToken, TokenServer
from bot.wechat.transport import WeChatApi

_NAME = "wechat"
_WECHAT = Sentence("WeChat")
_AT_ONCE = 5
_ON_THE_WAY = {
    each.value
    for each in (Trouble.NOT_SENT_CONNECT, Trouble.TIMEOUT, Trouble.LOST, Trouble.GATEWAY_BROKEN)
}
_INCOMPLETE = Sentence("the settings for WeChat, or for the policy, are incomplete")
_NOT_THERE = {
    each.value
    for each in (
        *(Trouble.GATEWAY_CLOSED, Trouble.GATEWAY_REFUSED),
        *(Trouble.TOKEN_SERVER_DOWN, Trouble.TOKEN_SERVER_SLOW),
    )
}
_CAUSES: Mapping[Guidance, tuple[str, ...]] = {
    Trouble.TOKEN_FIXED_OTHER_OWNER.value: ("settings",),
    for_code(48001): ("permissions",),
    **dict.fromkeys(map(for_code, (40164, 61004)), ("platform-token", "permissions")),
    **dict.fromkeys(_ON_THE_WAY | _NOT_THERE, ("proxies", "platform-token", "permissions")),
}
"""The checks that explain a failure if they fail too, each before those that it may explain."""
_FIXED_DEAD = Trouble.TOKEN_FIXED_DEAD.value
_LATER = Sentence(
    "Run the doctor again in some minutes. If WeChat still says so, post the rid at developers.weixin.qq.com (服务商专区)."
)
_ASK_WHO_RUNS_IT = Sentence(
    "Ask who runs what HTTPS_PROXY or WECHAT_API_URL name, or the network's gateway: WeChat itself uses no such status. Then run the doctor again."
)
_CHECK_THE_WAY = Sentence(
    "Check the network, the proxy and WECHAT_API_URL, then run the doctor again."
)

Read = Callable[[str], Awaitable[str | NoAnswer | None]]


def reader(
    http: httpx.AsyncClient, tokens: TokenSettings, ledger: LedgerLook, runtime: Runtime
) -> Read:
    """Return a function that gets an owner's token without renewing it; None if the ledger has no valid one."""

    async def from_the_ledger(owner: str) -> str | None:
        return ledger.good(owner)

    match tokens:
        case FixedTokenSettings(owner, token):
            return FixedToken(owner, token, runtime.now).token
        case TokenServerSettings(url, authorization):
            clock, now = runtime.clock, runtime.now
            return TokenServer(http, url, authorization, clock, now, DEADLINE).token
        case PlatformSettings():
            return from_the_ledger


async def check_wechat(setup: Setup) -> list[Finding]:
    """Return for each owner whether WeChat accepts its token; getting and trying a token have a deadline each."""
    parts = setup.parts
    if parts.tokens is None or parts.wechat_url is None or parts.tested is None:
        return [unchecked(_NAME, _INCOMPLETE, "settings")]
    read = reader(setup.http, parts.tokens, setup.ledger, setup.runtime)
    fixed = isinstance(parts.tokens, FixedTokenSettings)
    wechat = WeChatApi(setup.http, parts.wechat_url, setup.runtime.clock)
    held = dict[str, Sequence[str]]()

    async def one(owner: str) -> Finding:
        token = await read(owner)
        if token is None:
            why = Sentence("{owner} has no good token in the ledger", owner=owner)
            return unchecked(_NAME, why, "owner-token", "ledger")
        if isinstance(token, NoAnswer):
            return failed(_NAME, token, Sentence("the token server"))
        answer = await wechat.post(get_env_info(token), DEADLINE, read_envs)
        if not isinstance(answer, NoAnswer):
            held[owner] = in_service(answer)
        return _tried(owner, answer, fixed=fixed)

    found = await check_owners(_NAME, setup.owners, one)
    return [*found, *envs_in_vain(parts.tested.policy, held)]


async def check_owners(
    name: str,
    owners: Sequence[str],
    check: Callable[[str], Awaitable[Finding]],
    within: float = 2 * DEADLINE,
) -> list[Finding]:
    """Return the findings in the order of the owners; equal problems once, with their owners.

    Owners that are not reached `within` so many seconds are reported as not checked.
    """
    found = await each(owners, check, _AT_ONCE, within)
    alike: dict[Finding, list[str]] = {}
    for owner in owners:
        if owner in found:
            alike.setdefault(found[owner], []).append(owner)
    told = [
        replace(what, found=at(listed(whose), what.found))
        if what.level == "wrong" and not what.unreached
        else what
        for what, whose in alike.items()
    ]
    if late := [owner for owner in owners if owner not in found]:
        told.append(unchecked(name, Sentence("there was no time for {late}", late=listed(late))))
    return told


def _tried(owner: str, answer: EnvList | NoAnswer, *, fixed: bool) -> Finding:
    match answer:
        case NoAnswer(status=HTTPStatus.NOT_FOUND):
            fix = Sentence(
                "Set it to https://api.weixin.qq.com, or take it out, then run the doctor again."
            )
            return wrong(
                _NAME, Sentence("what answers at WECHAT_API_URL is not WeChat (HTTP 404)"), fix
            )
        case NoAnswer(guidance):
            no = failed(_NAME, answer)
            if guidance is Trouble.GATEWAY_BROKEN.value:
                found = Sentence(
                    "a gateway or proxy answered with an error page instead of WeChat (HTTP {status})",
                    status=answer.status,
                )
                return wrong(_NAME, found, _ASK_WHO_RUNS_IT, *no.causes)
            if guidance in _ON_THE_WAY and not answer.way:
                return replace(no, fix=_CHECK_THE_WAY)
            dead = fixed and guidance.retry is AutoRetry.RENEW
            return replace(no, fix=first_step(_FIXED_DEAD)) if dead else no
        case envs:
            return ok(
                _NAME,
                Sentence(
                    "{owner}: WeChat takes its token; envs in service: {count}",
                    owner=owner,
                    count=len(in_service(envs)),
                ),
            )


def failed(name: str, no: NoAnswer, server: str = _WECHAT) -> Finding:
    """Return why there is no answer, of WeChat or of another `server`, as a finding that applies to any owner."""
    if no.way:
        return in_the_way(name, server, no.way)
    if no.came:
        return wrong(name, no.problem.found, no.problem.fix)
    guidance, said = no.guidance, no.said
    found = in_general(guidance.title)
    if said:
        code = f"{said.errcode}{f', rid {said.rid}' if said.rid else ''}"
        found = Sentence("{title} ({code})", title=found, code=code)
    if said and said.errmsg and guidance.read:
        found = Sentence("{found}; WeChat said: {errmsg}", found=found, errmsg=said.errmsg)
    causes = causes_of(guidance, name)
    return wrong(name, found, first_step(guidance), *causes)


def causes_of(guidance: Guidance, name: str) -> tuple[str, ...]:
    """Return the checks, of those before `name`, that explain why it failed so, if they fail too."""
    causes = _CAUSES.get(guidance, ())
    return causes[: causes.index(name)] if name in causes else causes


def first_step(guidance: Guidance) -> str:
    """Return what to do first about a problem with an owner, in words that name neither owner nor env."""
    # What sends a requester to the people who run this bot would send them to themselves.
    return _LATER if "{contact}" in guidance.steps[0] else fix_of(guidance)
