"""Parse what somebody typed after `/share-env`: a Command, or a Misread with a corrected line."""

from bot.command.grammar import (
    MOST_APPIDS,
    REASON_LIMIT,
    SLASH_COMMAND,
    Command,
    OpenForm,
    Share,
    is_appid,
    is_env,
)
from bot.command.parse import parse

__all__ = [
    "MOST_APPIDS",
    "REASON_LIMIT",
    "SLASH_COMMAND",
    "Command",
    "OpenForm",
    "Share",
    "is_appid",
    "is_env",
    "parse",
]
