"""The answer to a request that WeChat was asked about: the parent message, the reply in its thread, and notes on where it is."""

from enum import Enum
from typing import assert_never

from bot.domain.outcome import Called, Failed, Said, Shared, Unknown
from bot.domain.readiness import NOTHING_KNOWN, AfterShare
from bot.domain.request import Request
from bot.messages.advice import titled, told, what_to_do, who_acts
from bot.messages.asked import about, name, reason
from bot.messages.blocks import Announcement, Message, Part, code, message, small
from bot.messages.chain import where_it_broke
from bot.messages.shared import shared
from bot.messages.words import Words, msgid


class NoThread(Enum):
    """Why the bot opens no thread; the value is what the requester reads."""

    NOT_INVITED = msgid(
        "I am not in this conversation, so only you can see this. For a thread that everybody here can "
        "follow, add me with `/invite @share-env` before you ask."
    )
    DIRECT = msgid(
        "I cannot post in a conversation between other people, so only you can see this. For a thread, ask "
        "in a channel that I am in, or in our direct messages."
    )
    ARCHIVED = msgid(
        "This channel is archived, so only you can see this. For a thread, ask in another channel, or in our "
        "direct messages."
    )
    READ_ONLY = msgid(
        "I may not post in this channel, so only you can see this. For a thread, ask in another channel, or "
        "have a channel manager let me post here."
    )
    SHARED_OUTSIDE = msgid(
        "This channel is shared with another organisation, so the details stay with you. For a thread, ask "
        "in a channel of your own organisation."
    )
    CANNOT_TELL = msgid(
        "I could not find out whether this channel is shared with another organisation, so the details stay with you. Ask {contact} to check my scopes channels:read, groups:read and mpim:read."
    )
    SLACK_TROUBLE = msgid(
        "Slack did not let me open a thread here, so only you can see this. If it happens again, tell {contact}."
    )


def accepted(words: Words, request: Request) -> Announcement:
    """Tell the requester at once that the bot has accepted the request."""
    say = about(words, request)
    said = say("On it: sharing {env} with {receivers}. The answer follows here. Request {id}.")
    return Announcement(message(said).parts)


def parent(words: Words, request: Request, outcome: Called | None) -> Message:
    """Tell the channel what the bot is doing or, with an outcome, how it ended."""
    headline = _headline(about(words, request), outcome)
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
    say = about(words, request)
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
    say = about(words, request)
    rid = f"rid {code(said.rid)}" if said and said.rid else ""
    tried = say("{count} tries", count=tries) if tries > 1 else ""
    asked = say("request {id}")
    line = " · ".join(filter(None, [told(words, said), rid, tried, asked]))
    return small(line[0].upper() + line[1:])


def only_you(words: Words, begun: Message, why: NoThread) -> Message:
    """Add to `begun` why there is no thread, and where the answer will come."""
    there = words("{why} The answer comes by direct message.", why=words(why.value))
    return begun + message(small(there))


def elsewhere(words: Words, begun: Message) -> Message:
    """Add to `begun` why it comes by direct message."""
    place = words("I could not answer where you asked, so the answer comes in this thread.")
    return begun + message(small(place))


def unconfirmed(words: Words, answered: Message) -> Message:
    """Add to an answer that it may arrive twice."""
    twice = words("Slack did not confirm this answer at first, so you may see it twice.")
    return answered + message(small(twice))


def replacing(words: Words, under_way: Message) -> Message:
    """Add to a parent message that it may replace an earlier one, which the bot cannot find."""
    note = words("If there is another message about this request above, this one replaces it.")
    return under_way + message(small(note))
