"""The stand-in WeChat's answers about an owner's envs: /tcb/getenvinfo, and /tcb/listfunctions for one of them.

Source: developers.weixin.qq.com, oplatform/openApi/cloudbase-common: env-management/api_getenvinfo and
scf-management/api_getfuntionlist.
"""

from collections.abc import Callable, Collection, Mapping

from bot.playground.loopback import Json, JsonObject
from bot.playground.wechat.answers import Endpoint, Verdict
from bot.playground.wechat.rules import Asked, env_info, judge_listing
from bot.playground.wechat.tokens import IssuedTokens
from bot.playground.world import OWNER

ENVS = ("prod-1", "test-1")
"""What the first owner has at the start."""

_FUNCTIONS = {"cloudbase_auth": "Active", "login": "Active"}


class OwnersEnvs:
    """Each owner's envs and their states, and each env's functions and theirs."""

    def __init__(self, tokens: IssuedTokens, note: Callable[[str], None]) -> None:
        self.envs: dict[str, dict[str, str]] = {OWNER: dict.fromkeys(ENVS, "NORMAL")}
        self.functions: dict[str, dict[str, str]] = {env: dict(_FUNCTIONS) for env in ENVS}
        self._tokens = tokens
        self._note = note
        self.endpoints = {
            "/tcb/getenvinfo": self._endpoint("getenvinfo", self._env_info),
            "/tcb/listfunctions": self._endpoint("listfunctions", self._listed),
        }

    def _endpoint(self, name: str, told: Callable[[str, Asked], Verdict]) -> Endpoint:
        """Return a call that tells something of the envs of a token's owner."""

        def judge(asked: Asked) -> Verdict:
            token = self._tokens.seen(asked.token)
            return judge_listing(asked, token) or told(token.owner if token else "", asked)

        def note(asked: Asked, errcode: int | None) -> None:
            token = self._tokens.seen(asked.token)
            self._note(f"{name} of {token.owner if token else 'nobody'}: {errcode}")

        return Endpoint(judge, note)

    def _env_info(self, owner: str, asked: Asked) -> Verdict:
        return env_info(self.envs.get(owner, {}), asked.argument("env"))

    def _listed(self, owner: str, asked: Asked) -> Verdict:
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
