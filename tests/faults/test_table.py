from tests.faults.table import README, faults, tables, written


def test_the_readme_has_the_tables_of_all_faults() -> None:
    _, now, _ = written(README.read_text(encoding="utf-8"))
    assert now == tables(faults()), "python -m tests.faults writes them anew"


def test_no_fault_is_listed_twice() -> None:
    rows = [(fault.where, fault.what) for fault in faults()]
    assert len(rows) == len(set(rows))
