"""Redaction: hide secrets in any text, whatever library wrote it: those of the settings, and what looks like one.

WeChat's access token is part of URLs and Slack's response_urls are credentials, so libraries' log lines are cleaned too.
A secret is recognised by its value, its shape, or the name next to it, as written in queries, JSON (also nested in JSON),
Python's reprs, headers, XML and libpq's connection strings. It takes time linear in the text.
"""

import re
from collections.abc import Iterable

_HIDDEN = "[hidden]"
# The start of a percent-escape, also inside a URL that is itself escaped.
_ENCODED = r"%(?:25)*"
# A backslash before a quote is part of the quote.
_BARE_SIGN = r"(?:[^\s\"'<>&,;)}\]\\]|\\+(?![\"'\\]))"
_BARE = f"{_BARE_SIGN}+"

# By its value. A shorter secret would also match inside words, so it is hidden only next to its name.
_SHORTEST = 6  # characters
_WORD = re.compile(r"(?:[A-Za-z][a-z]*|[A-Z]+|[0-9]+)\Z")
_LONGEST_WORD = 15  # characters
_BEFORE_WORD = (  # not preceded by a letter or digit, except those of an escape
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[abfnrtv0])|"
    r"(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
)

# By its shape.
_SLASH = rf"(?:\\*/|{_ENCODED}2f|\\+u002f)"
_DASH = rf"(?:-|{_ENCODED}2d|\\+u002d)"
_HOOKS = "commands|actions|services|workflows|triggers"

_SHAPES = tuple(
    re.compile(f"(?i){shape}")
    for shape in (
        # Slack's tokens; inside a cookie they are escaped
        rf"()(?:xox[a-z](?:(?:\.|{_ENCODED}2e)xox[a-z])?|xapp){_DASH}(?:\w|{_DASH}|{_ENCODED}(?:2[bf]|3d))+",
        # a bearer token, unless it is a word of a sentence
        r"(bearer(?:[ \t]|%20){1,9})(?=[\w.~+/-]{0,64}\d)[\w.~+/=-]{16,}",
        # Slack's response_urls and webhooks
        rf"(hooks\.slack[\w.-]{{1,20}}{_SLASH})(?!\[){_BARE}",
        rf"(?<=[/f])()(?:{_HOOKS}){_SLASH}[TE]\w{{1,32}}{_SLASH}{_BARE}",
        # WeChat's tickets, refresh tokens and codes
        rf"()(?:ticket|refreshtoken|queryauthcode|preauthcode)(?:@|{_ENCODED}40){{3}}{_BARE}",
        # the password in a URL; a database's may contain a slash
        rf"(\w:{_SLASH}{{2}}[^\s:/@\"'<>\\]{{0,255}}:)[^\s/\"'<>]{{1,255}}(?=@)",
        rf"(postgres[\w+]{{0,20}}:{_SLASH}{{2}}[^\s:/@\"'<>\\]{{0,255}}:)[^\s\"'<>]{{1,255}}(?=@)",
        rf"(\w{_ENCODED}3a(?:{_ENCODED}2f){{2}}[^\s%\"'<>&]{{0,255}}{_ENCODED}3a)[^\s\"'<>&]{{1,255}}(?={_ENCODED}40)",
    )
)

# By the name next to it.
_QUOTE = rf"(?:\\*[\"']|{_ENCODED}22)"
_NAMES = (
    r"(?P<name>(?:access|refresh)_?token|verify_?ticket|app_?secret|authorization_?code|pre_?auth_?code|"
    r"encryption_?key|aes_?key(?:_previous)?|trigger_?id|(?P<header>authorization))|"
    r"(?P<word>ticket|secret|token|api[_-]?key|password|passwd|pwd)"
)
# {"name": "token", "value": "…"} and ("access_token", "…"); there a word like “token” is as likely an item of a list.
_PAIR = r"(?<=[\"']),\s*(?=b?\\*[\"'])(?:b?\\*[\"']value\\*[\"']\s*:|(?(word)(?!)))"
_NAMED = re.compile(
    rf"(?i)(?:{_NAMES})(?P<closed>{_QUOTE})?[ \t]*"
    rf"(?P<is>[=:][=>]?|{_ENCODED}3[ad]|>(?:<!\[CDATA\[)?|{_PAIR})"
    rf"(?P<blank>[ \t]*)(?:b(?=[\"']))?(?:(?P<depth>\\*)(?P<quote>[\"'])|{_ENCODED}22)?"
    rf"(?P<scheme>(?:Bearer|Basic|Token)(?:[ \t+]|{_ENCODED}20)+)?"
)
# What a bracket opens may hold anything: all to the end of the line is the value; of data that begins with one, all.
_UNQUOTED = rf"(?:\[hidden\]|(?![(\[{{]){_BARE_SIGN})*(?:[(\[{{].*)?"
_IN_SOURCE = re.compile(_UNQUOTED)
_IN_DATA = re.compile(rf"(?!\[hidden\])[(\[{{][\s\S]*|{_UNQUOTED}")
_OF_HEADER = re.compile(  # quotes inside a header's value follow a “=”
    r"(?:\[hidden\]|\[.*|=\\*[\"'][^\"'\n]*[\"']?|[^\"'\n\\]|\\+(?![\"'\\nr]))*"
)
_MARK = re.compile(r"(?<!\\)(?P<depth>\\*)(?P<quote>[\"'])|\n")
_PLAIN = re.compile(r"[A-Za-z]{1,15}[.:!?]?")
_NOTHING = frozenset({"None", "null", "true", "false", "True", "False"})
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES})\Z")

