"""WeChat's message encryption, AES-256-CBC padded to blocks of 32 bytes, and its signature. Pure.

Source: developers.weixin.qq.com, oplatform, "Message encryption and decryption" and "message_push".
"""

import hashlib
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

RANDOM_BYTES = 16
_BLOCK_BITS = 256  # of the padding; AES blocks have 128 bits
_LENGTH_BYTES = 4
_HEAD = RANDOM_BYTES + _LENGTH_BYTES


@dataclass(frozen=True, slots=True)
class Decrypted:
    """A decrypted message, and the appid it was encrypted for."""

    message: bytes = field(repr=False)
    appid: str


def key_of(encoding_aes_key: str) -> bytes:
    """Return the 32-byte key for an EncodingAESKey of 43 characters.

    In some keys the last character has stray bits. WeChat accepts them, so they are accepted here.
    """
    return b64decode(f"{encoding_aes_key}=")


def signature(token: str, timestamp: str, nonce: str, encrypted: str) -> str:
    """Return the msg_signature of an encrypted message, as hexadecimal SHA-1."""
    parts = "".join(sorted([token, timestamp, nonce, encrypted]))
    return hashlib.sha1(parts.encode(errors="replace"), usedforsecurity=False).hexdigest()


def encrypt(key: bytes, message: bytes, appid: str, random: bytes) -> str:
    """Return `message` encrypted for `appid`, in base64; `random` is RANDOM_BYTES long and must not be reused."""
    plain = random + len(message).to_bytes(_LENGTH_BYTES, "big") + message + appid.encode()
    padder = PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    padded = padder.update(plain) + padder.finalize()
    return b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def decrypt(key: bytes, encrypted: str) -> Decrypted | None:
    """Decrypt base64; return None if the key is wrong or the message is malformed. Never raises."""
    try:
        cipher = b64decode(encrypted, validate=True)
        decryptor = Cipher(AES(key), CBC(key[:16])).decryptor()
        unpadder = PKCS7(_BLOCK_BITS).unpadder()
        padded = decryptor.update(cipher) + decryptor.finalize()
        plain = unpadder.update(padded) + unpadder.finalize()
        length = int.from_bytes(plain[RANDOM_BYTES:_HEAD], "big")
        if len(plain) < _HEAD + length:
            return None
        return Decrypted(plain[_HEAD : _HEAD + length], plain[_HEAD + length :].decode())
    except ValueError:  # invalid base64, block length, padding or UTF-8
        return None
