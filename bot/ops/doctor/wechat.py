"""Try each owner's token with a call that changes nothing, /tcb/getenvinfo; no token is renewed for it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import httpx

from bot.domain.outcome import Said
from bot.guidance import Guidance, Trouble
from bot.ops.doctor.check import Finding, listed, ok, unchecked, warning, wrong
from bot.ops.doctor.ledger import KeptTokens
from bot.ops.doctor.transport import DEADLINE, each
from bot.runtime.clock import Runtime
from bot.settings.tokens import (
    FixedTokenSettings,
    PlatformSettings,
    TokenServerSettings,
    TokenSettings,
)
from bot.wechat.api import Refused, Troubled, guidance_for
from bot.wechat.envs import get_env_info, read_envs
from bot.wechat.tokens import FixedToken, NoToken, TokenServer
from bot.wechat.transport import post

_NAME = "wechat"
AT_ONCE = 5
_ON_THE_WAY = {Trouble.NOT_SENT_CONNECT, Trouble.TIMEOUT, Trouble.LOST, Trouble.GATEWAY_BROKEN}
_CHECK_THE_WAY = "Check the network, the proxy and WECHAT_API_URL, then run the doctor again."

Read = Callable[[str], Awaitable[str | NoToken | None]]


def reader(
    http: httpx.AsyncClient, tokens: TokenSettings, kept: KeptTokens | None, runtime: Runtime
) -> Read:
    """Return how to get an owner's token without renewing it; None is told where the ledger has no good one."""

    async def from_the_ledger(owner: str) -> str | None:
        token = kept[owner][0] if kept and owner in kept else None
        return token.value if token and token.left > 0 else None

    match tokens:
        case FixedTokenSettings(owner, token):
            return FixedToken(owner, token).token
        case TokenServerSettings(url, authorization):
            return TokenServer(http, url, authorization, runtime.clock, DEADLINE).token
        case PlatformSettings():
            return from_the_ledger


async def check_wechat(  # noqa: PLR0913, PLR0917  # a test need not wait for the deadline
    http: httpx.AsyncClient,
    url: str,
    owners: Sequence[str],
    read: Read,
    lacking: str,
    within: float = 2 * DEADLINE,
) -> list[Finding]:
    """Return for each owner whether WeChat takes its token; reading and trying it have a deadline each.

    `lacking` is the check that says why the ledger has no token; whoever has no turn `within` so many seconds is
    not checked.
    """

    async def one(owner: str) -> Finding:
        token = await read(owner)
        if token is None:
            return unchecked(_NAME, f"{owner} has no good token in the ledger", lacking)
        if isinstance(token, NoToken):
            return failed(_NAME, owner, token.guidance, token.said)
        return await _tried(http, url, owner, token)

    found = await each(owners, one, AT_ONCE, within)
    unasked = [owner for owner in owners if owner not in found]
    return [*(found[owner] for owner in owners if owner in found), *late(_NAME, unasked)]


def late(name: str, owners: list[str]) -> list[Finding]:
    """Return the owners for whom there was no time."""
    if not owners:
        return []
    fix = "Check the network, the proxy and the addresses of WeChat and of the token server, then run the doctor again."
    return [warning(name, f"not checked, for want of time: {listed(owners)}", fix)]


async def _tried(http: httpx.AsyncClient, url: str, owner: str, token: str) -> Finding:
    envs = await post(http, url, get_env_info(token), DEADLINE, read_envs)
    if isinstance(envs, Refused | Troubled):
        found = failed(_NAME, owner, *guidance_for(envs))
        on_the_way = isinstance(envs, Troubled) and envs.trouble in _ON_THE_WAY
        return replace(found, fix=_CHECK_THE_WAY) if on_the_way else found
    return ok(_NAME, f"{owner}: WeChat takes its token; envs in service: {len(envs)}")


def failed(name: str, owner: str, guidance: Guidance, said: Said | None = None) -> Finding:
    """Return what WeChat said in place of what it was asked for."""
    code = f" ({said.errcode}{f', rid {said.rid}' if said.rid else ''})" if said else ""
    return wrong(name, f"{owner}: {guidance.title}{code}", guidance.steps[0])
