"""Print README's table of faults: `python -m tests.faults`."""

from tests.faults.table import table

print(table(), end="")  # noqa: T201  # that is what it is for
