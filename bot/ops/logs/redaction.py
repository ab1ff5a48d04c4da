"""Redaction: hide in any text what is a secret of the settings or looks like a secret, whoever wrote it.

WeChat's access token sits in addresses and Slack's response_urls are keys, so what libraries log is cleaned too.
A secret is known by its value, by its shape or by the name beside it, as queries, JSON (also within JSON), Python's
reprs, headers, XML and libpq's connection strings write them. All of it takes time in proportion to the text.
"""

import re
from collections.abc import Iterable

from bot.ops.logs.patterns import (
    BARE,
    ENCODED,
    HIDDEN,
    core_of,
    is_secret,
    is_word,
    pattern_of,
    without_named,
)

# Letters; a shorter secret would be found within words, and is hidden only where its name is.
_SHORTEST = 6
_SLASH = rf"(?:\\*/|{ENCODED}2f|\\+u002f)"
_DASH = rf"(?:-|{ENCODED}2d|\\+u002d)"
_HOOKS = "commands|actions|services|workflows|triggers"

_SHAPES = tuple(
    re.compile(f"(?i){shape}")
    for shape in (
        # Slack's tokens; a cookie's is escaped
        rf"()(?:xox[a-z](?:(?:\.|{ENCODED}2e)xox[a-z])?|xapp){_DASH}(?:\w|{_DASH}|{ENCODED}(?:2[bf]|3d))+",
        # what somebody bears, if it is no word of a sentence
        r"(bearer(?:[ \t]|%20){1,9})(?=[\w.~+/-]{0,64}\d)[\w.~+/=-]{16,}",
        # Slack's response_urls and webhooks
        rf"(hooks\.slack[\w.-]{{1,20}}{_SLASH})(?!\[){BARE}",
        rf"(?<=[/f])()(?:{_HOOKS}){_SLASH}[TE]\w{{1,32}}{_SLASH}{BARE}",
        # WeChat's tickets, refresh tokens and codes
        rf"()(?:ticket|refreshtoken|queryauthcode|preauthcode)(?:@|{ENCODED}40){{3}}{BARE}",
        # the password in an address; a database's may hold a slash
        rf"(\w:{_SLASH}{{2}}[^\s:/@\"'<>\\]{{0,255}}:)[^\s/\"'<>]{{1,255}}(?=@)",
        rf"(postgres[\w+]{{0,20}}:{_SLASH}{{2}}[^\s:/@\"'<>\\]{{0,255}}:)[^\s\"'<>]{{1,255}}(?=@)",
        rf"(\w{ENCODED}3a(?:{ENCODED}2f){{2}}[^\s%\"'<>&]{{0,255}}{ENCODED}3a)[^\s\"'<>&]{{1,255}}(?={ENCODED}40)",
    )
)
# One of them is in whatever a shape or a name finds; looking for them is fast, and few lines have one.
_HINTS = (
    *("xox", "xapp", "token", "secret", "ticket", "auth", "passw", "pwd", "key", "%25", "@", "%40"),
    *("bearer", "trigger", "hooks.slack", *_HOOKS.split("|")),
)


class _KnownSecret:
    """A secret that is known by its value."""

    def __init__(self, secret: str) -> None:
        self.core = core_of(secret)
        self._pattern = re.compile(pattern_of(secret))

    def hidden_in(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self.core in text else text


class Redactor:
    """Replaces what is or looks like a secret; `secrets` are those that are known."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
        self._words = [_KnownSecret(secret) for secret in known if is_word(secret)]
        self._others = [_KnownSecret(secret) for secret in known if not is_word(secret)]

    def suspects(self, text: str) -> bool:
        """Tell, fast, whether `text` may hold a secret; if not, cleaning would leave it as it is."""
        lowered = text.lower()
        return any(secret.core in text for secret in (*self._others, *self._words)) or any(
            h in lowered for h in _HINTS
        )

    def clean(self, text: str) -> str:
        """Return `text` with every secret hidden."""
        if not self.suspects(text):
            return text
        for secret in self._others:
            text = secret.hidden_in(text)
        for pattern in _SHAPES:
            text = pattern.sub(rf"\1{HIDDEN}", text)
        text = without_named(text)
        for secret in self._words:  # last, since one may be a name, such as “secret”
            text = secret.hidden_in(text)
        return text

    def clean_fact(self, name: str, value: object) -> object:
        """Return a value with every secret hidden: all of it where its name says that it is one."""
        if value is None or isinstance(value, bool | int | float):
            return value
        return HIDDEN if is_secret(name) else self.clean(str(value))
