"""Batches: the parent message with its progress bar, and the summary, grouped by outcome."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, assert_never

from bot.domain.batch import AtLimit, InDoubt, Pause
from bot.domain.outcome import (
    NOTHING_KNOWN,
    AfterCall,
    Failed,
    Finished,
    Group,
    Outcome,
    Tally,
    Unknown,
    retry_may_help,
)
from bot.domain.request import Act, Request
from bot.messages.answers import (
    called_twice,
    steps_after_batch,
    titled,
    wechat_said,
    what_to_do,
    who_acts,
)
from bot.messages.blocks import Button, Buttons, DataTable, Message, Part, message, small
from bot.messages.endings import counts, mark, next_step, state
from bot.messages.request import IN_SECTION, in_channel, name, packed, parts_of
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
    words: Words, request: Request, outcome: Finished, after: AfterCall = NOTHING_KNOWN
) -> Message:
    """Tell how the batch ended: counts, and for each kind of failure what it means and what to do."""
    tally, groups = outcome.tally, outcome.groups
    listed = _is_long(outcome)
    told = [_group(words, request, group, listed=listed) for group in groups[:_GROUPS]]
    more = words("Others ended in other ways; all are listed below.")
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


def _group(words: Words, request: Request, group: Group, *, listed: bool) -> str:
    """Return how some appids ended; all of them may be `listed` below the answer."""
    outcome = group.outcome
    if isinstance(outcome, Failed | Unknown):
        advice = _advice(words, request, outcome)
    else:
        advice = next_step(words, request, outcome, group.appids[0])
    headline = words(
        "{mark} *{title}* ({count})",
        mark=mark(outcome),
        title=_title(words, outcome),
        count=len(group.appids),
    )
    return "\n".join([headline, advice, _some(words, group.appids, below=listed)])


def _is_long(outcome: Finished) -> bool:
    """Tell whether the answer leaves out a way to end, or some of the appids that failed alike."""
    failed = (each for each in outcome.groups if isinstance(each.outcome, Failed | Unknown))
    return len(outcome.groups) > _GROUPS or any(len(each.appids) > _APPIDS for each in failed)


def all_by_cause(words: Words, outcome: Finished) -> list[Message]:
    """Return all appids that were not shared, with how they ended, as tables for a thread, if the answer is too long."""
    groups = outcome.groups if _is_long(outcome) else ()
    listed = [section for group in groups for section in _sections(words, group)]
    return [message(_table(words, some)) for some in packed(listed, lambda each: each.part)]


class _Section(NamedTuple):
    """Some appids that ended alike: as rows of a table, and as a part of a message without one."""

    rows: list[tuple[str, ...]]
    part: Part


def _sections(words: Words, group: Group) -> Iterator[_Section]:
    title, outcome = _title(words, group.outcome), group.outcome
    said = outcome.said if isinstance(outcome, Failed | Unknown) else None
    code_said = str(said.errcode) if said else "–"
    ended = f"{mark(outcome)} {title}"
    rows: list[tuple[str, ...]] = [(code(appid), ended, code_said) for appid in group.appids]
    for at, part in enumerate(parts_of(words, group.appids, title)):
        yield _Section(rows[at * IN_SECTION : (at + 1) * IN_SECTION], part)


def _table(words: Words, sections: Sequence[_Section]) -> DataTable:
    parts = tuple(section.part for section in sections)
    return DataTable(
        caption=words("Not shared"),
        header=(words("App"), words("How it ended"), words("WeChat's code")),
        rows=tuple(row for section in sections for row in section.rows),
        text="\n".join(part.text for part in parts),
        instead=parts,
    )


def _title(words: Words, outcome: Outcome) -> Mrkdwn:
    if isinstance(outcome, Failed | Unknown):
        return capital(titled(words, outcome))
    return capital(state(words, outcome))


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


def _some(words: Words, appids: Sequence[str], *, below: bool = False) -> str:
    """Return the first appids and the number of the others, which may be listed `below`."""
    shown, more = [code(appid) for appid in appids], len(appids) - _APPIDS
    if below and more > 0:
        rest = words("and {count} more, listed below", count=more)
        return " ".join([*shown[:_APPIDS], rest])
    return " ".join(first(words, shown, _APPIDS))
