import csv
import errno
import json
import logging
import os
import sys
from io import StringIO

import pytest

from bot.observe.output import WRONG_SETUP, complain, wrapped, write_rows

ROWS: list[dict[str, object]] = [
    {"at": "now", "rule": "=1+1", "errcode": None, "seconds": 0.5},
    {"at": "later, still", "rule": "-2", "errcode": None, "seconds": None},
]


def test_csv_prevents_a_spreadsheet_from_evaluating_peoples_texts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_rows(ROWS, "csv")
    assert capsys.readouterr().out.splitlines() == [
        "at,rule,errcode,seconds",
        "now,'=1+1,,0.5",
        '"later, still",\'-2,,',
    ]


def test_json_lines_keep_every_value(capsys: pytest.CaptureFixture[str]) -> None:
    write_rows(ROWS[:1], "jsonl")
    assert capsys.readouterr().out == '{"at":"now","rule":"=1+1","errcode":null,"seconds":0.5}\n'


def test_a_table_leaves_out_empty_columns_and_aligns_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_rows(ROWS, "table")
    assert capsys.readouterr().out.splitlines() == [
        "at            rule  seconds",
        "now           =1+1  0.5",
        "later, still  -2",
    ]


@pytest.mark.parametrize("shape", ["table", "csv", "jsonl"])
def test_without_rows_nothing_is_printed(capsys: pytest.CaptureFixture[str], shape: str) -> None:
    write_rows([], shape)
    assert capsys.readouterr().out == ""


FORGED = "fine\n2026-11-25  U2\x1b[2K\r\x9b1A\u202elive\u2066-1\u200b\u2028\ufeff\x7f"


def test_a_table_escapes_characters_that_could_forge_a_row(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_rows([{"at": "now", "comment": FORGED}, {"at": "later", "comment": "很好 é 👍"}], "table")
    assert capsys.readouterr().out.split("\n") == [
        "at     comment",
        r"now    fine\n2026-11-25  U2\x1b[2K\r\x9b1A\u202elive\u2066-1\u200b\u2028\ufeff\x7f",
        "later  很好 é 👍",
        "",
    ]


@pytest.mark.parametrize(
    "text",
    [f"{FORGED}\U000e0041", "a\x7fb", "a\u202eb"],
    ids=["all", "alone in ASCII", "alone beyond ASCII"],
)
def test_a_json_line_escapes_them_and_keeps_its_value(
    capsys: pytest.CaptureFixture[str], text: str
) -> None:
    write_rows([{"comment": text}], "jsonl")
    (line,) = capsys.readouterr().out.split("\n")[:-1]
    assert line.isprintable()
    assert json.loads(line) == {"comment": text}


@pytest.mark.parametrize(
    "before", ["", " ", "\n", "\r\n", " \t", "\xa0", "\u3000", "\ufeff", "\x0b\x0c"]
)
@pytest.mark.parametrize("sign", [*"=+-@＝＋－＠"])  # these are meant
def test_csv_protects_a_formula_behind_blanks_and_line_breaks(
    capsys: pytest.CaptureFixture[str], before: str, sign: str
) -> None:
    comments = (f"{before}{sign}1+1", f"a;{before}{sign}1;b", f"a{sign}1;b", "\tx", "\rx")
    write_rows([{"comment": each} for each in comments], "csv")
    _, cell, split, plain, *blank = csv.reader(StringIO(capsys.readouterr().out, newline=""))
    assert (cell, plain) == ([f"'{before}{sign}1+1"], [f"a{sign}1;b"])
    assert split == [f"a;'{before}{sign}1;b"]  # where a semicolon ends a cell
    assert blank == [["'\tx"], ["'\rx"]]


class Late(logging.Handler):
    """Writes only when it is flushed, as the log's thread may."""

    def flush(self) -> None:
        """Write what was logged."""
        sys.stderr.write("the log\n")


def test_a_complaint_comes_after_what_was_logged(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(logging.root, "handlers", [Late()])
    complain(["the sentence"])
    assert capsys.readouterr().err == "the log\nthe sentence\n"


class Full(StringIO):
    """A stream on a full disk."""

    def write(self, _: str) -> int:
        """Raise what the system says."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_standard_error_changes_no_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    assert complain(["wrong"]) == WRONG_SETUP


def test_text_is_wrapped_at_80_columns_of_which_a_chinese_character_takes_two() -> None:
    english = wrapped("word " * 40, "→ ", "  ").splitlines()
    chinese = wrapped("云开发，" * 40, "→ ", "  ").splitlines()
    assert [len(line) for line in english] == [76, 76, 51]
    assert all(line.startswith("  ") for line in english[1:])
    assert [2 * len(line) - 2 for line in chinese] == [78, 80, 80, 78, 14]
    assert not any(line.lstrip().startswith("，") for line in chinese)
    assert wrapped("a", "⚠️ ") == "⚠️ a"


def test_what_has_no_blank_is_never_broken() -> None:
    path = "/var/lib/" + "x" * 100
    assert wrapped(f"see {path} there", "→ ", "  ").splitlines() == [
        "→ see",
        f"  {path}",
        "  there",
    ]
    assert wrapped(path, "→ ") == f"→ {path}"
    assert wrapped("one\nline") == "one\\nline"
