"""Lists of past requests."""

import pytest

from bot.domain.outcome import (
    Cancelled,
    Denied,
    Expired,
    Failed,
    Finished,
    Outcome,
    Rejected,
    Shared,
    Skipped,
    SkipReason,
    Stopped,
    Tally,
    Unknown,
)
from bot.domain.request import Origin, Request
from bot.guidance import for_code
from bot.messages.history import Line, history
from tests.languages import ENGLISH

ORIGIN = Origin("T0PLAYGROUND", "U0REQUESTER", "C0RELEASES", "releases", "1.1", "")
REQUEST = Request("7kq2m9xc", ORIGIN, "wx5fe6bb43205e9e70", "prod-1", "wx0123456789abcdef", "team")
FAILED = for_code(85088)


@pytest.mark.parametrize(
    ("outcome", "waiting", "said"),
    [
        (None, False, "⏳ under way"),
        (None, True, "🕓 waiting for approval or confirmation"),
        (Shared(), False, "✅ shared"),
        (Failed(FAILED), False, "❌ not shared"),
        (Unknown(FAILED), False, "❔ unknown"),
        (Rejected("U1"), False, "🚫 rejected"),
        (Cancelled("U1"), False, "🚫 cancelled"),
        (Denied(), False, "🚫 denied"),
        (Stopped(), False, "🚫 stopped by the policy"),
        (Expired("approval"), False, "⌛ expired"),
        (Skipped(SkipReason.SHARED_BEFORE), False, "✅ shared by another request"),
        (Skipped(SkipReason.UNDER_WAY), False, "🚫 left to another request"),
        (Finished(Tally(3, shared=2, failed=1)), False, "❌ 2 shared, 1 not shared"),
    ],
)
def test_each_outcome_has_its_own_words(outcome: Outcome | None, waiting: bool, said: str) -> None:
    listed = history(ENGLISH, [Line(REQUEST, outcome, 1_800_000_000.0, None, waiting)], None)
    assert f" · {said} · " in listed.text
