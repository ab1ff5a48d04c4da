"""The rate limits of WeChat at which a batch pauses, and for how long."""

import pytest

from bot.domain.batch import is_daily, limit_in, next_try
from bot.domain.outcome import Failed, Outcome, Said, Shared, Unknown
from bot.guidance import for_code

MINUTE, DAY, OTHER = (Said(code, "words", None) for code in (45011, 45009, 85088))


@pytest.mark.parametrize("limit", [MINUTE, DAY])
def test_wechats_rate_limits_are_recognised_by_their_codes_in_any_outcome(limit: Said) -> None:
    guidance = for_code(limit.errcode)
    assert limit_in(Failed(guidance, limit)) is limit
    assert limit_in(Unknown(guidance, limit)) is limit


@pytest.mark.parametrize(
    "outcome", [Shared(), Failed(for_code(85088), OTHER), Unknown(for_code(85088))]
)
def test_no_other_outcome_is_a_rate_limit(outcome: Outcome) -> None:
    assert limit_in(outcome) is None


def test_a_limit_per_minute_is_retried_after_a_minute_and_one_per_day_after_an_hour() -> None:
    assert (is_daily(MINUTE), next_try(MINUTE, 1000.0)) == (False, 1060.0)
    assert (is_daily(DAY), next_try(DAY, 1000.0)) == (True, 4600.0)
