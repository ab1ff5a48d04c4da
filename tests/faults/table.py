"""The table of faults in README: each row is a fault that a test lights, and the words that the test hears.

A module of this folder that has some names them FAULTS, and its tests take them as parameters.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent
HEAD = "| Where | What goes wrong | What comes of it |\n|---|---|---|\n"


@dataclass(frozen=True, slots=True)
class Fault:
    """One row: `where` it burns, `what` goes wrong, and what whoever asked is `told`, word for word."""

    where: str
    what: str
    told: str

    def __str__(self) -> str:
        return self.what


def faults() -> Iterator[Fault]:
    """Yield all rows, in the order of the table."""
    for path in sorted(FOLDER.glob("test_*.py")):
        yield from getattr(importlib.import_module(f"tests.faults.{path.stem}"), "FAULTS", ())


def table() -> str:
    """Return the table as README has it."""
    rows = (f"| {fault.where} | {fault.what} | {fault.told} |\n" for fault in faults())
    return HEAD + "".join(rows)
