"""The rules of the house, over the syntax tree of all its code: imports, the one clock, public doors.

What a rule allows all the same is beside it, with the reason; whatever is allowed and no longer there fails too.
"""

import ast
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import pytest
from packaging.requirements import Requirement

pytestmark = pytest.mark.no_cover  # runs the same lines many times

ROOT = Path(__file__).parent.parent

PURE = ("domain", "command", "policy", "guidance", "messages")
ROOMS = (
    *PURE,
    *("runtime", "locale", "settings", "ledger", "observe"),
    *("workflow", "slack", "wechat", "ops", "app"),
    *("playground", "cli", "__main__"),
)
"""The rooms of the bot: each imports only those before it, and the pure ones only each other."""


class Module:
    """One file of the bot: its syntax tree, and what its names stand for."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.tree = ast.parse(text)
        self.room = Path(path).with_suffix("").parts[1]
        self.imported = {name: whole for node in self.imports() for name, whole in _names(node)}
        """The dotted name of each imported name."""

    def nodes(self) -> Iterator[ast.AST]:
        """Yield all nodes of the tree."""
        return ast.walk(self.tree)

    def imports(self) -> Iterator[ast.Import | ast.ImportFrom]:
        """Yield all imports, wherever they are."""
        return (node for node in self.nodes() if isinstance(node, ast.Import | ast.ImportFrom))

    def full_name(self, node: ast.expr) -> str:
        """Return the dotted name of an imported thing; empty for anything else."""
        if isinstance(node, ast.Subscript):
            return self.full_name(node.value)
        first, _, rest = ast.unparse(node).partition(".")
        whole = self.imported.get(first, "")
        return f"{whole}.{rest}" if whole and rest else whole


def _names(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, str]]:
    """Yield each name that an import binds, and the dotted name of what it stands for."""
    for each in node.names:
        if isinstance(node, ast.ImportFrom):
            yield each.asname or each.name, f"{node.module}.{each.name}"
        elif each.asname:
            yield each.asname, each.name
        else:
            first = each.name.partition(".")[0]
            yield first, first


def _imported_modules(node: ast.Import | ast.ImportFrom) -> list[str]:
    """Return the dotted names that an import asks for."""
    if isinstance(node, ast.ImportFrom):
        return [f"{node.module}.{each.name}" for each in node.names]
    return [each.name for each in node.names]


@cache
def bot() -> list[Module]:
    """Return all files of the bot."""
    paths = sorted((ROOT / "bot").rglob("*.py"))
    return [Module(each.relative_to(ROOT).as_posix(), each.read_text("utf-8")) for each in paths]


@dataclass(frozen=True)
class Rule:
    """Finds what is forbidden in a module, each in a few words; `bad` has modules in which it has to find something."""

    find: Callable[[Module], Iterator[str]]
    bad: tuple[tuple[str, str], ...]
    allowed: Mapping[str, str] = field(default_factory=dict)
    """What it finds and the house allows, with the reason."""


# Imports.


def uphill(module: Module) -> Iterator[str]:
    """Find imports of rooms above this one."""
    for node in module.imports():
        for name in _imported_modules(node):
            top, _, rest = name.partition(".")
            there = rest.partition(".")[0]
            if top == "bot" and there in ROOMS and not _downhill(module.room, there):
                yield f"imports {name}"
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"imports {'.' * node.level}{node.module or ''}"


def _downhill(here: str, there: str) -> bool:
    if here in PURE:
        return there in PURE
    return here == "__init__" or ROOMS.index(there) <= ROOMS.index(here)


LATE = {
    "bot/ledger/database.py: alembic": 8,
    "bot/ledger/seal.py: cryptography": 7,
    "bot/settings/policy.py: bot.policy.file": 8,
    "bot/app/token_source.py: bot.wechat.callback": 7,
    "bot/ops/ledger_command.py: bot.ops.doctor.slack_calls": 18,
}
"""What is imported only when it is needed, and the megabytes that it saves otherwise, on CPython 3.11."""

_WITH_ANOTHER = "with the other one of this function, which loads the same"


def late_imports(module: Module) -> Iterator[str]:
    """Find imports within functions; those of the command line are its commands."""
    if module.path == "bot/cli.py":
        return
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    for function in (node for node in module.nodes() if isinstance(node, functions)):
        for node in ast.walk(function):
            if isinstance(node, ast.ImportFrom) and node.module:
                house = node.module.startswith("bot.")
                yield node.module if house else node.module.partition(".")[0]
            elif isinstance(node, ast.Import):
                yield from (each.name.partition(".")[0] for each in node.names)


# One clock, one dice.

_CLOCKS = ("time", "random", "secrets", "uuid")
_BANNED = {
    *("asyncio.sleep", "os.urandom", "os.getrandom", "datetime.date.today"),
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"),
}
_RUNTIME = "bot.runtime.clock.Runtime"
_COMMANDS = {"ops", "cli"}


def other_clocks(module: Module) -> Iterator[str]:
    """Find time, sleep and randomness that do not come from a runtime, and runtimes that were not passed in."""
    if module.room in {"runtime", "playground"}:
        return
    for node in module.imports():
        for name in _imported_modules(node):
            if name.partition(".")[0] in _CLOCKS or _is_the_real_one(name):
                yield name
    for each in module.nodes():
        if isinstance(each, ast.Attribute | ast.Name):
            name = module.full_name(each)
            if name in _BANNED or _is_the_real_one(name):
                yield name
        elif isinstance(each, ast.Call):
            made = module.full_name(each.func)
            yield from ["Runtime()"] if made == _RUNTIME and module.room not in _COMMANDS else []


def _is_the_real_one(name: str) -> bool:
    """Tell whether a name is of the module that has the real clocks, and not the runtime, which may have others."""
    return name.startswith("bot.runtime.clock.") and not name.startswith(_RUNTIME)


_THREADS = {
    *("asyncio.to_thread", "threading.Thread", "threading.Timer"),
    *("concurrent.futures.ThreadPoolExecutor", "bot.runtime.tasks.in_daemon_thread"),
}


def threads(module: Module) -> Iterator[str]:
    """Find what begins threads, beside the loop that a simulation holds; commands have no such loop."""
    if module.room in {"runtime", "playground", *_COMMANDS}:
        return
    for node in module.nodes():
        if isinstance(node, ast.Attribute | ast.Name):
            name = module.full_name(node)
            if name in _THREADS or getattr(node, "attr", "") == "run_in_executor":
                yield name or "run_in_executor"


def unordered_tasks(module: Module) -> Iterator[str]:
    """Find sets of what asyncio runs, and loops over what `asyncio.wait` returns: their order is another in each process.

    That of a dict's keys is not.
    """
    waited = set[str]()
    for node in module.nodes():
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "set":
            name = module.full_name(node.slice)
            if name.startswith("asyncio."):
                yield f"set[{name}]"
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Await):
            call = node.value.value
            if isinstance(call, ast.Call) and module.full_name(call.func) == "asyncio.wait":
                names = ast.walk(node.targets[0])
                waited |= {each.id for each in names if isinstance(each, ast.Name)}
    for node in module.nodes():
        if isinstance(node, ast.For | ast.comprehension):
            over = ast.unparse(node.iter)
            if over in waited or over == "asyncio.all_tasks()":
                yield f"for … in {over}"


# Public doors.


def private_names(module: Module) -> Iterator[str]:
    """Find private names of others: of modules, and of objects other than one's own."""
    for node in module.imports():
        for name in _imported_modules(node):
            if any(map(_is_private, name.split("."))):
                yield name
    for each in module.nodes():
        if isinstance(each, ast.Attribute) and _is_private(each.attr):
            whose = ast.unparse(each.value)
            if whose not in {"self", "cls"}:
                yield f"{whose}.{each.attr}"
        if isinstance(each, ast.Call) and ast.unparse(each.func) in {"getattr", "setattr"}:
            which = each.args[1]
            if isinstance(which, ast.Constant) and _is_private(str(which.value)):
                yield ast.unparse(each)


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def patches(module: Module) -> Iterator[str]:
    """Find assignments to attributes of what was imported, and the comments that let a method be replaced."""
    if "ignore[method-assign" in module.text:
        yield "replaces a method"
    for node in module.nodes():
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr":
            first, name, _ = node.args
            if module.full_name(first):
                yield f"{ast.unparse(first)}.{ast.unparse(name)}"
        for target in targets:
            if isinstance(target, ast.Attribute) and module.full_name(target.value):
                yield module.full_name(target)


