"""A response that breaks off, as when a proxy is restarted in the middle of it, or comes too slowly."""

from bot.playground.faults import Drop

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"
CUT_OFF = Drop(after_effect=True, sent=_HEAD + b'{"errcode":')


def drip(seconds: float) -> Drop:
    """Return a response whose body takes so long for each byte; the call has its effect."""
    return Drop(after_effect=True, sent=_HEAD + b" " * 99, apart=seconds)
