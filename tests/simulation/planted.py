"""Planted bugs, which show that the simulation sees: each is a small change of one function, and where it was found.

The change is applied in memory: the function gets the code that the changed source has. `python -m tests.simulation
--planted NAME` looks for a seed that finds it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from inspect import getattr_static, unwrap
from pathlib import Path
from types import CodeType, FunctionType
from typing import Final

import bot
from tests.simulation.run import Run, run_seed

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
        after = _codes(compile(source.replace(self.old, self.new), self.file, "exec"))
        module = import_module(self.file.removesuffix(".py").replace("/", "."))
        changed = {
            name: code for name, code in after if "<" not in name and not _same(code, before[name])
        }
        functions = {name: _function(module, name) for name in changed}
        kept = {name: function.__code__ for name, function in functions.items()}
        try:
            for name, function in functions.items():
                function.__code__ = changed[name]
            yield
        finally:
            for name, function in functions.items():
                function.__code__ = kept[name]

    def replay(self) -> Run:
        """Run the seed that finds it."""
        with self.applied():
            return run_seed(self.seed, self.profile)


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    """Yield the code of each function by its qualified name, but not of those inside of functions."""
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            if inner.co_flags & 0x2:  # CO_NEWLOCALS: a function, not a class
                yield inner.co_qualname, inner
            else:
                yield from _codes(inner)


def _same(one: CodeType, other: CodeType) -> bool:
    """Tell whether two functions do the same, wherever they stand in their file."""
    return one.replace(co_firstlineno=1, co_linetable=b"") == other.replace(
        co_firstlineno=1, co_linetable=b""
    )


def _function(module: object, name: str) -> FunctionType:
    found = module
    for part in name.split("."):
        found = getattr_static(found, part)
    found = found.fget if isinstance(found, property) else found
    function = unwrap(found)  # type: ignore[arg-type]  # a function of some kind
    if not isinstance(function, FunctionType):
        raise TypeError(name)
    return function


PLANTED: Final[tuple[Planted, ...]] = (
    Planted(
        "a lost answer of WeChat's counts as a failure",
        "bot/wechat/client.py",
        "in_doubt = in_doubt or guidance.in_doubt",
        "in_doubt = False",
        "wechat",
        9,
        "recorded is true",
    ),
    Planted(
        "after a take-over a second failure is believed",
        "bot/workflow/worker.py",
        "called_again = entry.called_again or (taken and entry.state is State.PLACED)",
        "called_again = False",
        "doubt",
        19,
        "recorded is true",
    ),
    Planted(
        "the approvers are not shown the end",
        "bot/workflow/worker.py",
        "if entry.asked:\n            await self.approvals.show_decision(entry)\n        if delivered",
        "if delivered",
        "people",
        1,
        "no question after the end",
    ),
    Planted(
        "requesters approve their own requests",
        "bot/policy/decide.py",
        "if approver.user_id == requester_id and not rule.self_approval:",
        "if approver.user_id == requester_id and rule.self_approval:",
        "people",
        7,
        "nobody approves their own",
    ),
    Planted(
        "the token is the default owner's",
        "bot/wechat/client.py",
        "token = await self.tokens.token(owner)\n        if isinstance(token, api.NoAnswer):\n            return _failed(token, 0)",
        'token = await self.tokens.token("wx0123456789abcdef")\n        if isinstance(token, api.NoAnswer):\n            return _failed(token, 0)',
        "calm",
        1,
        "asks for what is allowed",
    ),
    Planted(
        "a request that could not be recorded stands",
        "bot/ledger/writer.py",
        "self.run_later(follow_up, **facts)",
        "del follow_up, facts",
        "database",
        2,
        "everything ends",
    ),
    Planted(
        "twins stay",
        "bot/slack/twins.py",
        "for twin in twins:",
        "for twin in twins[:0]:",
        "slack",
        12,
        "stands once",
    ),
    Planted(
        "a token is logged",
        "bot/wechat/client.py",
        "guidance = answer.guidance\n",
        'guidance = answer.guidance\n            _log.warning("no", extra={"why": token})\n',
        "wechat",
        4,
        "no secret is told",
    ),
    Planted(
        "the parent says for ever that it is under way",
        "bot/slack/thread.py",
        "edit = await self._posts.edit(\n                at, conversation.parent(words, request, outcome), request.id\n            )",
        "edit = None",
        "calm",
        2,
        "told is recorded",
    ),
    Planted(
        "a command has no deadline",
        "bot/workflow/slash_command.py",
        "until = within(_ACK_SECONDS)",
        "until = within(60.0)",
        "all",
        62,
        "acks within 3 s",
    ),
    Planted(
        "every member may approve",
        "bot/policy/decide.py",
        "if approver.standing is not Standing.MEMBER:\n        return False",
        "if approver.standing is Standing.MEMBER:\n        return True",
        "calm",
        2,
        "approvers decide",
    ),
)


def search(bug: Planted, most: int = 300) -> Planted | None:
    """Return the bug with the first seed that finds it."""
    for seed in range(1, most + 1):
        tried = replace(bug, seed=seed)
        if broken := tried.replay().broken:
            return replace(tried, found_by=broken[0].partition(":")[0])
    return None


def named(name: str) -> Planted:
    """Return the bug of this name."""
    return next(bug for bug in PLANTED if name in bug.name)
