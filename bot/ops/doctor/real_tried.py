"""The result of testing one assumption about the real Slack or WeChat; the playground's README lists the assumptions."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.slack.api import BAD_TOKEN, NOT_SENT, Doubtful, Refused, retry_after

BEHAVIOURS = (
    *("post-message", "metadata-read-back", "update-message", "update-keeps-metadata"),
    *("reply-in-thread", "ephemeral", "ephemeral-in-thread", "ephemeral-delivered"),
    *("delete-message", "reply-to-deleted", "blocks-validate", "owner-envs", "owner-functions"),
)
"""The assumptions by their names in the playground's README, in the order of the tests."""

_PERHAPS = {"ephemeral-delivered", "blocks-validate"}
"""Those tested only if an operator is present, or if the app may use the method."""

_SETUP = BAD_TOKEN | {
    *("channel_not_found", "is_archived", "missing_scope", "not_in_channel", "user_not_in_channel"),
}
"""Slack's errors about the arguments, which say nothing about its behaviour."""
_CODE = re.compile(r"[a-z_]{1,60}")  # the form of errors in the method reference

Held: TypeAlias = Literal["yes", "no", "not tried"]


@dataclass(frozen=True, slots=True)
class Tried:
    """One test: whether the assumption held, and what was seen of it, without ids and secrets."""

    behaviour: str
    held: Held
    seen: str


def no_answer(behaviour: str, no: Refused | Doubtful) -> Tried:
    """Return the result for a failed call; only Slack's own refusal contradicts the assumption."""
    if retry_after(no) is not None:
        return Tried(behaviour, "not tried", "Slack asks to slow down")
    if isinstance(no, Doubtful):
        return Tried(behaviour, "not tried", "no answer of Slack's")
    if no.error == NOT_SENT:
        return Tried(behaviour, "not tried", "Slack could not be reached")
    held: Held = "not tried" if no.error in _SETUP else "no"
    return Tried(behaviour, held, f"refused: {code_of(no)}")


def code_of(no: Refused) -> str:
    """Return Slack's error; a proxy's text, which may be anything, is not shown."""
    return no.error if _CODE.fullmatch(no.error) else "with words that are none of Slack's"


def completed(tried: Iterable[Tried]) -> list[Tried]:
    """Return the results in order, with a line for each assumption that was not tested."""
    found = list(tried)
    told = {each.behaviour for each in found} | _PERHAPS
    found += [Tried(b, "not tried", "it never came to that") for b in BEHAVIOURS if b not in told]
    return sorted(found, key=lambda each: BEHAVIOURS.index(each.behaviour))


def table(tried: Iterable[Tried]) -> Iterator[str]:
    """Yield a Markdown table, to paste into an issue."""
    yield "| Behaviour | Held | What was seen |"
    yield "|---|---|---|"
    for each in tried:
        yield f"| `{each.behaviour}` | {each.held} | {each.seen} |"


def verdict(tried: Iterable[Tried]) -> str:
    """Return one sentence about all results."""
    found = list(tried)
    kinds = (("Did not hold", "no"), ("Could not be tried", "not tried"))
    named = [(what, dict.fromkeys(e.behaviour for e in found if e.held == h)) for what, h in kinds]
    told = " ".join(f"{what}: {', '.join(names)}." for what, names in named if names)
    return told or f"All {len(found)} held."
