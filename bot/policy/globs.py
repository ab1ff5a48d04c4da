"""What a glob of the policy matches: whatever the case of letters, all that another matches, anything at all. Pure.

A glob is what fnmatch takes: `*`, `?`, `[abc]` and `[!abc]`. It is matched against
all words of a form at once, as a state machine: a place in the glob is a state.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from string import ascii_letters, digits

from bot.command import is_env

# As in fnmatch, a `]` right behind `[` or `[!` is one of the letters.
_PIECE = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)
_STAR = "*"
_APPID = ("w", "x", *("0123456789abcdef",) * 16)
_ENV_END = digits + ascii_letters
_ENV_MIDDLE = f"{_ENV_END}-"
_LONGEST_ENV = 64
_LONGEST_GLOB = 1000  # one that is longer is not looked at


def fits_any_case(word: str, glob: str) -> bool:
    """Tell whether `word` fits `glob` with some of its letters in the other case."""
    if "[" not in glob:
        return fnmatchcase(word.lower(), glob.lower())
    return _walks_through(word, glob)  # such as [!A-Z] and [Z-a], which no change of case can spell


@lru_cache(maxsize=1000)
def _walks_through(word: str, glob: str) -> bool:
    pieces = _pieces(glob)
    at = _past_stars(pieces, {0})
    for letter in word:
        at = _step(pieces, at, {letter.lower(), letter.upper()})
    return len(pieces) in at


def is_glob(word: str) -> bool:
    """Tell whether `word` may match more than itself."""
    return bool(set(word) & set("*?["))


def covers(wider: str, glob: str) -> bool:
    """Tell whether `wider` matches every word that `glob` matches; no where that is hard to say.

    With only stars in `wider`, each star or question mark of `glob` falls into one of them, whatever it stands for.
    """
    if wider in {glob, _STAR}:
        return True
    if is_glob(glob):
        return not (set(wider) & set("?[") or "[" in glob) and fnmatchcase(glob, wider)
    return fnmatchcase(glob, wider)


def can_match_appid(glob: str) -> bool:
    """Tell whether some appid fits `glob`; yes where that is hard to say."""
    if len(glob) > _LONGEST_GLOB:
        return True
    pieces = _pieces(glob)
    at = _past_stars(pieces, {0})
    for letters in _APPID:
        at = _step(pieces, at, letters)
    return len(pieces) in at


def can_match_env(glob: str) -> bool:
    """Tell whether a command could name some env that fits `glob`; yes where that is hard to say."""
    if not is_glob(glob):
        return is_env(glob)
    if len(glob) > _LONGEST_GLOB:
        return True
    pieces = _pieces(glob)
    at, letters = _past_stars(pieces, {0}), _ENV_END
    for _ in range(_LONGEST_ENV):
        if len(pieces) in _step(pieces, at, _ENV_END):
            return True
        at, letters = _step(pieces, at, letters), _ENV_MIDDLE
    return False


def _pieces(glob: str) -> list[str]:
    """Return the pieces of a glob: a star, or what stands for one letter; stars in a row are one."""
    return _PIECE.findall(re.sub(r"\*+", _STAR, glob))


def _step(pieces: list[str], at: Iterable[int], letters: Iterable[str]) -> set[int]:
    """Return the places in the glob that one more of `letters` leads to from the places `at`."""
    on: set[int] = set()
    for here in at:
        if here < len(pieces) and pieces[here] == _STAR:
            on.add(here)
        elif here < len(pieces) and any(fnmatchcase(letter, pieces[here]) for letter in letters):
            on.add(here + 1)
    return _past_stars(pieces, on)


def _past_stars(pieces: list[str], at: set[int]) -> set[int]:
    """Return `at` and the places behind stars, since a star may stand for nothing."""
    return at | {here + 1 for here in at if here < len(pieces) and pieces[here] == _STAR}
