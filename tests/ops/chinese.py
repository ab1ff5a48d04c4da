"""Find what is left in English in a text for an operator who reads Chinese."""

import errno
import os
import re

_CODE = re.compile(r"“[^”]*”|`[^`]*`|\([^)]*\)|https?://\S+|share-env-bot [a-z -]+|'[^']*'")
_RUN = re.compile(r"(?:[A-Za-z][a-z']*[ ,;:]+){3,}[a-z']+\b")


def english_in(text: str) -> str:
    """Return the first run of four English words outside of quotations, code and addresses; empty if there is none."""
    found = _RUN.search(_CODE.sub("“”", text))
    return found[0] if found else ""


_OF_OTHERS = (
    *map(os.strerror, (errno.ENOENT, errno.ECONNREFUSED, errno.EACCES, errno.ENOTDIR)),
    "unable to open database file",
    "file is not a database",
    "connection failed: connection to server at",
    "access clientip is not registered",
    "at the end of an array declaration",
    "Cannot assign requested address",
)


def without_others(text: str) -> str:
    """Return a text without the words of others: the system, the drivers, the parser, WeChat."""
    for words in _OF_OTHERS:
        text = text.replace(words, "")
    return text
