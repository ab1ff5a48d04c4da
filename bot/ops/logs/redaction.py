"""Redaction: hide secrets in any text, whatever library wrote it: those of the settings, and what looks like one.

WeChat's access token is part of URLs and Slack's response_urls are credentials, so libraries' log lines are cleaned too.
A secret is recognised by its value, its shape, or the name next to it, as written in queries, JSON (also nested in JSON),
Python's reprs, headers, XML and libpq's connection strings. It takes time linear in the text.
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

# Characters; a shorter secret would also match inside words, so it is hidden only next to its name.
_SHORTEST = 6
_SLASH = rf"(?:\\*/|{ENCODED}2f|\\+u002f)"
_DASH = rf"(?:-|{ENCODED}2d|\\+u002d)"
_HOOKS = "commands|actions|services|workflows|triggers"

_SHAPES = tuple(
    re.compile(f"(?i){shape}")
    for shape in (
        # Slack's tokens; inside a cookie they are escaped
        rf"()(?:xox[a-z](?:(?:\.|{ENCODED}2e)xox[a-z])?|xapp){_DASH}(?:\w|{_DASH}|{ENCODED}(?:2[bf]|3d))+",
        # a bearer token, unless it is a word of a sentence
        r"(bearer(?:[ \t]|%20){1,9})(?=[\w.~+/-]{0,64}\d)[\w.~+/=-]{16,}",
        # Slack's response_urls and webhooks
        rf"(hooks\.slack[\w.-]{{1,20}}{_SLASH})(?!\[){BARE}",
        rf"(?<=[/f])()(?:{_HOOKS}){_SLASH}[TE]\w{{1,32}}{_SLASH}{BARE}",
        # WeChat's tickets, refresh tokens and codes
        rf"()(?:ticket|refreshtoken|queryauthcode|preauthcode)(?:@|{ENCODED}40){{3}}{BARE}",
        # the password in a URL; a database's may contain a slash
        rf"(\w:{_SLASH}{{2}}[^\s:/@\"'<>\\]{{0,255}}:)[^\s/\"'<>]{{1,255}}(?=@)",
        rf"(postgres[\w+]{{0,20}}:{_SLASH}{{2}}[^\s:/@\"'<>\\]{{0,255}}:)[^\s\"'<>]{{1,255}}(?=@)",
        rf"(\w{ENCODED}3a(?:{ENCODED}2f){{2}}[^\s%\"'<>&]{{0,255}}{ENCODED}3a)[^\s\"'<>&]{{1,255}}(?={ENCODED}40)",
    )
)
# Every match of a shape or a name contains one of these; searching for them is fast, and few lines have any.
_HINTS = (
    *("xox", "xapp", "token", "secret", "ticket", "auth", "passw", "pwd", "key", "%25", "@", "%40"),
    *("bearer", "trigger", "hooks.slack", *_HOOKS.split("|")),
)


class _KnownSecret:
    """A secret from the settings."""

    def __init__(self, secret: str) -> None:
        self.core = core_of(secret)
        self._pattern = re.compile(pattern_of(secret))

    def hidden_in(self, text: str) -> str:
        return self._pattern.sub(HIDDEN, text) if self.core in text else text


class Redactor:
    """Replaces secrets in text; `secrets` are the known ones."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
        self._words = [_KnownSecret(secret) for secret in known if is_word(secret)]
        self._others = [_KnownSecret(secret) for secret in known if not is_word(secret)]

    def suspects(self, text: str) -> bool:
        """Return quickly whether `text` may contain a secret; if False, cleaning would not change it."""
        lowered = text.lower()
        known = any(secret.core in text for secret in (*self._others, *self._words))
        return known or any(map(lowered.__contains__, _HINTS))

    def clean(self, text: str) -> str:
        """Return `text` with all secrets hidden."""
        if not self.suspects(text):
            return text
        for secret in self._others:
            text = secret.hidden_in(text)
        for pattern in _SHAPES:
            text = pattern.sub(rf"\1{HIDDEN}", text)
        text = without_named(text)
        for secret in self._words:  # last: one may be the same as a name, such as “secret”
            text = secret.hidden_in(text)
        return text

    def clean_fact(self, name: str, value: object) -> object:
        """Return a value with its secrets hidden; all of it if its name says that it is a secret."""
        if value is None or isinstance(value, bool | int | float):
            return value
        return HIDDEN if is_secret(name) else self.clean(str(value))
