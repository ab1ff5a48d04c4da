"""The messages around any request: its first sentence, its parent message in the channel, and the answer in its thread."""

from bot.domain.outcome import (
    NOTHING_KNOWN,
    AfterCall,
    Expired,
    Failed,
    Finished,
    Outcome,
    Rejected,
    Shared,
    Tally,
    Unknown,
    explained,
    retry_may_help,
)
from bot.domain.request import Act, BrokenGlass, Request
from bot.messages import answers, approvals, batches
from bot.messages.blocks import Button, Buttons, Message, message, small
from bot.messages.endings import ENDINGS, kind_of, mark, named_in, next_step, state
from bot.messages.request import in_channel, name
from bot.messages.words import Words, msgid


def begun(words: Words, request: Request, *, waiting: bool) -> Message:
    """Tell the channel what the bot is doing or, if `waiting`, that it needs an approval first."""
    if waiting:
        return approvals.waiting(words, request)
    if request.appids:
        return batches.progress(words, request, Tally(len(request.appids)), None)
    return parent(words, request, None)


def parent(words: Words, request: Request, outcome: Outcome | None) -> Message:
    """Tell the channel what the bot is doing or, with an outcome, how it ended."""
    say = words.about(request)
    match outcome:
        case None:
            headline = say("⏳ {who} is sharing {env} with {receivers}.")
        case Shared():
            headline = say("✅ {who} shared {env} with {appid}.")
        case _:
            headline = say(
                "{mark} {who} asked to share {env} with {receivers}: {state}.",
                mark=mark(outcome),
                state=state(words, outcome),
            )
    return in_channel(words, request, headline)


def answer(
    words: Words,
    request: Request,
    outcome: Outcome,
    *,
    called_again: bool = False,
    after: AfterCall = NOTHING_KNOWN,
) -> Message:
    """Say how the request ended, what that means and what to do next, with a button if trying again can help."""
    outcome = explained(outcome, after.cause)
    match outcome:
        case Shared() | Failed() | Unknown():
            whole = answers.called(words, request, outcome, called_again=called_again, after=after)
        case Finished():
            whole = batches.finished(words, request, outcome, after)
        case _:
            whole = _not_called(words, request, outcome)
    if approval := request.approval:
        text = msgid("Approved by <@{by}>")
        if isinstance(approval, BrokenGlass):
            text = msgid("<@{by}> did not wait for an approval")
        approved = words(text, by=approval.by)
        whole += message(small(approvals.with_comment(words, approved, approval.comment)))
    if request.agreed or isinstance(outcome, Expired):
        whole += message(approvals.agreed_before(words, request, outcome))
    if isinstance(outcome, Failed | Unknown | Expired) and retry_may_help(outcome):
        whole += message(Buttons((Button(words("Try again"), Act.RETRY, request.id),)))
    return whole


def lists(words: Words, outcome: Outcome, after: AfterCall) -> list[Message]:
    """Return the replies that follow the answer to a batch: all that its groups leave out."""
    ended = explained(outcome, after.cause)
    return batches.all_by_cause(words, ended) if isinstance(ended, Finished) else []


def _not_called(words: Words, request: Request, outcome: Outcome) -> Message:
    """Say why the request ended before WeChat was called, and what to do next."""
    why = words.about(request)(ENDINGS[kind_of(outcome)].why, **named_in(outcome))
    comment = outcome.comment if isinstance(outcome, Rejected) else None
    return message(
        approvals.with_comment(words, why, comment),
        next_step(words, request, outcome, request.receivers[0]),
        small(name(words, request)),
    )


def alone(words: Words, request: Request, outcome: Outcome, whole: Message) -> Message:
    """Return the answer `whole` for one person, below the parent's text; the request's id appears once."""
    above = parent(words, request, outcome).parts
    return Message(tuple(part for part in above if part != small(name(words, request)))) + whole
