"""Call WeChat's API with owners' tokens: a share by as many tries as the guidance grants, what is only read by one."""

import logging
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import TypeVar

from bot.domain.outcome import Called, Failed, Readiness, Shared, Step, Unknown
from bot.guidance import AutoRetry
from bot.runtime.cache import Cache
from bot.wechat import api
from bot.wechat.tokens import NoToken, TokenSource
from bot.wechat.transport import WeChatApi

MOST_TRIES = {AutoRetry.NEVER: 0, AutoRetry.ONCE: 1, AutoRetry.RENEW: 1, AutoRetry.BACKOFF: 3}
TOTAL_SECONDS = 15.0
_FIRST_PAUSE = 0.5
_LEAST_SECONDS = 0.1  # a try with less time than this is not worth starting
NEEDED = "cloudbase_auth"
"""The function that an owner's env needs before others can use it."""
_MOST_PAGES = 5
_ACTIVE = "Active"
_GOOD_FOR = 300.0
_BAD_FOR = 60.0
_BELIEVED_FOR = {Readiness.READY: _GOOD_FOR, Readiness.UNKNOWN: _BAD_FOR}

_Read = TypeVar("_Read")

_log = logging.getLogger(__name__)


async def _always() -> bool:
    return True


class WeChat:
    """WeChat's API for whoever holds a token of an owner's; times in seconds."""

    def __init__(  # noqa: PLR0913  # its clock, its sleep and its dice are passed in
        self,
        wechat: WeChatApi,
        tokens: TokenSource,
        *,
        timeout: float,  # of one call, from the settings
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._api = wechat
        self._tokens = tokens
        self._timeout = timeout
        self._clock = clock
        self._sleep = sleep
        self._jitter = jitter

    async def read(
        self,
        owner: str,
        call: Callable[[str], api.Call],
        read: Callable[[Mapping[str, object]], _Read | api.Troubled],
    ) -> _Read | NoToken:
        """Return what `read` finds in the answer to `call`, which is made for a token; else why there is nothing."""
        token = await self._tokens.token(owner)
        if isinstance(token, NoToken):
            return token
        found = await self._api.post(call(token), self._timeout, read)
        if isinstance(found, api.Declined | api.Troubled):
            return NoToken(*api.guidance_for(found))
        return found

    async def share(
        self,
        owner: str,
        env: str,
        appid: str,
        told: Callable[[Step], None] = lambda _: None,
        may_again: Callable[[], Awaitable[bool]] = _always,
    ) -> Called:
        """Return how sharing the owner's `env` with `appid` ended, after at most TOTAL_SECONDS and two readings of a token.

        A try without an answer leaves the outcome Unknown, unless a later one gets a yes. `told` hears of each step;
        `may_again` is asked before each try but the first.
        """
        token = await self._tokens.token(owner)
        if isinstance(token, NoToken):
            return Failed(token.guidance, token.said, 0, token.link)
        end = self._clock() + TOTAL_SECONDS
        used: Counter[AutoRetry] = Counter()
        in_doubt = False
        link = status = None
        tries = 0
        while True:
            tries += 1
            began = self._clock()
            call, seconds = api.share_env(token, env, appid), min(self._timeout, end - began)
            answer = await self._api.post(call, seconds, api.read)
            took = self._clock() - began
            if isinstance(answer, api.Done):
                told(Step("call", took, "done"))
                return Shared(tries)
            guidance, said = api.guidance_for(answer)
            status = answer.status if isinstance(answer, api.Troubled) else None
            told(Step("call", took, guidance.key, said))
            in_doubt = in_doubt or guidance.in_doubt
            used[guidance.retry] += 1
            if used[guidance.retry] > MOST_TRIES[guidance.retry]:
                break
            if guidance.retry is AutoRetry.RENEW:
                newer = await self._renewed(owner, token, told)
                if isinstance(newer, NoToken):
                    status = None
                    guidance, said, link = newer.guidance, newer.said or said, newer.link
                    break
                token = newer
            pause = self._pause(guidance.retry, used)
            if self._clock() + pause + _LEAST_SECONDS > end:
                break
            await self._sleep(pause)
            if not await may_again() or self._clock() + _LEAST_SECONDS > end:
                break
        if in_doubt:
            return Unknown(guidance, said, tries, status)
        return Failed(guidance, said, tries, link, status)

    async def _renewed(
        self, owner: str, refused: str, told: Callable[[Step], None]
    ) -> str | NoToken:
        began = self._clock()
        newer = await self._tokens.renew(owner, refused)
        took = self._clock() - began
        if isinstance(newer, NoToken):
            told(Step("renewal", took, newer.guidance.key, newer.said))
        else:
            told(Step("renewal", took, "renewed"))
        return newer

    def _pause(self, retry: AutoRetry, used: Counter[AutoRetry]) -> float:
        """Return how long to wait: twice as long each time, spread so that requests do not march in step."""
        if retry is AutoRetry.RENEW:
            return 0.0
        return float(_FIRST_PAUSE * 2 ** (used[retry] - 1) * (0.5 + self._jitter()))


class Envs:
    """Asks for what owners' tokens may see, by one try at each call: nobody waits for it long.

    Without a function `cloudbase_auth` in it, whoever an env was shared with cannot use it. That an env is ready is believed for a while, since the function that makes it so seldom goes away; what WeChat does
    not tell is not asked for again at once. That it is not ready may be over with the next share.
    """

    def __init__(self, wechat: WeChat, clock: Callable[[], float]) -> None:
        self._wechat = wechat
        self._readiness = Cache(self._looked, clock)

    async def of(self, owner: str) -> tuple[tuple[str, ...], float]:
        """Return the owner's envs, none where WeChat does not tell, and for how many seconds to believe it."""
        found = await self._wechat.read(owner, api.get_env_info, api.read_envs)
        if not isinstance(found, NoToken):
            return found, _GOOD_FOR
        said = {"errcode": found.said.errcode, "rid": found.said.rid} if found.said else {}
        why = {"owner": owner, "reason": found.guidance.key, **said}
        _log.warning("WeChat does not list the envs of an owner", extra=why)
        return (), _BAD_FOR

    async def readiness(self, owner: str, env: str) -> Readiness:
        """Return whether others can use an owner's env; not known where WeChat does not list all of its functions."""
        return await self._readiness.get(f"{owner} {env}")

    async def close(self) -> None:
        """Give up what is being read."""
        await self._readiness.close()

    async def _looked(self, owner_and_env: str) -> tuple[Readiness, float]:
        found = await self._look(*owner_and_env.split(" "))
        return found, _BELIEVED_FOR.get(found, 0.0)

    async def _look(self, owner: str, env: str) -> Readiness:
        seen = 0
        for _ in range(_MOST_PAGES):
            call = partial(api.list_functions, env=env, offset=seen)
            page = await self._wechat.read(owner, call, api.read_functions)
            if isinstance(page, NoToken):
                why = {"owner": owner, "reason": page.guidance.key}
                _log.info("WeChat does not list the functions of an env", extra=why)
                return Readiness.UNKNOWN
            if NEEDED in page.statuses:
                active = page.statuses[NEEDED] == _ACTIVE
                return Readiness.READY if active else Readiness.INACTIVE
            seen += api.PAGE
            if seen >= page.total:
                return Readiness.MISSING
        return Readiness.UNKNOWN
