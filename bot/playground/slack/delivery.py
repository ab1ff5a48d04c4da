"""How a payload gets to the app, by Socket Mode or by HTTP, and what Slack makes of the answer."""

from time import perf_counter

from aiohttp import ClientError, ClientSession

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.requests import RefusedByAppError, post, signed_request
from bot.playground.slack.responses import show_ack, show_failure
from bot.playground.slack.sockets import Sockets
from bot.playground.slack.transcript import Ack, AckError
from bot.playground.slack.workspace import Workspace

_HTTP_SERVER_ERROR = 500
_WITH_RESPONSE = ("view_submission", "block_suggestion")


class Delivery:
    """Delivers payloads to the app, from `start` to `stop`; an ack later than `ack_timeout` seconds is none."""

    def __init__(self, workspace: Workspace, sockets: Sockets, ack_timeout: float) -> None:
        self._workspace = workspace
        self._sockets = sockets
        self._ack_timeout = ack_timeout
        self._session: ClientSession | None = None

    async def start(self) -> None:
        """Open the HTTP session."""
        self._session = ClientSession()

    async def stop(self) -> None:
        """Close the HTTP session."""
        if self._session is not None:
            await self._session.close()

    async def deliver(
        self, kind: str, payload: JsonObject, envelope_id: str, request_url: str | None
    ) -> Ack:
        """Send a payload, by Socket Mode if there is no `request_url`, and return its ack.

        A person sees what becomes of their command; an ack with what its payload may not have is a violation.
        """
        body: Json = None
        error: AckError | None = None
        begun = perf_counter()
        try:
            body = await self.send(kind, payload, envelope_id, request_url)
        except TimeoutError:
            error = "operation_timeout"
        except RefusedByAppError as refused:
            server = refused.status >= _HTTP_SERVER_ERROR
            error = "http_service_error" if server else "http_client_error"
        except (ConnectionError, ClientError):
            error = "dispatch_failed"
        seconds = perf_counter() - begun
        if body == {}:
            body = None  # Slack's SDK for Node sends it where it has nothing to say
        trigger = str(payload.get("trigger_id", ""))
        answer = body if isinstance(body, dict) else None
        if body is not None and (answer is None or not _accepts_response(kind, payload)):
            self._workspace.violations.append(f"ack: {kind} takes no such payload: {body!r}")
        if kind == "slash_commands" and error is not None:
            show_failure(self._workspace, error, payload)
        elif kind == "slash_commands" and answer is not None:
            show_ack(self._workspace, answer, payload)
        return Ack(answer, seconds, trigger, envelope_id, kind, payload, error)

    async def send(
        self, kind: str, payload: JsonObject, envelope_id: str, request_url: str | None
    ) -> Json:
        """Send a payload and return what the app answers; nobody is shown it.

        Raises TimeoutError without an ack in time, ConnectionError, aiohttp.ClientError or RefusedByAppError.
        """
        if request_url is not None and self._session is not None:
            secret, now = self._workspace.world.signing_secret, int(self._workspace.clock())
            body, headers = signed_request(kind, payload, secret, now)
            return await post(self._session, request_url, body, headers, self._ack_timeout)
        envelope: JsonObject = {
            "envelope_id": envelope_id,
            "type": kind,
            "accepts_response_payload": _accepts_response(kind, payload),
            "payload": payload,
        }
        return await self._sockets.deliver(envelope, self._ack_timeout)


def _accepts_response(kind: str, payload: JsonObject) -> bool:
    return kind == "slash_commands" or payload.get("type") in _WITH_RESPONSE
