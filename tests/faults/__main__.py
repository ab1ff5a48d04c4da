"""Print README's tables of faults: `python -m tests.faults`."""

from tests.faults.table import faults, tables

print(tables(faults()), end="")  # noqa: T201  # that is what it is for
