"""Bolt's wiring: which payload goes to which use case, and the ack that comes back."""

import logging
import secrets
from collections.abc import Mapping
from typing import Protocol

from slack_bolt.async_app import AsyncAck, AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.command import SLASH_COMMAND
from bot.messages import Message
from bot.messages.notices import broken
from bot.request import Origin
from bot.slack.posts import as_response

_log = logging.getLogger(__name__)


class Commands(Protocol):
    """The use case behind the slash command."""

    async def command(self, origin: Origin, text: str) -> Message:
        """Return what to say at once, to the requester alone."""


def bolt_app(
    client: AsyncWebClient,
    identity: Mapping[str, object],
    signing_secret: str | None,
    commands: Commands,
) -> AsyncApp:
    """Return Bolt's app with every listener of the manifest; `identity` is what auth.test answered.

    With process_before_response the ack goes out when the listener returns, not on Bolt's next 10 ms poll.
    An own `authorize` spares auth.test, and keeps SLACK_CLIENT_ID in the environment from meaning OAuth.
    """

    async def authorize() -> AuthorizeResult:
        return AuthorizeResult.from_auth_test_response(
            auth_test_response=identity, bot_token=client.token
        )

    logger = logging.getLogger("slack_bolt")
    level = logger.level
    logger.setLevel(logging.ERROR)  # Bolt warns of the tokens that it does not use, as meant here
    app = AsyncApp(
        client=client,
        authorize=authorize,
        signing_secret=signing_secret or "",
        process_before_response=True,
        logger=logger,
    )
    logger.setLevel(level)

    async def share_env(ack: AsyncAck, body: dict[str, str]) -> None:
        answer = await commands.command(_origin(body), body.get("text", ""))
        await ack(as_response(answer))

    async def unforeseen(error: Exception) -> BoltResponse:
        reference = secrets.token_hex(4)
        _log.error("unforeseen error", exc_info=error, extra={"reference": reference})
        return BoltResponse(status=200, body=as_response(broken(reference)))

    app.command(SLASH_COMMAND)(share_env)
    app.error(unforeseen)
    return app


def _origin(body: Mapping[str, str]) -> Origin:
    return Origin(
        team_id=body["team_id"],
        user_id=body["user_id"],
        channel_id=body["channel_id"],
        channel_name=body.get("channel_name", ""),
        trigger_id=body["trigger_id"],
        response_url=body["response_url"],
    )
