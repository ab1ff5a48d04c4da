"""What the stand-in WeChat checks in a platform's calls, and the errcode it answers; 0 goes on.

Source: developers.weixin.qq.com, oplatform: api_component_token, api_authorizer_token,
api_query_auth, api_get_authorizer_info, api_get_authorizer_list, and the global return codes.
"""

from collections.abc import Container

from bot.playground.wechat.rules import Asked, Token

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
