"""Check the machine: its clock compared to Slack's and WeChat's, and the proxies in its environment."""

import os
from contextlib import suppress
from urllib.parse import urlsplit
from urllib.request import getproxies

from bot.domain.finding import SET_THE_CLOCK, Finding, ok, unchecked, warning, wrong
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.transport import origin_of
from bot.wechat.push import STALE_AFTER

_PROXIES = "proxies"
_NOTICEABLE = 30.0  # seconds


def _servers(setup: Setup) -> dict[str, str]:
    """Return the addresses of Slack and WeChat, as far as they are set."""
    parts = setup.parts
    servers = {"Slack": parts.slack.api_url if parts.slack else None, "WeChat": parts.wechat_url}
    return {name: url for name, url in servers.items() if url}


async def check_clock(setup: Setup) -> list[Finding]:
    """Return by how much the clock is off, as far as servers sent the time."""
    ahead = setup.traffic.ahead
    origins = {name: origin_of(url) for name, url in _servers(setup).items()}
    told = {name: -ahead[origin] for name, origin in origins.items() if origin in ahead}
    if not told:
        return [unchecked("clock", "no server told the time", "slack-bot", "wechat")]
    found = "this machine's against " + ", ".join(
        f"{name}'s: {round(off):+} s" for name, off in told.items()
    )
    most = max(map(abs, told.values()))
    if most <= _NOTICEABLE:
        return [ok("clock", found)]
    # After five minutes, Slack's signatures and WeChat's pushes are refused.
    return [(wrong if most > STALE_AFTER else warning)("clock", found, SET_THE_CLOCK)]


async def check_proxies(setup: Setup) -> list[Finding]:
    """Return which proxies are used, and what in them, or in the network, keeps the bot from its servers.

    Sources: `urllib.request.getproxies`, slack_sdk's `proxy_env_variable_loader`.
    """
    proxies = {kind: url for kind, url in getproxies().items() if kind != "no" and url}
    shut = [f"{host} (HTTP {status})" for host, status in sorted(setup.traffic.shut.items())]
    silent = sorted(setup.traffic.silent)
    in_file = sorted({n for n in setup.environ if n.upper().endswith("_PROXY")} - set(os.environ))
    problems = (
        (
            *(warning, in_file),
            f"only in .env, where they are not used: {', '.join(in_file)}",
            "Set them in the environment of the process.",
        ),
        (
            *(warning, proxies and "https" not in proxies),
            f"{', '.join(sorted(proxies))} set, and HTTPS_PROXY not: WeChat is called past the proxy",
            "Set HTTPS_PROXY.",
        ),
        (
            # aiohttp can use an https:// proxy on asyncio's own loop alone, and no other scheme at all.
            *(wrong, "https" in proxies and _address(proxies["https"]) is None),
            "HTTPS_PROXY is no address that begins with http://, so it cannot be used",
            "Give the proxy's address as http://host:port; what passes through it is encrypted all the same.",
        ),
        (
            *(wrong, shut),
            f"the proxy does not let the bot through to {', '.join(shut)}",
            "Check HTTPS_PROXY, the user and the password in it, and what the proxy lets through.",
        ),
    )
    found = [level(_PROXIES, what, fix) for level, holds, what, fix in problems if holds]
    servers = map(origin_of, _servers(setup).values())
    # A token server may be on this side of the network.
    if not found and len(silent) > 1 and setup.traffic.answered.isdisjoint(servers):
        what = f"none of these answers: {', '.join(silent)}"
        fix = "Check the network and its firewall, the addresses, and whether HTTPS_PROXY has to be set."
        found = [wrong(_PROXIES, what, fix)]
    used = {kind: _address(url) for kind, url in sorted(proxies.items())}
    shown = ", ".join(f"{kind}: {address}" for kind, address in used.items() if address)
    return found or [ok(_PROXIES, shown or "none")]


def _address(url: str) -> str | None:
    """Return a proxy's address without its password; None if it is not one that the bot can use."""
    with suppress(ValueError):  # the port is not a number
        parts = urlsplit(url)
        if parts.scheme == "http" and parts.hostname:
            return f"http://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
    return None
