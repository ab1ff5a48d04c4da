"""Glob matching: in any letter case, one glob against another, and against all possible appids and envs. Pure.

A glob is what fnmatch accepts: `*`, `?`, `[abc]` and `[!abc]`. To match it against all words of a form at once, it is
run as a state machine whose states are positions in the glob.
"""

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from string import ascii_letters, digits

from bot.command.grammar import is_env

# As in fnmatch, a `]` directly after `[` or `[!` is a member of the set.
_PIECE = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)
_STAR = "*"
_APPID = ("w", "x", *("0123456789abcdef",) * 16)
_ENV_END = digits + ascii_letters
_ENV_MIDDLE = f"{_ENV_END}-"
_LONGEST_ENV = 64
_LONGEST_GLOB = 1000  # longer globs are not analysed


def fits_any_case(word: str, glob: str) -> bool:
    """Return whether `word`, with each letter in either case, can match `glob`."""
    if "[" not in glob:
        return fnmatchcase(word.lower(), glob.lower())
    return _matches_any_case(word, glob)  # sets such as [!A-Z] and [Z-a] cannot be lower-cased


@lru_cache(maxsize=1000)
def _matches_any_case(word: str, glob: str) -> bool:
    return _can_match(glob, [{letter.lower(), letter.upper()} for letter in word])


def is_glob(word: str) -> bool:
    """Return whether `word` is a pattern."""
    return bool(set(word) & set("*?["))


def covers(wider: str, glob: str) -> bool:
    """Return whether `wider` matches every word that `glob` matches; False if in doubt.

    If `wider` has only stars, it is matched against the text of `glob`: each `*` or `?` there falls within one of its stars.
    """
    if wider in {glob, _STAR}:
        return True
    if is_glob(glob):
        return not (set(wider) & set("?[") or "[" in glob) and fnmatchcase(glob, wider)
    return fnmatchcase(glob, wider)


def can_match_appid(glob: str) -> bool:
    """Return whether any appid matches `glob`; True if in doubt."""
    return len(glob) > _LONGEST_GLOB or _can_match(glob, _APPID)


def can_match_env(glob: str) -> bool:
    """Return whether any valid env matches `glob`; True if in doubt."""
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


def _can_match(glob: str, letters_at: Iterable[Iterable[str]]) -> bool:
    """Return whether the glob matches a word with one of these letters at each place."""
    pieces = _pieces(glob)
    at = _past_stars(pieces, {0})
    for letters in letters_at:
        at = _step(pieces, at, letters)
    return len(pieces) in at


def _pieces(glob: str) -> list[str]:
    """Split a glob into pieces, each a star or a pattern for one character; consecutive stars become one."""
    return _PIECE.findall(re.sub(r"\*+", _STAR, glob))


def _step(pieces: list[str], at: Iterable[int], letters: Iterable[str]) -> set[int]:
    """Return the positions in the glob reached from `at` by one of `letters`."""
    on: set[int] = set()
    for here in at:
        if here < len(pieces) and pieces[here] == _STAR:
            on.add(here)
        elif here < len(pieces) and any(fnmatchcase(letter, pieces[here]) for letter in letters):
            on.add(here + 1)
    return _past_stars(pieces, on)


def _past_stars(pieces: list[str], at: set[int]) -> set[int]:
    """Return `at` and the positions after stars there, since a star may match nothing."""
    return at | {here + 1 for here in at if here < len(pieces) and pieces[here] == _STAR}
