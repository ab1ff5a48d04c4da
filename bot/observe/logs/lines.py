"""Format a log record as one line, as text or JSON, without secrets.

Each field is cleaned before the line is assembled, so that neither a redaction nor text that people typed can change
where a field or a line ends.
"""

import json
import logging
import re
from datetime import UTC, datetime

from bot.observe.logs.redaction import Redactor
from bot.observe.output import json_line, printable
from bot.runtime.clock import Runtime
from bot.runtime.tasks import current_request_id

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_HUGE = 1e300  # larger floats, inf and nan are not valid in every JSON parser

_Fields = dict[str, object]


class LineFormatter(logging.Formatter):
    """Formats records; never raises, whatever a record contains."""

    def __init__(self, redactor: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._redactor = redactor
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's line, without a line break."""
        try:
            return self._line(self._fields(record))
        except Exception as error:  # noqa: BLE001  # a record may contain arbitrary objects
            # Without the facts, one of which cannot be formatted; it may be the time.
            least = _least(record, datetime.fromtimestamp(Runtime().now(), UTC))
            return self._line(least | {"unwritten": type(error).__name__})

    def _line(self, fields: _Fields) -> str:
        # Checking the whole line at once is faster than by fields, and it rarely finds anything.
        line = json_line(fields)
        if self._redactor.suspects(line):
            clean = self._redactor.clean_fact
            fields = {name: clean(name, value) for name, value in fields.items()}
            line = json_line(fields)
        return line if self._as_json else _text(fields)

    def _fields(self, record: logging.LogRecord) -> _Fields:
        facts = {k: v for k, v in vars(record).items() if k not in _STANDARD and v is not None}
        fields = _least(record, datetime.fromtimestamp(record.created, UTC))
        if request := facts.pop("request", None) or current_request_id():
            fields["request"] = _plain(request)
        fields |= {name: _plain(fact) for name, fact in facts.items() if name not in fields}
        if record.exc_info and record.exc_info[0]:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = self.formatStack(record.stack_info)
        return fields


def _least(record: logging.LogRecord, at: datetime) -> _Fields:
    """Return the fields of every line."""
    return {
        "time": at.isoformat(timespec="milliseconds"),
        "level": str(record.levelname).lower(),
        "logger": record.name,
        "event": message_of(record),
    }


def _plain(fact: object) -> object:
    """Return a fact as a JSON value."""
    if isinstance(fact, str):
        return fact
    if isinstance(fact, int | float) and -_HUGE < fact < _HUGE:
        return fact
    try:
        return str(fact)
    except Exception as error:  # noqa: BLE001  # an arbitrary object
        return f"a {type(fact).__name__} that does not say what it is ({type(error).__name__})"


def message_of(record: logging.LogRecord) -> str:
    """Return a record's message, even if its arguments do not match the format."""
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001  # the arguments are arbitrary objects
        # The arguments do not match the format: logging would print them, unredacted, to standard error.
        return f"{_plain(record.msg)} {_plain(record.args)}"


def _text(fields: _Fields) -> str:
    """Return the line; the lines of a traceback are indented, so that none looks like a log line."""
    more = "\n".join(str(fields.pop(name)) for name in ("exception", "stack") if name in fields)
    (_, when), (_, level), _, (_, event), *facts = fields.items()
    pairs = "".join(f" {name}={_quoted(value)}" for name, value in facts)
    time = datetime.fromisoformat(str(when)).strftime("%H:%M:%S")
    line = f"{time} {str(level).upper():<7} {printable(str(event))}{printable(pairs)}"
    return "\n    ".join([line, *map(printable, more.split("\n") if more else ())])


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[\s\"=]", text) else text
