"""Every word the bot says, as text and Block Kit. Pure."""

from bot.messages.blocks import Block, Message

__all__ = ["Block", "Message"]
