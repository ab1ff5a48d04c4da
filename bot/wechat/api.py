"""Build the calls that an owner's token is for, and read any answer to them: bytes in, a closed set of results out. No I/O.

Sources: developers.weixin.qq.com, "shareEnv" (api_shareenv), "getEnvInfo" (api_getenvinfo), "getFunctionList"
(api_getfuntionlist). What answers really look like, beyond the pages: errors come with HTTP 200, content types lie,
`errcode` may be text, and `errmsg` ends with a `rid`. Whether the second lists envs that others have shared with the
owner is not documented; the policy says whose an env is.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bot.command import is_env
from bot.domain.outcome import ERRMSG_LIMIT, Said
from bot.guidance import Guidance, Trouble, for_code, for_trouble

BODY_LIMIT = 1024 * 1024
PAGE = 100
"""How many functions one call lists at most."""

_NORMAL = "NORMAL"
_LONGEST_ERRCODE = 10  # digits; WeChat's are up to seven, and whoever reads one here may print it
_ERRCODE = re.compile(rf"\s*-?[0-9]{{1,{_LONGEST_ERRCODE}}}\s*")  # int() takes more for a zero
# WeChat's tokens are longer than this, and whatever answers in its place may repeat one in its text.
_SECRET = re.compile(r"[\w@=+-]{32,}", re.ASCII)
_RID = re.compile(r" ?\brid: ?([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})")
_HINT = re.compile(r" ?\bhint: ?\[[^\]]*\]")  # the id of a log at WeChat, and often all there is
# The advice in the text of 40001, up to the text's end: that call is not for platforms (page getStableAccessToken).
_STABLE = re.compile(r",? ?could get access_token by getStableAccessToken.*")
_OK, _REDIRECT, _CLIENT_ERROR, _SERVER_ERROR = 200, 300, 400, 500
_SEE_OTHER = 303  # "it is done, and what came of it is elsewhere" (RFC 9110, 15.4.4)
# By these a gateway says that a call it has passed on took too long, fell through, or was given up.
_PASSED_ON = frozenset({408, 424, 499})
_CLOSED = frozenset({401, 403, 407})
_WITHOUT_LENGTH = frozenset({411, 412})  # 412 is what WeChat's own gateway says to a call in chunks

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One POST: a path, the query with the token in it, and a body of JSON, where secrets are too."""

    path: str
    query: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """WeChat answered errcode 0."""


@dataclass(frozen=True, slots=True)
class Declined:
    """WeChat answered another errcode."""

    said: Said


@dataclass(frozen=True, slots=True)
class Troubled:
    """No answer of WeChat's: nothing came, or something that is none, with its HTTP `status` unless that is 200."""

    trouble: Trouble
    status: int | None = None


@dataclass(frozen=True, slots=True)
class Functions:
    """A page of an env's functions, each with its status, and how many there are in all."""

    statuses: Mapping[str, str]
    total: int


Answer = Done | Declined | Troubled


def guidance_for(answer: Declined | Troubled) -> tuple[Guidance, Said | None]:
    """Return what there is to say about an answer that is no yes, and what WeChat said itself."""
    if isinstance(answer, Declined):
        return for_code(answer.said.errcode), answer.said
    return for_trouble(answer.trouble), None


def share_env(token: str, env: str, appid: str) -> Call:
    """Return the call that shares `env`, which the token's mini program owns, with `appid`."""
    body = json.dumps({"appid": appid, "env": env}).encode()
    return Call("/tcb/shareenv", {"access_token": token}, body)


def read(answer: Mapping[str, object]) -> Done | Troubled:
    """Return what the answer to a share means; a code of nought is its yes."""
    return Done() if "errcode" in answer else Troubled(Trouble.NO_ERRCODE)


def get_env_info(token: str) -> Call:
    """Return the call that lists the envs of the token's mini program."""
    return Call("/tcb/getenvinfo", {"access_token": token}, json.dumps({}).encode())


