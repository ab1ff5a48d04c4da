"""Logs: one line for each event, as text or JSON, and no secret in any of them, whoever wrote the line.

The token of WeChat's API sits in the URL and Slack's response_urls are keys, so what libraries log is cleaned
too: messages, arguments, extras and tracebacks, all at once in the finished line.
"""

import json
import logging
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from traceback import walk_tb
from urllib.parse import quote

_HIDDEN = "[hidden]"
# What a secret is called where it travels: in queries, JSON, Python reprs and headers.
_NAMES = (
    r"(?:component_|authorizer_)?(?:access|refresh)_token|component_verify_ticket|ComponentVerifyTicket|"
    r"component_(?:app)?secret|appsecret|authorization_code|AuthorizationCode|pre_auth_code|PreAuthCode|"
    r"authorization|ticket|secret|token"
)
# JSON escapes slashes if it likes, and quotes when it stands in other JSON; such a quote's backslash is not hidden.
_SLASH = r"\\*/"
_BACKSLASH = r"\\+(?![\"'\\])"
_REST = rf"(?:[^\s\"'<>\\]|{_BACKSLASH})+"
_VALUE = rf"(?![\[{{])(?:[^\s\"'<>&,;)}}\]\\]|{_BACKSLASH})+"
_QUOTES = r"(?:[\"'\\]|%22)*+"
_IS = r"(?:[=:]|%3[DA]|>(?:<!\[CDATA\[)?|(?<=authorization[\"']),)"
_HINTS = ("token", "secret", "ticket", "auth")  # one of them is in each of the names
_PATTERNS = (
    re.compile(r"(?:xox[a-z](?:\.xox[a-z])?-|xapp-)[\w-]+"),
    re.compile(rf"(https?:{_SLASH}{_REST}?{_SLASH})(?:commands|actions|response){_SLASH}{_REST}"),
    re.compile(rf"(wss?:{_SLASH}[^\s\"'<>?]+)\?{_REST}"),
    re.compile(rf"(\w:{_SLASH}{{2}}[^\s:/@\"']*:)[^\s/\"']+(?=@)"),
)
_NAMED = re.compile(
    rf"(?i)((?:{_NAMES}){_QUOTES}\s*{_IS}\s*(?:b(?=[\"']))?+{_QUOTES}(?:(?:Bearer|Basic|Token)\s+)?+){_VALUE}"
)
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Redactor:
    """Replaces what is or looks like a secret."""

    def __init__(self, secrets: Iterable[str]) -> None:
        longest_first = sorted(filter(None, secrets), key=len, reverse=True)
        shapes = [shape for secret in longest_first for shape in _shapes(secret)]
        self._known = re.compile("|".join(shapes)) if shapes else None

    def clean(self, line: str) -> str:
        """Return `line` with every secret hidden."""
        if self._known:
            line = self._known.sub(_HIDDEN, line)
        for pattern in _PATTERNS:
            line = pattern.sub(rf"\1{_HIDDEN}" if pattern.groups else _HIDDEN, line)
        lowered = line.lower()  # the search by name is slow, and few lines have a name in them
        if any(hint in lowered for hint in _HINTS):
            line = _NAMED.sub(rf"\1{_HIDDEN}", line)
        return line


def _shapes(secret: str) -> tuple[str, str]:
    """Return patterns for a secret as JSON and Python write it, however often, and as it is in an address."""
    quoted = {"\\": r"\\+", **{char: rf"\\*{char}" for char in "\"'/"}}
    written = "".join(quoted.get(char) or re.escape(char) for char in secret)
    return written, re.escape(quote(secret, safe="", errors="replace"))


class _Formatter(logging.Formatter):
    def __init__(self, redactor: Redactor, *, as_json: bool) -> None:
        super().__init__()
        self._redactor = redactor
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        facts = {k: v for k, v in vars(record).items() if k not in _STANDARD and v is not None}
        line = self._json(record, facts) if self._as_json else self._text(record, facts)
        return self._redactor.clean(line)

    def _text(self, record: logging.LogRecord, facts: dict[str, object]) -> str:
        when = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        pairs = "".join(f" {name}={_quoted(value)}" for name, value in facts.items())
        trace = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
        return f"{when} {record.levelname:<7} {_message(record)}{pairs}{trace}"

    def _json(self, record: logging.LogRecord, facts: dict[str, object]) -> str:
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": _message(record),
            **facts,
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return json.dumps(fields, ensure_ascii=False, default=str)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (KeyError, TypeError, ValueError):
        # Arguments that do not fit: logging would write them to standard error as they are.
        return f"{record.msg} {record.args}"


def _quoted(value: object) -> str:
    text = str(value)
    return json.dumps(text, ensure_ascii=False) if re.search(r"[\s\"=]", text) else text


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
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter(Redactor(secrets), as_json=as_json))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("aiohttp.server").addFilter(_untraced)
    # One line for each HTTP request and each reconnect step: for debugging only.
    quiet = logging.NOTSET if level == "DEBUG" else max(logging.WARNING, logging.root.level)
    for noisy in ("httpx", "slack_bolt", "slack_sdk", "aiohttp.access", "alembic"):
        logging.getLogger(noisy).setLevel(quiet)
