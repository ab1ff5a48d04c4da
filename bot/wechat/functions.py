"""List the cloud functions of an env: without `cloudbase_auth` among them, whoever was given a share cannot use it.

Source: developers.weixin.qq.com, "getFunctionList" (api_getfuntionlist).
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from bot.domain.readiness import Readiness
from bot.guidance import Trouble
from bot.runtime.observers import CalledWeChat, nobody
from bot.wechat.api import Call, Declined, Troubled, read_object
from bot.wechat.tokens import NoToken, TokenSource
from bot.wechat.transport import post

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
    """Looks whether envs have what others need to use them; one try each, since nobody waits for it long."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        url: str,
        tokens: TokenSource,
        timeout: float,
        called: CalledWeChat = nobody,
    ) -> None:
        self._http = http
        self._url = url
        self._tokens = tokens
        self._timeout = timeout
        self._called = called

    async def readiness(self, owner: str, env: str) -> Readiness:
        """Return whether others can use an owner's env; not known where WeChat does not list all of its functions."""
        token = await self._tokens.token(owner)
        if isinstance(token, NoToken):
            return Readiness.UNKNOWN
        seen = 0
        for _ in range(_MOST_PAGES):
            call = list_functions(token, env, seen)
            page = await post(
                self._http, self._url, call, self._timeout, read_functions, self._called
            )
            if not isinstance(page, Functions):
                why = page.said.errcode if isinstance(page, Declined) else page.trouble.value
                _log.info("WeChat does not list the functions of an env", extra={"reason": why})
                return Readiness.UNKNOWN
            if NEEDED in page.statuses:
                active = page.statuses[NEEDED] == _ACTIVE
                return Readiness.READY if active else Readiness.INACTIVE
            seen += PAGE
            if seen >= page.total:
                return Readiness.MISSING
        return Readiness.UNKNOWN
