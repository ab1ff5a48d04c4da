"""What stands beside a secret's name, in whatever writes the two: where it begins and ends, and the text without it. Pure."""

import re

from bot.ops.written import BARE, ENCODED, QUOTE

HIDDEN = "[hidden]"

_NAMES = (
    r"(?P<name>(?:access|refresh)_?token|verify_?ticket|app_?secret|authorization_?code|pre_?auth_?code|"
    r"encryption_?key|aes_?key(?:_previous)?|trigger_?id|authorization)|(?P<word>ticket|secret|token|api[_-]?key|password|passwd|pwd)"
)
_NAMED = re.compile(
    rf"(?i)(?:{_NAMES}){QUOTE}?[ \t]*"
    rf"(?P<is>[=:][=>]?|{ENCODED}3[ad]|>(?:<!\[CDATA\[)?|(?(name)(?<=[\"']),(?=[ \t]*b?\\*[\"'])|(?!)))"
    rf"(?P<blank>[ \t]*)(?:b(?=[\"']))?(?:(?P<depth>\\*)(?P<quote>[\"'])|{ENCODED}22)?"
    rf"(?P<scheme>(?:Bearer|Basic|Token)(?:[ \t+]|{ENCODED}20)+)?"
)
_UNQUOTED = re.compile(BARE)
_MARK = re.compile(r"(?<!\\)(?P<depth>\\*)(?P<quote>[\"'])|\n")
_PLAIN = re.compile(r"[A-Za-z]{1,15}[.:!?]?")
_NOTHING = frozenset({"None", "null", "true", "false", "True", "False"})
_SECRET_NAME = re.compile(rf"(?i)(?:{_NAMES})\Z")


def is_secret(name: str) -> bool:
    """Tell whether what has this name is a secret."""
    return _SECRET_NAME.search(name) is not None


def without_named(text: str) -> str:
    """Return `text` with what stands beside each secret's name hidden."""
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
