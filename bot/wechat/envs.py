"""List the envs of an owner, for those who look for one: what WeChat does not tell is no mistake of theirs.

Source: developers.weixin.qq.com, "getEnvInfo" (api_getenvinfo). Whether it lists envs that others have shared with
the owner is not documented; the policy says whose an env is.
"""

import json
import logging

from bot.command import is_env
from bot.guidance import Trouble
from bot.wechat.api import Call, Declined, Troubled, read_object
from bot.wechat.owner_reader import OwnerReader

_NORMAL = "NORMAL"
_GOOD_FOR = 300.0
_BAD_FOR = 60.0

_log = logging.getLogger(__name__)


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


class Envs:
    """Reads the envs of owners."""

    def __init__(self, reader: OwnerReader) -> None:
        self._reader = reader

    async def of(self, owner: str) -> tuple[tuple[str, ...], float]:
        """Return the owner's envs, none where WeChat does not tell, and for how many seconds to believe it."""
        found = await self._reader.read(owner, get_env_info, read_envs)
        if isinstance(found, tuple):
            return found, _GOOD_FOR
        said = {"errcode": found.said.errcode, "rid": found.said.rid} if found.said else {}
        why = {"owner": owner, "reason": found.guidance.key, **said}
        _log.warning("WeChat does not list the envs of an owner", extra=why)
        return (), _BAD_FOR
