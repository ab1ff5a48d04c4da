"""Let no Python process that has this folder on its path know a host by its name while there is the file NAMELESS.

Nor does it remember any: aiohttp would, for ten seconds.
"""

import os
import socket
from functools import partialmethod
from pathlib import Path
from typing import Any

import aiohttp

_true_getaddrinfo = socket.getaddrinfo


def _getaddrinfo(
    host: Any,
    port: Any,
    family: int = 0,
    type: int = 0,  # noqa: A002  # its name there
    proto: int = 0,
    flags: int = 0,
) -> Any:
    only = socket.AI_NUMERICHOST if Path(os.environ["NAMELESS"]).exists() else 0
    return _true_getaddrinfo(host, port, family, type, proto, flags | only)


socket.getaddrinfo = _getaddrinfo
aiohttp.TCPConnector.__init__ = partialmethod(  # type: ignore[assignment]  # it stands in for a function
    aiohttp.TCPConnector.__init__, use_dns_cache=False
)
