"""Client for WeChat's API with owners' tokens, renewed if WeChat refuses one; else a share is retried as its guidance allows, and a read is not."""

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from itertools import count
from typing import TypeVar

from bot.domain.outcome import Called, Failed, Readiness, Shared, Step, Unknown, doubted
from bot.guidance import AutoRetry, Guidance, Trouble
from bot.runtime.cache import Cache
from bot.runtime.observers import no_op
from bot.wechat import api
from bot.wechat.tokens import TokenSource
from bot.wechat.transport import WeChatApi

MOST_TRIES = {AutoRetry.NEVER: 0, AutoRetry.ONCE: 1, AutoRetry.RENEW: 1, AutoRetry.BACKOFF: 3}
TOTAL_SECONDS = 15.0
_FIRST_PAUSE = 0.5
_LEAST_SECONDS = 0.1  # no attempt is started with less time left
_MOST_PAGES = 5  # of an env's functions
_GOOD_FOR = 300.0
_BAD_FOR = 60.0
_BELIEVED_FOR = {
    Readiness.READY: _GOOD_FOR,
    Readiness.UNKNOWN: _BAD_FOR,
    Readiness.LACKING: 2.0,
}

_Read = TypeVar("_Read")

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False, repr=False)
class WeChat:
    """Shares envs and reads what owners' tokens give access to; times are in seconds."""

    wechat: WeChatApi
    tokens: TokenSource
    _: KW_ONLY
    timeout: float
    """Of one call, from the settings."""
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    jitter: Callable[[], float]
    answered: Callable[[Guidance | None], None] = no_op
    """Called with why WeChat did not do what a call asked for, or None if it did."""

    async def read(
        self,
        owner: str,
        call: Callable[[str], api.Call],
        read: Callable[[Mapping[str, object]], _Read | api.NoAnswer],
    ) -> _Read | api.NoAnswer:
        """Return what `read` makes of the answer to `call(token)`, or why there is none.

        Not retried, unless WeChat refuses the token: then once, with a newer one.
        """
        token = await self.tokens.token(owner)
        if isinstance(token, api.NoAnswer):
            return token
        answer = await self._post(call(token), self.timeout, read)
        if not (isinstance(answer, api.NoAnswer) and answer.guidance.retry is AutoRetry.RENEW):
            return answer
        newer = await self.tokens.token(owner, token)
        if isinstance(newer, api.NoAnswer):
            return newer
        return await self._post(call(newer), self.timeout, read)

    async def share(
        self,
        owner: str,
        env: str,
        appid: str,
        on_step: Callable[[Step], None],
        may_call: Callable[[], bool],
    ) -> Called | None:
        """Share the owner's `env` with `appid` and return the outcome, after at most TOTAL_SECONDS plus two token lookups.

        Never raises. If an attempt gets no answer, the outcome is Unknown unless a later attempt succeeds. `on_step` is
        called after each step; `may_call` is called before each attempt and can forbid it: then there is no outcome.
        """
        try:
            return await self._share(owner, env, appid, on_step, may_call)
        except Exception:  # noqa: BLE001  # the requester has to get an answer
            _log.exception("unforeseen error")
            return Unknown(Trouble.BUG.value)

    async def _share(
        self,
        owner: str,
        env: str,
        appid: str,
        on_step: Callable[[Step], None],
        may_call: Callable[[], bool],
    ) -> Called | None:
        token = await self.tokens.token(owner)
        if isinstance(token, api.NoAnswer):
            return _failed(token, 0)
        if not may_call():
            return None
        end = self.clock() + TOTAL_SECONDS
        used: Counter[AutoRetry] = Counter()
        in_doubt = False
        for tries in count(1):
            began = self.clock()
            left = max(end - began, _LEAST_SECONDS)  # a pause may take longer than it should
            call, seconds = api.share_env(token, env, appid), min(self.timeout, left)
            answer = await self._post(call, seconds, api.read_done)
            took = self.clock() - began
            if answer is None:
                on_step(Step("call", took, "done"))
                return Shared(tries)
            guidance = answer.guidance
            on_step(Step("call", took, guidance.key, answer.said))
            failed = _failed(answer, tries)
            in_doubt = in_doubt or guidance.in_doubt
            used[guidance.retry] += 1
            if used[guidance.retry] > MOST_TRIES[guidance.retry]:
                break
            if guidance.retry is AutoRetry.RENEW:
                began = self.clock()
                newer = await self.tokens.token(owner, token)
                took = self.clock() - began
                if isinstance(newer, api.NoAnswer):
                    on_step(Step("renewal", took, newer.guidance.key, newer.said))
                    failed = _failed(replace(newer, said=newer.said or answer.said), tries)
                    break
                on_step(Step("renewal", took, "renewed"))
                # A renewal has a limit of its own; without a call with the new token, its words would not be true.
                token, end = newer, end + took
            pause = self._pause(guidance.retry, used)
            if self.clock() + pause + _LEAST_SECONDS > end:
                break
            await self.sleep(pause)
            if not may_call():
                return None
        return doubted(failed) if in_doubt else failed

    async def _post(
        self,
        call: api.Call,
        seconds: float,
        read: Callable[[Mapping[str, object]], _Read | api.NoAnswer],
    ) -> _Read | api.NoAnswer:
        answer = await self.wechat.post(call, seconds, read)
        self.answered(answer.guidance if isinstance(answer, api.NoAnswer) else None)
        return answer

    def _pause(self, retry: AutoRetry, used: Counter[AutoRetry]) -> float:
        """Return the pause before the next attempt: exponential backoff with jitter."""
        if retry is AutoRetry.RENEW:
            return 0.0
        return float(_FIRST_PAUSE * 2 ** (used[retry] - 1) * (0.5 + self.jitter()))


