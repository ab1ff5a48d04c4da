"""List the cloud functions of an env: without `cloudbase_auth` among them, whoever was given a share cannot use it.

Source: developers.weixin.qq.com, "getFunctionList" (api_getfuntionlist).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from bot.guidance import Trouble
from bot.wechat.api import Call, Declined, Troubled, read_object

NEEDED = "cloudbase_auth"
"""What an owner's env needs before others can use it."""
PAGE = 100


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
