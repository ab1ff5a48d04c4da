"""How many commands Slack's rate limits allow."""

import pytest

from tests.benchmarks.limits import room

CALLS = {"chat.postMessage": 2.0, "chat.update": 1.0, "auth.test": 1.0}


@pytest.mark.parametrize(
    ("channels", "found"),
    [
        (1, {"chat.postMessage": 30.0, "chat.update": 50.0}),
        (5, {"chat.postMessage": 150.0, "chat.update": 50.0}),
    ],
)
def test_posts_are_limited_per_channel_and_edits_per_workspace(
    channels: int, found: dict[str, float]
) -> None:
    assert room(CALLS, channels) == found
