"""Build the API calls that use an owner's token, and parse WeChat's answers into closed unions of results. No I/O.

Sources: developers.weixin.qq.com, "shareEnv" (api_shareenv), "getEnvInfo" (api_getenvinfo), "getFunctionList"
(api_getfuntionlist). Undocumented, but seen in real answers: errors come with HTTP 200, the content type may be wrong,
`errcode` may be a string, and `errmsg` ends with a `rid`. It is not documented whether getEnvInfo also lists envs that
were shared with the owner; the policy file is what says who owns an env.
"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import orjson

from bot.command.grammar import is_env
from bot.domain.finding import Problem
from bot.domain.in_general import fix_of, in_general
from bot.domain.link import Link
from bot.domain.outcome import ERRMSG_LIMIT, Readiness, Said
from bot.domain.sentence import Sentence
from bot.guidance import NORMAL, EnvList, Guidance, ListedEnv, Trouble, for_code

ANSWER_LIMIT = 1 << 20
"""Bytes of a response, of WeChat's or of the token server's: far more than the longest."""
NEEDED = "cloudbase_auth"
"""The cloud function that an owner's env must have before other mini programs can use it."""
_ACTIVE = "Active"
_MOST_FUNCTIONS = 100
# Digits; WeChat's codes have up to seven, and int() refuses to print huge numbers.
_LONGEST_ERRCODE = 10
# \s and [0-9], since int() also accepts other digits.
_ERRCODE = re.compile(rf"\s*-?[0-9]{{1,{_LONGEST_ERRCODE}}}\s*")
# A long run of token characters. WeChat's tokens are longer than this, and a proxy's error page may quote the URL.
_SECRET = re.compile(r"[\w@=+-]{32,}", re.ASCII)
_RID = re.compile(r" ?\brid: ?([0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8})")
_HINT = re.compile(r" ?\bhint: ?\[[^\[\]]*\]")  # a log id of WeChat's; often the whole errmsg
# 40001 advises getStableAccessToken up to the end of its text, but third-party platforms cannot use that call.
_STABLE = re.compile(r",? ?could get access_token by getStableAccessToken.*")
_JSON = json.JSONDecoder(strict=False)  # WeChat has sent raw control characters inside strings
_OK, _SERVER_ERROR = 200, 500
_OF_STATUS = {
    # The request was processed, and the result is elsewhere (RFC 9110, 15.4.4).
    303: Trouble.NOT_JSON,
    # A gateway answers with these after it forwarded the call: it timed out, failed, or the client gave up.
    **dict.fromkeys((408, 424, 499), Trouble.GATEWAY_BROKEN),
    **dict.fromkeys((401, 403, 407), Trouble.GATEWAY_CLOSED),
    # WeChat's gateway answers a chunked request with 412.
    **dict.fromkeys((411, 412), Trouble.GATEWAY_LENGTH),
}
_OF_CLASS = {3: Trouble.REDIRECTED, 4: Trouble.GATEWAY_REFUSED}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Call:
    """One POST request: its path, the query with the access token, and a JSON body, which may hold secrets."""

    path: str
    query: dict[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is no usable answer, or no token for the call.

    WeChat `said` an errcode other than 0; or it was a network error, or a response that is not WeChat's, with the HTTP
    `status` unless 200. `link` is the link of the platform's chain that broke.
    """

    guidance: Guidance
    said: Said | None = None
    status: int | None = None
    link: Link | None = None
    way: Problem | None = field(default=None, compare=False, repr=False)
    """What was in the way of the call, if that is known."""
    came: Problem | None = field(default=None, compare=False, repr=False)
    """What the token server sent in place of a token, if it did."""

    @property
    def label(self) -> str:
        """The label in metrics and logs: the errcode, or the name of the trouble."""
        return str(self.said.errcode) if self.said else self.guidance.key

    @property
    def problem(self) -> Problem:
        """Why, and the fix, for operators."""
        if self.way:
            return self.way
        title = in_general(self.guidance.title)
        if self.came:
            found = Sentence("{title}; {found}", title=title, found=self.came.found)
            return Problem(found, self.came.fix)
        return Problem(title, fix_of(self.guidance))

    @property
    def facts(self) -> dict[str, object]:
        """The extras of a log line: the reason, the link that broke and, if WeChat answered, its errcode, rid and the address it saw."""
        facts: dict[str, object] = {
            "reason": self.guidance.key,
            "link": self.link and self.link.value,
        }
        if said := self.said:
            facts |= {"errcode": said.errcode, "rid": said.rid}
            facts |= {"address": said.address} if said.address else {}
        return facts


def share_env(token: str, env: str, appid: str) -> Call:
    """Return the call that shares `env`, which the token's mini program owns, with `appid`."""
    return _call("shareenv", token, appid=appid, env=env)


def read_done(answer: Mapping[str, object]) -> NoAnswer | None:
    """Return None, that it is done, if the answer has an errcode, which `read_answer` found to be 0."""
    return None if "errcode" in answer else NoAnswer(Trouble.NO_ERRCODE.value)


def get_env_info(token: str) -> Call:
    """Return the call that lists the envs of the token's mini program."""
    return _call("getenvinfo", token)


def read_envs(answer: Mapping[str, object]) -> EnvList | NoAnswer:
    """Return the envs; one without a status counts as in service."""
    listed = answer.get("info_list")
    if listed is None and "errcode" in answer:
        return {}  # WeChat leaves out an empty list
    if not isinstance(listed, list):
        return NoAnswer(Trouble.NOT_JSON.value)
    infos = [info for info in listed if isinstance(info, dict)]
    return {
        env: ListedEnv(str(info.get("status") or NORMAL), str(info.get("alias") or ""))
        for info in infos
        if isinstance(env := info.get("env"), str) and is_env(env)
    }


def in_service(envs: EnvList) -> tuple[str, ...]:
    """Return the ids of the envs in service."""
    return tuple(env for env, state in envs.items() if state.status == NORMAL)


def list_functions(token: str, env: str, offset: int = 0) -> Call:
    """Return the call that lists the functions of an env of the token's mini program, from `offset` on."""
    return _call("listfunctions", token, env=env, limit=_MOST_FUNCTIONS, offset=offset)


def read_readiness(answer: Mapping[str, object], offset: int = 0) -> Readiness | int | NoAnswer:
    """Return whether an env with these functions can be used by others or, if more are to be listed, from which offset on.

    A missing list is read as empty only if the total is 0.
    """
    total, listed = answer.get("total_count", 0), answer.get("functions") or []
    if not isinstance(total, int) or not isinstance(listed, list) or (total and not listed):
        return NoAnswer(Trouble.NOT_JSON.value)
    functions = [each for each in listed if isinstance(each, dict)]
    found = [each.get("status") for each in functions if each.get("name") == NEEDED]
    if found:
        return Readiness.READY if _ACTIVE in found else Readiness.LACKING
    seen = offset + len(listed)  # a page may hold fewer than were asked for
    return Readiness.LACKING if seen >= total else seen


def _call(name: str, token: str, **body: object) -> Call:
    return Call(f"/tcb/{name}", {"access_token": token}, orjson.dumps(body))


def read_answer(
    status: int, body: bytes, read: Callable[[Mapping[str, object]], T | NoAnswer]
) -> T | NoAnswer:
    """Return what `read` makes of a successful answer, or why there is no answer. Never raises.

    The content type is ignored. A missing errcode counts as 0: answers that issue tokens have none.
    """
    if status != _OK:
        return NoAnswer(_trouble_of(status).value, status=status)
    try:
        answer = _JSON.decode(body.removeprefix(BOM_UTF8).decode(errors="replace"))
    except (ValueError, RecursionError):
        return NoAnswer(Trouble.NOT_JSON.value)
    if not isinstance(answer, dict):
        return NoAnswer(Trouble.NOT_JSON.value)
    errcode = _whole_number(answer.get("errcode", 0))
    if errcode is None:
        return NoAnswer(Trouble.NO_ERRCODE.value)
    if errcode:
        return NoAnswer(for_code(errcode), _said(errcode, str(answer.get("errmsg") or "")))
    return read(answer)


def _trouble_of(status: int) -> Trouble:
    """Return the trouble for an HTTP status other than 200, which never comes from WeChat's API but from something in between.

    What matters is whether the call may have reached WeChat. 408, 424, 499 and 5xx: it may have. Any other 3xx or 4xx is
    read as "the call was turned away": those statuses are about the request, and a gateway that fails on the response has
    to answer 5xx (RFC 9110, 15.5 and 15.6). The exception would be a filter that terminates the bot's TLS and blocks the
    response `{"errcode":0}` with 403 or a redirect. Such a filter would block every other answer of WeChat too, including
    those to the doctor and the token calls before a share, so it is not worth reporting "unknown" for each blocked call.
    """
    if status >= _SERVER_ERROR:
        return Trouble.GATEWAY_BROKEN
    return _OF_STATUS.get(status) or _OF_CLASS.get(status // 100, Trouble.NOT_JSON)


def _whole_number(value: object) -> int | None:
    if isinstance(value, str):
        return int(value) if _ERRCODE.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if abs(value) < 10**_LONGEST_ERRCODE else None


def _said(errcode: int, errmsg: str) -> Said:
    text = " ".join("".join(c if c.isprintable() else " " for c in errmsg).split())
    rid = _RID.search(text)
    for pattern in (_RID, _HINT, _STABLE):
        text = pattern.sub("", text)
    text = text.strip().rstrip(",")
    text = _SECRET.sub("[hidden]", text)
    return Said(errcode, text[:ERRMSG_LIMIT].strip(), rid[1] if rid else None)
