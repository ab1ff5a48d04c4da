"""Let no Python process that has this folder on its path know a host by its name while there is the file NAMELESS.

Nor does it remember any: aiohttp would, for ten seconds. It is aiohttp that asks here, whichever event loop it runs on.
"""

import os
import socket
from functools import partialmethod
from pathlib import Path

import aiohttp
from aiohttp.abc import ResolveResult

_true_resolve = aiohttp.ThreadedResolver.resolve


def _is_nameless() -> bool:
    return Path(os.environ["NAMELESS"]).exists()


async def _resolve(
    self: aiohttp.ThreadedResolver,
    host: str,
    port: int = 0,
    family: socket.AddressFamily = socket.AF_INET,
) -> list[ResolveResult]:
    if _is_nameless():
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return await _true_resolve(self, host, port, family)


aiohttp.ThreadedResolver.resolve = _resolve  # type: ignore[method-assign]
aiohttp.TCPConnector.__init__ = partialmethod(  # type: ignore[assignment]  # it stands in for a function
    aiohttp.TCPConnector.__init__, use_dns_cache=False
)
