"""Earlier requests: the same share running or already made, and lists of past requests."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.kept import KeptShare
from bot.domain.outcome import Outcome, Shared
from bot.domain.request import Act, Approval, Request, State
from bot.messages.blocks import Button, Buttons, DataTable, Message, Part, message, small
from bot.messages.endings import mark, state
from bot.messages.words import (
    Words,
    bullets,
    code,
    fitting,
    how_many,
    listed,
    mention,
    msgid,
    when,
)

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
        _answer_in(say, link),
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
        _answer_in(say, link),
        words("To do it all the same, send the command with `--again`."),
        Buttons((Button(words("Share it again"), Act.SHARE_AGAIN, earlier.id, reason=reason),)),
    )


def shared_long_ago(words: Words, share: KeptShare) -> Message:
    """Say that the same share was made before, of which only that is left, and how to repeat it."""
    return message(
        words(
            "{env} was shared with {appid} before, {date}. Nothing was done.",
            env=code(share.env),
            appid=code(share.appid),
            date=when(share.ended),
        ),
        words(
            "Its record was deleted since, and with it who asked. Request {id}.",
            id=code(share.request),
        ),
        words("To do it all the same, send the command with `--again`."),
    )


def kept_request(words: Words, share: KeptShare) -> Message:
    """Say of a request that was deleted that it shared something."""
    told = words(
        "{env} was shared with {appid}, {date}. Its record was deleted since, and with it who asked.",
        env=code(share.env),
        appid=code(share.appid),
        date=when(share.ended),
    )
    return message(f"{words('*Request {id}*', id=code(share.request))}\n{bullets([told])}")


def _answer_in(say: Words, link: str | None) -> str:
    if link:
        return say("Its answer: <{link}|this thread>. Request {id}.", link=link)
    return say("Its answer goes to {who}. Request {id}.")


_UNDER_WAY = msgid("⏳ under way")
_HOW_FAR = {
    State.CONFIRMING: msgid("🕓 waiting for a confirmation"),
    State.WAITING: msgid("🕓 waiting for an approval"),
}
_OWN = (
    msgid("*Your requests, the newest first*"),
    msgid("You have no requests yet."),
    msgid(
        "There are older ones. `/share-env history &lt;env&gt;` and `history &lt;appid&gt;` list those about one."
    ),
)
_ABOUT = (
    msgid("*Requests about {about}, the newest first*"),
    msgid(
        "There are no requests about an env or appid {about} that you may see, and none with that id."
    ),
    msgid("There are older ones."),
)


def history(
    words: Words, lines: Sequence[Line | KeptShare], about: str | None, most: int = _LISTED
) -> Message:
    """List past requests, newest first, and shares of deleted ones; `about` is the env or appid that they share."""
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


def history_table(words: Words, lines: Sequence[Line | KeptShare], about: str | None) -> Message:
    """List the same, in a table, which has more of them; a list if there are none."""
    listed = history(words, lines, about)
    if not lines:
        return listed
    own, title = not about, words((_ABOUT if about else _OWN)[0], about=code(about or ""))
    header = (words("Request"), words("When (UTC)"), words("How it stands"), words("Env"))
    told = bullets([in_a_line(words, line, own=own) for line in lines])
    table = DataTable(
        caption=title,
        header=(*header, words("With"), *([] if own else [words("Who")])),
        rows=tuple(_row(words, line, own=own) for line in lines),
        text=f"{title}\n{told}",
        instead=tuple(part for part in listed.parts if isinstance(part, Part)),
    )
    return message(table)


def _row(words: Words, line: Line | KeptShare, *, own: bool) -> tuple[str, ...]:
    if isinstance(line, KeptShare):
        asked = () if own else (words("who asked is no longer kept"),)
        stood = (when(line.ended), _shared(words), code(line.env), code(line.appid))
        return (code(line.request), *stood, *asked)
    request = line.request
    id_ = f"<{line.link}|{request.id}>" if line.link else code(request.id)
    told = (id_, when(line.at), _how_it_stands(words, line), code(request.env))
    with_whom = how_many(words, request.receivers)
    return (*told, with_whom) if own else (*told, with_whom, mention(request.origin.user_id))


def one_request(words: Words, line: Line) -> Message:
    """Say how one request stands."""
    title = words("*Request {id}*", id=code(line.request.id))
    told = [in_a_line(words, line), _who_agreed(words, line.request)]
    return message(f"{title}\n{bullets(filter(None, told))}")


def _who_agreed(words: Words, request: Request) -> str | None:
    """Return who agreed to a request, and who approved it; None if nobody did."""
    approved = [request.approval] if isinstance(request.approval, Approval) else []
    by = [each.by for each in (*request.agreed, *approved)]
    return words("Agreed: {people}", people=listed(words, [*map(mention, by)])) if by else None


def in_a_line(words: Words, line: Line | KeptShare, *, own: bool = False) -> str:
    """Return one request as one line; with its requester unless it is the reader's `own`, or no longer kept."""
    if isinstance(line, KeptShare):
        what = words("{env} with {receivers}", env=code(line.env), receivers=code(line.appid))
        asked = "" if own else words("who asked is no longer kept")
        kept = (when(line.ended), _shared(words), what, asked, code(line.request))
        return " · ".join(filter(None, kept))
    request, say = line.request, words.about(line.request)
    told = [
        when(line.at),
        _how_it_stands(words, line),
        say("{env} with {receivers}"),
        "" if own else mention(request.origin.user_id),
        code(request.id),
        line.link and say("<{link}|thread>", link=line.link),
    ]
    return " · ".join(filter(None, told))


def _shared(words: Words) -> str:
    return f"{mark(Shared())} {state(words, Shared())}"


def _how_it_stands(words: Words, line: Line) -> str:
    if line.outcome:
        return f"{mark(line.outcome)} {state(words, line.outcome)}"
    return words(_HOW_FAR.get(line.state, _UNDER_WAY))
