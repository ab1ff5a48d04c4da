"""The stand-ins' README: each behaviour once, with its source."""

from tests.playground.sources import rows


def test_each_behaviour_has_one_row_and_each_row_a_source() -> None:
    found = rows()
    names = [row.name for row in found]
    assert len(names) == len(set(names))
    assert all(row.does and row.source for row in found)
