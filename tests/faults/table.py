"""The tables of faults in this folder's README: the faults that tests cause, with the words that they expect.

A module of this folder with faults names them FAULTS, and its tests take them as parameters.
"""

import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.said import IN_DOUBT, NOT_RECORDED, SHARED

FOLDER = Path(__file__).parent
README = FOLDER / "README.md"
PLACES = (
    "WeChat",
    "Token server",
    "Token chain",
    "Slack",
    "Slack, at the start",
    "Socket Mode",
    "HTTP mode",
    "`/wechat/events`",
    "The bot itself",
    "The clock",
)
HEAD = "| What goes wrong | What comes of it |\n|---|---|\n"
WORKED = SHARED
NOT_BEGUN = NOT_RECORDED
PERHAPS_BEGUN = IN_DOUBT
Parameter = TypeVar("Parameter")


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `where` it occurs, `what` goes wrong, and the exact words that the requester is `told`.

    If `what` is `method: trouble`, a method's troubles with the same result share a row.
    """

    where: str
    what: str
    told: str

    def __str__(self) -> str:
        return self.what


def rows_of(where: str, *rows: tuple[str, str, Parameter]) -> dict[Fault, Parameter]:
    """Return the faults of a place; `rows` have what goes wrong, what is told, and the test's parameter."""
    return {Fault(where, what, told): parameter for what, told, parameter in rows}


def faults() -> Iterator[Fault]:
    """Yield all faults, in the order of the tests."""
    for path in sorted(FOLDER.glob("test_*.py")):
        yield from getattr(importlib.import_module(f"tests.faults.{path.stem}"), "FAULTS", ())


def tables(some: Iterable[Fault]) -> str:
    """Return the tables, a folded one for each place, with the number of its faults."""
    places: dict[str, list[Fault]] = {}
    for fault in some:
        places.setdefault(fault.where, []).append(fault)
    return "".join(_folded(place, places[place]) for place in sorted(places, key=PLACES.index))


def written(readme: str) -> tuple[str, str, str]:
    """Return a README's text before the tables, the tables, and the text after them."""
    before, begin, rest = readme.partition("<!-- faults -->\n")
    now, end, after = rest.partition("<!-- /faults -->")
    return before + begin, now, end + after


def _folded(place: str, some: list[Fault]) -> str:
    name = re.sub(r"`(.+?)`", r"<code>\1</code>", place)  # a summary is HTML
    return f"<details><summary>{name}: {len(some)}</summary>\n\n{HEAD}{_rows(some)}\n</details>\n\n"


def _rows(some: list[Fault]) -> str:
    alike: dict[tuple[str, str], list[str]] = {}
    for fault in some:
        what, _, trouble = fault.what.partition(": ")
        told = WORKED if fault.told.startswith("✅") else fault.told
        alike.setdefault((what, told), []).extend([trouble] if trouble else [])
    return "".join(
        f"| {': '.join(filter(None, (what, '; '.join(troubles))))} | {told} |\n"
        for (what, told), troubles in alike.items()
    )
