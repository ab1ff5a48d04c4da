"""Bolt's app and its listeners: which payload goes to which use case, and the ack that comes back."""

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncBoltRequest
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.command.grammar import SLASH_COMMAND, OpenForm
from bot.domain.request import Origin
from bot.messages import Message
from bot.messages.blocks import as_response
from bot.messages.modals import trouble
from bot.messages.notices import broken, unknown_command
from bot.messages.words import Words
from bot.runtime.observers import Unheard, no_op
from bot.slack.payloads import Body, command_origin, text_if_any
from bot.slack.private import log_unforeseen

_HOUR = 3600.0

_log = logging.getLogger(__name__)


class UnheardPayloads:
    """Logs payloads without a listener, once an hour per type."""

    def __init__(self, clock: Callable[[], float], new_reference: Callable[[], str]) -> None:
        self._clock = clock
        self._new_reference = new_reference
        self._logged: dict[str, tuple[float, str]] = {}

    def reference_for(self, body: Mapping[str, object]) -> str:
        """Return the reference under which this type of payload is in the log."""
        of, now = _type_of(body), self._clock()
        at, reference = self._logged.get(of, (-math.inf, ""))
        if now - at >= _HOUR:
            reference = self._new_reference()
            self._logged[of] = now, reference
            _log.warning("nobody listens to this", extra={"type": of, "reference": reference})
        return reference


def _type_of(body: Mapping[str, object]) -> str:
    """Return a payload's type in Slack's terms, with a command's name or an event's type."""
    match body:
        case {"command": str(command)}:
            return f"command {command}"
        case {"type": "event_callback", "event": {"type": str(event)}}:
            return f"event {event}"
        case {"type": str(kind)}:
            return kind
        case _:
            return "no type"


class App:
    """Acks any payload of Slack's by Bolt's listener for it: the slash command's here, and those that are added."""

    def __init__(  # noqa: PLR0913  # all that an app is made of
        self,
        client: AsyncWebClient,
        identity: Mapping[str, object],
        words: Words,
        command: Callable[[Origin, str], Awaitable[Message | OpenForm]],
        open_form: Callable[[Origin], Awaitable[None]],
        *listen: Callable[[AsyncApp], None],
        send: Callable[[Origin, Message], None],
        clock: Callable[[], float],
        new_reference: Callable[[], str],
        unheard: Unheard = no_op,
    ) -> None:
        """Take the result of auth.test, the use cases of the command and the form, and what adds listeners to Bolt's app.

        `send` sends an answer in the background, after the ack.
        `words` are for errors before it is known who asked; `unheard` is called for each payload without a listener.
        """
        self.client = client
        self._command = command
        self._open_form = open_form
        self._send = send
        self._words = words
        self._unheard = unheard
        self._new_reference = new_reference
        self._log = UnheardPayloads(clock, new_reference)
        self._bolt = _bolt(client, identity)
        self._bolt.error(self._unforeseen)
        self._bolt.command(SLASH_COMMAND)(self._share_env)
        for add_to in listen:
            add_to(self._bolt)

    async def answer(self, body: dict[str, Any]) -> str:
        """Return the ack of a payload, as JSON; empty if it says nothing."""
        try:
            # In its other mode Bolt would parse the body.
            request = AsyncBoltRequest(mode="socket_mode", body=body)
            response = await self._bolt.async_dispatch(request)
        except Exception as error:  # noqa: BLE001  # Slack has to get an ack
            response = await self._unforeseen(error, body)
        return response.body

    async def _share_env(self, ack: AsyncAck, body: Body) -> None:
        """Ack with the answer, or open the form; the ledger recognises a command that is delivered twice."""
        origin = command_origin(body)
        answer = await self._command(origin, text_if_any(body, "text"))
        if isinstance(answer, OpenForm):
            await ack()
            await self._open_form(origin)
        elif answer.has_table:  # an ack does not tell whether Slack takes it
            await ack()
            self._send(origin, answer)
        else:
            await ack(as_response(answer))

    async def _unforeseen(self, error: Exception, body: Body) -> BoltResponse:
        """Return the ack after an error: the apology that this type of payload can show."""
        if isinstance(error, BoltUnhandledRequestError):
            self._unheard(body)
            reference = self._log.reference_for(body)
            if isinstance(command := body.get("command"), str):
                unknown = unknown_command(self._words, command)
                return BoltResponse(status=200, body=as_response(unknown))
        else:
            log_unforeseen(_log, error, reference := self._new_reference())
        return BoltResponse(status=200, body=_apology(body, self._words, reference))


def _bolt(client: AsyncWebClient, identity: Mapping[str, object]) -> AsyncApp:
    """Return Bolt's app without listeners.

    Without a name Bolt searches the whole stack for one, which takes longer than the rest of a start.
    With process_before_response the ack is sent when the listener returns, not at Bolt's next 10 ms poll.
    The custom `authorize` saves a call of auth.test, and prevents OAuth if SLACK_CLIENT_ID is in the environment. It has no
    token, which may change: all calls are SlackApi's.
    """
    authorized = AuthorizeResult.from_auth_test_response(auth_test_response=identity)

    async def authorize() -> AuthorizeResult:
        return authorized

    logger = logging.getLogger("slack_bolt")
    level = logger.level
    logger.setLevel(logging.ERROR)  # Bolt warns that it ignores the token, which is intended
    bolt = AsyncApp(
        name="share-env-bot",
        client=client,
        authorize=authorize,
        process_before_response=True,
        raise_error_for_unhandled_request=True,
        # Middleware for what others do (`slack_events` checks signatures), or for nothing in this app, is off.
        request_verification_enabled=False,
        ignoring_self_events_enabled=False,
        attaching_function_token_enabled=False,
        attaching_conversation_kwargs_enabled=False,
        logger=logger,
    )
    logger.setLevel(level)
    return bolt


def _apology(body: Mapping[str, object], words: Words, reference: str) -> dict[str, object] | str:
    """Return the ack's body after an error; the acks of clicks and events cannot show a text."""
    if "command" in body:
        return as_response(broken(words, reference))
    match body.get("type"):
        case "view_submission":
            return {"response_action": "update", "view": trouble(words, reference)}
        case "block_suggestion":
            return {"options": []}
        case _:
            return ""
