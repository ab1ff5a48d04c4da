"""Safe output for commands: untrusted text must not control the terminal or be mistaken for other output."""

import csv
import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from unicodedata import east_asian_width

import orjson

from bot.locale import languages
from bot.messages.words import Words
from bot.observe.logs.redaction import Redactor
from bot.settings.environ import Reader
from bot.settings.table import Table

FINE, FAILED, WRONG_SETUP = 0, 1, 2
"""Exit codes; bot/ops/README.md says what each means."""

# Line breaks of any kind, terminal control, bidirectional and invisible characters, lone surrogates.
UNSAFE = (
    r"[\0-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    r"\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNSAFE = re.compile(UNSAFE)
# Spreadsheets skip leading spaces, and also take the full-width signs. Where a comma is a decimal point, a semicolon ends a cell.
_FORMULA = re.compile(rf"(?:\A|(?<=;))(?=(?:\s|{UNSAFE})*[=+\-@＝＋－＠]|[\t\r\n])")
# A word, or a Chinese character, with the punctuation and the blanks behind it.
_PIECE = re.compile(
    r"[\u2e80-\ufeff\uff21-\uffee][，。：；！？、）」】”]*\s*|[^\s\u2e80-\uffee]+[，。：；！？、）」】”]*\s*|\S\s*"
)
_WIDE = 80  # columns
_IN_A_TABLE = 1000  # rows per table; column widths are computed for each table


def printable(text: str) -> str:
    """Return text as one line, with unsafe characters escaped."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def wrapped(text: str, first: str = "", later: str = "") -> str:
    """Return text, printable, in lines of at most 80 columns, the first behind `first`, all others behind `later`.

    What has no blank, such as an address or a path, is never broken; Chinese is, between any two characters.
    """
    lines, line, begun = list[str](), first, False
    for piece in _PIECE.findall(printable(text)):
        if begun and _columns(line + piece.rstrip()) > _WIDE:
            lines.append(line.rstrip())
            line = later
        line, begun = line + piece, True
    return "\n".join([*lines, line.rstrip()])


def padded(text: str, width: int) -> str:
    """Return a text with blanks up to so many columns of a terminal."""
    return text + " " * (width - _columns(text))


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    wide = sum(east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - text.count("\ufe0f")


def json_line(fields: Mapping[str, object]) -> str:
    """Return an object as one line of JSON, with the same characters escaped."""
    try:
        line = orjson.dumps(fields).decode()
    except orjson.JSONEncodeError:
        # Half a surrogate pair, as in a path that is not UTF-8, or a huge integer.
        line = json.dumps(fields, separators=(",", ":"))
    if line.isascii() and "\x7f" not in line:
        return line
    return _UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], line)


def speaking(environ: Mapping[str, str]) -> Words:
    """Return the words of LANGUAGE for operators; English if it is wrong, which is a problem of its own."""
    return languages(Table.LANGUAGE.value(Reader(environ))).channel


def complain(
    problems: Iterable[str], secrets: Iterable[str] = (), words: Words | None = None
) -> int:
    """Print problems on standard error, in English without `words`; return the exit code for a wrong setup.

    `secrets` are redacted: an error of the database driver, or the policy file, may contain one.
    """
    for handler in logging.getLogger().handlers:
        handler.flush()  # the log has a thread of its own, and these sentences come last
    with suppress(OSError):  # if nothing can be written there, the exit code still says it
        clean = Redactor(secrets).clean
        for problem in problems:
            said = words.told(problem) if words else problem
            print(printable(clean(said)), file=sys.stderr)
    return WRONG_SETUP


def write_rows(rows: Iterable[Mapping[str, object]], shape: str) -> None:
    """Write `rows`, all with the same keys, as table, csv or jsonl."""
    match shape:
        case "jsonl":
            for row in rows:
                print(json_line(dict(row)))
        case "csv":
            _write_csv(rows)
        case _:
            _write_tables(iter(rows))


def _write_csv(rows: Iterable[Mapping[str, object]]) -> None:
    writer = csv.writer(sys.stdout)
    for number, row in enumerate(rows):
        if number == 0:
            writer.writerow(row.keys())
        writer.writerow([_safe(value) for value in row.values()])


def _safe(value: object) -> object:
    """Put a `'` before text that a spreadsheet would evaluate as a formula."""
    return _FORMULA.sub("'", value) if isinstance(value, str) else value


def _write_tables(rows: Iterator[Mapping[str, object]]) -> None:
    """Write tables with fitted columns; empty columns are left out."""
    while page := list(islice(rows, _IN_A_TABLE)):
        used = [name for name in page[0] if any(row[name] is not None for row in page)]
        lines = [used] + [
            ["" if row[name] is None else printable(str(row[name])) for name in used]
            for row in page
        ]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
            print("  ".join(cells).rstrip())
