"""Where a secret begins and ends in a text: by the ways to write it, and by the name next to it. Pure."""

import re

# The start of a percent-escape, also inside a URL that is itself escaped.
ENCODED = r"%(?:25)*"
# A backslash before a quote is part of the quote.
BARE_SIGN = r"(?:[^\s\"'<>&,;)}\]\\]|\\+(?![\"'\\]))"
BARE = f"{BARE_SIGN}+"
QUOTE = rf"(?:\\*[\"']|{ENCODED}22)"

_WORD = re.compile(r"(?:[A-Za-z][a-z]*|[A-Z]+|[0-9]+)\Z")
_LONGEST_WORD = 15  # characters
_BEFORE_WORD = (  # not preceded by a letter or digit, except those of an escape
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[abfnrtv0])|"
    r"(?<=\\x[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
)
HIDDEN = "[hidden]"
_NAMES = (
    r"(?P<name>(?:access|refresh)_?token|verify_?ticket|app_?secret|authorization_?code|pre_?auth_?code|"
    r"encryption_?key|aes_?key(?:_previous)?|trigger_?id|(?P<header>authorization))|"
    r"(?P<word>ticket|secret|token|api[_-]?key|password|passwd|pwd)"
)
_PAIR = (  # ("token", "…") and {"name": "token", "value": "…"}
    r"(?P<pair>(?<=[\"']),\s*(?=b?\\*[\"'])(?P<key>b?\\*[\"']value\\*[\"']\s*:)?)"
)
_NAMED = re.compile(
    rf"(?i)(?:{_NAMES})(?P<closed>{QUOTE})?[ \t]*"
    rf"(?P<is>[=:][=>]?|{ENCODED}3[ad]|>(?:<!\[CDATA\[)?|{_PAIR})"
    rf"(?P<blank>[ \t]*)(?:b(?=[\"']))?(?:(?P<depth>\\*)(?P<quote>[\"'])|{ENCODED}22)?"
    rf"(?P<scheme>(?:Bearer|Basic|Token)(?:[ \t+]|{ENCODED}20)+)?"
)
_OPENED = re.compile(r"[\[(]\s*b?\\*[\"'][\w-]*\Z")
_LONGEST_START = 60  # characters before a name that may hold its opening bracket
_NEXT_NAME = re.compile(r"[A-Za-z_]{1,30}\\*[\"']\s*+(?::|,\s*+(?![\])]))")
_UNQUOTED = re.compile(rf"(?:(?![(\[{{]){BARE_SIGN})+")
_OF_HEADER = re.compile(  # quotes inside a header's value follow a “=”
    r"(?:=\\*[\"'][^\"'\n]*[\"']?|[^\"'\n\\]|\\+(?![\"'\\nr]))+"
)
_MARK = re.compile(r"(?<!\\)(?P<depth>\\*)(?P<quote>[\"'])|(?P<opens>[\[({])|(?P<closes>[\])}])|\n")
_PLAIN = re.compile(r"[A-Za-z]{1,15}[.:!?]?")
_NOTHING = frozenset({"None", "null", "true", "false", "True", "False"})
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES})\Z")


def is_word(secret: str) -> bool:
    """Return whether a secret could occur inside other words, as a password like “postgres” can."""
    return len(secret) <= _LONGEST_WORD and _WORD.match(secret) is not None


def core_of(secret: str) -> str:
    """Return the longest part of a secret that every encoding leaves unchanged."""
    return max(re.split(r"[^A-Za-z0-9]+", secret), key=len)


def pattern_of(secret: str) -> str:
    """Return a pattern for a secret in any nesting of JSON, Python and URL escapes; a word has to stand alone."""
    if is_word(secret):
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
    ways = (
        plain,
        *(["\\+"] if part == " " else []),
        "".join(f"{ENCODED}{byte:02x}" for byte in raw),
        "".join(rf"\\+u{unit}" for unit in units),
        "".join(rf"\\+x{byte:02x}" for byte in raw),
    )
    return f"(?:{plain}|(?i:{'|'.join(ways[1:])}))"


