import re

from tests.faults.bots import ROOT
from tests.faults.table import faults, table


def test_the_readme_has_the_table_of_all_faults() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"<!-- faults -->\n(.*?)<!-- /faults -->", readme, re.DOTALL)
    assert written == table(), "python -m tests.faults prints it anew"


def test_no_fault_stands_twice_in_the_table() -> None:
    rows = [(fault.where, fault.what) for fault in faults()]
    assert len(rows) == len(set(rows))
