"""A response that breaks off, as when a proxy is restarted in the middle of it."""

from bot.playground.faults import Drop

CUT_OFF = Drop(after_effect=True, sent=b'HTTP/1.1 200 OK\r\nContent-Length: 64\r\n\r\n{"errcode":')
