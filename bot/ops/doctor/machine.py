"""Check the machine: its clock compared to Slack's and WeChat's, and the proxies in its environment."""

import os
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from bot.domain.finding import SET_THE_CLOCK, Finding, ok, unchecked, warning, wrong
from bot.ops.doctor.setup import Setup
from bot.ops.doctor.transport import Traffic, origin_of
from bot.wechat.push import STALE_AFTER

_PROXIES = "proxies"
_SLACK = "slack.com"
_NO_ADDRESS = "(not an address)"
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
        f"{name}'s: {off:+.0f} s" for name, off in told.items()
    )
    most = max(map(abs, told.values()))
    if most <= _NOTICEABLE:
        return [ok("clock", found)]
    # After five minutes, Slack's signatures and WeChat's pushes are refused.
    return [(wrong if most > STALE_AFTER else warning)("clock", found, SET_THE_CLOCK)]


async def check_proxies(setup: Setup) -> list[Finding]:
    """Return which proxies are used, and misleading variables in the environment."""
    proxies = {kind: url for kind, url in getproxies().items() if kind != "no" and url}
    servers = _servers(setup)
    slack = urlsplit(servers.get("Slack", "")).hostname
    odd = _problems(proxies, setup.environ, past=bool(proxy_bypass(slack or _SLACK)))
    problems = [*odd, *_shut(setup.traffic)] or [*_silent(setup.traffic, servers)]
    used = ", ".join(f"{kind}: {_host(url)}" for kind, url in sorted(proxies.items()))
    return problems or [ok(_PROXIES, used or "none")]


def _shut(traffic: Traffic) -> Iterator[Finding]:
    """Yield a finding if a proxy did not let calls through."""
    if traffic.shut:
        said = ", ".join(f"{host} (HTTP {status})" for host, status in sorted(traffic.shut.items()))
        fix = "Check HTTPS_PROXY, the user and the password in it, and what the proxy lets through."
        yield wrong(_PROXIES, f"the proxy does not let the bot through to {said}", fix)


def _silent(traffic: Traffic, servers: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a finding if several do not answer, neither Slack nor WeChat among those that do.

    A token server may be on this side of the network.
    """
    if len(traffic.silent) > 1 and traffic.answered.isdisjoint(map(origin_of, servers.values())):
        found = f"none of these answers: {', '.join(sorted(traffic.silent))}"
        fix = "Check the network and its firewall, the addresses, and whether HTTPS_PROXY has to be set."
        yield wrong(_PROXIES, found, fix)


def _problems(
    proxies: Mapping[str, str], environ: Mapping[str, str], *, past: bool
) -> Iterator[Finding]:
    """Yield the problems; `past` if NO_PROXY names Slack.

    Sources: aiohttp's `proxies_from_env`, slack_sdk's `proxy_env_variable_loader`.
    """
    only_in_file = sorted(
        name for name in environ if name.upper().endswith("_PROXY") and name not in os.environ
    )
    if only_in_file:
        fix = "Set them in the environment of the process."
        found = f"only in .env, where they are not used: {', '.join(only_in_file)}"
        yield warning(_PROXIES, found, fix)
    if proxies and "https" not in proxies:
        fix = "Set HTTPS_PROXY."
        found = f"{', '.join(sorted(proxies))} set, and HTTPS_PROXY not: WeChat is called past the proxy"
        yield warning(_PROXIES, found, fix)
    secure = proxies.get("https", "http://none").lower()
    fix = "Give the proxy's address as http://host:port; what passes through it is encrypted all the same."
    if not secure.startswith("http://"):
        # aiohttp ignores an https:// proxy, and fails with any other scheme.
        unused = secure.startswith("https://")
        what = "WeChat is called without it" if unused else "neither Slack nor WeChat can be called"
        found = f"HTTPS_PROXY does not begin with http://, so {what}"
        yield (warning if unused else wrong)(_PROXIES, found, fix)
    elif _host(secure) == _NO_ADDRESS:
        found = "HTTPS_PROXY is not an address, so neither Slack nor WeChat can be called"
        yield wrong(_PROXIES, found, fix)
    if proxies and past:
        fix = "Let the proxy reach Slack."
        found = "NO_PROXY names Slack, whose library ignores it and calls Slack through the proxy"
        yield warning(_PROXIES, found, fix)


def _host(url: str) -> str:
    """Return a proxy's scheme and host, without its password."""
    try:
        parts = urlsplit(url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return _NO_ADDRESS
    if not parts.hostname:
        return _NO_ADDRESS
    return f"{parts.scheme}://{parts.hostname}{port}"
