"""Every message the bot sends, as text and Block Kit, in each language. Pure."""

from bot.messages.blocks import Block, Message

__all__ = ["Block", "Message"]
