"""What WeChat tells of an owner's envs: which there are, and whether others can use one.

Without a function `cloudbase_auth` in it, whoever an env was shared with cannot use it. Sources:
developers.weixin.qq.com, "getEnvInfo" (api_getenvinfo), "getFunctionList" (api_getfuntionlist). Whether the first
lists envs that others have shared with the owner is not documented; the policy says whose an env is.
"""

import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from bot.command import is_env
from bot.domain.outcome import Readiness
from bot.guidance import Trouble
from bot.runtime.cache import Cache
from bot.wechat.api import Call, Declined, Troubled, read_object
from bot.wechat.client import WeChat
from bot.wechat.tokens import NoToken

NEEDED = "cloudbase_auth"
"""The function that an owner's env needs before others can use it."""
PAGE = 100
_MOST_PAGES = 5
_NORMAL, _ACTIVE = "NORMAL", "Active"
_GOOD_FOR = 300.0
_BAD_FOR = 60.0
_BELIEVED_FOR = {Readiness.READY: _GOOD_FOR, Readiness.UNKNOWN: _BAD_FOR}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Functions:
    """A page of an env's functions, each with its status, and how many there are in all."""

    statuses: Mapping[str, str]
    total: int


def get_env_info(token: str) -> Call:
    """Return the call that lists the envs of the token's mini program."""
    return Call("/tcb/getenvinfo", {"access_token": token}, json.dumps({}).encode())


def read_envs(status: int, body: bytes) -> tuple[str, ...] | Declined | Troubled:
    """Return the envs that are in service; never raises. One without a status counts as such."""
    answer = read_object(status, body)
    if isinstance(answer, Declined | Troubled):
        return answer
    listed = answer.get("info_list")
    if listed is None and "errcode" in answer:
        return ()  # a yes that leaves out a list without anything in it
    if not isinstance(listed, list):
        return Troubled(Trouble.NOT_JSON)
    infos = [info for info in listed if isinstance(info, dict)]
    served = [info.get("env") for info in infos if info.get("status", _NORMAL) == _NORMAL]
    return tuple(dict.fromkeys(env for env in served if isinstance(env, str) and is_env(env)))


def list_functions(token: str, env: str, offset: int = 0) -> Call:
    """Return the call that lists the functions of an env of the token's mini program, from `offset` on."""
    body = json.dumps({"env": env, "limit": PAGE, "offset": offset}).encode()
    return Call("/tcb/listfunctions", {"access_token": token}, body)


def read_functions(status: int, body: bytes) -> Functions | Declined | Troubled:
    """Return what the answer lists; never raises. Without a list, it is an empty one only if the total says so."""
    answer = read_object(status, body)
    if isinstance(answer, Declined | Troubled):
        return answer
    total, listed = answer.get("total_count", 0), answer.get("functions") or []
    if not isinstance(total, int) or not isinstance(listed, list) or (total and not listed):
        return Troubled(Trouble.NOT_JSON)
    named = [
        each for each in listed if isinstance(each, dict) and isinstance(each.get("name"), str)
    ]
    return Functions({each["name"]: str(each.get("status") or "") for each in named}, total)


class Envs:
    """Asks for what owners' tokens may see, by one try at each call: nobody waits for it long.

    That an env is ready is believed for a while, since the function that makes it so seldom goes away; what WeChat does
    not tell is not asked for again at once. That it is not ready may be over with the next share.
    """

    def __init__(self, wechat: WeChat, clock: Callable[[], float]) -> None:
        self._wechat = wechat
        self._readiness = Cache(self._looked, clock)

    async def of(self, owner: str) -> tuple[tuple[str, ...], float]:
        """Return the owner's envs, none where WeChat does not tell, and for how many seconds to believe it."""
        found = await self._wechat.read(owner, get_env_info, read_envs)
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
            call = partial(list_functions, env=env, offset=seen)
            page = await self._wechat.read(owner, call, read_functions)
            if isinstance(page, NoToken):
                why = {"owner": owner, "reason": page.guidance.key}
                _log.info("WeChat does not list the functions of an env", extra=why)
                return Readiness.UNKNOWN
            if NEEDED in page.statuses:
                active = page.statuses[NEEDED] == _ACTIVE
                return Readiness.READY if active else Readiness.INACTIVE
            seen += PAGE
            if seen >= page.total:
                return Readiness.MISSING
        return Readiness.UNKNOWN
