"""A line of the log: a record as text or JSON, with no secret in it.

Each part of a line is cleaned before the line is put together, so that nothing that is hidden, and nothing that anybody
has typed, can change where a field or a line ends.
"""

import json
import logging
import re
from datetime import UTC, datetime

from bot.ops.logs.redaction import Redactor
from bot.ops.visible import json_line, visible

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_HUGE = 1e300  # what is no less is none of JSON's numbers, or none that every reader takes

_Fields = dict[str, object]


class LineFormatter(logging.Formatter):
    """Writes lines; whatever a record holds, it never raises."""

    def __init__(self, redactor: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._redactor = redactor
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, without its end."""
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
        if request := facts.pop("request", None):
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
        "event": message_of(record),
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


def message_of(record: logging.LogRecord) -> str:
    """Return what a record says, also where its arguments do not fit."""
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
