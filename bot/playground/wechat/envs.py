"""The stand-in's responses about an owner's envs: /tcb/getenvinfo, and /tcb/listfunctions for one env.

Source: developers.weixin.qq.com, oplatform/openApi/cloudbase-common: env-management/api_getenvinfo and
scf-management/api_getfuntionlist.
"""

from bot.playground.loopback import Json, JsonObject
from bot.playground.wechat.asked import Asked, CodedError
from bot.playground.world import OWNER

ENVS = ("prod-1", "test-1")
"""The first owner's initial envs."""

_FUNCTIONS = {"cloudbase_auth": "Active", "login": "Active"}
_MOST_LISTED = 100  # functions at once; a guess, from the page's example


class OwnersEnvs:
    """Each owner's envs with their states, and each env's functions with theirs."""

    def __init__(self) -> None:
        self.envs: dict[str, dict[str, str]] = {OWNER: {}}
        self.functions: dict[str, dict[str, str]] = {}
        self.calls = {"getenvinfo": self._info, "listfunctions": self._functions_of}
        for env in ENVS:
            self.add(OWNER, env)

    def add(self, owner: str, env: str) -> None:
        """Give an owner another env, ready to be shared."""
        self.envs[owner][env] = "NORMAL"
        self.functions[env] = dict(_FUNCTIONS)

    def _info(self, owner: str, _asked: Asked) -> JsonObject:
        """Return an owner's envs with their states; an empty list is left out."""
        listed: list[Json] = [
            {"env": env, "alias": env, "status": status}
            for env, status in self.envs.get(owner, {}).items()
        ]
        return {"info_list": listed} if listed else {}

    def _functions_of(self, owner: str, asked: Asked) -> JsonObject:
        """Return a page of an env's functions with their states; the errcode for another owner's env is a guess."""
        env = asked.named("env", 40101)
        limit, offset = min(asked.number("limit"), _MOST_LISTED), asked.number("offset")
        if env not in self.envs.get(owner, {}) or limit <= 0 or offset < 0:
            raise CodedError(40097)
        listed: list[Json] = [
            {"name": name, "status": status} for name, status in self.functions.get(env, {}).items()
        ]
        return {"total_count": len(listed), "functions": listed[offset : offset + limit]}
