"""The thread that writes the log: nobody who logs waits for it, and it loses only what the stream does not take."""

import io
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import pytest

from bot.ops.logs.writer import MOST, LogWriter
from bot.runtime.tasks import log_request


@contextmanager
def logging_to(stream: TextIO) -> Iterator[logging.Logger]:
    """Return a logger that writes to the stream alone, and nothing but what was said."""
    log = logging.Logger("some.library")  # noqa: LOG001  # nobody else hears of it
    writer = LogWriter(stream)
    log.addHandler(writer)
    yield log
    writer.close()


class Counting(io.StringIO):
    """A stream that counts how often it is written to, and takes nothing until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.let = threading.Event()

    def write(self, text: str) -> int:
        """Take a text once it is let."""
        self.let.wait()
        self.writes += 1
        return super().write(text)


def test_what_is_logged_together_is_written_together_and_in_order() -> None:
    stream = Counting()
    stream.let.set()
    with logging_to(stream) as log:
        for number in range(500):
            log.info("%s", number)
    assert stream.getvalue().split() == [str(number) for number in range(500)]
    assert stream.writes < 100


def test_a_flush_returns_when_all_is_written() -> None:
    stream = Counting()
    stream.let.set()
    with logging_to(stream) as log:
        for number in range(10):
            log.info("%s", number)
            log.handlers[0].flush()
            assert stream.getvalue().split()[-1] == str(number)


def test_a_line_says_what_an_argument_was_when_it_was_logged() -> None:
    stream, changing = Counting(), ["before"]
    with logging_to(stream) as log:
        log.info("%s", changing)
        changing[0] = "after"
        stream.let.set()
    assert stream.getvalue() == "['before']\n"


def test_a_line_names_the_request_of_the_thread_that_logged_it() -> None:
    stream = Counting()
    stream.let.set()
    with logging_to(stream) as log:
        log.handlers[0].setFormatter(logging.Formatter("%(message)s %(request)s"))
        with log_request("7kq2mhx4"):
            log.info("one")
            log.info("another", extra={"request": "abcdefgh"})
        log.info("none")
    assert stream.getvalue() == "one 7kq2mhx4\nanother abcdefgh\nnone None\n"


def test_a_log_that_takes_nothing_for_a_while_stops_nobody_and_says_how_much_it_dropped() -> None:
    stream = Counting()
    with logging_to(stream) as log:
        for number in range(2 * MOST):
            log.info("%s", number)
        stream.let.set()
    *lines, dropped = stream.getvalue().splitlines()
    assert lines == [str(number) for number in range(len(lines))]
    assert dropped == "lines of the log were dropped"
    assert MOST <= len(lines) < 2 * MOST


@pytest.mark.parametrize("end", ["full", "closed", "nobody reads"])
def test_a_log_that_takes_nothing_any_more_stops_nobody(end: str) -> None:
    reading, writing = os.pipe()
    path = Path("/dev/full") if end == "full" else None
    stream = path.open("w", encoding="utf-8") if path else os.fdopen(writing, "w", encoding="utf-8")
    if end == "closed":
        stream.close()
    os.close(reading)
    with logging_to(stream) as log:
        log.info("one")
        log.handlers[0].flush()
        log.info("another")
        assert all(thread.is_alive() for thread in threading.enumerate() if thread.name == "log")
    with suppress(OSError):
        stream.close()


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
