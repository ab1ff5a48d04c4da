"""The rows of the stand-ins' README."""

import re
from pathlib import Path
from typing import NamedTuple

import bot.playground

README = Path(bot.playground.__file__).with_name("README.md")


class Row(NamedTuple):
    """A behaviour's name, its description, and its source."""

    name: str
    does: str
    source: str


def rows() -> list[Row]:
    """Return the rows of both tables."""
    text = README.read_text(encoding="utf-8")
    cells = r"^\| `([a-z0-9-]+)` \| (.*?) \| (.*?) \|$"
    return [Row(*match.groups()) for match in re.finditer(cells, text, re.MULTILINE)]
