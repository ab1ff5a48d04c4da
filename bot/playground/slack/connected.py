"""The app's side of the stand-in Slack: its calls are answered, and payloads are delivered to it."""

from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from time import perf_counter, time
from typing import Literal, TypeAlias
from uuid import UUID

from aiohttp import ClientError, ClientResponseError, web

from bot.playground.faults import Code, Fault, Faults, RateLimited
from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.calls import (
    RESPONSE_URL,
    Called,
    Limits,
    ResponseUrls,
    api_call,
    show_ack,
)
from bot.playground.slack.delivery import Sockets, posted, signed_request
from bot.playground.slack.methods import METHODS
from bot.playground.slack.refusals import RefusedError
from bot.playground.slack.transcript import Ack, AckError, ApiCall
from bot.playground.slack.workspace import Workspace
from bot.playground.world import World

Kind: TypeAlias = Literal["slash_commands", "interactive", "events_api"]

ACK_TIMEOUT = 3.0
_WITH_RESPONSE = ("view_submission", "block_suggestion")


class Connected(Workspace):
    """A workspace served on 127.0.0.1 inside `async with`; no socket or task outlives it.

    `api_url` is the bot's SLACK_API_URL. With a `request_url`, payloads are posted there instead of sent through Socket Mode;
    an ack that takes longer than `ack_timeout` seconds is too late. `clock` returns Unix seconds. `fail` plans faults for
    methods and `clear` removes them; “response_url” counts as a method, with one argument: the `user` to whom it was given.
    `settled` waits for the calls that are carried out late. `sockets` has the app's connections, `limits` its rate limits.
    """

    def __init__(
        self, world: World, clock: Callable[[], float] = time, ack_timeout: float = ACK_TIMEOUT
    ) -> None:
        super().__init__(world, clock)
        self.request_url: str | None = None
        self._ack_timeout = ack_timeout
        self.sockets = Sockets(self, self._loopback)
        self.faults = Faults((*METHODS, RESPONSE_URL))
        self.fail, self.clear = self.faults.plan, self.faults.clear
        self.settled = self.faults.settled
        self.limits = Limits(self, self.faults)
        self._response_urls = ResponseUrls(self)

    async def __aexit__(self, *_: object) -> None:
        self.sockets.drop()
        await super().__aexit__()
        await self.settled()

    @property
    def api_url(self) -> str:
        """The base URL of the Web API."""
        return f"{self._loopback.origin}/api/"

    def socket_url(self) -> str:
        """Return the URL of a new connection."""
        return f"ws://127.0.0.1:{self._loopback.port}/link?ticket={self.sockets.ticket()}"

    def response_url(self, user_id: str, channel_id: str, original: str = "") -> str:
        """Return a new response_url, which can replace the message with the ts `original`."""
        return self._loopback.origin + self._response_urls.open(channel_id, user_id, original)

    async def deliver(self, kind: Kind, payload: JsonObject) -> Ack:
        """Send any payload (a command, a click, an event) and return the ack."""
        user = payload.get("user")
        user_id = user.get("id") if isinstance(user, dict) else payload.get("user_id")
        if trigger_id := payload.get("trigger_id"):
            self.triggers.note(str(trigger_id), str(user_id))
        return await self._acked(kind, payload, str(UUID(int=self.next_number())))

    async def redeliver(self, ack: Ack) -> Ack:
        """Send an earlier payload again, with the same envelope_id and trigger_id."""
        return await self._acked(ack.kind, ack.request, ack.envelope_id, ack.attempt + 1)

    async def _acked(
        self, kind: str, payload: JsonObject, envelope_id: str, attempt: int = 0
    ) -> Ack:
        """Send a payload and return its ack.

        The person is shown the result of their command; an ack with a body where none is allowed is a violation.
        """
        body: Json = None
        error: AckError | None = None
        begun = perf_counter()
        try:
            body = (
                await self.send(kind, payload, envelope_id, attempt) or None
            )  # Node's SDK sends {}
        except TimeoutError:
            error = "operation_timeout"
        except ClientResponseError as refused:
            server = refused.status >= HTTPStatus.INTERNAL_SERVER_ERROR
            error = "http_service_error" if server else "http_client_error"
        except (ConnectionError, ClientError):
            error = "dispatch_failed"
        seconds = perf_counter() - begun
        given = body if isinstance(body, dict) else None
        if body is not None and (given is None or not _accepts_response(kind, payload)):
            self.violations.append(f"ack: {kind} takes no such payload: {body!r}")
        if kind == "slash_commands" and error is not None:
            user, channel = str(payload["user_id"]), str(payload["channel_id"])
            self.tell(user, channel, f'{payload["command"]} failed with the error "{error}"')
        elif kind == "slash_commands" and given is not None:
            show_ack(self, given, payload)
        trigger = str(payload.get("trigger_id", ""))
        return Ack(
            given,
            seconds,
            trigger_id=trigger,
            envelope_id=envelope_id,
            kind=kind,
            request=payload,
            error=error,
            attempt=attempt,
        )

    async def send(
        self, kind: str, payload: JsonObject, envelope_id: str, attempt: int = 0
    ) -> Json:
        """Send a payload, by Socket Mode unless there is a `request_url`, and return the app's response, which nobody is shown.

        Over Socket Mode an event says which `attempt` this is, and why there is another one. Raises TimeoutError without an ack in time, ConnectionError or aiohttp.ClientError.
        """
        if self.request_url is not None:
            secret = self.world.signing_secret
            body, headers = signed_request(kind, payload, secret, int(self.clock()))
            return await posted(self.request_url, body, headers, self._ack_timeout)
        envelope: JsonObject = {
            "envelope_id": envelope_id,
            "type": kind,
            "accepts_response_payload": _accepts_response(kind, payload),
            "payload": payload,
        }
        if kind == "events_api":
            envelope |= {"retry_attempt": attempt, "retry_reason": "timeout" if attempt else ""}
        return await self.sockets.deliver(envelope, self._ack_timeout)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/link":
            return await self.sockets.serve(request)
        raw = await request.read()
        if request.path.startswith("/api/"):
            return await self._answer(request, api_call(self, request, raw))
        if request.path.startswith(("/commands/", "/actions/")):
            return await self._answer(request, self._response_urls.call(request.path, raw))
        return web.Response(status=404)

    async def _answer(self, request: web.BaseRequest, called: Called) -> web.StreamResponse:
        """Answer a call, with the planned fault for its method, or with a 429 if it comes too early."""

        def no(error: RefusedError) -> web.Response:
            self.record(ApiCall(called.method, called.args, error.error))
            return called.no(error)

        def usual() -> web.Response:
            try:
                response = called.run()
            except RefusedError as error:
                return no(error)
            self.record(ApiCall(called.method, called.args, None))
            return response

        def failed(fault: Fault) -> web.Response:
            limited = "ratelimited" if isinstance(fault, RateLimited) else type(fault).__name__
            return no(RefusedError(str(fault.code) if isinstance(fault, Code) else limited))

        hold = partial(self._loopback.hold, told=self.faults.cleared(called.method))
        return await self.faults.answer(self.limits.meet(called), request, hold, usual, failed)


def _accepts_response(kind: str, payload: JsonObject) -> bool:
    return kind == "slash_commands" or payload.get("type") in _WITH_RESPONSE
