"""Find what is left in English in a text for an operator who reads Chinese."""

import re

_CODE = re.compile(r"“[^”]*”|`[^`]*`|\([^)]*\)|https?://\S+|share-env-bot [a-z -]+|'[^']*'")
_RUN = re.compile(r"(?:[A-Za-z][a-z']*[ ,;:]+){3,}[a-z']+\b")


def english_in(text: str) -> str:
    """Return the first run of four English words outside of quotations, code and addresses; empty if there is none."""
    found = _RUN.search(_CODE.sub("“”", text))
    return found[0] if found else ""