def _failed(answer: api.NoAnswer, tries: int) -> Failed:
    return Failed(answer.guidance, answer.said, tries, answer.link, answer.status)


class Envs:
    """Reads what owners' envs are and whether they are ready for other mini programs.

    A mini program cannot use a shared env without the function `cloudbase_auth` in it. "Ready" is cached for five minutes,
    since that function is rarely removed, and "unknown" for one. "Not ready" may be fixed at any time: it is cached for two
    seconds, so that a batch can look it up just before its end.
    """

    def __init__(self, wechat: WeChat, clock: Callable[[], float], ready_for: float) -> None:
        self._wechat, self._most = wechat, ready_for
        self._readiness = Cache(self._read_readiness, clock)

    async def of(self, owner: str) -> tuple[tuple[str, ...], float]:
        """Return the owner's envs, none if WeChat does not list them, and for how many seconds this may be cached."""
        found = await self._wechat.read(owner, api.get_env_info, api.read_envs)
        if not isinstance(found, api.NoAnswer):
            return found, _GOOD_FOR
        why = {"owner": owner, **found.facts}
        _log.warning("WeChat does not list the envs of an owner", extra=why)
        return (), _BAD_FOR

    def readiness(self, owner: str, env: str) -> Awaitable[Readiness]:
        """Return whether other mini programs can use an env; UNKNOWN if WeChat does not list its functions, or has too many."""
        return self._readiness.get(f"{owner} {env}")

    async def close(self) -> None:
        """Cancel pending reads."""
        await self._readiness.close()

    async def _read_readiness(self, owner_and_env: str) -> tuple[Readiness, float]:
        owner, env = owner_and_env.split(" ")
        seen = 0
        for _ in range(_MOST_PAGES):
            call = partial(api.list_functions, env=env, offset=seen)
            read = partial(api.read_readiness, offset=seen)
            found = await self._wechat.read(owner, call, read)
            if not isinstance(found, int):
                break
            seen = found
        if isinstance(found, api.NoAnswer):
            why = {"owner": owner, "reason": found.guidance.key}
            _log.info("WeChat does not list the functions of an env", extra=why)
        readiness = found if isinstance(found, Readiness) else Readiness.UNKNOWN
        return readiness, min(self._most, _BELIEVED_FOR[readiness])
