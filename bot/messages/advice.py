"""The guidance in an answer: what happened, who acts, and what they do."""

from collections.abc import Mapping
from typing import Final

from bot.domain.link import Link
from bot.domain.outcome import ERRMSG_LIMIT, Failed, Said, Unknown
from bot.guidance import Fixer, Guidance, RetryHelps
from bot.messages.words import Mrkdwn, Words, code, msgid, sentences, steps

LINK_NAMES = {
    Link.TICKET: msgid("the platform's ticket, `component_verify_ticket`"),
    Link.PLATFORM: msgid("the platform's own token, `component_access_token`"),
    Link.OWNER: msgid("the owner's token, `authorizer_access_token`"),
}
_WHO: Final[Mapping[Fixer | RetryHelps, str]] = {
    Fixer.REQUESTER: msgid(
        "*You can fix this.* The same values would fail again: send a new command."
    ),
    Fixer.WECHAT: msgid(
        "*Nothing for you to fix:* the trouble is at WeChat. Try again in a few minutes."
    ),
    Fixer.NOBODY: msgid(
        "*Nothing for you to fix:* it usually clears by itself. Try again in a few minutes."
    ),
    Fixer.ADMIN: msgid(
        "*Nothing for you to fix.* Send this message to {contact}: the admin of {owner} has to act. Then try again."
    ),
    RetryHelps.AFTER_FIX: msgid(
        "*Nothing for you to fix.* Send this message to {contact}. Once it is fixed, try again."
    ),
    RetryHelps.NOW: msgid(
        "*Nothing for you to fix.* Try again now. If it fails again, send this message to {contact}."
    ),
    RetryHelps.LATER: msgid(
        "*Nothing for you to fix.* Try again in a few minutes. If it fails again, send this message to {contact}."
    ),
    RetryHelps.IN_HOURS: msgid(
        "*Nothing for you to fix.* Try again in some hours. If it cannot wait, send this message to {contact}."
    ),
}
"""Who acts, and what the requester does; where operators act, by whether trying again helps."""


def titled(words: Words, outcome: Failed | Unknown) -> Mrkdwn:
    """Return what happened, with the HTTP status if the response had nothing else."""
    title = words.escaped(outcome.guidance.title)
    if outcome.status is None:
        return title
    return words("{title} (HTTP {status})", title=title, status=outcome.status)


def who_acts(say: Words, outcome: Failed | Unknown) -> Mrkdwn:
    """Return who acts, and whether the requester may try again; `say` is bound to the request."""
    guidance = outcome.guidance
    who = say(_WHO[guidance.retry_helps or guidance.fixer])
    if isinstance(outcome, Failed) or guidance.fixer is Fixer.REQUESTER:
        return who
    return sentences(say, who, say("Sharing twice should do no harm."))


def what_to_do(say: Words, guidance: Guidance, said: Said | None = None) -> str:
    """Return what the error means and what its fixer does; `said` is WeChat's answer, if this message shows it."""
    for_them = guidance.fixer in {Fixer.OPERATOR, Fixer.ADMIN}
    doctor = [say("Run `share-env-bot doctor`.")] if guidance.doctor else []
    how = [*doctor, *map(say, guidance.steps_with(said.errmsg if said else ""))]
    told = [
        say(guidance.meaning),
        say("*For them:*") if for_them else "",
        steps(how) if len(how) > 1 else how[0],
    ]
    return "\n".join(filter(None, told))


def wechat_said(words: Words, said: Said) -> str:
    """Return WeChat's own words and, for its support, the rid."""
    rid = f"rid {code(said.rid)}" if said.rid else ""
    text = code(said.errmsg, ERRMSG_LIMIT) if said.errmsg else ""
    what = words("WeChat said {code}", code=said.errcode)
    return " · ".join(filter(None, [f"{what} {text}".rstrip(), rid]))


def where_it_broke(words: Words, link: Link) -> str:
    """Return which link of the token chain broke."""
    return words("*What broke:* {link}.", link=words(LINK_NAMES[link]))
