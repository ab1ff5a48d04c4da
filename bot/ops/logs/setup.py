"""Logs: one line for each event, as text or JSON, with the request that it is about, and no secret in any of them.

Each part of a line is cleaned before the line is put together, so that nothing that is hidden, and nothing that anybody
has typed, can change where a field or a line ends.
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from types import TracebackType

from bot.ops.logs.redaction import Redactor
from bot.ops.visible import json_line, visible
from bot.runtime.tasks import current_request_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_HUGE = 1e300  # what is no less is none of JSON's numbers, or none that every reader takes

_Fields = dict[str, object]
_log = logging.getLogger(__name__)


class _Formatter(logging.Formatter):
    """Writes lines; whatever a record holds, it never raises."""

    def __init__(self, redactor: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._redactor = redactor
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        try:
            return self._line(self._fields(record))
        except Exception as error:  # noqa: BLE001  # it holds anybody's objects
            # Without its facts, of which one cannot be written.
            return self._line(_least(record) | {"unwritten": type(error).__name__})

    def _line(self, fields: _Fields) -> str:
        # One look at the whole line is faster than part by part, and mostly finds nothing.
        line = json_line(fields)
        if self._redactor.suspects(line):
            clean = self._redactor.clean_fact
            fields = {name: clean(name, value) for name, value in fields.items()}
            line = json_line(fields)
        return line if self._as_json else _text(fields)

    def _fields(self, record: logging.LogRecord) -> _Fields:
        facts = {k: v for k, v in vars(record).items() if k not in _STANDARD and v is not None}
        fields = _least(record)
        if request := facts.pop("request", None) or current_request_id():
            fields["request"] = _plain(request)
        fields |= {name: _plain(fact) for name, fact in facts.items() if name not in fields}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        return fields


def _least(record: logging.LogRecord) -> _Fields:
    """Return what every line has, whatever else its record holds."""
    return {
        "time": _when(record).isoformat(timespec="milliseconds"),
        "level": str(_plain(record.levelname)).lower(),
        "logger": _plain(record.name),
        "event": _message(record),
    }


def _when(record: logging.LogRecord) -> datetime:
    try:
        return datetime.fromtimestamp(record.created, UTC)
    except (OverflowError, OSError, TypeError, ValueError):  # it is no time of this calendar
        return datetime.now(UTC)


def _plain(fact: object) -> object:
    """Return a fact as JSON can hold it."""
    if isinstance(fact, str):
        return fact
    if isinstance(fact, int | float) and -_HUGE < fact < _HUGE:
        return fact
    try:
        return str(fact)
    except Exception as error:  # noqa: BLE001  # it is anybody's object
        return f"a {type(fact).__name__} that does not say what it is ({type(error).__name__})"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # the arguments are anybody's objects
        # Arguments that do not fit: logging would write them to standard error as they are.
        return f"{_plain(record.msg)} {_plain(record.args)}"


def _text(fields: _Fields) -> str:
    """Return the line and, each further in, the lines of a traceback, so that none looks like one of its own."""
    more = "\n".join(str(fields.pop(name)) for name in ("exception", "stack") if name in fields)
    (_, when), (_, level), _, (_, event), *facts = fields.items()
    pairs = "".join(f" {name}={_quoted(value)}" for name, value in facts)
    time = datetime.fromisoformat(str(when)).strftime("%H:%M:%S")
    line = f"{time} {str(level).upper():<7} {visible(str(event))}{visible(pairs)}"
    return "\n    ".join([line, *map(visible, more.split("\n") if more else ())])


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[\s\"=]", text) else text


class _Handler(logging.StreamHandler):  # type: ignore[type-arg]  # it is generic for mypy alone
    """Writes to standard error; what that does not take is lost."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's own name
        """Say nothing: it would go to standard error too, with the record as it is."""


def _untraced(record: logging.LogRecord) -> bool:
    """Leave of what went wrong in aiohttp's server which error it was and where: its text quotes strangers' requests."""
    error = record.exc_info[1] if record.exc_info else None
    record.exc_info = record.exc_text = record.stack_info = None
    if error is not None:
        where = [f"{Path(f.f_code.co_filename).name}:{n}" for f, n in walk_tb(error.__traceback__)]
        vars(record).update(error=type(error).__name__, at=where[-1] if where else None)
    return True


def set_up(level: str, log_format: str | None, secrets: Iterable[str]) -> None:
    """Send every log line of the process to standard error, cleaned; text on a terminal, else JSON."""
    as_json = log_format == "json" or (log_format is None and not sys.stderr.isatty())
    handler = _Handler()
    handler.setFormatter(_Formatter(Redactor(secrets), as_json=as_json))
    # What no line has need not be found out for each. Source: docs.python.org, howto/logging (Optimization).
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp.server").addFilter(_untraced)
    # One line for each HTTP request and each reconnect step: for debugging only.
    quiet = logging.NOTSET if level == "DEBUG" else max(logging.WARNING, logging.root.level)
    for noisy in ("slack_bolt", "slack_sdk", "aiohttp.access", "alembic"):
        logging.getLogger(noisy).setLevel(quiet)


def log_uncaught() -> None:
    """Log, from now on, what ends the process, a thread or an object's life, and each warning."""
    sys.excepthook = _of_process
    threading.excepthook = _of_thread
    sys.unraisablehook = _of_object
    logging.captureWarnings(capture=True)


def _of_process(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    _log.critical("an error that nobody caught ends the bot", exc_info=(kind, error, trace))


def _of_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else None
    _log.critical(
        "an error that nobody caught ends a thread",
        exc_info=args.exc_value or True,
        extra={"thread_name": name},
    )


def _of_object(args: "sys.UnraisableHookArgs") -> None:
    told = {"doing": args.err_msg, "object": repr(args.object)}
    _log.error("an error that could not be raised", exc_info=args.exc_value or True, extra=told)
