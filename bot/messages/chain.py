"""WeChat's token chain: which link broke, and the state of each link."""

from collections.abc import Sequence

from bot.domain.link import Link, LinkState
from bot.messages.blocks import Message, code, message, when
from bot.messages.lists import sentences, some
from bot.messages.words import Words, msgid

_NAMES = {
    Link.TICKET: msgid("the platform's ticket, `component_verify_ticket`"),
    Link.PLATFORM: msgid("the platform's own token, `component_access_token`"),
    Link.OWNER: msgid("the owner's token, `authorizer_access_token`"),
}
_ROOM = 1500  # characters of one message's 4000


def where_it_broke(words: Words, link: Link) -> str:
    """Return which link of the chain broke."""
    return words("*What broke:* {link}.", link=words(_NAMES[link]))


def tokens(words: Words, states: Sequence[LinkState]) -> Message:
    """List the state of each owner's token; the ticket and the platform's token only if something is wrong with them."""
    told = [state for state in states if state.link is Link.OWNER or not is_well(state)]
    # Trouble comes first, because a long list is cut.
    lines = [_line(words, state) for state in sorted(told, key=is_well)]
    title = words("*Tokens kept by the bot*")
    return message(f"{title}\n{some(words, lines, _ROOM)}" if lines else None)


def is_well(state: LinkState) -> bool:
    """Tell whether a link is good and its last renewal did not fail."""
    return state.good_until is not None and state.trouble is None


def _line(words: Words, state: LinkState) -> str:
    return sentences(words, _good(words, state), _failed(words, state))


def _good(words: Words, state: LinkState) -> str:
    name = code(state.owner) if state.owner else words(_NAMES[state.link])
    if not state.good_until:
        return words("{name}: there is none now.", name=name)
    until = when(state.good_until)
    if not state.renewed:
        return words("{name}: good until {until}.", name=name, until=until)
    renewed = when(state.renewed)
    return words(
        "{name}: good until {until}, renewed {renewed}.", name=name, until=until, renewed=renewed
    )


def _failed(words: Words, state: LinkState) -> str | None:
    if not state.trouble:
        return None
    title = words.escaped(state.trouble.title)
    if not state.trouble_at:
        return words("The last try failed: {title}.", title=title)
    return words("The last try failed {date}: {title}.", date=when(state.trouble_at), title=title)
