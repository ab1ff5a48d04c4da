"""Batches: the parent message with its progress bar, and the summary, grouped by outcome."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from bot.domain.batch import AtLimit, InDoubt, Pause
from bot.domain.outcome import (
    NOTHING_KNOWN,
    AfterShare,
    Failed,
    Finished,
    Group,
    Tally,
    Unknown,
    retry_may_help,
)
from bot.domain.request import Act, Request
from bot.guidance import where_others_were_shared
from bot.messages.answers import (
    called_twice,
    steps_after_batch,
    titled,
    wechat_said,
    what_to_do,
    who_acts,
)
from bot.messages.blocks import Button, Buttons, Message, Part, message, small
from bot.messages.endings import counts, mark, next_step, state
from bot.messages.request import in_channel, name
from bot.messages.words import Mrkdwn, Words, capital, code, first, msgid, when

_BAR = 20  # characters
_GROUPS = 4
_APPIDS = 20


def progress(words: Words, request: Request, tally: Tally, pause: Pause | None) -> Message:
    """Tell the channel how far the batch is, and why it pauses.

    If one item was cancelled or stopped, so were all that had not begun.
    """
    say = words.about(request)
    cancel = Button(words("Cancel the rest"), Act.CANCEL, request.id)
    return in_channel(
        words,
        request,
        say("⏳ {who} is sharing {env} with {receivers}."),
        Part(
            words("{done} of {total}", done=tally.done, total=tally.total),
            drawn=f"`{_bar(tally)}` ",
        ),
        _pause(words, pause) if pause else None,
        below=None if tally.cancelled or tally.stopped else Buttons((cancel,)),
    )


def _pause(words: Words, pause: Pause) -> str:
    match pause:
        case AtLimit(until):
            return words(
                "WeChat's limit is reached. The batch goes on by itself {when}.", when=when(until)
            )
        case InDoubt():
            return words(
                "Slack does not answer who asked for this, so the batch pauses. Once it does, the batch goes on by itself, if the policy still allows it."
            )
        case _:
            assert_never(pause)


def _bar(tally: Tally) -> str:
    full = _BAR * tally.done // max(tally.total, 1)
    return "█" * full + "░" * (_BAR - full)


def finished(
    words: Words, request: Request, outcome: Finished, after: AfterShare = NOTHING_KNOWN
) -> Message:
    """Tell how the batch ended: counts, and for each kind of failure what it means and what to do."""
    tally, groups = outcome.tally, outcome.groups
    told = [_group(words, request, group, tally.shared) for group in groups[:_GROUPS]]
    more = words(
        "Others ended in other ways: `/share-env history &lt;appid&gt;` tells how one of them ended."
    )
    retry = Button(words("Retry failed"), Act.RETRY, request.id)
    return message(
        f"{mark(outcome)} {_totals(words, request, tally)}",
        called_twice(words, outcome.called_again),
        *told,
        *(steps_after_batch(words, request, after) if tally.shared else ()),
        small(more) if len(groups) > _GROUPS else None,
        Buttons((retry,)) if retry_may_help(outcome) else None,
        small(name(words, request)),
    )


def _totals(words: Words, request: Request, tally: Tally) -> str:
    if tally.shared == tally.total:
        return words("*All {count} shared.*", count=tally.total)
    say, told = words.about(request), counts(words, tally)
    return say(
        "*{counts}*, of {total}. The env is {env} of {owner}.", counts=told, total=tally.total
    )


def _group(words: Words, request: Request, group: Group, shared: int) -> str:
    """Return how some appids ended; `shared` is how many others got the env."""
    outcome = group.outcome
    if isinstance(outcome, Failed) and shared:
        outcome = replace(outcome, guidance=where_others_were_shared(outcome.guidance))
    if isinstance(outcome, Failed | Unknown):
        title, advice = titled(words, outcome), _advice(words, request, outcome)
    else:
        title, advice = state(words, outcome), next_step(words, request, outcome, group.appids[0])
    headline = words(
        "{mark} *{title}* ({count})",
        mark=mark(outcome),
        title=capital(title),
        count=len(group.appids),
    )
    return "\n".join([headline, advice, _some(words, group.appids)])


def _advice(words: Words, request: Request, outcome: Failed | Unknown) -> str:
    """Return who does what; then what WeChat said to the first of them, with its rid."""
    say, said = words.about(request), outcome.said
    told = (
        who_acts(say, outcome),
        what_to_do(say, outcome.guidance, said),
        wechat_said(say, said) if said else None,
    )
    return "\n".join(filter(None, told))


def denied_some(words: Words, env: str, appids: Sequence[str], total: int) -> Message:
    """Say that the policy denies some appids of a batch or, for several reasons, all; the reason for the first one follows."""
    text = msgid("🚫 You may not share {env} with {count} of these {total} apps. Nothing was done.")
    ask = msgid("Ask for the right to share with these, or leave them out. About the first:")
    if len(appids) == total:
        text = msgid("🚫 You may not share {env} with any of these apps. Nothing was done.")
        ask = msgid("Ask for the right to share with these. About the first:")
    told = words(text, env=code(env), count=len(appids), total=total)
    return message(told, _some(words, appids), words(ask))


def several_rules(words: Words, by_rule: Mapping[str, Sequence[str]]) -> Message:
    """Say that several rules decide about a batch, so none of it is shared."""
    lines = [
        words("Rule “{rule}”: {appids}", rule=rule, appids=Mrkdwn(_some(words, appids)))
        for rule, appids in by_rule.items()
    ]
    return message(
        words("🚫 Different rules decide about these apps. Nothing was done."),
        words("Send one command for each rule."),
        *first(words, lines, _GROUPS),
    )


def too_many_batches(words: Words, request: Request, most: int) -> Message:
    """Say that the requester has as many batches waiting as allowed, so this one does not begin."""
    say = words.about(request)
    return message(
        say(
            "🚫 {who} has {count} batches waiting already, which is the limit. Nothing was done.",
            count=most,
        ),
        words(
            "Send the command again once one of them has begun, or cancel one: the button is on its message. `/share-env history` lists them."
        ),
    )


def _some(words: Words, appids: Sequence[str]) -> str:
    return " ".join(first(words, [code(appid) for appid in appids], _APPIDS))