_MADE_TO_INHERIT = {
    *("abc.ABC", "enum.Enum", "enum.StrEnum", "pydantic.BaseModel"),
    *("typing.Generic", "typing.NamedTuple", "typing.Protocol", "typing.TypedDict"),
}


def subclasses(module: Module) -> Iterator[str]:
    """Find classes that inherit from a library's, of Python or of others, except those that are only for that."""
    for node in module.nodes():
        for base in node.bases if isinstance(node, ast.ClassDef) else ():
            name = module.full_name(base)
            if name and not name.startswith("bot.") and name not in _MADE_TO_INHERIT:
                yield name


RULES = {
    "imports run downhill": Rule(
        uphill,
        (
            ("bot/policy/x.py", "from bot.slack.api import SlackApi"),
            ("bot/policy/x.py", "import bot.runtime.clock"),
            ("bot/ledger/x.py", "from bot import workflow"),
            ("bot/slack/x.py", "def f():\n    from bot.app.wiring import wire"),
            ("bot/slack/x.py", "from . import api"),
        ),
    ),
    "what is imported late saves seven megabytes": Rule(
        late_imports,
        (
            ("bot/app/x.py", "def f():\n    import prometheus_client.parser"),
            ("bot/app/x.py", "async def f():\n    from bot.wechat.chain import Chain"),
        ),
        {
            **{name: f"{saves} MB" for name, saves in LATE.items()},
            "bot/ops/ledger_command.py: bot.ops.doctor.transport": _WITH_ANOTHER,
            "bot/ops/ledger_command.py: bot.slack.api": _WITH_ANOTHER,
            "bot/policy/reasons.py: pydantic": _WITH_ANOTHER,
            "bot/policy/reasons.py: pydantic_core": _WITH_ANOTHER,
            "bot/app/process.py: bot.app.resources": _WITH_ANOTHER,
            "bot/app/process.py: bot.app.running": "43 MB and 0.6 s, for which neither a signal nor the report of a wrong setup waits",
            "bot/app/process.py: uvloop": "an extra",
            "bot/ledger/engine.py: psycopg": "an extra",
            "bot/playground/demo.py: bot.playground.terminal": "an extra",
            "bot/ops/build_hook.py: bot.runtime.release": "a build does not see the bot before",
        },
    ),
    "time and randomness come from the runtime": Rule(
        other_clocks,
        (
            ("bot/slack/x.py", "import time\nbegan = time.monotonic()"),
            ("bot/slack/x.py", "from time import monotonic"),
            ("bot/slack/x.py", "import asyncio as aio\nsleep = aio.sleep"),
            ("bot/slack/x.py", "from asyncio import sleep as nap\nnap(1)"),
            ("bot/slack/x.py", "from datetime import UTC, datetime\ndatetime.now(UTC)"),
            ("bot/slack/x.py", "import datetime as dt\ndt.datetime.utcnow()"),
            ("bot/app/x.py", "import os\nos.urandom(8)"),
            ("bot/app/x.py", "from secrets import token_hex"),
            ("bot/slack/x.py", "from bot.runtime.clock import sleep"),
            ("bot/slack/x.py", "from bot.runtime import clock\nclock.new_id()"),
            ("bot/slack/x.py", "from bot.runtime.clock import Runtime\nRuntime().sleep(1)"),
        ),
        {
            "bot/app/process.py: Runtime()": "the real one, of the whole process",
            "bot/app/running.py: Runtime()": "the real one, unless the caller brings another",
            "bot/ledger/audit.py: Runtime()": "only commands read the ledger there",
            "bot/ledger/inspection.py: Runtime()": "only commands read the ledger there",
            "bot/observe/logs/lines.py: Runtime()": "the time of a line whose record has none; the log is older than any runtime",
        },
    ),
    "what runs has an order": Rule(
        unordered_tasks,
        (
            ("bot/slack/x.py", "import asyncio\nrunning: set[asyncio.Task[None]] = set()"),
            (
                "bot/slack/x.py",
                "import asyncio\ndone, _ = await asyncio.wait(work)\nfor each in done: ...",
            ),
            ("bot/slack/x.py", "import asyncio\n[each for each in asyncio.all_tasks()]"),
        ),
    ),
    "threads are passed in": Rule(
        threads,
        (
            ("bot/slack/x.py", "import asyncio\nasyncio.to_thread(print)"),
            ("bot/slack/x.py", "from threading import Thread\nThread(target=print).start()"),
            ("bot/slack/x.py", "from bot.runtime.tasks import in_daemon_thread as go\ngo(print)"),
            ("bot/slack/x.py", "loop.run_in_executor(None, print)"),
        ),
        {
            "bot/app/policy_watcher.py: bot.runtime.tasks.in_daemon_thread": "reads and judges the file for a watcher that is given both",
            "bot/app/process.py: bot.runtime.tasks.in_daemon_thread": "reads the settings again for a reload that is given it",
            "bot/ledger/thread.py: asyncio.to_thread": "waits for the writer's thread",
            "bot/ledger/thread.py: threading.Thread": "the writer's, which the ledger is given",
        },
    ),
    "no private names of others": Rule(
        private_names,
        (
            ("bot/slack/x.py", "from aiohttp.http_parser import _x"),
            ("bot/slack/x.py", "import sqlalchemy._x.y"),
            ("bot/slack/x.py", "from bot.slack.api import _log"),
            ("bot/slack/x.py", "def f(request):\n    return request._payload"),
            ("bot/slack/x.py", "def f(request):\n    return getattr(request, '_payload')"),
        ),
    ),
    "nothing of others is replaced": Rule(
        patches,
        (
            ("bot/ledger/x.py", "import json\njson.dumps = None"),
            ("bot/ledger/x.py", "from aiohttp import web\nweb.Request.read = None"),
            ("bot/ledger/x.py", "from aiohttp import web\nsetattr(web.Request, 'read', None)"),
            ("bot/ledger/x.py", "dialect.do_begin = f  # type: ignore[method-assign]"),
        ),
        {
            "bot/cli.py: sys.name": "an open stream for one that was closed before the start",
            "bot/observe/logs/setup.py: logging.logMultiprocessing": "documented, in Python's logging howto",
            "bot/observe/logs/setup.py: logging.logProcesses": "documented, in Python's logging howto",
            "bot/observe/logs/setup.py: logging.logThreads": "documented, in Python's logging howto",
            "bot/observe/logs/setup.py: sys.excepthook": "documented as what may be replaced",
            "bot/observe/logs/setup.py: sys.unraisablehook": "documented as what may be replaced",
            "bot/observe/logs/setup.py: threading.excepthook": "documented as what may be replaced",
        },
    ),
    "no subclass of a library's class": Rule(
        subclasses,
        (
            ("bot/slack/x.py", "from slack_bolt.async_app import AsyncApp\nclass A(AsyncApp): ..."),
            ("bot/slack/x.py", "import asyncio\nclass Q(asyncio.Queue[int]): ..."),
        ),
        {
            "bot/cli.py: argparse.ArgumentParser": "`error` is documented for it",
            "bot/ledger/items.py: sqlalchemy.sql.functions.GenericFunction": "documented for it",
            "bot/ledger/statements.py: sqlalchemy.sql.functions.FunctionElement": "documented for it",
            "bot/observe/logs/lines.py: logging.Formatter": "documented for it",
            "bot/observe/logs/setup.py: logging.handlers.QueueHandler": "`prepare` and `enqueue` are documented for it",
            "bot/observe/logs/setup.py: logging.handlers.QueueListener": "`handle` is documented for it",
            "bot/ops/build_hook.py: hatchling.builders.hooks.plugin.interface.BuildHookInterface": "documented for it",
            "bot/ops/doctor/transport.py: asyncio.SelectorEventLoop": "`run_in_executor` in daemon threads, since Python waits for its own at the exit",
            "bot/playground/terminal.py: prompt_toolkit.completion.Completer": "documented for it",
            "bot/slack/events.py: slack_sdk.signature.Clock": "what the SDK's verifier takes as its clock",
            "bot/wechat/transport.py: aiohttp.BytesPayload": "tells whether a call was sent; see INSIDES",
            "bot/wechat/transport.py: httpx.AsyncBaseTransport": "documented for it",
            "bot/wechat/transport.py: httpx.TransportError": "an exception",
        },
    ),
}


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_the_house_keeps_its_rule(rule: Rule) -> None:
    found = {f"{module.path}: {each}" for module in bot() for each in rule.find(module)}
    assert found - rule.allowed.keys() == set()
    assert rule.allowed.keys() - found == set()


