"""Commands that are answered with what was typed."""

from bot.domain.request import Origin
from bot.messages import Message
from bot.messages.blocks import message


class Echo:
    """A use case that answers with the typed text."""

    async def command(self, origin: Origin, text: str) -> Message:
        """Return the text."""
        return message(f"{origin.user_id} typed {text}")

    async def open(self, origin: Origin) -> None:
        """Open no form."""

    def send(self, origin: Origin, said: Message) -> None:
        """Send nothing: all answers are acks."""
