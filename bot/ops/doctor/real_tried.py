"""What a try on the real Slack or WeChat says of one assumption: a row of the playground's README held, or did not."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bot.slack.api import BAD_TOKEN, NOT_SENT, Doubtful, Refused, retry_after

BEHAVIOURS = (
    *("post-message", "metadata-read-back", "update-message", "update-keeps-metadata"),
    *("reply-in-thread", "ephemeral", "ephemeral-in-thread", "ephemeral-delivered"),
    *("delete-message", "reply-to-deleted", "blocks-validate", "owner-envs", "owner-functions"),
)
"""What is tried, in this order, by its name in the playground's README."""

_PERHAPS = {"ephemeral-delivered", "blocks-validate"}
"""What is tried only where somebody looks, or the app may ask."""

_SETUP = BAD_TOKEN | {
    *("channel_not_found", "is_archived", "missing_scope", "not_in_channel", "user_not_in_channel"),
}
"""What Slack refuses because of what it was given, and that says nothing of how it behaves."""
_CODE = re.compile(r"[a-z_]{1,60}")  # as the method reference writes errors
_HELD = {True: "yes", False: "no", None: "not tried"}


@dataclass(frozen=True, slots=True)
class Tried:
    """One try: whether the assumption held, None where that cannot be said; `seen` holds no id and no secret."""

    behaviour: str
    held: bool | None
    seen: str


def held(behaviour: str, seen: str) -> Tried:
    """Return that it is as assumed."""
    return Tried(behaviour, held=True, seen=seen)


def failed(behaviour: str, seen: str) -> Tried:
    """Return that it is otherwise."""
    return Tried(behaviour, held=False, seen=seen)


def untried(behaviour: str, why: str) -> Tried:
    """Return that nobody can say."""
    return Tried(behaviour, held=None, seen=why)


def no_answer(behaviour: str, no: Refused | Doubtful) -> Tried:
    """Return what a call says that Slack did not carry out; only Slack's own no is one to the assumption."""
    if retry_after(no) is not None:
        return untried(behaviour, "Slack asks to slow down")
    if isinstance(no, Doubtful):
        return untried(behaviour, "no answer of Slack's")
    if no.error == NOT_SENT:
        return untried(behaviour, "Slack could not be reached")
    no_to = untried if no.error in _SETUP else failed
    return no_to(behaviour, f"refused: {code_of(no)}")


def code_of(no: Refused) -> str:
    """Return Slack's error; whoever stands between may have written anything instead."""
    return no.error if _CODE.fullmatch(no.error) else "with words that are none of Slack's"


def completed(tried: Iterable[Tried]) -> list[Tried]:
    """Return the tries in order, with a line for each assumption that they never came to."""
    found = list(tried)
    told = {each.behaviour for each in found}
    never = [b for b in BEHAVIOURS if b not in told and b not in _PERHAPS]
    lines = [*found, *(untried(behaviour, "it never came to that") for behaviour in never)]
    return sorted(lines, key=lambda each: BEHAVIOURS.index(each.behaviour))


def table(tried: Iterable[Tried]) -> Iterator[str]:
    """Yield the lines of a table in Markdown, as an issue shows it."""
    yield "| Behaviour | Held | What was seen |"
    yield "|---|---|---|"
    for each in tried:
        yield f"| `{each.behaviour}` | {_HELD[each.held]} | {each.seen} |"


def verdict(tried: Iterable[Tried]) -> str:
    """Return one sentence about all of them."""
    found = list(tried)
    wrong, open_ = ({each.behaviour: 0 for each in found if each.held is h} for h in (False, None))
    if not wrong and not open_:
        return f"All {len(found)} held."
    kinds = (("Did not hold", wrong), ("Could not be tried", open_))
    return " ".join(f"{what}: {', '.join(names)}." for what, names in kinds if names)
