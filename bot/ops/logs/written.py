"""How a text writes what is hidden in it: a known secret, and the signs that stand around any. Pure."""

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
