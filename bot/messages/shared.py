"""What a success says: that WeChat accepted the share, whether the env can be used, and what is left to do."""

from typing import assert_never

from bot.domain.click import Act
from bot.domain.readiness import AfterShare, Readiness
from bot.domain.request import Request
from bot.messages.asked import about, name
from bot.messages.blocks import Button, Buttons, Message, Mrkdwn, buttons, code, message, steps
from bot.messages.words import Words

_SNIPPET_LIMIT = 200


def shared(words: Words, request: Request, after: AfterShare) -> tuple[str | Buttons | None, ...]:
    """Return the parts that tell of a share."""
    say = about(words, request)
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
    say = about(words, request)
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


def steps_again(words: Words, request: Request) -> Message:
    """Tell whoever asks by the button what is left to do after a share."""
    return message(
        what_is_left(words, request, words("*What is left to do*")), name(words, request)
    )


def of_batch(words: Words, request: Request, after: AfterShare) -> tuple[str | Buttons | None, ...]:
    """Return what is left to do for each of a batch that was shared."""
    title = words("*What is left to do, for each that was shared*")
    if after.readiness is Readiness.READY:
        ready = words("The env is ready to use: its cloud function `cloudbase_auth` is active.")
        return f"{title}\n{_in_code(words, request)}", ready
    lacks = lacking(words, request.env, after.readiness)
    if after.told_before:
        return lacks, _left_to_do(words, request)
    return lacks, what_is_left(words, request, title)


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