def is_secret(name: str) -> bool:
    """Return whether a value with this name is a secret."""
    return _SECRET_NAME.search(name) is not None


def without_named(text: str) -> str:
    """Return `text` with the values next to secrets' names hidden."""
    kept, at = list[str](), 0
    while named := _NAMED.search(text, at):
        start, end = named.end(), _end_of_value(text, named)
        kept += [text[at:start], HIDDEN] if end > start else [text[at:start]]
        at = end
    return "".join([*kept, text[at:]])


def _end_of_value(text: str, named: re.Match[str]) -> int:
    """Return where the value next to a name ends; its start, if there is none."""
    start = named.end()
    if named["word"] and named["pair"] and not named["key"] and not _is_pair(text, named):
        return start
    if named["quote"]:
        return _end_of_quoted(text, named)
    if named["word"] and text.startswith(
        "{", start
    ):  # a nested object, whose names are handled by themselves
        return start
    across = named["is"] != "="  # source lines in tracebacks end with open brackets
    if named["header"] and named["is"] == ":" and not named["closed"]:
        end = _end_of_header(text, start)
    else:
        end = _end_of_bare(text, start, across=across)
    return start if text[start:end] in _NOTHING or _goes_on(text[start:end], named) else end


def _is_pair(text: str, named: re.Match[str]) -> bool:
    """Return whether a word and what follows are a name and its value, rather than two items of a list of names."""
    before = text[max(0, named.start() - _LONGEST_START) : named.start()]
    return bool(_OPENED.search(before)) and not _NEXT_NAME.match(text, named.end())


def _goes_on(value: str, named: re.Match[str]) -> bool:
    """Return whether this is a sentence that goes on after a colon."""
    colon = named["word"] and named["is"] == ":" and named["blank"] and not named["scheme"]
    return bool(colon) and _PLAIN.fullmatch(value) is not None


def _end_of_quoted(text: str, named: re.Match[str]) -> int:
    """Return where a quoted value ends: at its closing quote, that of the surrounding text, or the end of the line."""
    for mark in _MARK.finditer(text, named.end()):
        if mark[0] == "\n" or _closes(mark, named):
            return mark.start()
    return len(text)


def _end_of_header(text: str, start: int) -> int:
    """Return where a header's value ends, in any scheme: at the end of the line, or the quote around the text."""
    if text.startswith("[", start):  # a list, or a part that is already hidden
        start = _end_of_brackets(text, start, across=False)
    value = _OF_HEADER.match(text, start)
    return value.end() if value else start


def _end_of_bare(text: str, start: int, *, across: bool) -> int:
    """Return where an unquoted value ends; brackets in it are skipped as a whole."""
    end = start
    while True:
        if text[end : end + 1] in {"[", "(", "{"}:
            end = _end_of_brackets(text, end, across=across)
        elif more := _UNQUOTED.match(text, end):
            end = more.end()
        else:
            return end


def _end_of_brackets(text: str, start: int, *, across: bool) -> int:
    """Return where all brackets are closed; else the end of the text, or of the line unless they may go `across` lines."""
    level, quoted = 0, None
    for mark in _MARK.finditer(text, start):
        if mark[0] == "\n":
            if not across:
                return mark.start()
        elif quoted:
            quoted = None if _closes(mark, quoted) else quoted
        elif mark["quote"]:
            quoted = mark
        else:
            level += 1 if mark["opens"] else -1
            if not level:
                return mark.end()
    return len(text)


def _closes(mark: re.Match[str], opening: re.Match[str]) -> bool:
    """Return whether a mark closes the quote that `opening` opened, or one around it."""
    same = mark["quote"] == opening["quote"]
    return same and len(mark["depth"]) <= len(opening["depth"])
