"""Where in a text a secret begins and ends: by how it is written itself, and by the name beside it. Pure."""

import re

# What begins an escape in a URL, also where that URL is escaped within another one.
ENCODED = r"%(?:25)*"
# A backslash before a quote belongs to the quote.
BARE_SIGN = r"(?:[^\s\"'<>&,;)}\]\\]|\\+(?![\"'\\]))"
BARE = f"{BARE_SIGN}+"
QUOTE = rf"(?:\\*[\"']|{ENCODED}22)"

_WORD = re.compile(r"(?:[A-Za-z][a-z]*|[A-Z]+|[0-9]+)\Z")
_LONGEST_WORD = 15  # letters
_BEFORE_WORD = (  # no letter and no digit, but for those of an escape
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
_LONGEST_START = 60  # letters of a name, and what stands before it
_NEXT_NAME = re.compile(r"[A-Za-z_]{1,30}\\*[\"']\s*+(?::|,\s*+(?![\])]))")
_UNQUOTED = re.compile(rf"(?:(?![(\[{{]){BARE_SIGN})+")
_OF_HEADER = re.compile(  # what has quotes in it has them behind a “=”
    r"(?:=\\*[\"'][^\"'\n]*[\"']?|[^\"'\n\\]|\\+(?![\"'\\nr]))+"
)
_MARK = re.compile(r"(?<!\\)(?P<depth>\\*)(?P<quote>[\"'])|(?P<opens>[\[({])|(?P<closes>[\])}])|\n")
_PLAIN = re.compile(r"[A-Za-z]{1,15}[.:!?]?")
_NOTHING = frozenset({"None", "null", "true", "false", "True", "False"})
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES})\Z")


def is_word(secret: str) -> bool:
    """Tell whether a secret could be a part of other words, as a password like “postgres” is."""
    return len(secret) <= _LONGEST_WORD and _WORD.match(secret) is not None


def core_of(secret: str) -> str:
    """Return the longest part of a secret that is written the same everywhere."""
    return max(re.split(r"[^A-Za-z0-9]+", secret), key=len)


def pattern_of(secret: str) -> str:
    """Return a pattern for a secret as JSON, Python and addresses write it, however often; for a word, where it stands alone."""
    if is_word(secret):
        return rf"{_BEFORE_WORD}{secret}(?![A-Za-z0-9])"
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
        "".join(f"{ENCODED}{byte:02x}" for byte in raw),
        "".join(rf"\\+u{unit}" for unit in units),
        "".join(rf"\\+x{byte:02x}" for byte in raw),
    )
    return f"(?:{plain}|(?i:{'|'.join(ways[1:])}))"


def is_secret(name: str) -> bool:
    """Tell whether what has this name is a secret."""
    return _SECRET_NAME.search(name) is not None


def without_named(text: str) -> str:
    """Return `text` with what stands beside each secret's name hidden."""
    kept, at = list[str](), 0
    while named := _NAMED.search(text, at):
        start, end = named.end(), _end_of_value(text, named)
        kept += [text[at:start], HIDDEN] if end > start else [text[at:start]]
        at = end
    return "".join([*kept, text[at:]])


def _end_of_value(text: str, named: re.Match[str]) -> int:
    """Return where the value beside a name ends: where it begins, if there is none."""
    start = named.end()
    if named["word"] and named["pair"] and not named["key"] and not _is_pair(text, named):
        return start
    if named["quote"]:
        return _end_of_quoted(text, named)
    if named["word"] and text.startswith("{", start):  # something nested, with names of its own
        return start
    across = named["is"] != "="  # a traceback's lines of source end with open brackets
    if named["header"] and named["is"] == ":" and not named["closed"]:
        end = _end_of_header(text, start)
    else:
        end = _end_of_bare(text, start, across=across)
    return start if text[start:end] in _NOTHING or _goes_on(text[start:end], named) else end


def _is_pair(text: str, named: re.Match[str]) -> bool:
    """Tell whether a word and what follows are a name and its value, and no two of a list of names."""
    before = text[max(0, named.start() - _LONGEST_START) : named.start()]
    return bool(_OPENED.search(before)) and not _NEXT_NAME.match(text, named.end())


def _goes_on(value: str, named: re.Match[str]) -> bool:
    """Tell whether a sentence goes on behind its colon."""
    colon = named["word"] and named["is"] == ":" and named["blank"] and not named["scheme"]
    return bool(colon) and _PLAIN.fullmatch(value) is not None


def _end_of_quoted(text: str, named: re.Match[str]) -> int:
    """Return where a quoted value ends: at its own quote, at that of the text around it, else with the line."""
    for mark in _MARK.finditer(text, named.end()):
        if mark[0] == "\n" or _closes(mark, named):
            return mark.start()
    return len(text)


def _end_of_header(text: str, start: int) -> int:
    """Return where the value of a header ends, whatever its scheme: with the line, or at the quote of the text around it."""
    if text.startswith("[", start):  # a list, or a part that was known and is hidden already
        start = _end_of_brackets(text, start, across=False)
    value = _OF_HEADER.match(text, start)
    return value.end() if value else start


def _end_of_bare(text: str, start: int, *, across: bool) -> int:
    """Return where a value without quotes ends, with whatever stands in brackets in it."""
    end = start
    while True:
        if text[end : end + 1] in {"[", "(", "{"}:
            end = _end_of_brackets(text, end, across=across)
        elif more := _UNQUOTED.match(text, end):
            end = more.end()
        else:
            return end


def _end_of_brackets(text: str, start: int, *, across: bool) -> int:
    """Return where each bracket is closed again; else where the text ends, or the line if they do not go `across` lines."""
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
    """Tell whether a mark is the quote that ends what another one began, or what is around that."""
    same = mark["quote"] == opening["quote"]
    return same and len(mark["depth"]) <= len(opening["depth"])
