"""How the ledger stores secrets: encrypted if there is a key, else in plain text.

Source: cryptography.io, "Fernet (symmetric encryption)", MultiFernet.
"""

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING

from bot.domain.sentence import Sentence

if TYPE_CHECKING:
    from cryptography.fernet import Fernet, MultiFernet

_PLAIN, _FERNET = "plain:", "fernet:"


PUT_BACK = Sentence(
    "Put the key back, or let the bot get new tokens: it asks WeChat for the refresh tokens."
)
"""What to do about a secret whose key is lost."""


class Sealed(Enum):
    """How a stored secret is protected; `doctor` prints the value."""

    NEWEST = Sentence("encrypted with the newest key")
    OLDER = Sentence("still encrypted with an older key")
    PLAIN = Sentence("not encrypted")
    LOST = Sentence("encrypted with a key that is not in TOKEN_ENCRYPTION_KEY")


class Seal:
    """Encrypts and decrypts what is stored, with Fernet keys, the newest first; without keys it is stored in plain text."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._newest: Fernet | None = None
        self._every: MultiFernet | None = None
        if keys:
            # Imported here, since it takes 7 MB and many bots have no keys.
            from cryptography import fernet  # noqa: PLC0415

            fernets = [fernet.Fernet(key) for key in keys]
            self._newest, self._every = fernets[0], fernet.MultiFernet(fernets)

    def encrypt(self, secret: str) -> str:
        """Return the text to store for a secret."""
        if self._every is None:
            return f"{_PLAIN}{secret}"
        return f"{_FERNET}{self._every.encrypt(secret.encode()).decode()}"

    def decrypt(self, stored: str | None) -> str | None:
        """Return the secret; None if nothing is stored or no key decrypts it."""
        if stored is None or stored.startswith(_PLAIN):
            return stored and stored.removeprefix(_PLAIN)
        return _decrypted(self._every, stored)

    def state(self, stored: str) -> Sealed:
        """Return how `stored` is protected."""
        if stored.startswith(_PLAIN):
            return Sealed.PLAIN
        if _decrypted(self._newest, stored) is not None:
            return Sealed.NEWEST
        return Sealed.LOST if _decrypted(self._every, stored) is None else Sealed.OLDER


def _decrypted(fernet: "Fernet | MultiFernet | None", stored: str) -> str | None:
    if fernet is None:
        return None
    from cryptography.fernet import InvalidToken  # noqa: PLC0415  # loaded with the keys

    try:
        return fernet.decrypt(stored.removeprefix(_FERNET)).decode()
    except (InvalidToken, ValueError):  # ValueError: not ASCII
        return None
