"""The SDK's Socket Mode client with two rules more: one attempt at a time, and a new address for each try.

On its own it tries one address for ever, also once the ticket in it has expired; and of two attempts that overlap it
loses the connection of one, to which Slack goes on sending commands. Source: slack_sdk 3.48, socket_mode/aiohttp.
"""

import asyncio
import logging
from contextlib import suppress
from copy import copy

from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.web.async_client import AsyncWebClient

from bot.observers import CalledSlack, nobody
from bot.slack.api import Answered, Doubtful, Refused, SlackApi

_PATIENCE = 3600.0  # seconds that a rate limit may take: there is nothing else to do
_FAREWELL = 1.0  # seconds; aiohttp would wait ten for the other side to close

_log = logging.getLogger(__name__)


class SocketClient(SocketModeClient):
    """Connects until it is connected; a try takes at most `one_try` seconds, and `called` hears of each call."""

    def __init__(  # noqa: PLR0913  # as the SDK's
        self,
        app_token: str,
        web_client: AsyncWebClient,
        logger: logging.Logger,
        *,
        ping_interval: float,
        one_try: float,
        called: CalledSlack = nobody,
    ) -> None:
        super().__init__(app_token, logger, web_client, ping_interval=ping_interval)
        self._one_try = one_try
        client = copy(web_client)  # the same way to Slack, with the other token
        client.token = app_token
        self._api = SlackApi(client, asyncio.sleep, called)

    async def connect(self) -> None:
        """Connect, however many tries it takes, unless the client is closed."""
        while not self.closed:
            try:
                self.wss_uri = self.wss_uri or await self.issue_new_wss_url()
                async with asyncio.timeout(self._one_try):
                    await super().connect()  # type: ignore[no-untyped-call]  # the SDK's
            except TimeoutError:
                _log.warning("no connection to Slack yet; asking for a new address")
            except Exception as error:  # noqa: BLE001  # whatever Slack answers, there is a next try
                _log.warning("no address from Slack yet", extra={"error": repr(error)})
                await asyncio.sleep(self._one_try)
            else:
                return
            finally:
                self.wss_uri = None  # the ticket in it is good for one try

    async def issue_new_wss_url(self) -> str:
        """Return a new address; raises ConnectionError with what Slack said instead."""
        match await self._api.write("apps.connections.open", _PATIENCE):
            case Answered({"url": str(url)}):
                return url
            case Answered():
                raise ConnectionError("an answer without an address")
            case Refused(why) | Doubtful(why):
                raise ConnectionError(why)

    async def disconnect(self) -> None:
        """Say goodbye, without waiting long for a Slack that does not."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FAREWELL):
                await super().disconnect()  # type: ignore[no-untyped-call]  # the SDK's

    async def connect_to_new_endpoint(self, force: bool = False) -> None:
        """Replace the connection that there is, unless that is done while this waits its turn.

        Without `force`, only one that is down.
        """
        before = self.current_session
        async with self.connect_operation_lock:
            if self.current_session is before and (force or not await self.is_connected()):
                await self.connect()
