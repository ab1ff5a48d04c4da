"""The calls /cgi-bin/component/…. Source: developers.weixin.qq.com, oplatform, their pages and the global return codes."""

from collections.abc import Callable

from bot.playground.loopback import Json, JsonObject
from bot.playground.wechat.asked import Asked, CodedError, Run
from bot.playground.wechat.platform import PlatformStandIn
from bot.playground.wechat.tokens import OVERLAP, Codes, IssuedTokens

PREFIX = "/cgi-bin/component/"
MOST_LISTED = 500
_TOKEN: Codes = {
    "missing": 41001,
    "unknown": 40001,
    "expired": 42001,
    "superseded": 40001,
}


class ComponentCalls:
    """Answers a platform's calls; each checks its token or secret before its other arguments."""

    def __init__(self, platform: PlatformStandIn, clock: Callable[[], float]) -> None:
        self._platform = platform
        self._tokens = IssuedTokens("made-up-component-token", clock, _TOKEN)
        self.calls: dict[str, Run] = {
            "api_start_push_ticket": self._start_push_ticket,
            "api_component_token": self._component_token,
            "api_authorizer_token": self._authorizer_token,
            "api_query_auth": self._query_auth,
            "api_get_authorizer_info": self._get_authorizer_info,
            "api_get_authorizer_list": self._get_authorizer_list,
        }

    def _start_push_ticket(self, asked: Asked) -> JsonObject:
        self._judge_secret(asked, "component_secret")
        pushes = self._platform.keep_pushing()
        return {"errcode": 0, "errmsg": "in a normal state" if pushes else "ok"}

    def _component_token(self, asked: Asked) -> JsonObject:
        platform = self._platform
        self._judge_secret(asked, "component_appsecret")
        platform.tickets.judged(asked.text("component_verify_ticket"))
        token = self._tokens.renew(platform.component_appid, platform.expires_in)
        return {"component_access_token": token, "expires_in": platform.expires_in}

    def _authorizer_token(self, asked: Asked) -> JsonObject:
        self._judge_token(asked)
        owner, refresh_tokens = self._owner(asked), self._platform.refresh_tokens
        if refresh_tokens.judged(asked.text("authorizer_refresh_token")) != owner:
            raise CodedError(61023)
        if self._platform.rotate_refresh_tokens:
            refresh_tokens.renew(owner, overlap=OVERLAP)
        return self._new_tokens(owner)

    def _query_auth(self, asked: Asked) -> JsonObject:
        """Exchange an authorization code, which can be used once, for the owner's tokens."""
        self._judge_token(asked)
        code = asked.text("authorization_code")
        owner = self._platform.codes.judged(code)
        self._platform.codes.end(code, "superseded")
        self._platform.without_refresh_token.discard(owner)
        info = {"authorizer_appid": owner, **self._new_tokens(owner)}
        return {"authorization_info": {**info, "func_info": self._functions(owner)}}

    def _get_authorizer_info(self, asked: Asked) -> JsonObject:
        """Return the details of an owner: account, permission sets, and refresh token."""
        self._judge_token(asked)
        owner = self._owner(asked)
        known = self._known(owner, "authorizer_refresh_token")
        info: JsonObject = {"authorizer_appid": owner, **known, "func_info": self._functions(owner)}
        return {"authorizer_info": {"account_status": 1}, "authorization_info": info}

    def _get_authorizer_list(self, asked: Asked) -> JsonObject:
        self._judge_token(asked)
        offset, count = asked.number("offset"), asked.number("count")
        if offset < 0 or not 0 < count <= MOST_LISTED:
            raise CodedError(40097)
        authorized = self._platform.authorized
        listed: list[Json] = [
            {"authorizer_appid": owner, **self._known(owner, "refresh_token"), "auth_time": since}
            for owner, since in [*authorized.items()][offset : offset + count]
        ]
        return {"total_count": len(authorized), **({"list": listed} if listed else {})}

    def _judge_secret(self, asked: Asked, name: str) -> None:
        asked.judge_json()
        self._judge_component(asked)
        if asked.named(name, 41004) != self._platform.appsecret:
            raise CodedError(40125)

    def _judge_token(self, asked: Asked) -> None:
        self._tokens.judged(asked.token)
        asked.judge_json()
        self._judge_component(asked)

    def _judge_component(self, asked: Asked) -> None:
        if asked.named("component_appid", 41018) != self._platform.component_appid:
            raise CodedError(61011)

    def _owner(self, asked: Asked) -> str:
        """Return the owner in a call; they must have authorised the platform."""
        owner = asked.named("authorizer_appid", 41002)
        if owner not in self._platform.authorized:
            raise CodedError(self._platform.not_authorised)
        return owner

    def _known(self, owner: str, name: str) -> JsonObject:
        """Return an owner's refresh token under this name, unless it is to be left out."""
        platform = self._platform
        left_out = owner in platform.without_refresh_token
        return {} if left_out else {name: platform.refresh_token(owner)}

    def _functions(self, owner: str) -> list[Json]:
        return [{"funcscope_category": {"id": each}} for each in self._platform.granted[owner]]

    def _new_tokens(self, owner: str) -> JsonObject:
        platform = self._platform
        return {
            "authorizer_access_token": platform.access_tokens.renew(owner, platform.expires_in),
            "expires_in": platform.expires_in,
            "authorizer_refresh_token": platform.refresh_token(owner),
        }
