"""Redaction: hide in any text what is a secret of the settings or looks like a secret, whoever wrote it.

WeChat's access token sits in addresses and Slack's response_urls are keys, so what libraries log is cleaned too.
A secret is known by its value, by its shape or by the name beside it, as queries, JSON (also within JSON), Python's
reprs, headers, XML and libpq's connection strings write them. All of it takes time in proportion to the text.
"""

import re
from collections.abc import Iterable

HIDDEN = "[hidden]"

_SHORTEST = (
    6  # letters; a shorter secret would be found within words, and is hidden only where its name is
)
_ENCODED = (
    r"%(?:25)*"  # what begins an escape of an address, also where the address stands in another one
)
_SLASH = rf"(?:\\*/|{_ENCODED}2f|\\+u002f)"
_DASH = rf"(?:-|{_ENCODED}2d|\\+u002d)"
_BARE = (
    r"(?:[^\s\"'<>&,;)}\]\\]|\\+(?![\"'\\]))+"  # a backslash before a quote belongs to the quote
)
_QUOTE = rf"(?:\\*[\"']|{_ENCODED}22)"
_HOOKS = "commands|actions|services|workflows|triggers"

_SHAPES = tuple(
    re.compile(f"(?i){shape}")
    for shape in (
        # Slack's tokens; a cookie's is escaped
        rf"()(?:xox[a-z](?:(?:\.|{_ENCODED}2e)xox[a-z])?|xapp){_DASH}(?:\w|{_DASH}|{_ENCODED}(?:2[bf]|3d))+",
        # what somebody bears, if it is no word of a sentence
        r"(bearer(?:[ \t]|%20){1,9})(?=[\w.~+/-]{0,64}\d)[\w.~+/=-]{16,}",
        # Slack's response_urls and webhooks
        rf"(hooks\.slack[\w.-]{{1,20}}{_SLASH})(?!\[){_BARE}",
        rf"(?<=[/f])()(?:{_HOOKS}){_SLASH}[TE]\w{{1,32}}{_SLASH}{_BARE}",
        # WeChat's tickets, refresh tokens and codes
        rf"()(?:ticket|refreshtoken|queryauthcode|preauthcode)(?:@|{_ENCODED}40){{3}}{_BARE}",
        # the password in an address; a database's may hold a slash
        rf"(\w:{_SLASH}{{2}}[^\s:/@\"'<>\\]{{0,255}}:)[^\s/\"'<>]{{1,255}}(?=@)",
        rf"(postgres[\w+]{{0,20}}:{_SLASH}{{2}}[^\s:/@\"'<>\\]{{0,255}}:)[^\s\"'<>]{{1,255}}(?=@)",
        rf"(\w{_ENCODED}3a(?:{_ENCODED}2f){{2}}[^\s%\"'<>&]{{0,255}}{_ENCODED}3a)[^\s\"'<>&]{{1,255}}(?={_ENCODED}40)",
    )
)
_NAMES = (
    r"(?P<name>(?:access|refresh)_?token|verify_?ticket|app_?secret|authorization_?code|pre_?auth_?code|"
    r"encryption_?key|aes_?key(?:_previous)?|trigger_?id|authorization)|(?P<word>ticket|secret|token|api[_-]?key|password|passwd|pwd)"
)
_NAMED = re.compile(
    rf"(?i)(?:{_NAMES}){_QUOTE}?[ \t]*"
    rf"(?P<is>[=:][=>]?|{_ENCODED}3[ad]|>(?:<!\[CDATA\[)?|(?(name)(?<=[\"']),(?=[ \t]*b?\\*[\"'])|(?!)))"
    rf"(?P<blank>[ \t]*)(?:b(?=[\"']))?(?:(?P<depth>\\*)(?P<quote>[\"'])|{_ENCODED}22)?"
    rf"(?P<scheme>(?:Bearer|Basic|Token)(?:[ \t+]|{_ENCODED}20)+)?"
)
_UNQUOTED = re.compile(_BARE)
_MARK = re.compile(r"(?<!\\)(?P<depth>\\*)(?P<quote>[\"'])|\n")
_PLAIN = re.compile(r"[A-Za-z]{1,15}[.:!?]?")
_NOTHING = frozenset({"None", "null", "true", "false", "True", "False"})
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES})\Z")
# One of them is in whatever a shape or a name finds; looking for them is fast, and few lines have one.
_HINTS = (
    *("xox", "xapp", "token", "secret", "ticket", "auth", "passw", "pwd", "key", "%25", "@", "%40"),
    *("bearer", "trigger", "hooks.slack", *_HOOKS.split("|")),
)


