"""Bolt's wiring: which payload goes to which use case, and the ack that comes back."""

import logging
import secrets
from collections.abc import Mapping
from typing import Protocol

from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.messages.notices import broken
from bot.messages.words import Words
from bot.slack.posts import as_response

_log = logging.getLogger(__name__)


class Room(Protocol):
    """A room with listeners."""

    def listen(self, app: AsyncApp) -> None:
        """Add them to Bolt's app."""


def bolt_app(
    client: AsyncWebClient,
    identity: Mapping[str, object],
    signing_secret: str | None,
    words: Words,
    *rooms: Room,
) -> AsyncApp:
    """Return Bolt's app with every listener of the manifest; `identity` is what auth.test answered.

    `words` are for what goes wrong before it is known who asked.

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

    async def unforeseen(error: Exception) -> BoltResponse:
        reference = secrets.token_hex(4)
        _log.error("unforeseen error", exc_info=error, extra={"reference": reference})
        return BoltResponse(status=200, body=as_response(broken(words, reference)))

    app.error(unforeseen)
    for room in rooms:
        room.listen(app)
    return app
