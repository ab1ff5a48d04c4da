"""What the ledger knows: the same thing under way or done before, and lists of past requests."""

from collections.abc import Sequence
from itertools import accumulate
from typing import assert_never

from bot.messages.blocks import Message, bullets, code, message, small, when
from bot.outcome import Failed, Outcome, Shared, Unknown
from bot.request import Request

_LISTED = 15
_LIST_ROOM = 2700  # characters of one section's 3000

Line = tuple[Request, Outcome | None, float, str | None]


def under_way(running: Request, link: str | None) -> Message:
    """Say that the same thing is being done already, for whom and where."""
    return message(
        f"<@{running.origin.user_id}> is already sharing {_pair(running)}. Nothing more was done.",
        f"The answer comes {f'in {_thread(link)}' if link else 'to them'}. Request {code(running.id)}.",
    )


def shared_before(earlier: Request, ended: float, link: str | None) -> Message:
    """Say that the same thing was done before, by whom and when, and how to do it again."""
    return message(
        f"<@{earlier.origin.user_id}> shared {_pair(earlier)} before, {when(ended)}. Nothing was done.",
        f"The answer {f'is in {_thread(link)}' if link else 'went to them alone'}. Request {code(earlier.id)}.",
        f"To do it all the same:\n{code(f'/share-env {earlier.appid} {earlier.env} --again')}",
    )


def history(lines: Sequence[Line], about: str | None) -> Message:
    """List past requests, the newest first; `about` is the env or appid that was asked for."""
    what = f"Requests about {code(about)}" if about else "Your requests"
    if not lines:
        who = "that you may see" if about else "yet"
        return message(f"{what}: there are none {who}.")
    shown = _as_many_as_fit([_line(line) for line in lines[:_LISTED]])
    hint = "`/share-env history &lt;env&gt;` and `history &lt;appid&gt;` list those about one."
    older = "There are older ones." if about else f"There are older ones. {hint}"
    return message(
        f"*{what}, the newest first*\n{bullets(shown)}",
        small(older) if len(shown) < len(lines) else None,
    )


def no_history() -> Message:
    """Say that the ledger cannot be read."""
    return message(
        "I cannot read my records right now. Please try again in a few minutes.",
        "If it happens again, tell the people who run this bot that its ledger (`DATABASE_URL`) does not answer.",
    )


def not_recorded() -> Message:
    """Say that nothing was done, because it could not be recorded first."""
    return message(
        "I could not write this down, so I did not begin. Nothing was done.",
        "Please send the command again in a few minutes. If it happens again, tell the people who run this "
        "bot that its ledger (`DATABASE_URL`) takes nothing.",
    )


def _as_many_as_fit(lines: list[str]) -> list[str]:
    ends = accumulate(len(f"• {line}\n") for line in lines)
    return [line for line, end in zip(lines, ends, strict=True) if end <= _LIST_ROOM]


def _line(line: Line) -> str:
    request, outcome, created, link = line
    thread = f" · <{link}|thread>" if link else ""
    who = f"<@{request.origin.user_id}>"
    return f"{when(created)} · {_state(outcome)} · {_pair(request)} · {who} · {code(request.id)}{thread}"


def _state(outcome: Outcome | None) -> str:
    match outcome:
        case None:
            return "⏳ under way"
        case Shared():
            return "✅ shared"
        case Failed():
            return "❌ not shared"
        case Unknown():
            return "❔ unknown"
        case _:
            assert_never(outcome)


def _pair(request: Request) -> str:
    return f"{code(request.env)} with {code(request.appid)}"


def _thread(link: str) -> str:
    return f"<{link}|this thread>"
