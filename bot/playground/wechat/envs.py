"""The stand-in's responses about an owner's envs: /tcb/getenvinfo, and /tcb/listfunctions for one env.

Source: developers.weixin.qq.com, oplatform/openApi/cloudbase-common: env-management/api_getenvinfo and
scf-management/api_getfuntionlist.
"""

from collections.abc import Callable

from bot.playground.loopback import Json, JsonObject
from bot.playground.wechat.asked import Asked, CodedError, Endpoint
from bot.playground.wechat.tokens import IssuedTokens
from bot.playground.world import OWNER

ENVS = ("prod-1", "test-1")
"""The first owner's initial envs."""

_FUNCTIONS = {"cloudbase_auth": "Active", "login": "Active"}


class OwnersEnvs:
    """Each owner's envs with their states, and each env's functions with theirs; `most_listed` is the size of a page."""

    def __init__(self, tokens: IssuedTokens, note: Callable[[str], None]) -> None:
        self.envs: dict[str, dict[str, str]] = {OWNER: {}}
        self.functions: dict[str, dict[str, str]] = {}
        self.most_listed = 100
        self._tokens = tokens
        self._note = note
        self.endpoints = {
            "/tcb/getenvinfo": self._endpoint("getenvinfo", self._env_info),
            "/tcb/listfunctions": self._endpoint("listfunctions", self._listed),
        }
        for env in ENVS:
            self.add(OWNER, env)

    def add(self, owner: str, env: str) -> None:
        """Give an owner another env, ready to be shared."""
        self.envs[owner][env] = "NORMAL"
        self.functions[env] = dict(_FUNCTIONS)

    def _endpoint(self, name: str, told: Callable[[str, Asked], JsonObject]) -> Endpoint:
        """Return a call that reads something about the envs of the token's owner."""

        def run(asked: Asked) -> JsonObject:
            owner = self._tokens.judged(asked.token)
            asked.judge_json()
            return {"errcode": 0, "errmsg": "ok", **told(owner, asked)}

        def note(asked: Asked, errcode: int | None) -> None:
            self._note(f"{name} of {self._tokens.owner(asked.token) or 'nobody'}: {errcode}")

        return Endpoint(run, note)

    def _env_info(self, owner: str, asked: Asked) -> JsonObject:
        """Return an owner's envs with their states, or one of them; an empty list is left out."""
        only = asked.text("env")
        listed: list[Json] = [
            {"env": env, "alias": env, "status": status}
            for env, status in self.envs.get(owner, {}).items()
            if only in {"", env}
        ]
        return {"info_list": listed} if listed else {}

    def _listed(self, owner: str, asked: Asked) -> JsonObject:
        """Return a page of an env's functions with their states; the errcode for another owner's env is a guess."""
        env = asked.named("env", 40101)
        limit, offset = min(asked.number("limit"), self.most_listed), asked.number("offset")
        if env not in self.envs.get(owner, {}) or limit <= 0 or offset < 0:
            raise CodedError(40097)
        listed: list[Json] = [
            {"name": name, "status": status} for name, status in self.functions.get(env, {}).items()
        ]
        return {"total_count": len(listed), "functions": listed[offset : offset + limit]}
