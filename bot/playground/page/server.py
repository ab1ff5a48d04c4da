"""Serves the page on loopback to those who have its URL: files, what a person sees as it changes, and actions."""

import asyncio
import hmac
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from bot.playground.acts import Acts
from bot.playground.guide import completions
from bot.playground.loopback import Json, JsonObject, Loopback
from bot.playground.page.seen import seen
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.world import ROLES

_HERE = Path(__file__).parent
_SENT = (".html", ".js", ".css", ".svg")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_FRAME = 0.03  # seconds; changes within it are sent together
_LOST = "This is the playground of share-env. Open the whole address that the demo printed: it ends in a token.\n"
_FOREIGN = "Only the page itself may ask this, at 127.0.0.1.\n"


class PageServer:
    """Serves the page; `url` contains a token that is new in each run."""

    def __init__(self, acts: Acts, loopback: Loopback) -> None:
        self._acts = acts
        self._loopback = loopback
        self._token = secrets.token_urlsafe(16)
        self._files = {each.name: each for each in _HERE.iterdir() if each.suffix in _SENT}
        self._live: dict[asyncio.Event, None] = {}

    @property
    def url(self) -> str:
        """The URL to open."""
        return f"{self._loopback.origin}/{self._token}/"

    def wake(self) -> None:
        """Send all viewers what has changed."""
        for each in self._live:
            each.set()

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer a request, unless it comes from another site or lacks the token."""
        token, _, name = request.path.removeprefix("/").partition("/")
        if self._is_foreign(request):
            return web.Response(status=403, text=_FOREIGN, headers=_HEADERS)
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return web.Response(status=404, text=_LOST, headers=_HEADERS)
        user = ROLES.get(request.query.get("as", ""), "")
        path = self._files.get(name or "index.html")
        match request.method, name:
            case "POST", "act" if user:
                return web.json_response(await self._acted(user, request), headers=_HEADERS)
            case "GET", "live" if user:
                return await self._stream(request, user)
            case "GET", "transcript.txt":
                return web.Response(text="\n".join([*self._acts.lines, ""]), headers=_HEADERS)
            case "GET", _ if path:
                return web.FileResponse(path, headers=_HEADERS)
            case method, _:
                status = 404 if method == "GET" else 405
                return web.Response(status=status, text=_LOST, headers=_HEADERS)

    def _is_foreign(self, request: web.BaseRequest) -> bool:
        """Return whether another site makes the request: under another host name for this machine, or from its own page."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        here = {f"{name}:{self._loopback.port}" for name in ("127.0.0.1", "localhost")}
        same = origin == f"http://{host}" if origin is not None else request.method == "GET"
        return host not in here or not same

    async def _stream(self, request: web.BaseRequest, user: str) -> web.StreamResponse:
        """Send what a person sees, then each part that changes; None for a part that is gone."""
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        wake = asyncio.Event()
        wake.set()
        self._live[wake] = None
        sent: dict[str, Json] = {}
        try:
            while await self._loopback.hold(None, wake):
                wake.clear()
                now = seen(self._acts, user)
                news = {key: part for key, part in now.items() if sent.get(key, ...) != part}
                news |= dict.fromkeys(sent.keys() - now.keys())
                sent = now
                if news:
                    await response.write(f"data: {json.dumps(news)}\n\n".encode())
                await asyncio.sleep(_FRAME)
        finally:
            self._live.pop(wake, None)
        return response

    async def _acted(self, user: str, request: web.BaseRequest) -> JsonObject:
        """Perform the page's action for a person; return its result, or why it was impossible."""
        try:
            asked = await request.json()
            done = await self._do(user, asked if isinstance(asked, dict) else {})
        except ValueError:
            done = {"problem": "That is not JSON."}
        except ImpossibleError as impossible:
            done = {"problem": str(impossible)}
        self.wake()
        return done

    async def _do(self, user: str, body: JsonObject) -> JsonObject:  # noqa: C901, PLR0912  # one case for each act
        acts, slack = self._acts, self._acts.stage.slack
        match body:
            case {"do": "say", "channel": str(channel), "text": str(text), "thread": str(thread)}:
                await acts.say(user, channel, text, thread)
            case {"do": "click", "action": str(action), "block": str(block)}:
                await acts.click(user, acts.targets.place(user, body), action, block)
            case {"do": "options", "action": str(action), "typed": str(typed)}:
                offered = await slack.options(user, acts.targets.place(user, body), action, typed)
                return {"options": [*offered]}
            case {"do": "complete", "typed": str(typed)}:
                return {"offers": [[*each] for each in completions(typed)]}
            case {"do": "wechat", "order": str(order)}:
                return {"said": await acts.wechat(order)}
            case {"do": "submit", "values": dict(values)}:
                await acts.submit(user, await acts.targets.modal(user), values)
            case {"do": "close"}:
                acts.close(user, await acts.targets.modal(user))
            case {"do": "shortcut", "ts": _}:
                await acts.shortcut(user, acts.targets.message_at(user, body))
            case {"do": "shortcut"}:
                await acts.shortcut(user)
            case {"do": "home"}:
                await acts.home(user)
            case {"do": "policy", "text": str(text)}:
                return {"problems": [*await acts.policy(text)]}
            case {"do": "language", "language": str(tag)}:
                await acts.language(tag)
            case {"do": "inside"}:
                return acts.stage.inside(acts.targets.message_at(user, body))
            case _:
                return {"problem": "The page and its server are of two versions. Load it again."}
        return {}


@asynccontextmanager
async def served(acts: Acts, port: int = 0) -> AsyncIterator[PageServer]:
    """Serve the page while the context is open, at a free port unless one is given; raises OSError if it is taken."""
    loopback = Loopback()
    page = PageServer(acts, loopback)
    await loopback.start(page.serve, port)
    try:
        with acts.stage.watched(page.wake):
            yield page
    finally:
        await loopback.stop()
