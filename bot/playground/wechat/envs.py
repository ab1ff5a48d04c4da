"""The stand-in WeChat's answers about an owner's envs: /tcb/getenvinfo, and /tcb/listfunctions for one of them.

Source: developers.weixin.qq.com, oplatform/openApi/cloudbase-common: env-management/api_getenvinfo and
scf-management/api_getfuntionlist.
"""

from collections.abc import Callable, Collection, Mapping

from aiohttp import web

from bot.playground.loopback import Json, JsonObject
from bot.playground.wechat.answering import Answering
from bot.playground.wechat.owners import FIRST_OWNER
from bot.playground.wechat.rules import Asked, env_info, judge_listing
from bot.playground.wechat.tokens import Tokens

ENVS = ("prod-1", "test-1")
"""What the first owner has at the start."""

_FUNCTIONS = {"cloudbase_auth": "Active", "login": "Active"}


class OwnersEnvs:
    """Each owner's envs and their states, and each env's functions and theirs."""

    def __init__(self, tokens: Tokens, answering: Answering, note: Callable[[str], None]) -> None:
        self.envs: dict[str, dict[str, str]] = {FIRST_OWNER: dict.fromkeys(ENVS, "NORMAL")}
        self.functions: dict[str, dict[str, str]] = {env: dict(_FUNCTIONS) for env in ENVS}
        self._tokens = tokens
        self._answering = answering
        self._note = note
        self._paths: dict[str, Callable[[str, Asked], int | JsonObject]] = {
            "/tcb/getenvinfo": self._env_info,
            "/tcb/listfunctions": self._listed,
        }

    def __contains__(self, path: str) -> bool:
        """Tell whether a path is one of these."""
        return path in self._paths

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a call of one of the paths."""
        name = request.path.rpartition("/")[2]
        asked = Asked(request.method, request.query.get("access_token", ""), await request.read())
        return await self._answering.answer(
            request,
            name,
            {"env": asked.argument("env")},
            usual=lambda: self._answered(request.path, asked),
            nothing=lambda errcode: self._note(f"{name}: {errcode}"),
        )

    def _answered(self, path: str, asked: Asked) -> web.Response:
        token = self._tokens.seen(asked.token)
        owner = token.owner if token else ""
        told = judge_listing(asked, token) or self._paths[path](owner, asked)
        errcode = told if isinstance(told, int) else 0
        self._note(f"{path.rpartition('/')[2]} of {owner or 'nobody'}: {errcode}")
        return (
            self._answering.coded(told) if isinstance(told, int) else self._answering.granted(told)
        )

    def _env_info(self, owner: str, asked: Asked) -> JsonObject:
        return env_info(self.envs.get(owner, {}), asked.argument("env"))

    def _listed(self, owner: str, asked: Asked) -> int | JsonObject:
        found = self.functions.get(asked.argument("env"), {})
        return _judge_functions(asked, self.envs.get(owner, {})) or _functions(
            found, asked.number("offset") or 0, asked.number("limit") or 0
        )


def _judge_functions(asked: Asked, envs: Collection[str]) -> int:
    """Return the errcode for a call of listfunctions; which one another's env has is a guess."""
    env, limit, offset = asked.argument("env"), asked.number("limit"), asked.number("offset")
    if not env or limit is None or offset is None:
        return 40101
    return 0 if env in envs and limit > 0 and offset >= 0 else 40097


def _functions(functions: Mapping[str, str], offset: int, limit: int) -> JsonObject:
    """Return a part of what listfunctions tells of an env's functions and their states."""
    told = {
        "runtime": "Nodejs16.13",
        "add_time": "2026-01-05 10:00:00",
        "mod_time": "2026-01-05 10:00:00",
    }
    listed: list[Json] = [
        {"name": name, "status": status, **told} for name, status in functions.items()
    ]
    part = listed[offset : offset + limit]
    return {"errcode": 0, "errmsg": "ok", "total_count": len(listed), "functions": part}
