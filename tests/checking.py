"""Several checks in one test: all of them run, and those that fail are reported together, by name."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from textwrap import indent

import pytest


@contextmanager
def checks() -> Iterator[Callable[[str], AbstractContextManager[None]]]:
    """Yield `check`: a failure inside `with check(name):` is collected, and at the end all of them fail the test."""
    failed: list[tuple[str, str]] = []

    @contextmanager
    def check(name: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  # the checks after it have to run
            at = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{at.filename}:{at.lineno}: {at.line}"
            failed.append((name, f"{place}\n{type(error).__name__}: {error}"))

    yield check
    if failed:
        names = ", ".join(name for name, _ in failed)
        told = "\n\n".join(f"{name}\n{indent(what, '    ')}" for name, what in failed)
        pytest.fail(f"{len(failed)} failed: {names}\n\n{told}", pytrace=False)
