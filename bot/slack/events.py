"""HTTP mode: `POST /slack/events`, for teams that do not use Socket Mode."""

from urllib.parse import parse_qsl

from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_internals import build_async_context
from slack_bolt.request.async_request import AsyncBoltRequest

PATH = "/slack/events"
BODY_LIMIT = 1024 * 1024


def http_app(app: AsyncApp) -> web.Application:
    """Return the web application that hands Slack's signed requests to Bolt."""

    async def events(request: web.Request) -> web.Response:
        timestamp = request.headers.get("X-Slack-Request-Timestamp", "")
        if not (timestamp.isascii() and timestamp.isdigit()):  # Bolt answers 500 to others
            return web.Response(status=401, text="the timestamp is missing or not a number")
        try:
            bolt_request = await to_bolt_request(request)
        except ValueError:
            return web.Response(status=400, text="the body is not what its content type says")
        return await to_aiohttp_response(await app.async_dispatch(_mended(bolt_request)))

    server = web.Application(client_max_size=BODY_LIMIT)
    server.router.add_post(PATH, events)
    return server


def _mended(request: AsyncBoltRequest) -> AsyncBoltRequest:
    """Undo Bolt's guess that a form with the word `payload` anywhere in it is an interaction."""
    if not request.body and "payload" in request.raw_body:
        form = dict(parse_qsl(request.raw_body, keep_blank_values=True))
        request.body = form
        request.context = build_async_context(request.context, form)
    return request
