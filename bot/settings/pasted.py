"""What a value that stands in the wrong setting looks like, so that it can be named without being shown. Pure."""

import re

_KINDS = tuple(
    (re.compile(shape), words, frozenset(settings))
    for shape, words, *settings in (
        (r"([\"']).*\1\Z", "a value in quotes"),
        (r"xoxb-|xoxe\.xoxb-", "a bot token", "SLACK_BOT_TOKEN"),
        (r"xapp-", "an app-level token", "SLACK_APP_TOKEN"),
        (r"xoxp-|xoxe\.xoxp-", "a user token"),
        (r"xox[a-z]", "another token of Slack"),
        (
            *(r"[0-9a-f]{32}\Z", "an AppSecret or a signing secret"),
            *("SLACK_SIGNING_SECRET", "WECHAT_COMPONENT_APPSECRET"),
        ),
        (r"[0-9]{1,3}_[\w-]{8,}\Z", "a WeChat token", "WECHAT_AUTHORIZER_ACCESS_TOKEN"),
        (r"refreshtoken@@@", "a refresh token of WeChat", "WECHAT_AUTHORIZER_REFRESH_TOKEN"),
        (
            *(r"wx[0-9a-f]{16}\Z", "an appid"),
            *("WECHAT_AUTHORIZER_APPID", "WECHAT_COMPONENT_APPID"),
        ),
    )
)
"""The shape of each kind, what it is called, and the settings that it belongs into; the first that fits counts."""
_LONGEST = 16  # letters of what is shown; no secret that somebody else makes is shorter


def kind_of(value: str) -> str:
    """Return what a value looks like, in words that follow “holds”."""
    return next((words for shape, words, _ in _KINDS if shape.match(value)), "something else")


def belongs(value: str) -> frozenset[str]:
    """Return the settings that a value looks to be made for."""
    found = (settings for shape, _, settings in _KINDS if shape.match(value))
    return next(found, frozenset())


def may_be_shown(value: str) -> bool:
    """Tell whether a value is an appid, or short and no secret by its looks."""
    kind = kind_of(value)
    return kind == "an appid" or (kind == "something else" and len(value) <= _LONGEST)


def told(value: str) -> str:
    """Return how a sentence goes on behind a setting's name: with its value, or else with what it looks like."""
    return f"is “{value}”" if may_be_shown(value) else f"holds {kind_of(value)}"
