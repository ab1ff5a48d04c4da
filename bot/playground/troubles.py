"""Named behaviours of the local WeChat: an errcode, or a trouble."""

import re
from collections.abc import Mapping

from bot.guidance import CODES
from bot.playground.faults import Code, Drop, Fault, Slow, Status
from bot.playground.slack.refusals import ImpossibleError
from bot.playground.wechat.server import SHARE, LocalWeChat
from bot.playground.world import OWNER

_NEEDED = "cloudbase_auth"
_NOT_ON_LIST = Code(61004, "access clientip is not registered, requestIP: 203.0.113.7")
_TROUBLES: Mapping[str, tuple[str, tuple[Fault, ...]]] = {
    "ok": ("all as usual again, and nothing more is planned", ()),
    "busy": ("is busy twice, then answers", (Code(-1), Code(-1))),
    "slow": ("takes nearly too long for each of the next ten calls", (Slow(1.6),) * 10),
    "hang": ("never answers, four times", (Drop(silence=60),) * 4),
    "drop": ("shares, and hangs up before it says so, four times", (Drop(after_effect=True),) * 4),
    "html": ("a gateway answers 502 in its place", (Status(502),)),
    "batch": (
        "takes its time for each of the next sixty calls, and refuses the eighth",
        (*[Slow(1.5)] * 7, Code(85088), *[Slow(1.5)] * 52),
    ),
    "expired": ("the owner's token has just expired", ()),
    "not-on-list": (
        "the owner's token has just expired, and this machine's address is not on the platform's list",
        (),
    ),
    "revoked": ("the owner takes its authorisation back", ()),
    "no-function": (f"prod-1 and test-1 lack {_NEEDED}, so what is shared cannot be used yet", ()),
}
TROUBLES: Mapping[str, str] = {word: about for word, (about, _) in _TROUBLES.items()}
"""The names and their descriptions; errcodes come in addition."""

WORDS: Mapping[str, str] = {**TROUBLES, **{str(code): row.title for code, row in CODES.items()}}
"""The troubles, and the errcodes for which the bot has guidance, with what they mean."""


def is_pending(wechat: LocalWeChat) -> bool:
    """Tell whether anything that was set has not happened yet, or still holds."""
    lacking = any(_NEEDED not in functions for functions in wechat.functions.values())
    revoked = OWNER not in wechat.platform.authorized
    expired = wechat.platform.access_tokens.has_ended(OWNER)
    return wechat.faults.waiting or expired or revoked or lacking


def meaning(word: str) -> str:
    """Return what a trouble or an errcode means."""
    return WORDS.get(word, "a code that nobody knows")


async def behave(wechat: LocalWeChat, word: str) -> str:
    """Set how WeChat behaves from its next call on; return a sentence about it."""
    if not (word in _TROUBLES or re.fullmatch(r"-?[1-9]\d{0,8}", word)):
        raise ImpossibleError(f"Use an errcode such as 85088, or one of {', '.join(_TROUBLES)}.")
    about, faults = _TROUBLES[word] if word in _TROUBLES else ("", (Code(int(word)),))
    wechat.clear()
    wechat.fail(SHARE, *faults)
    match word:
        case "ok":
            await _reset(wechat)
        case "expired" | "not-on-list":
            wechat.expire(str(wechat.platform.access_tokens.newest(OWNER)))
            if word == "not-on-list":
                wechat.fail("api_authorizer_token", _NOT_ON_LIST)
        case "revoked":
            await wechat.platform.push_unauthorized(OWNER)
        case "no-function":
            for functions in wechat.functions.values():
                functions.pop(_NEEDED, None)
        case _:
            pass  # there are only the faults
    wechat.changed()
    if about:
        return f"WeChat: {about}."
    return f"WeChat's next call meets {word}: {meaning(word)}."


async def _reset(wechat: LocalWeChat) -> None:
    """Undo everything that was set."""
    for functions in wechat.functions.values():
        functions[_NEEDED] = "Active"
    if OWNER not in wechat.platform.authorized:
        await wechat.platform.push_authorized(OWNER)
