"""Guidance: for each error that can end a share, what it means, who can fix it and what to do next."""

from bot.guidance.causes import (
    NORMAL,
    Cause,
    EnvFine,
    EnvList,
    ListedEnv,
    cause_of,
    explained,
    guidance_of,
)
from bot.guidance.lookup import (
    CODES,
    all_guidance,
    by_key,
    for_code,
)
from bot.guidance.troubles import Trouble
from bot.guidance.types import (
    SEND_THE_LINK,
    SETS_TICKED,
    AutoRetry,
    Fixer,
    Guidance,
    RetryHelps,
)

__all__ = [
    "CODES",
    "NORMAL",
    "SEND_THE_LINK",
    "SETS_TICKED",
    "AutoRetry",
    "Cause",
    "EnvFine",
    "EnvList",
    "Fixer",
    "Guidance",
    "ListedEnv",
    "RetryHelps",
    "Trouble",
    "all_guidance",
    "by_key",
    "cause_of",
    "explained",
    "for_code",
    "guidance_of",
]
