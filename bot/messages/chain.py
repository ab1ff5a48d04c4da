"""WeChat's token chain in words: where it broke, and how each of its links stands."""

from collections.abc import Sequence
from itertools import accumulate

from bot.link import Link, LinkState
from bot.messages.blocks import Message, bullets, code, escape, message, when

_NAMES = {
    Link.TICKET: "the platform's ticket, `component_verify_ticket`",
    Link.PLATFORM: "the platform's own token, `component_access_token`",
    Link.OWNER: "the owner's token, `authorizer_access_token`",
}
_ROOM = 1500  # characters of one message's 4000


def where_it_broke(link: Link) -> str:
    """Return which link of the chain kept a share from being asked for."""
    return f"*What broke:* {_NAMES[link]}."


def tokens(states: Sequence[LinkState]) -> Message:
    """Say how each owner's token stands and, where they are not well, the ticket and the platform's token."""
    told = [state for state in states if state.link is Link.OWNER or not _is_well(state)]
    lines = [_line(state) for state in sorted(told, key=_is_well)]  # so that no trouble is cut off
    ends = accumulate(len(line) for line in lines)
    shown = [line for line, end in zip(lines, ends, strict=True) if end <= _ROOM]
    more = [f"and {len(lines) - len(shown)} more"] if len(shown) < len(lines) else []
    return message(f"*Tokens kept by the bot*\n{bullets([*shown, *more])}" if lines else None)


def _is_well(state: LinkState) -> bool:
    return state.good_until is not None and state.trouble is None


def _line(state: LinkState) -> str:
    name = code(state.owner) if state.owner else _NAMES[state.link]
    good = f"good until {when(state.good_until)}" if state.good_until else "there is none now"
    renewed = f", renewed {when(state.renewed)}" if state.good_until and state.renewed else ""
    at = f" {when(state.trouble_at)}" if state.trouble_at else ""
    failed = f". The last try failed{at}: {escape(state.trouble.title)}" if state.trouble else ""
    return f"{name}: {good}{renewed}{failed}."
