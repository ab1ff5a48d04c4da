"""The answer to a request after the call to WeChat: what happened, who acts, what they do, and the steps after a share."""

from collections.abc import Mapping, Sequence
from typing import Final

from bot.domain.link import Link
from bot.domain.outcome import (
    ERRMSG_LIMIT,
    NOTHING_KNOWN,
    AfterShare,
    Called,
    Failed,
    Readiness,
    Said,
    Shared,
    Unknown,
)
from bot.domain.request import Act, Request
from bot.guidance import Fixer, Guidance, RetryHelps
from bot.messages.blocks import Announcement, Button, Buttons, Message, Part, message, small
from bot.messages.request import name
from bot.messages.words import Mrkdwn, Words, capital, code, msgid, sentences, steps

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
    RetryHelps.IF_ALLOWED: msgid(
        "*Nothing for you to fix.* Ask again only if {command} says that you may. If it should, send this message to {contact}."
    ),
    RetryHelps.IN_HOURS: msgid(
        "*Nothing for you to fix.* Try again in some hours, or send this message to {contact}."
    ),
}
"""Who acts, and what the requester does; where operators act, by whether trying again helps."""
_FIXED_IN_DOUBT = msgid(
    "*You can fix this.* The same values would fail again; an earlier try may have worked."
)


def titled(words: Words, outcome: Failed | Unknown) -> Mrkdwn:
    """Return what happened, with the HTTP status if the response had nothing else."""
    title = words.escaped(outcome.guidance.title)
    if outcome.status is None:
        return title
    return words("{title} (HTTP {status})", title=title, status=outcome.status)


def who_acts(say: Words, outcome: Failed | Unknown) -> Mrkdwn:
    """Return who acts, and whether the requester may try again; `say` is bound to the request."""
    guidance = outcome.guidance
    if isinstance(outcome, Unknown) and guidance.fixer is Fixer.REQUESTER:
        return say(_FIXED_IN_DOUBT)
    who = say(_WHO[guidance.retry_helps or guidance.fixer])
    if isinstance(outcome, Failed):
        return who
    return sentences(say, who, say("Sharing twice should do no harm."))


def what_to_do(say: Words, guidance: Guidance, said: Said | None = None) -> str:
    """Return what the error means and what its fixer does; `said` is WeChat's answer, if this message shows it."""
    for_them = guidance.fixer in {Fixer.OPERATOR, Fixer.ADMIN}
    doctor = [say("Run `share-env-bot doctor`.")] if guidance.doctor else []
    how = [*doctor, *map(say, guidance.steps_with(said.errmsg if said else ""))]
    told = [
        say(guidance.meaning),
        say("*The fix:*") if for_them else "",
        steps(how) if len(how) > 1 else how[0],
    ]
    return "\n".join(filter(None, told))


def wechat_said(words: Words, said: Said) -> str:
    """Return WeChat's own words and, for its support, the rid."""
    rid = f"rid {code(said.rid)}" if said.rid else ""
    text = code(said.errmsg, ERRMSG_LIMIT) if said.errmsg else ""
    what = words("WeChat said {code}", code=said.errcode)
    return " · ".join(filter(None, [f"{what} {text}".rstrip(), rid]))


def accepted(words: Words, request: Request) -> Announcement:
    """Tell the requester at once that the bot has accepted the request."""
    say = words.about(request)
    said = say("On it: sharing {env} with {receivers}. The answer follows. Request {id}.")
    return Announcement((Part(said),), request.id)


def called(
    words: Words,
    request: Request,
    outcome: Called,
    *,
    called_again: bool = False,
    after: AfterShare = NOTHING_KNOWN,
) -> Message:
    """Say how the request ended, who acts, what they do, and whether trying again helps.

    `called_again`: the bot restarted and called WeChat a second time. Ignored if there was no call (no token, given up).
    """
    if isinstance(outcome, Shared):
        whole = _shared(words, request, after)
    else:
        whole = _failed(words, request, outcome)
    again = called_twice(words, request.receivers) if called_again and outcome.tries else None
    return message(*whole, _footer(words.about(request), outcome), again)


def called_twice(words: Words, appids: Sequence[str]) -> Part | None:
    """Return the appids that were sent to WeChat twice: of a batch, about twenty per crash at most."""
    if not appids:
        return None
    return small(
        words(
            "I was interrupted while this was under way, so I asked WeChat once more about {appids}.",
            appids=Mrkdwn(" ".join(map(code, appids))),
        )
    )