class Redactor:
    """Replaces what is or looks like a secret; `secrets` are those that are known."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({s for s in secrets if len(s) >= _SHORTEST}, key=len, reverse=True)
        self._known = [(_core(secret), re.compile(_written(secret))) for secret in known]

    def suspects(self, text: str) -> bool:
        """Tell, fast, whether `text` may hold a secret; if not, cleaning would leave it as it is."""
        lowered = text.lower()
        return any(core in text for core, _ in self._known) or any(h in lowered for h in _HINTS)

    def clean(self, text: str) -> str:
        """Return `text` with every secret hidden."""
        if not self.suspects(text):
            return text
        for core, pattern in self._known:
            if core in text:
                text = pattern.sub(HIDDEN, text)
        for pattern in _SHAPES:
            text = pattern.sub(rf"\1{HIDDEN}", text)
        return _without_named(text)

    def clean_fact(self, name: str, value: object) -> object:
        """Return a value with every secret hidden: all of it where its name says that it is one."""
        if value is None or isinstance(value, bool | int | float):
            return value
        return HIDDEN if _SECRET_NAME.search(name) else self.clean(str(value))


def _without_named(text: str) -> str:
    """Hide what stands beside a secret's name."""
    kept, at = list[str](), 0
    while named := _NAMED.search(text, at):
        start = named.end()
        end = _end_of_quoted(text, named) if named["quote"] else _end_of_bare(text, named)
        kept += [text[at:start], HIDDEN] if end > start else [text[at:start]]
        at = end
    return "".join([*kept, text[at:]])


def _end_of_quoted(text: str, named: re.Match[str]) -> int:
    """Return where a quoted value ends: at its own quote, at that of the text around it, else with the line."""
    for mark in _MARK.finditer(text, named.end()):
        if mark["quote"] is None:
            return mark.start()
        if mark["quote"] == named["quote"] and len(mark["depth"]) <= len(named["depth"]):
            return mark.start()
    return len(text)


def _end_of_bare(text: str, named: re.Match[str]) -> int:
    """Return where a value without quotes ends; it has none where a sentence or something nested goes on."""
    start = named.end()
    if text[start : start + 1] in {"[", "{"}:  # asked first: the value might go on to the end
        return start
    value = _UNQUOTED.match(text, start)
    if value is None or value[0] in _NOTHING:
        return start
    if named["word"] and named["is"] == ":" and named["blank"] and not named["scheme"]:
        return start if _PLAIN.fullmatch(value[0]) else value.end()
    return value.end()


def _core(secret: str) -> str:
    """Return the longest part of a secret that is written the same everywhere."""
    return max(re.split(r"[^A-Za-z0-9]+", secret), key=len)


def _written(secret: str) -> str:
    """Return a pattern for a secret as JSON, Python and addresses write it, however often."""
    return "".join(map(_shape_of, re.findall(r"\\+|[^\\]", secret, re.DOTALL)))


def _shape_of(part: str) -> str:
    """Return a pattern for one letter of a secret, or for all backslashes in a row."""
    if part.isascii() and part.isalnum():
        return part
    raw = part.encode("utf-8", "surrogatepass")
    wide = part.encode("utf-16-be", "surrogatepass").hex()
    units = [wide[at : at + 4] for at in range(0, len(wide), 4)]
    if part.startswith("\\"):
        plain = rf"\\{{{len(part)},}}+"
    else:
        plain = rf"\\*{re.escape(part)}" if part in "\"'/" else re.escape(part)
    ways = (
        plain,
        *(["\\+"] if part == " " else []),
        "".join(f"{_ENCODED}{byte:02x}" for byte in raw),
        "".join(rf"\\+u{unit}" for unit in units),
        "".join(rf"\\+x{byte:02x}" for byte in raw),
    )
    return f"(?:{plain}|(?i:{'|'.join(ways[1:])}))"
