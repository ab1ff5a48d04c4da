"""Check the machine: its clock compared to Slack's and WeChat's, and the proxies in its environment."""

import os
from urllib.request import getproxies

from bot.domain.finding import SET_THE_CLOCK, Finding, ok, unchecked, warning, wrong
from bot.domain.sentence import COMMA, Sentence, joined
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.transport import origin_of
from bot.runtime.way import address_of
from bot.wechat.push import STALE_AFTER

_PROXIES = "proxies"
_CALLED = {"Slack": "Slack", "WeChat": Sentence("WeChat")}
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
        return [unchecked("clock", Sentence("no server told the time"), "slack-bot", "wechat")]
    off = [
        Sentence("{server}'s: {seconds} s", server=_CALLED[name], seconds=f"{round(off):+}")
        for name, off in told.items()
    ]
    found = Sentence("this machine's against {off}", off=joined(off, COMMA))
    most = max(map(abs, told.values()))
    if most <= _NOTICEABLE:
        return [ok("clock", found)]
    # After five minutes, Slack's signatures and WeChat's pushes are refused.
    return [(wrong if most > STALE_AFTER else warning)("clock", found, SET_THE_CLOCK)]


async def check_proxies(setup: Setup) -> list[Finding]:
    """Return which proxies are used, and which cannot be.

    Sources: `urllib.request.getproxies`, slack_sdk's `proxy_env_variable_loader`.
    """
    proxies = {kind: url for kind, url in getproxies().items() if kind != "no" and url}
    in_file = sorted({n for n in setup.environ if _is_of_the_process(n)} - set(os.environ))
    problems = (
        (
            *(warning, in_file),
            Sentence("only in .env, where they are not used: {names}", names=", ".join(in_file)),
            Sentence("Set them in the environment of the process."),
        ),
        (
            *(warning, proxies and "https" not in proxies),
            Sentence(
                "{names} set, and HTTPS_PROXY not: WeChat is called past the proxy",
                names=", ".join(sorted(proxies)),
            ),
            Sentence("Set HTTPS_PROXY."),
        ),
        (
            # aiohttp can use an https:// proxy on asyncio's own loop alone, and no other scheme at all.
            *(wrong, "https" in proxies and address_of(proxies["https"]) is None),
            Sentence("HTTPS_PROXY is no address that begins with http://, so it cannot be used"),
            Sentence(
                "Give the proxy's address as http://host:port; what passes through it is encrypted all the same."
            ),
        ),
    )
    found = [level(_PROXIES, what, fix) for level, holds, what, fix in problems if holds]
    used = {kind: address_of(url) for kind, url in sorted(proxies.items())}
    shown = ", ".join(f"{kind}: {address}" for kind, address in used.items() if address)
    return found or [ok(_PROXIES, shown or Sentence("none"))]


def _is_of_the_process(name: str) -> bool:
    """Return whether a name counts in the environment of the process alone: libraries read it there."""
    return name.upper().endswith("_PROXY") or name in {"SSL_CERT_FILE", "SSL_CERT_DIR"}
