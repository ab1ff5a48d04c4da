"""Guidance: for each error that can end a share, what it means, who can fix it and what to do next."""

from bot.guidance.lookup import (
    CODES,
    all_guidance,
    by_key,
    for_code,
    where_others_were_shared,
)
from bot.guidance.troubles import Trouble
from bot.guidance.types import (
    SEND_THE_LINK,
    SETS_TICKED,
    AutoRetry,
    Fixer,
    Guidance,
    RetryHelps,
    in_general,
)

__all__ = [
    "CODES",
    "SEND_THE_LINK",
    "SETS_TICKED",
    "AutoRetry",
    "Fixer",
    "Guidance",
    "RetryHelps",
    "Trouble",
    "all_guidance",
    "by_key",
    "for_code",
    "in_general",
    "where_others_were_shared",
]
