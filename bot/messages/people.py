"""The answers to `whoami` and `help`, which only the requester sees: rights, rules, and the state of the tokens."""

from collections.abc import Sequence

from bot.command.grammar import MENTION_HELP, SHARE_HELP, SUBCOMMANDS
from bot.domain.link import Link, LinkState
from bot.messages.answers import LINK_NAMES
from bot.messages.blocks import Message, message, small
from bot.messages.rules import (
    LISTED_RULES,
    STANDINGS,
    UNREADABLE,
    right,
    rule_name,
    under,
    who_can_fix,
)
from bot.messages.words import (
    FOR_GOOD,
    Words,
    bullets,
    code,
    group_name,
    listed,
    mention,
    sentences,
    some,
    when,
)
from bot.policy.kinds import Person, Rule, Unreadable


def whoami(  # noqa: PLR0913, PLR0917 - all that `whoami` shows
    words: Words,
    person: Person | Unreadable,
    user_id: str,
    team_id: str,
    rules: tuple[Rule, ...],
    links: Sequence[LinkState] = (),
) -> Message:
    """Say who the requester is to the bot and which rules apply; if any do, also the state of the tokens."""
    who, user, team = mention(user_id), code(user_id), code(team_id)
    if isinstance(person, Unreadable):
        return message(
            words("You are {who}: user {user}, workspace {team}.", who=who, user=user, team=team),
            words("I could not find out more: {trouble}.", trouble=words(UNREADABLE[person])),
            who_can_fix(words),
        )
    groups = listed(words, [group_name(group) for group in sorted(person.groups)], 20)
    applies = listed(words, [rule_name(rule) for rule in rules], LISTED_RULES)
    return message(
        words(
            "You are {who}: user {user}, workspace {team}, {standing}.",
            who=who,
            user=user,
            team=team,
            standing=words(STANDINGS[person.standing]),
        ),
        words(
            "*Your user groups, of those that rules name:* {groups}.",
            groups=groups or words("none"),
        ),
        _unread(words, person),
        words(
            "*Rules that apply to you:* {rules}.",
            rules=applies or words("none, so you may not share anything"),
        ),
        None if rules else words("*Who can grant it:* {contact}."),
    ) + tokens(words, links if rules else ())


def _unread(words: Words, person: Person) -> str | None:
    troubles = [words(UNREADABLE[why]) for why in dict.fromkeys(person.unreadable.values())]
    if not troubles:
        return None
    told = under(words, words("*I could not find out whether you are in others*"), troubles)
    return f"{told}\n{who_can_fix(words)}"


def help_(
    words: Words, person: Person | Unreadable, rules: tuple[Rule, ...], *, mentions: bool = False
) -> Message:
    """Say what the requester may share, and what can be typed; with `mentions`, also that the bot hears its name."""
    to_share, by_name = SHARE_HELP if rules else (), (MENTION_HELP,) if mentions else ()
    lines = [words(line) for line in (*to_share, *(row.help for row in SUBCOMMANDS), *by_name)]
    typed = bullets(line.replace("<", "&lt;").replace(">", "&gt;") for line in lines)
    return message(
        may_share(words, person, rules),
        who_can_fix(words) if isinstance(person, Unreadable) else None,
        f"{words('*What you can type*')}\n{typed}",
        small(words(FOR_GOOD)) if rules else None,
    )


def may_share(words: Words, person: Person | Unreadable, rules: tuple[Rule, ...]) -> str:
    """Return what a person may share, or who can grant it."""
    if isinstance(person, Unreadable):
        return words(
            "I could not find out what you may share: {trouble}.",
            trouble=words(UNREADABLE[person]),
        )
    if not rules:
        grants = words("*Who can grant it:* {contact}.")
        return f"{words('You may not share any env yet.')}\n{grants}"
    return under(words, words("*What you may share*"), [right(words, rule) for rule in rules])


_ROOM = 1500  # characters of one message's 4000


def tokens(words: Words, states: Sequence[LinkState]) -> Message:
    """List the state of each owner's token; the ticket and the platform token only if something is wrong with them."""
    told = [state for state in states if state.link is Link.OWNER or not is_well(state)]
    # Problems first, because a long list is cut.
    lines = [
        sentences(words, _good(words, state), _failed(words, state))
        for state in sorted(told, key=is_well)
    ]
    title = words("*Tokens*")
    return message(f"{title}\n{some(words, lines, _ROOM)}" if lines else None)


def is_well(state: LinkState) -> bool:
    """Return whether a link is valid and its last renewal succeeded."""
    return state.good_until is not None and state.trouble is None


def _good(words: Words, state: LinkState) -> str:
    name = code(state.owner) if state.owner else words(LINK_NAMES[state.link])
    if not state.good_until:
        return words("{name}: there is none now.", name=name)
    if not state.renewed:
        return words("{name}: good until {until}.", name=name, until=when(state.good_until))
    return words(
        "{name}: good until {until}, renewed {renewed}.",
        name=name,
        until=when(state.good_until),
        renewed=when(state.renewed),
    )


def _failed(words: Words, state: LinkState) -> str | None:
    if not (state.trouble and state.trouble_at):
        return None
    title = words.escaped(state.trouble.title)
    return words("The last try failed {date}: {title}.", date=when(state.trouble_at), title=title)
