"""Lists of past requests."""

from dataclasses import replace

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
from bot.domain.request import Origin, Request, State
from bot.guidance import for_code
from bot.messages.blocks import SECTION_LIMIT
from bot.messages.history import Line, history
from bot.messages.words import Words
from tests.languages import ENGLISH, in_each_language

ORIGIN = Origin(
    team_id="T0PLAYGROUND",
    user_id="U0REQUESTER",
    channel_id="C0RELEASES",
    channel_name="releases",
    trigger_id="1.1",
    response_url="",
)
REQUEST = Request(
    id="7kq2m9xc",
    origin=ORIGIN,
    appid="wx5fe6bb43205e9e70",
    env="prod-1",
    owner="wx0123456789abcdef",
    rule="team",
)
FAILED = for_code(85088)


@pytest.mark.parametrize(
    ("outcome", "state", "said"),
    [
        (None, State.PLACED, "⏳ under way"),
        (None, State.CONFIRMING, "🕓 waiting for a confirmation"),
        (None, State.WAITING, "🕓 waiting for an approval"),
        (Shared(), State.ENDED, "✅ shared"),
        (Failed(FAILED), State.ENDED, "❌ not shared"),
        (Unknown(FAILED), State.ENDED, "❔ unknown, it may have been shared"),
        (Rejected("U1"), State.ENDED, "🚫 rejected by <@U1>"),
        (Cancelled("U1"), State.ENDED, "🚫 cancelled by <@U1>"),
        (Denied(), State.ENDED, "🚫 denied, since the policy no longer allows it"),
        (Stopped(), State.ENDED, "🚫 stopped by the policy"),
        (Expired("approval"), State.ENDED, "⌛ expired"),
        (Skipped(SkipReason.SHARED_BEFORE), State.ENDED, "✅ already shared by another request"),
        (Skipped(SkipReason.UNDER_WAY), State.ENDED, "🚫 skipped, since another request does it"),
        (Finished(Tally(3, shared=2, failed=1)), State.ENDED, "❌ 2 shared, 1 not shared"),
    ],
)
def test_each_outcome_has_its_own_words(outcome: Outcome | None, state: State, said: str) -> None:
    listed = history(ENGLISH, [Line(REQUEST, outcome, 1_800_000_000.0, None, state)], None)
    assert f" · {said} · " in listed.text


IN_A_THREAD = (
    "https://workspace.slack.com/archives/C0RELEASES0/p1700000000000000"
    "?thread_ts=1700000000.000000&cid=C0RELEASES0"
)


@in_each_language
@pytest.mark.parametrize("about", [None, "e" * 64])
def test_a_list_that_is_too_long_ends_with_a_whole_line(words: Words, about: str | None) -> None:
    past = Line(replace(REQUEST, env="e" * 64), Shared(), 1_800_000_000.0, IN_A_THREAD)
    listed, older = history(words, [past] * 15, about).parts
    _title, *lines = listed.text.split("\n")
    assert len(listed.text) <= SECTION_LIMIT
    assert len({*lines}) == 1
    assert 7 < len(lines) < 15
    assert older


def test_ten_requests_with_links_into_threads_fit_into_a_list() -> None:
    past = Line(
        replace(REQUEST, env="prod-merchants-cn-01"), Shared(), 1_800_000_000.0, IN_A_THREAD
    )
    assert history(ENGLISH, [past] * 10, None).text.count("|thread>") == 10
