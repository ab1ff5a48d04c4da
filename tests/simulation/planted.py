"""Planted bugs, which show that the simulation sees: each is a small change of one function, and where it was found.

The change is applied in memory: the function gets the code that the changed source has or, if it is outside of functions,
the module gets the changed statements and numbers. `python -m tests.simulation --planted NAME` looks for a seed that
finds it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import getattr_static, unwrap
from multiprocessing import Pool
from pathlib import Path
from types import CodeType, FunctionType

from sqlalchemy import ClauseElement

import bot
from bot.domain.request import State
from bot.ledger.statements import Prepared
from tests.simulation.run import Run, in_parallel, run_seed

_ROOT = Path(bot.__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug: in this file, `new` in place of `old`; a run of this seed of this profile finds it by this check."""

    name: str
    file: str
    old: str
    new: str
    profile: str
    seed: int
    found_by: str

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run with the bug inside the context."""
        source = (_ROOT / self.file).read_text(encoding="utf-8")
        if source.count(self.old) != 1:
            raise LookupError(f"{self.name}: {self.file} does not have it once")
        before = dict(_codes(compile(source, self.file, "exec")))
        whole = compile(source.replace(self.old, self.new), self.file, "exec")
        after = _codes(whole)
        module = import_module(self.file.removesuffix(".py").replace("/", "."))
        changed = {
            name: code for name, code in after if "<" not in name and not _same(code, before[name])
        }
        constants = {} if changed else _constants(whole, module.__name__)
        functions = {name: _function(module, name) for name in changed}
        kept = {name: function.__code__ for name, function in functions.items()}
        usual = {name: getattr(module, name) for name in constants}
        try:
            vars(module).update(constants)
            for name, function in functions.items():
                function.__code__ = changed[name]
            yield
        finally:
            for name, function in functions.items():
                function.__code__ = kept[name]
            vars(module).update(usual)


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """Yield the code of each function by its qualified name, but not of those inside of functions."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_flags & 0x2:  # CO_NEWLOCALS: a function, not a class
                yield inner.co_qualname, inner
            else:
                yield from _codes(inner)


def _constants(code: CodeType, module: str) -> dict[str, object]:
    """Return the statements and numbers of a module that has this code, but nothing with classes of its own."""
    found: dict[str, object] = {"__name__": module}
    exec(code, found)  # noqa: S102  # our own
    return {
        name: each
        for name, each in found.items()
        if isinstance(each, ClauseElement | Prepared | int | float)
        or (isinstance(each, dict) and all(isinstance(key, State) for key in each))
    }


def _same(one: CodeType, other: CodeType) -> bool:
    """Tell whether two functions do the same, wherever they stand in their file."""
    return _anywhere(one) == _anywhere(other)


def _anywhere(code: CodeType) -> CodeType:
    consts = (_anywhere(each) if isinstance(each, CodeType) else each for each in code.co_consts)
    return code.replace(co_firstlineno=1, co_linetable=b"", co_consts=(*consts,))


def _function(module: object, name: str) -> FunctionType:
    found = module
    for part in name.split("."):
        found = getattr_static(found, part)
    found = found.fget if isinstance(found, property) else found
    function = unwrap(found)  # type: ignore[arg-type]  # a function of some kind
    if not isinstance(function, FunctionType):
        raise TypeError(name)
    return function


def search(bug: Planted, most: int = 300) -> Planted | None:
    """Return the bug with the first seed that finds it."""
    with Pool() as pool:
        runs = in_parallel(pool, run_with, ((bug, seed) for seed in range(1, most + 1)))
        for seed, made in enumerate(runs, 1):
            if made.broken:
                return replace(bug, seed=seed, found_by=made.broken[0].partition(":")[0])
    return None


def run_with(bug: Planted, seed: int) -> Run:
    """Run a seed of its profile with a bug."""
    with bug.applied():
        return run_seed(seed, bug.profile)
