"""The answer to a request: the parent message, the reply in its thread, and what stands in for a thread."""

from enum import Enum
from typing import assert_never

from bot.guidance import AFTER_SUCCESS, Guidance
from bot.messages.blocks import Message, Part, code, escape, message, small, steps
from bot.messages.chain import where_it_broke
from bot.outcome import Failed, Outcome, Said, Shared, Unknown
from bot.request import Request

_ERRMSG_LIMIT = 300


class NoThread(Enum):
    """Why there is no thread; the value is what the requester is told."""

    NOT_INVITED = (
        "I am not in this conversation, so only you can see this. For a thread that everybody here can "
        "follow, add me with `/invite @share-env` before you ask."
    )
    DIRECT = (
        "I cannot post in a conversation between other people, so only you can see this. For a thread, ask "
        "in a channel that I am in, or in our direct messages."
    )
    ARCHIVED = (
        "This channel is archived, so only you can see this. For a thread, ask in another channel, or in our "
        "direct messages."
    )
    READ_ONLY = (
        "I may not post in this channel, so only you can see this. For a thread, ask in another channel, or "
        "have a channel manager let me post here."
    )
    SHARED_OUTSIDE = (
        "This channel is shared with another organisation, so the details stay with you. For a thread, ask "
        "in a channel of your own organisation."
    )
    CANNOT_TELL = (
        "I could not find out whether this channel is shared with another organisation, so the details stay "
        "with you. The people who run this bot can check its scopes channels:read and groups:read."
    )
    SLACK_TROUBLE = (
        "Slack did not let me open a thread here, so only you can see this. If it happens again, tell the "
        "people who run this bot."
    )


def accepted(request: Request) -> Message:
    """Say at once, to the requester alone, that the request is on its way."""
    pair = f"{code(request.env)} with {code(request.appid)}"
    return message(f"On it: sharing {pair}. The answer follows here. Request {code(request.id)}.")


def parent(request: Request, outcome: Outcome | None) -> Message:
    """Say in the channel what is being asked or, with an outcome, how it ended."""
    who, env, appid = f"<@{request.origin.user_id}>", code(request.env), code(request.appid)
    match outcome:
        case None:
            line = f"⏳ {who} is sharing {env} with {appid}."
        case Shared():
            line = f"✅ {who} shared {env} with {appid}."
        case Failed():
            line = f"❌ {who} asked to share {env} with {appid}. It was not shared."
        case Unknown():
            line = (
                f"❔ {who} asked to share {env} with {appid}. It may or may not have been shared."
            )
        case _:
            assert_never(outcome)
    reason = f"Reason: {escape(request.reason)}" if request.reason else None
    return message(line, reason and small(reason), small(f"Request {code(request.id)}"))


def answer(request: Request, outcome: Outcome, *, called_again: bool = False) -> Message:
    """Say how the request ended, what that means, who can fix it and what to do next.

    `called_again` is told only where the later call came about: without a token, or given up, there is none.
    """
    whole = _answer(request, outcome)
    again = "I was restarted while this was under way, so I asked WeChat once more."
    return whole + message(small(again)) if called_again and outcome.tries else whole


def _answer(request: Request, outcome: Outcome) -> Message:
    env, appid, owner = code(request.env), code(request.appid), code(request.owner)
    match outcome:
        case Shared(tries):
            return message(
                f"✅ *Shared.* {appid} may now use {env}, which {owner} owns.",
                f"*What is left to do*\n{steps(escape(step) for step in AFTER_SUCCESS)}",
                _footer(request, None, tries),
            )
        case Failed(guidance, said, tries):
            headline = f"❌ *{escape(guidance.title)}.* {env} was not shared with {appid}."
        case Unknown(guidance, said, tries):
            headline = f"❔ *{escape(guidance.title)}.* {env} may or may not have been shared with {appid}."
        case _:
            assert_never(outcome)
    link = outcome.link if isinstance(outcome, Failed) else None
    doubt = (
        "An earlier try got no clear answer, so the share may have happened all the same."
        if isinstance(outcome, Unknown) and not guidance.in_doubt
        else ""
    )
    return message(
        headline,
        " ".join(filter(None, [escape(guidance.meaning), doubt])),
        link and where_it_broke(link),
        _next_steps(guidance),
        _footer(request, said, tries),
    )


def _next_steps(guidance: Guidance) -> str:
    """Return who can fix it, how, and whether asking again helps."""
    return (
        f"*Who can fix it:* {escape(guidance.fixer.value)}.\n"
        f"{steps(escape(step) for step in guidance.steps)}\n"
        f"*Does asking again help?* {escape(guidance.again.value)}"
    )


def _footer(request: Request, said: Said | None, tries: int) -> Part:
    words = f" {code(said.errmsg, _ERRMSG_LIMIT)}" if said and said.errmsg else ""
    told = f"WeChat said {said.errcode}{words}" if said else ""
    rid = f"rid {code(said.rid)}" if said and said.rid else ""
    tried = f"{tries} tries" if tries > 1 else ""
    line = " · ".join(filter(None, [told, rid, tried, f"request {code(request.id)}"]))
    return small(line[0].upper() + line[1:])


def private_start(request: Request, why: NoThread) -> Message:
    """Say to the requester alone that the request is under way and why there is no thread."""
    return parent(request, None) + message(small(why.value))


def direct_start(request: Request) -> Message:
    """Say in a direct message what is under way, because nothing could be said where it was asked."""
    place = "I could not answer where you asked, so the answer comes in this thread."
    return parent(request, None) + message(small(place))


def unconfirmed(answered: Message) -> Message:
    """Return an answer that may already have arrived, saying so."""
    return answered + message(
        small("Slack did not confirm this answer at first, so you may see it twice.")
    )


def replacing(under_way: Message) -> Message:
    """Return a parent message that stands in for one which nobody can find again."""
    note = "If there is another message about this request above, this one replaces it."
    return under_way + message(small(note))
