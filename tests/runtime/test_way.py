"""What was in the way of a call, with real sockets: nothing listens, hangs, asks for a password or is trusted."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from bot.domain.finding import Problem
from bot.runtime.way import Ways, in_the_way
from tests.certificates import signed_by_itself
from tests.checking import checks

NOWHERE = "https://slack.invalid/api/"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _close(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


def _answer(status: int) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    return serve


async def _hang(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


@asynccontextmanager
async def listening(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    served: list[asyncio.StreamWriter] = []

    async def noted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await serve(reader, writer)

    async with await asyncio.start_server(noted, "127.0.0.1", 0, ssl=context) as server:
        try:
            yield server.sockets[0].getsockname()[1]
        finally:  # before the server is closed: from Python 3.12 on it waits for its connections
            for writer in served:
                writer.close()
                with suppress(OSError):
                    await writer.wait_closed()


async def seen(url: str, proxy: str | None = None) -> Problem:
    """Return what was in the way of a call that has to fail."""
    timeout = aiohttp.ClientTimeout(total=2, connect=0.3)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(url, proxy=proxy) as answer,
        ):
            raise AssertionError(answer.status)
    except (aiohttp.ClientError, OSError) as error:
        found = in_the_way(error, proxy)
    assert found
    return found


async def test_a_proxy_is_named_with_what_it_did_and_without_its_password() -> None:
    with checks() as check:
        for serve, found in (
            (None, "the proxy {} takes no connection (Connection refused)"),
            (_hang, "the proxy {} does not answer in time"),
            (_close, "the proxy {} breaks the connection"),
            (_answer(407), "the proxy {} wants a user and a password that it knows (HTTP 407)"),
            (_answer(403), "the proxy {} does not let the bot through (HTTP 403)"),
            (_answer(502), "the proxy {} gets no connection there (HTTP 502)"),
        ):
            async with listening(serve or _close) as port:
                gone = 9 if serve is None else port
                told = await seen(NOWHERE, f"http://me:hush@127.0.0.1:{gone}")
            with check(found):
                assert told.found == found.format(f"http://127.0.0.1:{gone}")
                assert "HTTPS_PROXY" in told.fix
    unknown = await seen(NOWHERE, "http://me:hush@proxy.invalid:3128")
    assert unknown.found == "the name of the proxy http://proxy.invalid:3128 is not found"


async def test_without_a_proxy_the_name_and_the_connection_are_told_apart() -> None:
    assert (await seen(NOWHERE)).found.startswith("the name is not found (")
    refused = await seen("https://127.0.0.1:9/")
    assert refused.found == "no connection can be made (Connection refused)"
    async with listening(_close) as port:
        assert (await seen(f"http://127.0.0.1:{port}")).found.startswith("the connection breaks")
    async with listening(_hang) as port:
        assert (
            await seen(f"https://127.0.0.1:{port}")
        ).found == "no connection can be made in time"
        assert (await seen(f"http://127.0.0.1:{port}")).found == "no answer comes in time"


@pytest.mark.parametrize(
    ("name", "days", "trusted", "found", "fix"),
    [
        ("localhost", 1, False, "the certificate is signed by nobody whom", "SSL_CERT_FILE"),
        ("localhost", -1, True, "the certificate is not valid today (certificate has", "NTP"),
        ("example.com", 1, True, "the certificate is for another name", "sign-in page"),
    ],
)
async def test_what_is_wrong_with_a_certificate_is_told(
    tmp_path: Path, name: str, days: int, trusted: bool, found: str, fix: str
) -> None:
    file = signed_by_itself(tmp_path / "server.pem", x509.DNSName(name), days)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    client = ssl.create_default_context(cafile=file if trusted else None)
    async with listening(_hang, server) as port, aiohttp.ClientSession() as http:
        with pytest.raises(aiohttp.ClientConnectorCertificateError) as raised:
            await http.get(f"https://localhost:{port}", ssl=client)
    for proxy in (None, "http://proxy.example"):
        told = in_the_way(raised.value, proxy)
        assert told
        assert told.found.startswith(found)
        assert fix in told.fix


async def test_where_no_tls_is_spoken_that_is_told() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with listening(plain) as port:
        told = await seen(f"https://127.0.0.1:{port}")
    assert told.found.startswith("TLS fails there (")


def test_what_is_in_the_way_is_logged_once_until_it_changes_or_the_server_is_reached(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ways = Ways()
    dead, unknown = Problem("it is dead", "Start it."), Problem("nobody knows it", "Correct it.")
    for way in (dead, dead, unknown, unknown, None, None, unknown):
        ways.note("Slack", way)
        ways.note("api.weixin.qq.com", None)
    assert [(vars(each)["server"], vars(each)["reason"]) for each in caplog.records] == [
        ("Slack", dead.found),
        ("Slack", unknown.found),
        ("Slack", unknown.found),
    ]
    assert vars(caplog.records[0])["fix"] == "Start it."
