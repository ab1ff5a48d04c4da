import ast
from collections.abc import Iterator
from pathlib import Path

import bot.ledger

_ROOM = Path(bot.ledger.__file__).parent
_BUILDERS = {"select", "insert", "update", "delete", "upsert"}
_DERIVERS = {"where", "values", "returning", "limit", "order_by", "add_columns", "with_for_update"}
"""The methods that make another statement of one, unless they are a dict's, without arguments."""

_COMMANDS = {"audit.py", "looking.py", "opening.py"}
"""What an operator runs, or the start: each builds its statements once a process anyway."""


def test_no_statement_of_a_running_bot_is_built_at_each_call() -> None:
    files = {path.name: path for path in _ROOM.glob("*.py") if path.name not in _COMMANDS}
    built = [(name, *each) for name, path in files.items() for each in _built(path)]
    assert {name for name, _, _ in built} >= {"acceptance.py", "lane.py", "replica.py"}
    assert [f"{name}:{line}" for name, line, where in built if where] == []


def _built(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the line of each call that builds a statement, and the class or function at the top that it is in."""
    for top in ast.parse(path.read_text(encoding="utf-8")).body:
        for node in ast.walk(top):
            if isinstance(node, ast.Call) and _builds(node):
                yield node.lineno, getattr(top, "name", "")


def _builds(call: ast.Call) -> bool:
    match call.func:
        case ast.Name(name) if name in _BUILDERS:
            return True
        case ast.Attribute(_, name):
            return name in _DERIVERS and bool(call.args or call.keywords)
        case _:
            return False
