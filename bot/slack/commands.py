"""Bolt's wiring of the slash command: the answer is the ack, or the form opens."""

from collections.abc import Mapping
from typing import Protocol

from slack_bolt.async_app import AsyncAck, AsyncApp

from bot.command import SLASH_COMMAND, OpenForm
from bot.domain.request import Origin
from bot.messages import Message
from bot.slack.payload import word, word_if_any
from bot.slack.posts import as_response


class CommandUseCase(Protocol):
    """The use case behind the slash command."""

    async def command(self, origin: Origin, text: str) -> Message | OpenForm:
        """Return what to say at once, to the requester alone, or that the form is wanted."""


class FormOpener(Protocol):
    """What opens the form."""

    async def open(self, origin: Origin) -> None:
        """Open the form for a command without words."""


class Commands:
    """Hands commands to their use case."""

    def __init__(self, sharing: CommandUseCase, forms: FormOpener) -> None:
        self._sharing = sharing
        self._forms = forms

    def listen(self, app: AsyncApp) -> None:
        """Add the listener."""
        app.command(SLASH_COMMAND)(self._command)

    async def _command(self, ack: AsyncAck, body: dict[str, str]) -> None:
        origin = _origin(body)
        answer = await self._sharing.command(origin, word_if_any(body, "text"))
        if isinstance(answer, OpenForm):
            await ack()
            await self._forms.open(origin)
        else:
            await ack(as_response(answer))


def _origin(body: Mapping[str, str]) -> Origin:
    return Origin(
        team_id=word(body, "team_id"),
        user_id=word(body, "user_id"),
        channel_id=word(body, "channel_id"),
        channel_name=word_if_any(body, "channel_name"),
        trigger_id=word(body, "trigger_id"),
        response_url=word(body, "response_url"),
    )