@pytest.mark.parametrize(
    ("rule", "path", "text"),
    [(rule, *bad) for rule in RULES.values() for bad in rule.bad],
)
def test_a_breach_of_each_rule_is_detected(rule: Rule, path: str, text: str) -> None:
    assert [*rule.find(Module(path, text))] != []


def test_every_room_is_in_the_order_and_has_a_docstring() -> None:
    inits = sorted((ROOT / "bot").glob("*/__init__.py"))
    modules = {path.stem for path in (ROOT / "bot").glob("*.py")} - {"__init__"}
    assert {path.parent.name for path in inits} | modules == set(ROOMS)
    assert len(ROOMS) <= 18
    assert all(ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) for path in inits)


def test_the_init_of_a_room_has_no_code() -> None:
    inits = [path for path in (ROOT / "bot").rglob("__init__.py") if _has_modules(path.parent)]
    assert len(inits) > len(PURE)
    busy = [path.relative_to(ROOT) for path in inits if not _has_no_code(path)]
    assert busy == [Path("bot/__init__.py")]  # the version


def _has_modules(room: Path) -> bool:
    return len(list(room.glob("*.py"))) > 1


def _has_no_code(path: Path) -> bool:
    """Return whether a module has only a docstring, imports and `__all__`."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    names = [ast.unparse(node.targets[0]) for node in body if isinstance(node, ast.Assign)]
    return set(names) <= {"__all__"} and all(
        isinstance(node, ast.Expr | ast.ImportFrom | ast.Assign) for node in body
    )


def test_each_class_has_a_name_of_its_own() -> None:
    places: dict[str, list[str]] = {}
    for module in bot():
        for node in module.nodes():
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module.path)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


# What is loaded.


def _run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.strip()


def test_running_the_bot_loads_no_playground_and_no_library_before_something_needs_it() -> None:
    late = {"alembic", "bot.playground", "cryptography", "defusedxml", "prompt_toolkit"}
    late |= {"psycopg", "pydantic", "rich"}
    alone = "import sys; sys.modules['click'] = None"  # a tool's, with which httpx loads rich
    look = f"{alone}; import bot.app.running, bot.cli; print({late} & set(sys.modules))"
    assert _run(look) == "set()"


_MEASURE = """
import {first}
def resident():
    lines = open("/proc/self/status")
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
before = resident()
import {late}
print((resident() - before) >> 10)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="no other system has /proc")
@pytest.mark.slow
@pytest.mark.parametrize("late", LATE)
def test_what_is_imported_late_saves_megabytes(late: str) -> None:
    path, name = late.split(": ")
    needed = {"alembic": "alembic.command", "cryptography": "cryptography.fernet"}.get(name, name)
    first = path.removesuffix(".py").replace("/", ".") if "/ops/" in path else "bot.app.running"
    saves = int(_run(_MEASURE.format(first=f"bot.cli, {first}", late=needed)))
    assert saves > LATE[late] / 2  # it depends on the version and the machine


# Insides of libraries.

INSIDES = {
    "aiohttp": ("bot/wechat/transport.py", "(aiohttp.BytesPayload)"),
    "python-dotenv": ("bot/settings/environ.py", "dotenv.parser"),
}
"""The libraries of which the bot uses what they do not document, with the place and the name there.

Not Slack's: of `slack-bolt` it uses the app, its requests and `async_dispatch`, as Bolt's own adapters do, and of
`slack-sdk` the client's public attributes and the verifier; the client for Socket Mode is the bot's own.
"""


def test_only_a_library_whose_insides_are_used_has_an_upper_bound() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    needed = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    requirements = map(Requirement, needed)
    bounded = [each.name for each in requirements if "<" in str(each.specifier)]
    assert sorted(bounded) == sorted(INSIDES)
    for path, inside in INSIDES.values():
        assert inside in (ROOT / path).read_text(encoding="utf-8")
