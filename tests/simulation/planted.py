"""Planted bugs, which show that the simulation sees: each is a small change of one function.

The change is applied in memory: the function gets the code that the changed source has or, if it is outside of functions,
the module gets the changed statements and numbers. `found.json` has the seed that finds
each; `python -m tests.simulation --planted NAME` looks for it, and writes it there.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from importlib import import_module
from inspect import getattr_static, unwrap
from multiprocessing.pool import Pool
from pathlib import Path
from types import CodeType, FunctionType

from sqlalchemy import ClauseElement

import bot
from bot.domain.request import State
from bot.ledger.statements import Prepared
from tests.simulation.facts import rule_of
from tests.simulation.run import Run, in_parallel, run_seed

_ROOT = Path(bot.__file__).parent.parent
_FOUND = Path(__file__).with_name("found.json")


@dataclass(frozen=True, slots=True)
class Planted:
    """A bug: in this file, `new` in place of `old`; some seed of this profile finds it."""

    name: str
    file: str
    old: str
    new: str
    profile: str
    more: Sequence[tuple[str, str, str]] = ()
    """The files, `old` and `new` of what belongs to it: where the bot is guarded twice, the other guard."""

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Run with the bug inside the context."""
        changes = defaultdict[str, list[tuple[str, str]]](list)
        for file, old, new in ((self.file, self.old, self.new), *self.more):
            changes[file].append((old, new))
        with ExitStack() as stack:
            for file, texts in changes.items():
                stack.enter_context(_changed(file, texts))
            yield


@contextmanager
def _changed(file: str, texts: Sequence[tuple[str, str]]) -> Iterator[None]:
    """Run with these texts of a file replaced inside the context."""
    source = (_ROOT / file).read_text(encoding="utf-8")
    bad = source
    for old, new in texts:
        if source.count(old) != 1:
            raise LookupError(f"{file} does not have it once: {old}")
        bad = bad.replace(old, new)
    before = dict(_codes(compile(source, file, "exec")))
    whole = compile(bad, file, "exec")
    module = import_module(file.removesuffix(".py").replace("/", "."))
    changed = {
        name: code
        for name, code in _codes(whole)
        if "<" not in name and not _same(code, before[name])
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


@dataclass(frozen=True, slots=True)
class Found:
    """The seed that finds a bug, and the check that it breaks."""

    seed: int
    by: str


_NOWHERE = Found(1, "no check")


def found() -> dict[str, Found]:
    """Return where each bug was found, by its name."""
    read = json.loads(_FOUND.read_text(encoding="utf-8"))
    return {name: Found(**each) for name, each in read.items()}


def write(seeds: Mapping[str, Found]) -> None:
    """Write where each bug was found."""
    told = {name: asdict(each) for name, each in sorted(seeds.items())}
    _FOUND.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def search(pool: Pool, bug: Planted, most: int) -> Found | None:
    """Return the first seed that finds a bug, and is clean without it."""
    runs = in_parallel(pool, run_with, ((bug, seed) for seed in range(1, most + 1)))
    for seed, made in enumerate(runs, 1):
        if made.broken and _is_clean(seed, bug.profile):
            return Found(seed, rule_of(made.broken[0]))
    return None


def run_with(bug: Planted, seed: int, until: str = "") -> Run:
    """Run a seed of its profile with a bug, or `until` the rule of this name is broken."""
    with bug.applied():
        return run_seed(seed, bug.profile, until)


def replay(pool: Pool, bugs: Sequence[Planted]) -> Iterator[tuple[Planted, str]]:
    """Yield each bug, and what is wrong: that its seed finds it no longer, or is not clean without it; empty if all is well."""
    seeds = found()
    where = [(bug, seeds.get(bug.name, _NOWHERE)) for bug in bugs]
    plans = [*dict.fromkeys((at.seed, bug.profile) for bug, at in where)]
    clean = dict(zip(plans, pool.starmap(_is_clean, plans, chunksize=1), strict=True))
    finds = pool.starmap(_finds, where, chunksize=1)
    for (bug, at), still in zip(where, finds, strict=True):
        seed, profile = at.seed, bug.profile
        if not still:
            yield bug, f"seed {seed} of {profile} no longer finds it by {at.by}"
        elif not clean[seed, profile]:
            yield bug, f"seed {seed} of {profile} is not clean without it"
        else:
            yield bug, ""


def _is_clean(seed: int, profile: str) -> bool:
    return not run_seed(seed, profile).broken


def _finds(bug: Planted, at: Found) -> bool:
    return at.by in map(rule_of, run_with(bug, at.seed, at.by).broken)
