"""Recognise a value that was pasted into the wrong setting, to name its kind without showing it. Pure."""

import re

from bot.domain.sentence import Sentence

_AN_APPID, _SOMETHING_ELSE = Sentence("an appid"), Sentence("something else")
BOT_TOKEN, APP_TOKEN = Sentence("a bot token"), Sentence("an app-level token")
"""The kinds of Slack's tokens; a bot token that rotates begins with xoxe."""

_KINDS = tuple(
    (re.compile(shape), words, frozenset(settings))
    for shape, words, *settings in (
        (r"xoxb-|xoxe\.xoxb-", BOT_TOKEN, "SLACK_BOT_TOKEN"),
        (r"xapp-", APP_TOKEN, "SLACK_APP_TOKEN"),
        (r"xoxp-|xoxe\.xoxp-", Sentence("a user token")),
        (r"xox[a-z]", Sentence("another token of Slack")),
        (
            *(r"[0-9a-f]{32}\Z", Sentence("an AppSecret or a signing secret")),
            *("SLACK_SIGNING_SECRET", "WECHAT_COMPONENT_APPSECRET"),
        ),
        (r"[0-9]{1,3}_[\w-]{8,}\Z", Sentence("a WeChat token"), "WECHAT_AUTHORIZER_ACCESS_TOKEN"),
        (
            r"refreshtoken@@@",
            Sentence("a refresh token of WeChat"),
            "WECHAT_AUTHORIZER_REFRESH_TOKEN",
        ),
        (
            *(r"wx[0-9a-f]{16}\Z", _AN_APPID),
            *("WECHAT_AUTHORIZER_APPID", "WECHAT_COMPONENT_APPID"),
        ),
    )
)
"""For each kind its pattern, what it is called, and its settings; the first match counts."""
_LONGEST = 16  # characters of a value that is shown; secrets issued by Slack or WeChat are longer


def is_word(value: str) -> bool:
    """Return whether a value has no blanks or control characters, such as a comment that a container leaves behind it."""
    return value.isprintable() and " " not in value


def kind_of(value: str) -> str:
    """Return the kind of a value, in words that follow “holds”."""
    return _look_of(value) if is_word(value) else Sentence("blanks or control characters")


def _look_of(value: str) -> str:
    return next((words for shape, words, _ in _KINDS if shape.match(value)), _SOMETHING_ELSE)


def belongs(value: str) -> frozenset[str]:
    """Return the settings that a value seems to be for."""
    found = (settings for shape, _, settings in _KINDS if shape.match(value))
    return next(found, frozenset())


def is_astray(value: str, name: str) -> bool:
    """Return whether a value is of a kind that does not belong into the setting `name`."""
    return _look_of(value) != _SOMETHING_ELSE and name not in belongs(value)


def may_be_shown(value: str) -> bool:
    """Return whether a value is an appid, or short and unlike any secret."""
    kind = _look_of(value)
    return kind == _AN_APPID or (kind == _SOMETHING_ELSE and len(value) <= _LONGEST)


def described(value: str) -> str:
    """Return the predicate of a sentence about a setting: its value if it may be shown, else its kind."""
    if may_be_shown(value):
        return Sentence("is “{value}”", value=value)
    return Sentence("holds {kind}", kind=kind_of(value))
