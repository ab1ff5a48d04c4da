"""Fail every name lookup of a Python process with this folder on its path, while the file exists that NO_DNS names.

aiohttp does the lookups here, with any event loop; its cache of ten seconds is switched off.
"""

import os
import socket
from functools import partialmethod
from pathlib import Path

import aiohttp
from aiohttp.abc import ResolveResult

_true_resolve = aiohttp.ThreadedResolver.resolve


def _dns_is_down() -> bool:
    return Path(os.environ["NO_DNS"]).exists()


async def _resolve(
    self: aiohttp.ThreadedResolver,
    host: str,
    port: int = 0,
    family: socket.AddressFamily = socket.AF_INET,
) -> list[ResolveResult]:
    if _dns_is_down():
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    return await _true_resolve(self, host, port, family)


aiohttp.ThreadedResolver.resolve = _resolve  # type: ignore[method-assign]
aiohttp.TCPConnector.__init__ = partialmethod(  # type: ignore[assignment]  # mypy expects a plain function
    aiohttp.TCPConnector.__init__, use_dns_cache=False
)
