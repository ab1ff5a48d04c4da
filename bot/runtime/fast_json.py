"""JSON, encoded and decoded by orjson; the standard library does what orjson refuses, above all lone surrogates.

Unlike the standard library, orjson encodes NaN and infinity as null, and decodes an integer of more than 64 bits as a
float.
"""

import json

import orjson

# As the standard library: a dataclass may have a secret, so it must not become JSON by accident.
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME
_COMPACT = (",", ":")


def encode(value: object) -> bytes:
    """Return a value as JSON in UTF-8, without spaces; raises TypeError for what JSON has no form of."""
    try:
        return orjson.dumps(value, option=_STRICT)
    except orjson.JSONEncodeError:
        return json.dumps(value, separators=_COMPACT).encode()


def decode(text: str | bytes) -> object:
    """Return the value of a JSON text, in UTF-8 if it is bytes; raises ValueError, and RecursionError if nested too deeply."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # The standard library would guess the encoding of bytes.
        return json.loads(text if isinstance(text, str) else text.decode())


def object_in(text: str | bytes) -> dict[str, object] | None:
    """Return the object that a JSON text holds; None if it holds anything else, or is no JSON."""
    try:
        value = decode(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
