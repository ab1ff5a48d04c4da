"""Serves the page on loopback, to whoever has its address: files, what a person sees as it changes, and their acts."""

import asyncio
import hmac
import json
import secrets
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import web

from bot.playground.acts import Acts
from bot.playground.completing import completions
from bot.playground.inside import inside
from bot.playground.loopback import Json, JsonObject, Loopback
from bot.playground.page.seen import seen
from bot.playground.slack.refused import ImpossibleError
from bot.playground.slack.surfaces import View
from bot.playground.slack.transcript import Message
from bot.playground.stage import ROLES

_HERE = Path(__file__).parent
_TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
}
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
_FRAME = 0.03  # seconds; what changes meanwhile is sent together
_LOST = "This is the playground of share-env. Open the whole address that the demo printed: it ends in a token.\n"
_FOREIGN = "Only the page itself may ask this, at 127.0.0.1.\n"


class Page:
    """The page, from `async with` to its end; `url` is its address, with a token that is made anew each time."""

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        self._loopback = Loopback()
        self._token = secrets.token_urlsafe(16)
        self._files = {each.name: each for each in _HERE.iterdir() if each.suffix in _TYPES}
        self._live: set[asyncio.Event] = set()
        self._closed = False

    @property
    def url(self) -> str:
        """Return the address to open."""
        return f"{self._loopback.origin}/{self._token}/"

    async def __aenter__(self) -> Self:
        await self._loopback.start(self._serve)
        for each in (self._acts.stage.slack, self._acts.stage.wechat):
            each.watchers.add(self._wake)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each in (self._acts.stage.slack, self._acts.stage.wechat):
            each.watchers.discard(self._wake)
        self._closed = True
        self._wake()
        await self._loopback.stop()

    def _wake(self) -> None:
        for each in self._live:
            each.set()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        token, _, name = request.path.removeprefix("/").partition("/")
        if self._is_foreign(request):
            return web.Response(status=403, text=_FOREIGN, headers=_HEADERS)
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            return web.Response(status=404, text=_LOST, headers=_HEADERS)
        user = ROLES.get(request.query.get("as", ""), "")
        if (request.method, name) == ("POST", "act") and user:
            return web.json_response(
                await self._acted(user, await _body(request)), headers=_HEADERS
            )
        if request.method != "GET":
            return web.Response(status=405, headers=_HEADERS)
        if name == "live" and user:
            return await self._stream(request, user)
        if name == "transcript.txt":
            text = "\n".join([*self._acts.lines, ""])
            saved = {"Content-Disposition": "attachment; filename=share-env-demo.txt"}
            return web.Response(text=text, headers={**_HEADERS, **saved})
        return self._file(name or "index.html")

    def _is_foreign(self, request: web.BaseRequest) -> bool:
        """Tell whether another site asks: by a name of its own for this machine, or from a page of its own."""
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        here = {f"{name}:{self._loopback.port}" for name in ("127.0.0.1", "localhost")}
        same = origin == f"http://{host}" if origin is not None else request.method == "GET"
        return host not in here or not same

    def _file(self, name: str) -> web.Response:
        path = self._files.get(name)
        if path is None:
            return web.Response(status=404, text=_LOST, headers=_HEADERS)
        kind = _TYPES[path.suffix]
        return web.Response(
            body=path.read_bytes(), content_type=kind, charset="utf-8", headers=_HEADERS
        )

    async def _stream(self, request: web.BaseRequest, user: str) -> web.StreamResponse:
        """Send what a person sees, and then each part of it as it changes; None for one that is gone."""
        response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await response.prepare(request)
        wake = asyncio.Event()
        self._live.add(wake)
        sent: dict[str, Json] = {}
        try:
            while not self._closed:
                wake.clear()
                now = seen(self._acts, user)
                news = {key: part for key, part in now.items() if sent.get(key, ...) != part}
                news |= dict.fromkeys(sent.keys() - now.keys())
                sent = now
                if news:
                    await response.write(f"data: {json.dumps(news)}\n\n".encode())
                await wake.wait()
                await asyncio.sleep(_FRAME)
        finally:
            self._live.discard(wake)
        return response

    async def _acted(self, user: str, body: JsonObject) -> JsonObject:
        """Do what the page asks for on somebody's behalf, and return what came of it, or why nothing did."""
        try:
            done = await self._do(user, body)
        except ImpossibleError as impossible:
            done = {"problem": str(impossible)}
        except KeyError as missing:
            done = {"problem": f"There is no {missing.args[0]}."}
        self._wake()
        return done

    async def _do(self, user: str, body: JsonObject) -> JsonObject:  # noqa: C901, PLR0912  # one case for each act
        acts, slack = self._acts, self._acts.stage.slack
        match body:
            case {"do": "say", "channel": str(channel), "text": str(text), "thread": str(thread)}:
                await acts.say(user, channel, text, thread)
            case {"do": "click", "action": str(action), "block": str(block)}:
                await acts.click(user, self._place(user, body), action, block)
            case {"do": "select", "action": str(action), "value": value}:
                await acts.select(user, self._place(user, body), action, value)
            case {"do": "options", "action": str(action), "typed": str(typed)}:
                offered = await slack.options(user, self._place(user, body), action, typed)
                return {"options": [*offered]}
            case {"do": "complete", "typed": str(typed)}:
                return {"offers": [[each.word, each.about] for each in completions(typed)]}
            case {"do": "wechat", "order": str(order)}:
                return {"said": await acts.wechat(order)}
            case {"do": "submit", "values": dict(values)}:
                await acts.submit(user, slack.views(user)[-1], values)
            case {"do": "close"}:
                await acts.close(user, slack.views(user)[-1])
            case {"do": "shortcut"}:
                await acts.shortcut(user, self._message(user, body) if "ts" in body else None)
            case {"do": "home"}:
                await acts.home(user)
            case {"do": "policy", "text": str(text)}:
                return {"problems": [*await acts.policy(text)]}
            case {"do": "inside"}:
                return inside(acts.stage, self._message(user, body))
            case _:
                return {"problem": "The page and its server are of two versions. Load it again."}
        return {}

    def _place(self, user: str, body: JsonObject) -> Message | View:
        """Return the message or the view that a click is in."""
        if "ts" in body:
            return self._message(user, body)
        slack = self._acts.stage.slack
        home = slack.home(user)
        found = [
            each for each in (*slack.views(user), home) if each and each.id == body.get("view")
        ]
        if not found:
            raise ImpossibleError("That view is closed.")
        return found[0]

    def _message(self, user: str, body: JsonObject) -> Message:
        slack = self._acts.stage.slack
        message = slack.at(str(body.get("channel")), str(body["ts"]))
        if message is None or not slack.sees(user, message):
            raise ImpossibleError("That message is gone.")
        return message


async def _body(request: web.BaseRequest) -> JsonObject:
    try:
        body = await request.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
