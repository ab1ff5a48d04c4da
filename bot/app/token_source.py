"""Build the token source that the settings name."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial

from bot.app.resources import Resources
from bot.domain.link import LinkState
from bot.guidance import Guidance
from bot.ledger.seal import Seal
from bot.observe.health import chain_trouble, token_trouble
from bot.runtime.listener import Handler
from bot.runtime.observers import no_op
from bot.settings.access import (
    FixedTokenSettings,
    PlatformSettings,
    TokenServerSettings,
    TokenSettings,
)
from bot.wechat.api import NoAnswer
from bot.wechat.chain import Chain
from bot.wechat.component import Component
from bot.wechat.tokens import FixedToken, TokenServer, TokenSource
from bot.wechat.upkeep import Upkeep

PUSHES = "/wechat/events"
"""The path of WeChat's pushes."""

_LAST_RENEWALS = 2.0  # seconds for renewals under way at a stop

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """A token source and the state of its tokens, and what the platform's own chain needs besides: its pushes, its upkeep.

    `states` has every link of the chain; of the other sources, the tokens with trouble alone.
    """

    tokens: TokenSource
    states: Callable[[], Sequence[LinkState]]
    answered: Callable[[Guidance | None], None] = no_op
    """Is told how WeChat answered each call with a token, as in WeChat."""
    pushes: Handler | None = None
    run: Callable[[], Coroutine[None, None, None]] | None = None
    prove: Callable[[str], Awaitable[NoAnswer | None]] | None = None
    """Renews the platform's token by another AppSecret, as Chain does."""

    def trouble(self) -> str | None:
        """Return in a few words why there is no good token, else None."""
        states = self.states()
        return chain_trouble(states) if self.pushes else token_trouble(states)


def token_source(
    stack: AsyncExitStack, resources: Resources, tokens: TokenSettings, timeout: float
) -> Source:
    """Return the token source; renewals under way are finished when the stack is closed.

    `timeout` is the seconds for a call to WeChat.
    """
    runtime = resources.runtime
    match tokens:
        case FixedTokenSettings(owner, token):
            fixed = FixedToken(owner, token, runtime.now)
            return Source(fixed, fixed.states, fixed.answered)
        case TokenServerSettings(url, authorization):
            http, renewed = resources.wechat.http, resources.observers.renewed
            clock, now = runtime.clock, runtime.now
            server = TokenServer(http, url, authorization, clock, now, renewed=renewed)
            stack.push_async_callback(server.close)
            in_force = resources.in_force
            return Source(server, lambda: server.states(in_force.policy.all_owners))
        case PlatformSettings() as platform:
            return _chain(stack, resources, platform, timeout)


def _chain(
    stack: AsyncExitStack, resources: Resources, platform: PlatformSettings, timeout: float
) -> Source:
    # Imported here: the other sources need no cryptography, which takes 7 MB.
    from bot.wechat.callback import Callback, PushHandler  # noqa: PLC0415

    if not platform.encryption_keys:
        _log.warning(
            "TOKEN_ENCRYPTION_KEY is not set: the ledger keeps tickets and tokens as they are, so guard it like a password"
        )
    runtime, in_force = resources.runtime, resources.in_force
    observers, start = resources.observers, resources.tasks.start
    tokens = resources.ledger.tokens(platform.appid, Seal(platform.encryption_keys))
    in_use = resources.secrets
    appsecret = lambda: in_use.secrets.appsecret  # noqa: E731  # read at each call
    component = Component(resources.wechat, platform.appid, appsecret, timeout, runtime.sleep)
    default = in_force.policy.default_owner  # a setting, whatever the file says
    seeds = {default: platform.refresh_token} if default and platform.refresh_token else {}
    chain = Chain(component, tokens, seeds, runtime.clock, runtime.sleep, renewed=observers.renewed)
    stack.push_async_callback(chain.close, _LAST_RENEWALS)
    upkeep = Upkeep(
        chain, tokens, lambda: in_force.policy.all_owners, runtime.jitter, runtime.clock
    )
    in_force.subscribe(lambda _: upkeep.wake())
    handler = PushHandler(chain, tokens, upkeep.wake)
    refused = partial(observers.refused, PUSHES)
    keys = lambda: in_use.secrets.on(platform)  # noqa: E731  # read at each push
    pushes = Callback(keys, handler.handle, runtime.now, start, refused).answer

    async def prove(appsecret: str) -> NoAnswer | None:
        refusal = await chain.prove(appsecret)
        if refusal is None:
            upkeep.wake()
        return refusal

    return Source(chain, upkeep.states, pushes=pushes, run=upkeep.run, prove=prove)
