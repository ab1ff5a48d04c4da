"""A TLS proxy in front of WeChat that can refuse or break connections while a bot uses it."""

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path

from cryptography import x509

from tests.certificates import signed_by_itself
from tests.faults.rig import ProcessRig
from tests.processes import ROOT

HOST, NAME = "127.0.0.1", "localhost"
HANDSHAKE = b"\x16"  # how TLS begins


class State(Enum):
    """What a client meets at the proxy."""

    TRUSTED = "WeChat behind a certificate that the bot trusts"
    UNTRUSTED = "WeChat behind another certificate, which nobody has signed"
    PLAIN = "WeChat without TLS"
    REFUSING = "nobody"
    NO_DNS = "WeChat without TLS, under a name that DNS does not know"


class TlsProxy:
    """One port, with one connection per exchange; `target` is the WeChat behind it, `trusted` the proxy's certificate."""

    def __init__(self, folder: Path) -> None:
        self.target = ""
        self.trusted = folder / "trusted.pem"
        self.switched = asyncio.Event()
        self.port = 0
        self.state = State.REFUSING
        self._no_dns = folder / "no-dns"
        self._next_state: State | None = None
        self._server: asyncio.Server | None = None
        self._contexts = {
            State.TRUSTED: _server_context(self.trusted),
            State.UNTRUSTED: _server_context(folder / "untrusted.pem"),
        }

    @property
    def url(self) -> str:
        """The URL for clients in the proxy's current state."""
        scheme = "http" if self.state is State.PLAIN else "https"
        return f"{scheme}://{NAME}:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """The settings with which a bot trusts the proxy's certificate, or cannot resolve its name."""
        return {
            "SSL_CERT_FILE": str(self.trusted),
            "NO_DNS": str(self._no_dns),
            "PYTHONPATH": f"{ROOT}/tests/faults/no_dns:{ROOT}",
        }

    def switch_after_next_answer(self, state: State) -> None:
        """Change the state after WeChat has answered the next call, before the bot gets the answer."""
        self.switched.clear()
        self._next_state = state

    async def switch(self, state: State) -> None:
        """Change the state now."""
        self.close()
        self.state = state
        self._no_dns.unlink(missing_ok=True)
        if state is State.NO_DNS:
            self._no_dns.touch()
        if state is not State.REFUSING:
            context = self._contexts.get(state)
            self._server = await asyncio.start_server(self._serve, HOST, self.port, ssl=context)
            self.port = self._server.sockets[0].getsockname()[1]
        self.switched.set()

    def close(self) -> None:
        """Accept no more connections."""
        if self._server:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one call to WeChat, and its response."""
        # Errors of the connection are expected; the test checks how the bot handles them.
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            writer.write(await self._forward(reader))
            await writer.drain()
        writer.close()

    async def _forward(self, reader: asyncio.StreamReader) -> bytes:
        first = await reader.readexactly(1)
        if first == HANDSHAKE:
            return b"HTTP/1.1 400 Bad Request\r\n\r\n"
        head = first + await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        inward, onward = await asyncio.open_connection(HOST, self.target.rsplit(":", 1)[1])
        onward.write(head[:-2] + b"Connection: close\r\n\r\n" + body)
        answer = await inward.read()
        onward.close()
        if self._next_state:
            state, self._next_state = self._next_state, None
            await self.switch(state)
        return answer


async def break_during_renewal(rig: ProcessRig, proxy: TlsProxy, then: State) -> list[str]:
    """Break the connection right after WeChat has rejected a token; return what this and the next requester are told.

    Before and after that, commands must work.
    """
    proxy.target = rig.wechat.url
    usual = proxy.state
    await rig.check_healthy()
    rig.wechat.expire(rig.wechat.calls[0].token)
    proxy.switch_after_next_answer(then)

    async def next_one() -> str:
        await proxy.switched.wait()
        return await rig.answer()

    told = [*await asyncio.gather(rig.answer(), next_one())]
    assert [call.errcode for call in rig.wechat.calls] == [0, 42001]
    await proxy.switch(usual)
    return told


@asynccontextmanager
async def tls_proxy(folder: Path, state: State) -> AsyncIterator[TlsProxy]:
    """Run a proxy in this state."""
    opened = TlsProxy(folder)
    await opened.switch(state)
    try:
        yield opened
    finally:
        opened.close()


def _server_context(file: Path) -> ssl.SSLContext:
    """Write a new self-signed certificate for this host, and return a server's context with it."""
    signed_by_itself(file, x509.DNSName(NAME))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