# Every match of a shape or a name contains one of these; searching for them is fast, and few lines have any.
_HINTS = (
    *("xox", "xapp", "token", "secret", "ticket", "auth", "passw", "pwd", "key", "%25", "@", "%40"),
    *("bearer", "trigger", "hooks.slack", *_HOOKS.split("|")),
)


class _KnownSecret:
    """A secret from the settings."""

    def __init__(self, secret: str) -> None:
        # The longest part that every encoding leaves unchanged.
        self.core = max(re.split(r"[^A-Za-z0-9]+", secret), key=len)
        self._pattern = re.compile(_pattern_of(secret))

    def hidden_in(self, text: str) -> str:
        return self._pattern.sub(_HIDDEN, text) if self.core in text else text


class Redactor:
    """Replaces secrets in text; `secrets` are the known ones."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
        self._words = [_KnownSecret(secret) for secret in known if may_be_in_words(secret)]
        self._others = [_KnownSecret(secret) for secret in known if not may_be_in_words(secret)]

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
            text = pattern.sub(rf"\1{_HIDDEN}", text)
        text = _without_named(text)
        for secret in self._words:  # last: one may be the same as a name, such as “secret”
            text = secret.hidden_in(text)
        return text

    def clean_fact(self, name: str, value: object) -> object:
        """Return a value with its secrets hidden; all of it if its name says that it is a secret."""
        if value is None or isinstance(value, bool | int | float):
            return value
        return _HIDDEN if _SECRET_NAME.search(name) else self.clean(str(value))


def may_be_in_words(secret: str) -> bool:
    """Return whether a secret could occur inside other words, as a password like “postgres” can."""
    return len(secret) <= _LONGEST_WORD and _WORD.match(secret) is not None


def _pattern_of(secret: str) -> str:
    """Return a pattern for a secret in any nesting of JSON, Python and URL escapes; a word has to stand alone."""
    if may_be_in_words(secret):
        return rf"{_BEFORE_WORD}{secret}(?![A-Za-z0-9])"
    return "".join(map(_shape_of, re.findall(r"\\+|[^\\]", secret, re.DOTALL)))


def _shape_of(part: str) -> str:
    """Return a pattern for one character of a secret, or for a run of backslashes."""
    if part.isascii() and part.isalnum():
        return part
    raw = part.encode("utf-8", "surrogatepass")
    wide = part.encode("utf-16-be", "surrogatepass").hex()
    units = [wide[at : at + 4] for at in range(0, len(wide), 4)]
    if part.startswith("\\"):
        plain = rf"\\{{{len(part)},}}+"
    else:
        plain = rf"\\*{re.escape(part)}" if part in "\"'/" else re.escape(part)
    escaped = (
        *(["\\+"] if part == " " else []),
        "".join(f"{_ENCODED}{byte:02x}" for byte in raw),
        "".join(rf"\\+u{unit}" for unit in units),
        "".join(rf"\\+x{byte:02x}" for byte in raw),
    )
    return f"(?:{plain}|(?i:{'|'.join(escaped)}))"


def _without_named(text: str) -> str:
    """Return `text` with the values next to secrets' names hidden."""
    kept, at = list[str](), 0
    while named := _NAMED.search(text, at):
        start, end = named.end(), _end_of_value(text, named)
        kept += [text[at:start], _HIDDEN] if end > start else [text[at:start]]
        at = end
    return "".join([*kept, text[at:]])


def _end_of_value(text: str, named: re.Match[str]) -> int:
    """Return where the value next to a name ends; its start, if there is none."""
    start = named.end()
    if named["quote"]:
        return _end_of_quoted(text, named)
    if named["word"] and text.startswith("{", start):
        return start  # a nested object, whose names are handled by themselves
    if named["header"] and named["is"] == ":" and not named["closed"]:
        form = _OF_HEADER
    else:
        form = _IN_SOURCE if named["is"] == "=" else _IN_DATA
    value = form.match(text, start)
    if value is None or value[0] in _NOTHING or _goes_on(value[0], named):
        return start
    return value.end()


def _goes_on(value: str, named: re.Match[str]) -> bool:
    """Return whether this is a sentence that goes on after a colon."""
    colon = named["word"] and named["is"] == ":" and named["blank"] and not named["scheme"]
    return bool(colon) and _PLAIN.fullmatch(value) is not None


def _end_of_quoted(text: str, named: re.Match[str]) -> int:
    """Return where a quoted value ends: at its closing quote, that of the surrounding text, or the end of the line."""
    for mark in _MARK.finditer(text, named.end()):
        same = mark["quote"] == named["quote"]
        if mark[0] == "\n" or (same and len(mark["depth"]) <= len(named["depth"])):
            return mark.start()
    return len(text)
