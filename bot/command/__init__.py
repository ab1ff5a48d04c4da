"""Read what somebody typed after `/share-env`: a Command, or a Misread that says how to put it right."""

from bot.command.corrected import FIRST_WORDS, OPTIONS, REASON_LIMIT, SLASH_COMMAND
from bot.command.kinds import (
    MOST_APPIDS,
    Command,
    Help,
    History,
    OpenForm,
    Share,
    ShareMany,
    Whoami,
    Why,
    is_appid,
    is_env,
)
from bot.command.parse import RECEIVED_LIMIT, parse

__all__ = [
    "FIRST_WORDS",
    "MOST_APPIDS",
    "OPTIONS",
    "REASON_LIMIT",
    "RECEIVED_LIMIT",
    "SLASH_COMMAND",
    "Command",
    "Help",
    "History",
    "OpenForm",
    "Share",
    "ShareMany",
    "Whoami",
    "Why",
    "is_appid",
    "is_env",
    "parse",
]
