"""The playground's README: each behaviour once, with its source, and each module."""

from tests.playground.sources import README, rows


def test_each_behaviour_has_one_row_and_each_row_a_source() -> None:
    found = rows()
    names = [row.name for row in found]
    assert len(names) == len(set(names))
    assert all(row.does and row.source for row in found)


def test_the_readme_names_each_module() -> None:
    text = README.read_text(encoding="utf-8")
    modules = {path.name for path in README.parent.rglob("*.py")} - {"__init__.py"}
    assert {name for name in modules if f"{name}`" not in text} == set()
