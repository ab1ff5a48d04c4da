"""The App Home: the bot's health, what a person may share, what waits for them, and their requests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bot.domain.link import Link, LinkState
from bot.domain.request import Act
from bot.messages.answers import LINK_NAMES
from bot.messages.approvals import choice, details, limits, so_far
from bot.messages.blocks import Block, Button, Buttons, Message, message, small
from bot.messages.history import Line, history, in_a_line
from bot.messages.people import is_well, may_share
from bot.messages.request import ASKS, appids
from bot.messages.words import Words, code, listed, sentences
from bot.policy.kinds import Person, Rule, Unreadable

LISTED = 10
"""The most requests in one list of the page: Slack allows 100 blocks."""


@dataclass(frozen=True, slots=True)
class Records:
    """One person's part of the ledger: their requests, those that wait for their decision, and the tokens.

    `stoppable` are the requests that they may cancel as an operator or an approver.
    """

    lines: Sequence[Line]
    waiting: Sequence[Line]
    links: Sequence[LinkState] = ()
    stoppable: Sequence[Line] = ()


def home(
    words: Words,
    person: Person | Unreadable,
    rules: tuple[Rule, ...],
    records: Records | None,
    version: str,
) -> Message:
    """Return one person's page; `records` is None if the ledger does not answer."""
    health = _health(words, person, records, version, named=bool(rules))
    page = message(health, may_share(words, person, rules))
    if rules:
        page += message(
            words(
                "To share one, type {command} in a channel, or {bare} alone for a form.",
                command=code("/share-env <appid> <env>"),
                bare=code("/share-env"),
            )
        )
    if records is None:
        return page
    page += _section(words, words("*Waiting for your decision*"), records.waiting, _undecided)
    page += _section(words, words("*What you can cancel*"), records.stoppable, _stoppable)
    return page + history(words, records.lines, None, LISTED)


def view(page: Message) -> Block:
    """Return a page as Slack's view."""
    return {"type": "home", "blocks": page.blocks}


def _stoppable(words: Words, line: Line) -> Message:
    which = f"{line.request.env}, {line.request.id}"
    cancel = Button(words("Cancel"), Act.CANCEL, line.request.id, about=which)
    return message(in_a_line(words, line), Buttons((cancel,)))


def _section(
    words: Words, title: str, lines: Sequence[Line], told: Callable[[Words, Line], Message]
) -> Message:
    """Return the first requests of a list below its title, and the number of the rest."""
    if not lines:
        return message()
    more = len(lines) - LISTED
    rest = message(small(words("and {count} more", count=more)) if more > 0 else None)
    return sum([*(told(words, line) for line in lines[:LISTED]), rest], start=message(title))


def _undecided(words: Words, waiting: Line) -> Message:
    request, link = waiting.request, waiting.link
    where = words("All of them are listed in <{link}|this thread>.", link=link) if link else ""
    return message(
        words.about(request)(ASKS),
        appids(request, where),
        details(words, request),
        so_far(words, request.agreed, ()) or None,
        choice(words, request),
        limits(words, request, waiting.at),
    )


def _health(
    words: Words,
    person: Person | Unreadable,
    records: Records | None,
    version: str,
    *,
    named: bool,
) -> str:
    """Return one line: that the bot is healthy, or what is wrong; owners are `named` to whoever may share anything."""
    bad = [state for state in (records.links if records else ()) if not is_well(state)]
    theirs = listed(words, [code(state.owner) for state in bad if state.owner and named])
    wrong = [
        *([words("I could not find out who you are")] if isinstance(person, Unreadable) else []),
        *([] if records else [words("my database does not answer")]),
        *(
            words("trouble with {link}", link=words(LINK_NAMES[link]))
            for link in dict.fromkeys(state.link for state in bad)
            if not (named and link is Link.OWNER)
        ),
        *([words("trouble with the tokens of {owners}", owners=theirs)] if theirs else []),
    ]
    said = words("✅ I know of no trouble with Slack, my database or WeChat's tokens")
    if wrong:
        problem = words("⚠️ Problem: {what}.", what=listed(words, wrong))
        said = sentences(words, problem, words("If this keeps happening, tell {contact}."))
    return f"{said} · share-env-bot {version}"
