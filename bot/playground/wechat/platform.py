"""The third-party platform's side of the stand-in WeChat: /cgi-bin/component/… and its pushes.

Source: developers.weixin.qq.com, oplatform: api_component_token, api_authorizer_token,
api_query_auth, api_get_authorizer_info, api_get_authorizer_list, and the global return codes.
"""

from collections.abc import Callable, Container
from functools import partial
from typing import NamedTuple

from bot.playground.loopback import JsonObject
from bot.playground.wechat.answers import Endpoint, Verdict
from bot.playground.wechat.pushes import Pushes
from bot.playground.wechat.rules import Asked, Token, judge_json
from bot.playground.wechat.tokens import IssuedTokens

MOST_LISTED = 500

_TOKEN = {"current": 0, "expired": 42001, "superseded": 40001, "revoked": 40001}
_CODE = {"current": 0, "expired": 61010, "superseded": 61009, "revoked": 61003}


def judge_component(asked: Asked, component_appid: str) -> int:
    """Judge the platform's own appid."""
    given = asked.argument("component_appid")
    if not given:
        return 41018
    return 0 if given == component_appid else 61011


def judge_secret(given: str, secret: str) -> int:
    """Judge the platform's secret."""
    if not given:
        return 41004
    return 0 if given == secret else 40125


def judge_ticket(asked: Asked, ticket: Token | None) -> int:
    """Judge the component_verify_ticket."""
    if not asked.argument("component_verify_ticket"):
        return 61011
    if ticket is None:
        return 61006
    return 0 if ticket.state == "current" else 61005


def judge_component_token(asked: Asked, token: Token | None) -> int:
    """Judge the component_access_token, which comes in the query."""
    if not asked.token:
        return 41001
    return 40001 if token is None else _TOKEN[token.state]


def judge_owner(asked: Asked, authorized: Container[str], not_authorised: int) -> int:
    """Judge whom a call is about; `not_authorised` is the errcode where that one has not authorised the platform."""
    owner = asked.argument("authorizer_appid")
    if not owner:
        return 41002
    return 0 if owner in authorized else not_authorised


def judge_refresh(asked: Asked, token: Token | None) -> int:
    """Judge an owner's refresh token."""
    return 0 if token == Token(asked.argument("authorizer_appid")) else 61023


def judge_code(code: Token | None) -> int:
    """Judge an authorization code."""
    return 61009 if code is None else _CODE[code.state]


def judge_page(asked: Asked) -> int:
    """Judge which part of a list is asked for."""
    offset, count = asked.number("offset"), asked.number("count")
    if offset is None or count is None:
        return 40101
    return 0 if offset >= 0 and 0 < count <= MOST_LISTED else 40097


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
