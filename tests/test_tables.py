import pytest

from bot.ops.tables import write_rows

ROWS: list[dict[str, object]] = [
    {"at": "now", "rule": "=1+1", "errcode": None, "seconds": 0.5},
    {"at": "later, still", "rule": "-2", "errcode": None, "seconds": None},
]


def test_csv_keeps_a_spreadsheet_from_running_peoples_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_rows(ROWS, "csv")
    assert capsys.readouterr().out.splitlines() == [
        "at,rule,errcode,seconds",
        "now,'=1+1,,0.5",
        '"later, still",\'-2,,',
    ]


def test_json_lines_keep_every_value_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(ROWS[:1], "jsonl")
    assert capsys.readouterr().out == (
        '{"at": "now", "rule": "=1+1", "errcode": null, "seconds": 0.5}\n'
    )


def test_a_table_leaves_out_empty_columns_and_lines_up_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_rows(ROWS, "table")
    assert capsys.readouterr().out.splitlines() == [
        "at            rule  seconds",
        "now           =1+1  0.5",
        "later, still  -2",
    ]


@pytest.mark.parametrize("shape", ["table", "csv", "jsonl"])
def test_no_rows_are_nothing(capsys: pytest.CaptureFixture[str], shape: str) -> None:
    write_rows([], shape)
    assert capsys.readouterr().out == ""
