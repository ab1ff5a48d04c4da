"""The answer to a request that WeChat was asked about: the parent message, the reply in its thread, and what is left to do."""

from typing import assert_never

from bot.domain.click import Act
from bot.domain.outcome import (
    NOTHING_KNOWN,
    AfterShare,
    Called,
    Failed,
    Readiness,
    Said,
    Shared,
    Unknown,
)
from bot.domain.request import Request
from bot.messages.advice import titled, told, what_to_do, where_it_broke, who_acts
from bot.messages.blocks import (
    Announcement,
    Button,
    Buttons,
    Message,
    Part,
    buttons,
    message,
    small,
)
from bot.messages.request import name, reason
from bot.messages.words import Mrkdwn, Words, code, steps


def accepted(words: Words, request: Request) -> Announcement:
    """Tell the requester at once that the bot has accepted the request."""
    say = words.about(request)
    said = say("On it: sharing {env} with {receivers}. The answer follows here. Request {id}.")
    return Announcement(message(said).parts)


def parent(words: Words, request: Request, outcome: Called | None) -> Message:
    """Tell the channel what the bot is doing or, with an outcome, how it ended."""
    headline = _headline(words.about(request), outcome)
    return message(headline, reason(words, request), name(words, request))


def _headline(say: Words, outcome: Called | None) -> str:
    match outcome:
        case None:
            return say("⏳ {who} is sharing {env} with {receivers}.")
        case Shared():
            return say("✅ {who} shared {env} with {appid}.")
        case Failed():
            return say("❌ {who} asked to share {env} with {appid}. It was not shared.")
        case Unknown():
            return say(
                "❔ {who} asked to share {env} with {appid}. It may or may not have been shared."
            )
        case _:
            assert_never(outcome)


def answer(
    words: Words,
    request: Request,
    outcome: Called,
    *,
    called_again: bool = False,
    after: AfterShare = NOTHING_KNOWN,
) -> Message:
    """Tell how the request ended, who acts, what they do, and whether trying again helps.

    `called_again`: the bot restarted and called WeChat once more. Not told where no call came about (no token, given up).
    """
    whole = _answer(words, request, outcome, after)
    again = words("I was restarted while this was under way, so I asked WeChat once more.")
    return whole + message(small(again)) if called_again and outcome.tries else whole


def _answer(words: Words, request: Request, outcome: Called, after: AfterShare) -> Message:
    say = words.about(request)
    match outcome:
        case Shared(tries):
            footer = _footer(words, request, None, tries)
            return message(*shared(words, request, after), footer)
        case Failed(guidance, said, tries):
            headline = say(
                "❌ *{title}.* {env} of {owner} was not shared with {appid}.",
                title=titled(words, outcome),
            )
        case Unknown(guidance, said, tries):
            headline = say(
                "❔ *{title}.* {env} of {owner} may or may not have been shared with {appid}.",
                title=titled(words, outcome),
            )
        case _:
            assert_never(outcome)
    link = outcome.link if isinstance(outcome, Failed) else None
    return message(
        headline,
        who_acts(say, outcome),
        link and where_it_broke(words, link),
        what_to_do(say, guidance, said),
        _footer(words, request, said, tries),
    )


def _footer(words: Words, request: Request, said: Said | None, tries: int) -> Part:
    say = words.about(request)
    rid = f"rid {code(said.rid)}" if said and said.rid else ""
    tried = say("{count} tries", count=tries) if tries > 1 else ""
    asked = say("request {id}")
    line = " · ".join(filter(None, [told(words, said) if said else None, rid, tried, asked]))
    return small(line[0].upper() + line[1:])


_SNIPPET_LIMIT = 200


def shared(words: Words, request: Request, after: AfterShare) -> tuple[str | Buttons | None, ...]:
    """Return the parts that tell of a share."""
    say = words.about(request)
    match after.readiness:
        case Readiness.READY:
            headline = say("✅ *Shared, ready to use.* {env} of {owner} with {appid}.")
            return headline, _in_code(words, request)
        case Readiness.MISSING | Readiness.INACTIVE:
            headline = say("✅ *Shared, not usable yet.* {env} of {owner} with {appid}.")
        case Readiness.UNKNOWN:
            headline = say("✅ *Shared.* WeChat accepted {env} of {owner} for {appid}.")
        case _:
            assert_never(after.readiness)
    lacks = lacking(words, request.env, after.readiness)
    if after.told_before:
        return headline, lacks, _left_to_do(words, request)
    return headline, lacks, what_is_left(words, request, words("*What is left to do*"))


def what_is_left(words: Words, request: Request, title: str) -> str:
    """Return what the developers on both sides do after a share, under a title."""
    say = words.about(request)
    lines = [
        say(
            "The developers of {owner} deploy a cloud function `cloudbase_auth` in {env}: without it the receiver's `init()` fails."
        ),
        _in_code(words, request),
        say("{owner} pays for what the receiver uses."),
        say(
            "To take access away, the admin of {owner} opens 云开发, 更多, 环境共享 in WeChat DevTools."
        ),
    ]
    return f"{title}\n{steps(lines)}"


def steps_left(words: Words, request: Request) -> Message:
    """Tell whoever asks by the button what is left to do after a share."""
    return message(
        what_is_left(words, request, words("*What is left to do*")), name(words, request)
    )


def of_batch(words: Words, request: Request, after: AfterShare) -> tuple[str | Buttons | None, ...]:
    """Return what is left to do for each of a batch that was shared."""
    title = words("*What is left to do, for each that was shared*")
    if after.readiness is Readiness.READY:
        ready = words("The env is ready to use: its cloud function `cloudbase_auth` is active.")
        return ready, f"{title}\n{_in_code(words, request)}"
    lacks = lacking(words, request.env, after.readiness)
    unusable = lacks and words("*Not usable yet:* {lacking}", lacking=lacks)
    if after.told_before:
        return unusable, _left_to_do(words, request)
    return unusable, what_is_left(words, request, title)


def _left_to_do(words: Words, request: Request) -> Buttons | None:
    return buttons(Button(words("What is left to do"), Act.STEPS, request.id))


def lacking(words: Words, env: str, readiness: Readiness) -> str | None:
    """Return what keeps others from using an env."""
    match readiness:
        case Readiness.MISSING:
            return words("{env} has no cloud function `cloudbase_auth`.", env=code(env))
        case Readiness.INACTIVE:
            return words(
                "The cloud function `cloudbase_auth` in {env} is not active.", env=code(env)
            )
        case Readiness.READY | Readiness.UNKNOWN:
            return None
        case _:
            assert_never(readiness)


def beforehand(words: Words, env: str, readiness: Readiness) -> str | None:
    """Return whether a share of the env could be used, for whoever may share it."""
    if readiness is Readiness.READY:
        return words("The env is ready to use: its cloud function `cloudbase_auth` is active.")
    lacks = lacking(words, env, readiness)
    return lacks and words("Once shared, it would not be usable yet. {lacking}", lacking=lacks)


def _in_code(words: Words, request: Request) -> Mrkdwn:
    init = f"new wx.cloud.Cloud({{resourceAppid: '{request.owner}', resourceEnv: '{request.env}'}})"
    return words(
        "In the receiver's code: {snippet}, then `init()`.", snippet=code(init, _SNIPPET_LIMIT)
    )