def read_envs(answer: Mapping[str, object]) -> tuple[str, ...] | Troubled:
    """Return the envs that are in service. One without a status counts as such."""
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


def read_functions(answer: Mapping[str, object]) -> Functions | Troubled:
    """Return what the answer lists. Without a list, it is an empty one only if the total says so."""
    total, listed = answer.get("total_count", 0), answer.get("functions") or []
    if not isinstance(total, int) or not isinstance(listed, list) or (total and not listed):
        return Troubled(Trouble.NOT_JSON)
    named = [
        each for each in listed if isinstance(each, dict) and isinstance(each.get("name"), str)
    ]
    return Functions({each["name"]: str(each.get("status") or "") for each in named}, total)


def read_answer(
    status: int, body: bytes, read: Callable[[Mapping[str, object]], T | Troubled]
) -> T | Declined | Troubled:
    """Return what `read` finds in an answer, whatever its content type says, or why it is no yes; never raises.

    Of an answer that hands out tokens there is no errcode.
    """
    if status != _OK:
        return Troubled(_trouble_of(status), status)
    try:
        # WeChat's texts have held raw control characters and broken UTF-8.
        answer = _JSON.decode(body.removeprefix(BOM_UTF8).decode(errors="replace"))
    except (ValueError, RecursionError):
        return Troubled(Trouble.NOT_JSON)
    if not isinstance(answer, dict):
        return Troubled(Trouble.NOT_JSON)
    errcode = _whole_number(answer.get("errcode", 0))
    if errcode is None:
        return Troubled(Trouble.NO_ERRCODE)
    return Declined(_said(errcode, str(answer.get("errmsg") or ""))) if errcode else read(answer)


def _trouble_of(status: int) -> Trouble:
    """Return what a status other than 200 means, which is never WeChat's own: may the call have reached WeChat?

    Any other 4xx or 3xx stands for a call that was turned away: it is about what the bot sent, and a gateway that
    is at odds with the answer to a call it has passed on owes a 5xx (RFC 9110, 15.5 and 15.6). A filter could still
    block answers with 403 or a redirect; but it would have to be trusted to open the bot's TLS, and to block even
    `{"errcode":0}`, and so every answer of WeChat's: those to the doctor and, where the bot fetches its tokens itself,
    to all that comes before a share. That one setup is not worth a doubt at each call that a proxy does not let out.
    """
    if status in _PASSED_ON:
        return Trouble.GATEWAY_BROKEN
    if status == _SEE_OTHER:
        return Trouble.NOT_JSON
    if status >= _SERVER_ERROR:
        return Trouble.GATEWAY_BROKEN
    if status in _CLOSED:
        return Trouble.GATEWAY_CLOSED
    if status in _WITHOUT_LENGTH:
        return Trouble.GATEWAY_LENGTH
    if status >= _CLIENT_ERROR:
        return Trouble.GATEWAY_REFUSED
    return Trouble.REDIRECTED if status >= _REDIRECT else Trouble.NOT_JSON


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object; where it has two errcodes, which Python would take the last of, it has none to read."""
    members = dict(pairs)
    if len(members) < len(pairs) and [name for name, _ in pairs].count("errcode") > 1:
        members["errcode"] = None
    return members


_JSON = json.JSONDecoder(strict=False, object_pairs_hook=_members)


def _whole_number(value: object) -> int | None:
    if isinstance(value, str):
        return int(value) if _ERRCODE.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 10**_LONGEST_ERRCODE else None


def _said(errcode: int, errmsg: str) -> Said:
    words = " ".join("".join(c if c.isprintable() else " " for c in errmsg).split())
    rid = _RID.search(words)
    for pattern in (_RID, _HINT, _STABLE):
        words = pattern.sub("", words)
    words = words.strip().rstrip(",")
    words = _SECRET.sub("[hidden]", words)
    return Said(errcode, words[:ERRMSG_LIMIT].strip(), rid[1] if rid else None)
