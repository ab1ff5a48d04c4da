"""Earlier requests: the same share running or already made, and lists of past requests."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.outcome import Outcome
from bot.domain.request import Act, Request, State
from bot.messages.blocks import Button, Buttons, Message, message, small
from bot.messages.outcomes import mark, state
from bot.messages.words import Words, bullets, code, fitting, mention, msgid, when

_LISTED = 15
_LIST_ROOM = 2700  # characters of one section's 3000, without bullets and line breaks


@dataclass(frozen=True, slots=True)
class Line:
    """One request in a list: its outcome or, until it has one, its state; its time (Unix seconds), the URL of its thread.

    The time is when it was made; of an earlier share, when it ended; of one to decide about, when it expires.
    """

    request: Request
    outcome: Outcome | None
    at: float
    link: str | None = None
    state: State = State.PLACED


def under_way(words: Words, running: Request, link: str | None) -> Message:
    """Say that the same share is running already, for whom and where."""
    say = words.about(running)
    return message(
        say("{who} is already sharing {env} with {appid}, or waiting to. Nothing more was done."),
        say("The answer comes in <{link}|this thread>. Request {id}.", link=link)
        if link
        else say("{who} gets the answer. Request {id}."),
    )


def untold(words: Words, earlier: Request, answer: Message) -> Message:
    """Give the answer to an earlier request that Slack has not accepted yet."""
    say = words.about(earlier)
    told = say("{who} asked for this already. The answer has not reached Slack yet, so here it is:")
    return message(told) + answer


def shared_before(
    words: Words, earlier: Request, ended: float, link: str | None, reason: str | None = None
) -> Message:
    """Say that the same share was made before, and how to repeat it; `reason` is the new request's."""
    say = words.about(earlier)
    return message(
        say(
            "{who} shared {env} with {appid} before, {date}. Nothing was done.",
            date=when(ended),
        ),
        say("The answer is in <{link}|this thread>. Request {id}.", link=link)
        if link
        else say("{who} got the answer. Request {id}."),
        words("To do it all the same, send the command with `--again`."),
        Buttons((Button(words("Share it again"), Act.SHARE_AGAIN, earlier.id, reason=reason),)),
    )


_OWN = (
    msgid("*Your requests, the newest first*"),
    msgid("You have no requests yet."),
    msgid(
        "There are older ones. `/share-env history &lt;env&gt;` and `history &lt;appid&gt;` list those about one."
    ),
)
_ABOUT = (
    msgid("*Requests about {about}, the newest first*"),
    msgid("There are no requests about an env or appid {about} that you may see."),
    msgid("There are older ones."),
)


def history(words: Words, lines: Sequence[Line], about: str | None, most: int = _LISTED) -> Message:
    """List past requests, newest first; `about` is the env or appid that they share."""
    title, none, older = _ABOUT if about else _OWN
    shared = code(about or "")
    if not lines:
        return message(words(none, about=shared))
    told = [in_a_line(words, line, own=not about) for line in lines[:most]]
    shown = fitting(told, _LIST_ROOM)
    return message(
        f"{words(title, about=shared)}\n{bullets(shown)}",
        small(words(older)) if len(shown) < len(lines) else None,
    )


def no_history(words: Words) -> Message:
    """Say that the ledger cannot be read."""
    return message(
        words("I cannot read my ledger of requests right now. Please try again in a few minutes."),
        words("If it happens again, tell {contact}: my ledger (`DATABASE_URL`) does not answer."),
    )


def not_recorded(words: Words) -> Message:
    """Say that the ledger did not record the request, so nothing was done."""
    return message(
        words("I could not save this, so nothing was done."),
        words(
            "Please send the command again in a few minutes. If it happens again, tell {contact}: I cannot write to my ledger (`DATABASE_URL`)."
        ),
    )


def in_a_line(words: Words, line: Line, *, own: bool = False) -> str:
    """Return one request as one line; with its requester unless it is the reader's `own`."""
    request, say = line.request, words.about(line.request)
    if line.outcome:
        ended = f"{mark(line.outcome)} {state(words, line.outcome)}"
    else:
        ended = _how_far(words, line.state)
    told = [
        when(line.at),
        ended,
        say("{env} with {receivers}"),
        "" if own else mention(request.origin.user_id),
        code(request.id),
        line.link and say("<{link}|thread>", link=line.link),
    ]
    return " · ".join(filter(None, told))


def _how_far(words: Words, state: State) -> str:
    """Return whom a request waits for, or that it is under way."""
    match state:
        case State.CONFIRMING:
            return words("🕓 waiting for a confirmation")
        case State.WAITING:
            return words("🕓 waiting for an approval")
        case _:
            return words("⏳ under way")
