"""Check where the bot listens: that HOST and PORT can be used, or that the bot answers there already."""

import asyncio
import json

import aiohttp

from bot.ops.doctor.check import Finding, ok, wrong, wrong_by
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.transport import DEADLINE
from bot.ops.listener import HEALTHZ, origin, unusable

_NAME = "listener"
_LONGEST = 10_000  # bytes; what a bot says of itself has some hundreds


async def check_listener(setup: Setup) -> list[Finding]:
    """Return whether a bot could listen there, or does; nothing where it need not listen."""
    address = setup.parts.listener
    if address is None:
        return []
    host, port = address.host, address.port
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(DEADLINE):
            # It takes the place as the bot would, lets nobody in, and gives it back at once.
            place = await loop.create_server(asyncio.Protocol, host, port, start_serving=False)
    except (OSError, ValueError) as error:
        problem = unusable(host, port, error)
        return [await _taken(host, port) if problem.taken else wrong_by(_NAME, problem.problem)]
    place.close()
    return [ok(_NAME, f"{_shown(host, port)} can be used")]


async def _taken(host: str, port: int) -> Finding:
    shown = _shown(host, port)
    if await _answers(f"{origin(host, port)}{HEALTHZ}"):
        return ok(_NAME, f"a bot that runs answers at {shown}")
    return wrong(_NAME, f"{shown} is taken by another program", "Stop it, or set another PORT.")


async def _answers(url: str) -> bool:
    """Tell whether what is there tells of its parts as this bot does; it is asked past any proxy."""
    timeout = aiohttp.ClientTimeout(total=DEADLINE)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url) as answer:
            told = json.loads(await answer.content.read(_LONGEST))
    except (aiohttp.ClientError, OSError, ValueError, RecursionError):
        return False
    return isinstance(told, dict) and "ok" in told and isinstance(told.get("parts"), dict)


def _shown(host: str, port: int) -> str:
    return origin(host, port).removeprefix("http://")
