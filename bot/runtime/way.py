"""What was in the way of a call over HTTP: a proxy, the name, the certificate, the network. Never a credential.

aiohttp tells a proxy's failures from a server's by the class alone, and a name that is not found not even by that: so the
proxy has to be passed in. Source: aiohttp 3.14, `connector.py`; OpenSSL, `X509_V_ERR_…`.
"""

import logging
import os
import ssl
from contextlib import suppress
from urllib.parse import urlsplit

import aiohttp

from bot.domain.finding import SET_THE_CLOCK, Problem
from bot.domain.sentence import Sentence

PROXY_WANTS_PASSWORD = 407
_SERVER_ERROR = 500
_NOT_YET_VALID, _EXPIRED, _ANOTHER_NAME = 9, 10, 62
_NETWORK = Sentence(
    "Check the network and its firewall, whether HTTPS_PROXY has to be set, and the address if you set one."
)
_NAMES = Sentence(
    "Check this machine's DNS (getent hosts slack.com), whether HTTPS_PROXY has to be set, and the address if you set one."
)
_START_THE_PROXY = Sentence("Correct HTTPS_PROXY, or let the proxy run.")
_TRUST = Sentence(
    "If the company's proxy decrypts TLS, let it leave this bot's calls alone, or set SSL_CERT_FILE, in the environment of the process, to a PEM file with its CA's certificate and the usual ones."
)

_log = logging.getLogger(__name__)


class Ways:
    """What is in the way of each server; logged once until it changes, or until the server is reached."""

    def __init__(self) -> None:
        self._told: dict[str, Problem] = {}

    def note(self, server: str, way: Problem | None) -> None:
        """Note what was in the way of a call to a server; None if the call was sent."""
        if way is None:
            self._told.pop(server, None)
        elif self._told.get(server) != way:
            self._told[server] = way
            facts = {"server": server, "reason": way.found, "fix": way.fix}
            _log.warning("a server cannot be reached", extra=facts)


def in_the_way(error: BaseException, proxy: str | None) -> Problem | None:
    """Return why a call by way of `proxy`, or directly, got no answer; None if the error does not tell."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return _untrusted(error.certificate_error)
        case aiohttp.ClientHttpProxyError(status=status):
            return proxy_refuses(status, proxy)
        case aiohttp.ClientSSLError():
            return Problem(
                Sentence("TLS fails there ({why})", why=_reason(error.os_error)), _NETWORK
            )
        case aiohttp.ClientError() | OSError() if proxy:
            return _on_the_way_to(proxy, error)
        case aiohttp.ClientConnectorDNSError():
            return Problem(
                Sentence("the name is not found ({why})", why=_reason(error.os_error)), _NAMES
            )
        case aiohttp.ClientConnectorError():
            return Problem(
                Sentence("no connection can be made ({why})", why=_reason(error.os_error)), _NETWORK
            )
        case aiohttp.ConnectionTimeoutError():
            return Problem(Sentence("no connection can be made in time"), _NETWORK)
        case TimeoutError():
            return Problem(Sentence("no answer comes in time"), _NETWORK)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return Problem(Sentence("the connection breaks before an answer comes"), _NETWORK)
        case _:
            return None


def proxy_refuses(status: int, proxy: str | None) -> Problem:
    """Return what it means that a proxy answered with this HTTP status instead of passing the call on."""
    who = named(proxy)
    if status == PROXY_WANTS_PASSWORD:
        found = Sentence(
            "{who} wants a user and a password that it knows (HTTP {status})",
            who=who,
            status=status,
        )
        return Problem(
            found, Sentence("Put both before its host in HTTPS_PROXY, as user:password@.")
        )
    if status >= _SERVER_ERROR:
        fix = Sentence(
            "Ask who runs the proxy whether it can reach the internet, or correct HTTPS_PROXY."
        )
        return Problem(
            Sentence("{who} gets no connection there (HTTP {status})", who=who, status=status), fix
        )
    fix = Sentence(
        "Let the proxy pass the bot's calls to the servers named here, or correct HTTPS_PROXY."
    )
    return Problem(
        Sentence("{who} does not let the bot through (HTTP {status})", who=who, status=status), fix
    )


def named(proxy: str | None) -> str:
    """Return a proxy in words, with its address."""
    if proxy is None:
        return Sentence("a proxy that HTTPS_PROXY does not name")
    if address := address_of(proxy):
        return Sentence("the proxy {address}", address=address)
    return Sentence("the proxy in HTTPS_PROXY")


def address_of(proxy: str) -> str | None:
    """Return a proxy's address without its user and password; None if it is not one that the bot can use."""
    with suppress(ValueError):  # the port is not a number
        parts = urlsplit(proxy)
        if parts.scheme == "http" and parts.hostname:
            return f"http://{parts.hostname}{f':{parts.port}' if parts.port else ''}"
    return None


def _on_the_way_to(proxy: str, error: BaseException) -> Problem | None:
    who = named(proxy)
    match error:
        case aiohttp.ClientConnectorDNSError():
            return Problem(Sentence("the name of {who} is not found", who=who), _START_THE_PROXY)
        case aiohttp.ClientConnectorError():
            why = _reason(error.os_error)
            return Problem(
                Sentence("{who} takes no connection ({why})", who=who, why=why), _START_THE_PROXY
            )
        case TimeoutError():
            return Problem(Sentence("{who} does not answer in time", who=who), _START_THE_PROXY)
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError():
            return Problem(Sentence("{who} breaks the connection", who=who), _START_THE_PROXY)
        case _:
            return None


def _untrusted(error: Exception) -> Problem:
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else None
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    if code in {_NOT_YET_VALID, _EXPIRED}:
        fix = Sentence(
            "{first} If it is right, the server needs a new certificate.", first=SET_THE_CLOCK
        )
        return Problem(Sentence("the certificate is not valid today ({why})", why=why), fix)
    if code == _ANOTHER_NAME:
        fix = Sentence(
            "Check the address if you set one, and whether a sign-in page of the network answers instead."
        )
        return Problem(Sentence("the certificate is for another name"), fix)
    return Problem(
        Sentence("the certificate is signed by nobody whom this machine trusts ({why})", why=why),
        _TRUST,
    )


def _reason(error: OSError) -> str:
    """Return the system's words for an error, without the address that asyncio puts there."""
    if error.errno and error.errno > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(error.errno)
    return error.strerror or type(error).__name__
