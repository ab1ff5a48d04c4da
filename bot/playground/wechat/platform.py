"""The third-party platform's side of the stand-in WeChat: /cgi-bin/component/… and its pushes."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from bot.playground.loopback import JsonObject
from bot.playground.wechat.answering import Endpoint, Verdict
from bot.playground.wechat.platform_rules import (
    judge_code,
    judge_component,
    judge_component_token,
    judge_owner,
    judge_page,
    judge_refresh,
    judge_secret,
    judge_ticket,
)
from bot.playground.wechat.pushes import Pushes
from bot.playground.wechat.rules import Asked, judge_json
from bot.playground.wechat.tokens import IssuedTokens

PREFIX = "/cgi-bin/component/"


class PlatformCall(NamedTuple):
    """One call of an endpoint, whom it was about, and the verdict: None where it came to none."""

    endpoint: str
    owner: str
    errcode: int | None

    @property
    def gave_token(self) -> bool:
        """Whether an owner's token was given."""
        return self.endpoint == "api_authorizer_token" and self.errcode == 0


class PlatformStandIn(Pushes):
    """A third-party platform as WeChat knows it: what it may ask for, and what it is told."""

    def __init__(
        self, clock: Callable[[], float], access_tokens: IssuedTokens, note: Callable[[str], None]
    ) -> None:
        super().__init__(clock, access_tokens, note)
        self.calls: list[PlatformCall] = []
        judges: dict[str, Callable[[Asked], Verdict]] = {
            "api_start_push_ticket": self._start_push_ticket,
            "api_component_token": self._component_token,
            "api_authorizer_token": self._authorizer_token,
            "api_query_auth": self._query_auth,
            "api_get_authorizer_info": self._get_authorizer_info,
            "api_get_authorizer_list": self._get_authorizer_list,
        }
        self.endpoints = {
            PREFIX + name: Endpoint(judge, partial(self._record, name))
            for name, judge in judges.items()
        }

    def _record(self, endpoint: str, asked: Asked, errcode: int | None) -> None:
        owner = self._owner(asked)
        self.calls.append(PlatformCall(endpoint, owner, errcode))
        self._note(f"{' '.join(filter(None, (endpoint, owner)))}: {errcode}")

    def _owner(self, asked: Asked) -> str:
        code = self._codes.seen(asked.argument("authorization_code"))
        return code.owner if code is not None else asked.argument("authorizer_appid")

    def _start_push_ticket(self, asked: Asked) -> Verdict:
        return self._judge_secret(asked, "component_secret") or self._started()

    def _started(self) -> JsonObject:
        anew = self._keep_pushing()
        return {"errcode": 0, "errmsg": "ok" if anew else "in a normal state"}

    def _component_token(self, asked: Asked) -> Verdict:
        return (
            self._judge_secret(asked, "component_appsecret")
            or judge_ticket(asked, self._tickets.seen(asked.argument("component_verify_ticket")))
            or self._renewed_component()
        )

    def _authorizer_token(self, asked: Asked) -> Verdict:
        refresh_token = self._refresh_tokens.seen(asked.argument("authorizer_refresh_token"))
        return (
            self._judge_token(asked)
            or judge_owner(asked, self.authorized, self.not_authorised)
            or judge_refresh(asked, refresh_token)
            or self._renewed(asked.argument("authorizer_appid"))
        )

    def _query_auth(self, asked: Asked) -> Verdict:
        code = asked.argument("authorization_code")
        return (
            self._judge_token(asked)
            or judge_code(self._codes.seen(code))
            or self._exchanged(code, self._owner(asked))
        )

    def _get_authorizer_info(self, asked: Asked) -> Verdict:
        return (
            self._judge_token(asked)
            or judge_owner(asked, self.authorized, self.not_authorised)
            or self._informed(asked.argument("authorizer_appid"))
        )

    def _get_authorizer_list(self, asked: Asked) -> Verdict:
        return (
            self._judge_token(asked)
            or judge_page(asked)
            or self._listed(asked.number("offset") or 0, asked.number("count") or 0)
        )

    def _judge_secret(self, asked: Asked, name: str) -> int:
        return (
            judge_json(asked)
            or judge_component(asked, self.component_appid)
            or judge_secret(asked.argument(name), self.appsecret)
        )

    def _judge_token(self, asked: Asked) -> int:
        return (
            judge_component_token(asked, self._component_tokens.seen(asked.token))
            or judge_json(asked)
            or judge_component(asked, self.component_appid)
        )
