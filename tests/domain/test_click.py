"""The value of a button, and the thread of a click."""

import pytest

from bot.domain.click import Click, read_value, value_of


@pytest.mark.parametrize("reason", [None, "launch", "for the launch, again"])
def test_a_button_carries_its_request_and_the_whole_reason(reason: str | None) -> None:
    assert read_value(value_of("k7m2p9qx", reason)) == ("k7m2p9qx", reason)


def test_a_click_in_a_thread_is_answered_in_that_thread() -> None:
    click = Click("T1", "U1", "C1", "releases", "1.1", "k7m2p9qx", thread_ts="1700000000.000100")
    assert click.active_thread == "1700000000.000100"
