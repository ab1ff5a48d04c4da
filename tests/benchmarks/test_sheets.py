"""The tables of the capacity page, computed from made-up figures, and how they are put into the page."""

import pytest

from tests.benchmarks.capacity import PAGE
from tests.benchmarks.database import timeouts
from tests.benchmarks.limits import Calls, Limited, Met, Paused
from tests.benchmarks.measure import Speed
from tests.benchmarks.replicas import Distant, Replicated, Together, Traffic
from tests.benchmarks.sheets import (
    Sheet,
    cost_sheet,
    end_sheet,
    filled,
    limits_sheet,
    paused_sheet,
    replicas_sheet,
    sizing_sheet,
)

SPEED = Speed(10.0, 50.0, per_second=100.0)
ONE = Together(1, None, SPEED, bots=4.0, server=1.0, wal=6_000.0, kept=2_000.0, connections=1)
POOLED = Together(4, 2, SPEED, bots=5.0, server=1.25, wal=6_000.0, kept=2_000.0, connections=2)
ONE_AT_A_TIME, AT_ONCE = Traffic(4.7, 25.9), {1: Traffic(0.18, 10.28), 4: Traffic(0.3, 11.0)}
FOUND = Replicated(SPEED, (ONE, POOLED), ONE_AT_A_TIME, AT_ONCE, Distant(1.24, SPEED))


def test_each_number_of_replicas_has_a_line_with_and_without_pgbouncer() -> None:
    assert replicas_sheet(FOUND).rows == (
        ("1, on SQLite", "100", "50", "", "", "", "", ""),
        ("1", "100", "50", "1", "0.18", "10.3", "4.0", "1.0"),
        ("4, PgBouncer with 2", "100", "50", "2", "", "", "5.0", "1.2"),
    )


def test_the_cost_is_of_one_replica() -> None:
    assert [row[1:] for row in cost_sheet(FOUND, 50).rows] == [
        ("4.7", "0.18"),
        ("26", "10.3"),
        ("", "4.0"),
        ("", "1.0"),
        ("", "6.0"),
        ("", "2.0"),
    ]


def test_the_maximum_per_database_core_follows_from_the_most_expensive_job() -> None:
    assert [row[1] for row in end_sheet(FOUND).rows] == ["100", "100", "800"]


def test_a_replica_is_sized_for_half_of_what_it_can_do() -> None:
    sheet = sizing_sheet(FOUND, Calls({}, wechat=2.0))
    assert [row[1:] for row in sheet.rows[-2:]] == [
        ("500", "1", "0.033", "< 0.01", "1,000", "14"),
        ("5,000", "2", "0.33", "0.083", "10,000", "144"),
    ]


def test_the_limits_sheet_has_the_allowed_rate_and_the_limit_that_was_reached() -> None:
    limited = Limited(2, {"chat.update": 50.0, "chat.postMessage": 60.0}, Met("chat.update", 50))
    sheet = limits_sheet([limited])
    assert sheet.columns[1:3] == ("`chat.postMessage`", "`chat.update`")
    assert sheet.rows == (("2", "60 a minute", "50 a minute", "`chat.update`", "50"),)


def test_a_paused_batch_has_the_time_until_everything_was_shared() -> None:
    assert paused_sheet(Paused(500, 300, 63.4, 0)).rows == (("500 appids", "300", "63 s", "0"),)


def test_a_sheet_goes_between_its_marks_and_leaves_the_rest_of_the_page_alone() -> None:
    page = "# A\n<!-- one -->\nold\n<!-- /one -->\nand\n<!-- two -->\n<!-- /two -->\n"
    sheet = Sheet(("a", "b"), (("x", "1"),))
    shown = "| a | b |\n| --- | --: |\n| x | 1 |"
    assert filled(page, {"one": sheet.markdown(), "two": "text"}) == (
        f"# A\n<!-- one -->\n{shown}\n<!-- /one -->\nand\n<!-- two -->\ntext\n<!-- /two -->\n"
    )
    with pytest.raises(ValueError, match="the page has no three"):
        filled(page, {"three": "text"})


def test_the_page_has_a_place_for_each_sheet() -> None:
    names = "limits", "paused", "replicas", "cost", "ends", "sizing", "machine"
    assert filled(PAGE.read_text("utf-8"), dict.fromkeys(names, "here")).count("\nhere\n") == 7


@pytest.mark.usefixtures("impatient")
def test_the_page_says_how_to_set_every_timeout_that_pgbouncer_does_not_pass_on() -> None:
    page = PAGE.read_text("utf-8")
    assert len(timeouts()) == 3
    for name, value in timeouts().items():
        assert f"ALTER DATABASE share_env SET {name} = {value};" in page
