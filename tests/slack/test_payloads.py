from collections.abc import Sequence

import pytest

from bot.slack.payloads import Posted, read_ref, ref_of

# Places of messages, as stored in the ledger.


@pytest.mark.parametrize(
    ("posted", "ref"),
    [
        ([Posted("C1", "1.5")], "C1/1.5"),
        ([Posted("C1", "1.5", "1.2")], "C1/1.5/1.2"),
        ([Posted("C1", "1.5"), Posted("D2", "1.6", "1.3")], "C1/1.5 D2/1.6/1.3"),
    ],
)
def test_a_place_is_read_back_as_it_was_written(posted: Sequence[Posted], ref: str) -> None:
    assert ref_of(*posted) == ref
    assert [(at.channel, at.ts, at.root) for at in read_ref(ref)] == [
        (at.channel, at.ts, at.root) for at in posted
    ]


@pytest.mark.parametrize("ref", [None, "", "private"])
def test_a_text_that_is_no_place_is_read_as_none(ref: str | None) -> None:
    assert read_ref(ref) == []