def _failed(words: Words, request: Request, outcome: Failed | Unknown) -> tuple[str | None, ...]:
    say = words.about(request)
    title, broke = titled(say, outcome), None
    if isinstance(outcome, Failed):
        headline = say(
            "❌ *{title}.* {env} of {owner} was not shared with {receivers}.", title=title
        )
        if outcome.link:
            broke = say("*What broke:* {link}.", link=say(LINK_NAMES[outcome.link]))
    else:
        headline = say(
            "❔ *{title}.* {env} of {owner} may or may not have been shared with {appid}.",
            title=title,
        )
    return headline, who_acts(say, outcome), broke, what_to_do(say, outcome.guidance, outcome.said)


def _footer(say: Words, outcome: Called) -> Part:
    said = None if isinstance(outcome, Shared) else outcome.said
    line = " · ".join(
        [
            *([wechat_said(say, said)] if said else []),
            *([say("{count} tries", count=outcome.tries)] if outcome.tries > 1 else []),
            say("request {id}"),
        ]
    )
    return small(capital(Mrkdwn(line)))


_IN_CODE = msgid("In a mini program: {snippet}, then `init()`.")
_ACCEPTED = msgid("✅ *Shared.* WeChat accepted {env} of {owner} for {appid}.")
_LEFT = msgid("*What is left to do*")
_LACKING = msgid(
    "{env} has no active cloud function `cloudbase_auth`; the platform's developers deploy it."
)
_READY = msgid(
    "The env's `cloudbase_auth` is active, and must let the appid in; 开通环境共享 may be missing."
)


def _shared(words: Words, request: Request, after: AfterShare) -> tuple[str | Buttons | None, ...]:
    """Return the parts of the answer after a share."""
    say = words.about(request)
    if after.readiness is Readiness.READY:
        accepted = sentences(say, say(_ACCEPTED), say(_READY))
        return accepted, _left_behind_a_button(say, request)
    lacking = after.readiness is Readiness.LACKING
    headline = say(
        "✅ *Shared, not usable yet.* {env} of {owner} with {appid}." if lacking else _ACCEPTED
    )
    lacks = say(_LACKING) if lacking and after.told_before else None  # else the first step says it
    return headline, lacks, _to_do(say, request, after, say(_LEFT))


def _to_do(say: Words, request: Request, after: AfterShare, title: str) -> str | Buttons:
    """Return the steps below their title or, if they were told before, a button for them."""
    if after.told_before:
        return _left_behind_a_button(say, request)
    return _what_is_left(say, title)


def _left_behind_a_button(say: Words, request: Request) -> Buttons:
    return Buttons((Button(say("What is left to do"), Act.STEPS, request.id),))


def _what_is_left(say: Words, title: str) -> str:
    """Return what the developers on both sides do after a share, below a title."""
    lines = [
        say(
            "The platform's developers deploy a cloud function `cloudbase_auth` in {env} (WeChat DevTools, `extAppid` {owner}) that lets {receivers} in, and 开通环境共享 if needed."
        ),
        say(_IN_CODE),
        say("{owner} pays for what the receiver uses."),
        say(
            "To take access away, ask {contact}: they can look there, in 云开发 › 环境共享 (the owner's admin only after withdrawing)."
        ),
    ]
    return f"{title}\n{steps(lines)}"


def steps_left(words: Words, request: Request) -> Message:
    """Answer the button that asks for the steps after a share."""
    say = words.about(request)
    return message(_what_is_left(say, say(_LEFT)), small(name(words, request)))


def steps_after_batch(
    words: Words, request: Request, after: AfterShare
) -> tuple[str | Buttons | None, ...]:
    """Return the steps after a batch of shares."""
    say = words.about(request)
    title = say("*What is left to do, for each that was shared*")
    if after.readiness is Readiness.READY:
        return say(_READY), say(_IN_CODE), _left_behind_a_button(say, request)
    lacking = say("*Not usable yet:* {lacking}", lacking=say(_LACKING))
    return (
        lacking if after.readiness is Readiness.LACKING else None,
        _to_do(say, request, after, title),
    )


def beforehand(words: Words, env: str, readiness: Readiness) -> str | None:
    """Return whether the env could be used after a share, if that is known, for a dry run."""
    if readiness is Readiness.READY:
        return words(_READY)
    if readiness is Readiness.UNKNOWN:
        return None
    lacking = words(_LACKING, env=code(env))
    return words("Once shared, it would not be usable yet. {lacking}", lacking=lacking)
