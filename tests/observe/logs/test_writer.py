"""The thread that writes the log: logging never blocks, and only lines that the stream does not accept are lost."""

import io
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import pytest

from bot.observe.logs.setup import MOST, LogQueue
from tests.observe.logs.gated import GatedStream


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a busy machine take its time to write."""
    monkeypatch.setattr("bot.observe.logs.setup._PATIENCE", 60.0)


@contextmanager
def logging_to(stream: TextIO) -> Iterator[logging.Logger]:
    """Yield a logger that writes only to this stream, and only messages."""
    log = logging.Logger("some.library")  # noqa: LOG001  # a logger outside of the hierarchy
    queue = LogQueue(stream)
    log.addHandler(queue)
    yield log
    queue.flush()
    queue.close()


def test_lines_are_written_in_order() -> None:
    stream = GatedStream()
    with logging_to(stream) as log:
        for number in range(500):
            log.info("%s", number)
        stream.may_write.set()
    assert stream.getvalue().split() == [str(number) for number in range(500)]


def test_flush_returns_once_all_lines_are_written() -> None:
    stream = GatedStream()
    stream.may_write.set()
    with logging_to(stream) as log:
        for number in range(10):
            log.info("%s", number)
            log.handlers[0].flush()
            assert stream.getvalue().split()[-1] == str(number)


def test_a_line_has_its_arguments_values_at_the_time_of_logging() -> None:
    stream, changing = GatedStream(), ["before"]
    with logging_to(stream) as log:
        log.info("%s", changing)
        changing[0] = "after"
        stream.may_write.set()
    assert stream.getvalue() == "['before']\n"


def test_a_stream_that_blocks_for_a_while_blocks_no_caller_and_dropped_lines_are_reported() -> None:
    stream = GatedStream()
    with logging_to(stream) as log:
        for number in range(2 * MOST):
            log.info("%s", number)
        stream.may_write.set()
        log.handlers[0].flush()
        log.info("next")
    *lines, dropped, following = stream.getvalue().splitlines()
    assert lines == [str(number) for number in range(len(lines))]
    assert (dropped, following) == ("lines of the log were dropped", "next")
    assert MOST <= len(lines) < 2 * MOST


@pytest.mark.parametrize("end", ["full", "closed", "nobody reads"])
def test_a_stream_that_blocks_forever_blocks_no_caller(end: str) -> None:
    reading, writing = os.pipe()
    path = Path("/dev/full") if end == "full" else None
    stream = path.open("w", encoding="utf-8") if path else os.fdopen(writing, "w", encoding="utf-8")
    if end == "closed":
        stream.close()
    os.close(reading)
    before = {*threading.enumerate()}
    with logging_to(stream) as log:
        [writer] = {*threading.enumerate()} - before
        log.info("one")
        log.handlers[0].flush()
        log.info("another")
        assert writer.is_alive()
    writer.join(60)  # it ends with the handler
    assert not writer.is_alive()
    with suppress(OSError):
        stream.close()


def test_closing_waits_no_longer_for_a_stream_that_has_just_blocked_a_flush(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = GatedStream()
    queue = LogQueue(stream)
    queue.handle(logging.makeLogRecord({"msg": "one"}))
    monkeypatch.setattr("bot.observe.logs.setup._PATIENCE", 0.01)
    queue.flush()
    monkeypatch.setattr("bot.observe.logs.setup._PATIENCE", None)  # for ever
    queue.close()
    stream.may_write.set()


def test_a_write_that_fails_for_any_reason_does_not_end_the_log() -> None:
    class OutOfMemory(io.StringIO):
        def write(self, text: str) -> int:
            if "one" in text:
                raise MemoryError
            return super().write(text)

    stream = OutOfMemory()
    with logging_to(stream) as log:
        log.info("one")
        log.handlers[0].flush()
        log.info("another")
    assert stream.getvalue() == "another\n"
