"""List the cloud functions of an env: without `cloudbase_auth` among them, whoever was given a share cannot use it.

Source: developers.weixin.qq.com, "getFunctionList" (api_getfuntionlist).
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from bot.domain.readiness import Readiness
from bot.guidance import Trouble
from bot.wechat.api import Call, Declined, Troubled, read_object
from bot.wechat.owner_reader import OwnerReader

NEEDED = "cloudbase_auth"
"""What an owner's env needs before others can use it."""
PAGE = 100
_MOST_PAGES = 5
_ACTIVE = "Active"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Functions:
    """A page of an env's functions, each with its status, and how many there are in all."""

    statuses: Mapping[str, str]
    total: int


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


class FunctionLists:
    """Looks whether envs have what others need to use them."""

    def __init__(self, reader: OwnerReader) -> None:
        self._reader = reader

    async def readiness(self, owner: str, env: str) -> Readiness:
        """Return whether others can use an owner's env; not known where WeChat does not list all of its functions."""
        seen = 0
        for _ in range(_MOST_PAGES):
            call = partial(list_functions, env=env, offset=seen)
            page = await self._reader.read(owner, call, read_functions)
            if not isinstance(page, Functions):
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
