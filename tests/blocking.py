"""In the tests' own process, a call of the bot's that blocks the event loop raises, and its test fails.

A call is the bot's if, on the way from it to the task or the callback that is run, the bot's code comes before a test's
or the stand-ins'. Those may block: a test that opens a ledger delays nobody. Not seen is what blocks in C, such as
psycopg's connection.
"""

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from blockbuster import BlockBuster

import bot

BOT = f"{Path(bot.__file__).parent}/"
ACCEPTED = {
    ("bot/app/resources.py", "_database"): "opens the ledger before anything else is begun",
    ("bot/app/resources.py", "open_ledger"): "tells at the start why the ledger takes nothing",
    ("bot/ledger/thread.py", "__init__"): "looks up the ledger's file at the start",
    ("bot/locale/__init__.py", "languages"): "reads the small catalogues once, at the start",
    ("bot/observe/metrics.py", "_scrape"): "reads /proc, which is memory",
    ("bot/runtime/listener.py", "warn"): "counts the open files in /proc, which is memory",
    ("bot/ops/doctor/run.py", "examine"): "reads the settings; a doctor serves nobody",
    ("bot/ops/doctor/settings.py", "check_settings"): "looks at .env; a doctor serves nobody",
    ("/logging/__init__.py", "emit"): "is pytest's log; the bot's own has a queue and a thread",
    ("/coverage/collector.py", "lock_data"): "counts lines, and may be called at any of them",
    (
        "/hypothesis/internal/escalation.py",
        "accept",
    ): "is asked at the lines that a failed property ran",
}
"""The functions within which the loop may be blocked, each by its file, and why."""

blocked: list[str] = []
"""The calls that raised, since whoever made them may have swallowed that."""

_OTHERS = (f"{BOT}playground/", f"{Path(__file__).parent}/")
_ASYNC = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def let_nothing_block() -> None:
    """Make the calls that `blockbuster` knows raise its BlockingError if the bot blocks the loop with them."""
    for name, call in BlockBuster().functions.items():
        accepted: dict[str, tuple[str, ...]] = {}
        for file, names in (
            *((file, {name}) for file, name in ACCEPTED),
            *call.can_block_functions,
        ):
            accepted |= {each: (*accepted.get(each, ()), file) for each in names}
        call.can_block_predicate = partial(_may_block, name, accepted, call.can_block_predicate)
        call.activate()


def _may_block(
    call: str,
    accepted: Mapping[str, tuple[str, ...]],
    does_not: Callable[..., bool],
    *args: Any,
    **kwargs: Any,
) -> bool:
    """Tell whether a call does not block, is accepted, or not the bot's; else keep it."""
    if does_not(*args, **kwargs):
        return True
    culprit = ""
    frame = inspect.currentframe()
    while frame and (frame := frame.f_back):
        path, name = frame.f_code.co_filename, frame.f_code.co_name
        if path.startswith(_OTHERS) or (name in accepted and path.endswith(accepted[name])):
            return True
        if path.startswith(BOT):
            culprit = culprit or f"{call} in {path}:{frame.f_lineno}, {name}"
            if frame.f_code.co_flags & _ASYNC:
                break
    if culprit:
        blocked.append(culprit)
    return not culprit
