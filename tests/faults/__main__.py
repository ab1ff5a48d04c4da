"""Write the tables of faults into this folder's README: `python -m tests.faults`."""

from tests.faults.table import README, faults, tables, written

before, _, after = written(README.read_text(encoding="utf-8"))
README.write_text(f"{before}{tables(faults())}{after}", encoding="utf-8")
