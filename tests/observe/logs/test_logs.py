import asyncio
import json
import logging
import re
import sys
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.observe.logs.setup import set_up
from bot.runtime.tasks import log_request
from tests.observe.logs.gated import GatedStream

BOT, APP = "xoxb-11-22-AbC", "xapp-1-A2-33-dEf"
ROTATED, REFRESH = "xoxe.xoxb-1-MzA", "xoxe-1-My0x"
WECHAT = "80_aBc-DeF_123"
KNOWN = "correct horse"
NOISY = ("slack_bolt", "slack_sdk", "aiohttp.access")


pytestmark = pytest.mark.usefixtures("logging_as_before")


def written(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the log, which goes to standard error only."""
    for handler in logging.getLogger().handlers:
        handler.flush()
    out, err = capsys.readouterr()
    assert out == ""
    return err


def in_json(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    """Return the only line that was logged."""
    fields = json.loads(written(capsys))
    assert isinstance(fields, dict)
    return fields


def by_library(message: str, *arguments: object, level: int = logging.INFO) -> None:
    logging.getLogger("some.library").log(level, message, *arguments)


def test_a_text_line_has_the_time_the_level_the_message_and_the_facts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up("INFO", "text", ())
    facts = {"env": "prod-1", "why": 'he said "no"', "took": 0.5, "rid": None, "empty": "a=b"}
    logging.getLogger("bot").warning("shared %s", "it", extra=facts)
    line = written(capsys)
    assert re.match(r"\d\d:\d\d:\d\d WARNING shared it ", line)
    assert line[17:] == 'shared it env=prod-1 why="he said \\"no\\"" took=0.5 empty="a=b"\n'


def test_set_up_again_before_a_slow_reader_has_read_keeps_all_lines_and_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.observe.logs.setup._PATIENCE", 60.0)
    stream, log = GatedStream(), logging.getLogger("bot")
    monkeypatch.setattr(sys, "stderr", stream)
    set_up("INFO", "text", ())
    for number in range(9000):
        log.info("%s", number)
    reader = threading.Timer(0.3, stream.may_write.set)
    reader.start()
    set_up("INFO", "json", ())
    log.info("again")
    logging.getLogger().handlers[0].flush()
    reader.join()
    *before, again = stream.getvalue().splitlines()
    assert [line.split()[-1] for line in before] == [str(number) for number in range(9000)]
    assert '"again"' in again


def test_a_json_line_has_them_as_fields(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("INFO", "json", ())
    facts = {"env": "测试-1", "took": 0.5, "rid": None, "what": {1}}
    logging.getLogger("bot").warning("shared %s", "it", extra=facts)
    fields = in_json(capsys)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", str(fields.pop("time")))
    assert fields == {
        "level": "warning",
        "logger": "bot",
        "event": "shared it",
        "env": "测试-1",
        "took": 0.5,
        "what": "{1}",
    }


def fail(word: str) -> None:
    raise KeyError(word)


def fail_twice() -> None:
    try:
        fail(f"https://a.example/?access_token={WECHAT}")
    except KeyError as error:
        raise ValueError(f"{KNOWN} {BOT}") from error


def test_a_traceback_is_part_of_the_text_line_and_redacted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up("INFO", "text", (KNOWN,))
    try:
        fail_twice()
    except ValueError:
        logging.getLogger("bot").exception("unforeseen error")
    lines = written(capsys).splitlines()
    assert lines[0][9:] == "ERROR   unforeseen error"
    assert lines[1] == "    Traceback (most recent call last):"
    assert "    KeyError: 'https://a.example/?access_token=[hidden]'" in lines
    assert lines[-1] == "    ValueError: [hidden] [hidden]"
    assert all(line.startswith("    ") for line in lines[1:])


FORGED = "x\n12:00:00 INFO    shared it request=forged"
ODD = "a\rb\x1b[2Jc\x85d\u2028e\u202ef\ud800g\x9bh\x00i"


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize("typed", [FORGED, ODD, f"access_token=made-up {FORGED} {ODD}"])
def test_peoples_texts_are_on_one_line_without_control_characters(
    capsys: pytest.CaptureFixture[str], log_format: str, typed: str
) -> None:
    set_up("INFO", log_format, ())
    try:
        fail_with(typed)
    except ValueError:
        logging.getLogger("bot").exception("%s", typed, extra={"env": typed, typed: 1})
    text = written(capsys)
    assert text.isascii()
    first, *others = text.splitlines()
    assert all(line.startswith("    ") for line in others)
    assert log_format == "text" or others == []
    assert text.replace("\n", "").isprintable()
    assert re.match(r"\d\d:\d\d:\d\d ERROR|\{", first)


def fail_with(words: str) -> None:
    raise ValueError(words)


class Broken:
    """A value whose str() raises."""

    def __str__(self) -> str:
        raise RuntimeError(f"made-up {BOT}")

    __repr__ = __str__


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_value_that_cannot_be_formatted_loses_no_line_and_shows_no_secret(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    set_up("INFO", log_format, ())
    by_library("got %s", Broken())
    by_library("got %s %s", BOT)
    logging.getLogger("bot").info("read", extra={"what": Broken()})
    logging.getLogger("bot").info(Broken())
    text = written(capsys)
    assert len(text.splitlines()) == 4
    assert "does not say what it is" in text
    assert "made-up" not in text
    assert BOT not in text


ODD_FACTS: dict[str, tuple[dict[object, object], str]] = {
    "a request that is not text": ({"request": {BOT}}, "[hidden]"),
    "a request whose str() raises": ({"request": Broken()}, "does not say what it is"),
    "a number of 5000 digits": ({"a": 10**5000}, "does not say what it is"),
    "not a number": ({"a": float("nan")}, "nan"),
    "infinity": ({"a": float("-inf")}, "-inf"),
    "a time beyond the calendar": ({"created": 1e20}, "unwritten"),
    "a time that is None": ({"created": None}, "unwritten"),
    "a name that is not text": ({1: BOT}, "TypeError"),
    "a stack that is not text": ({"stack_info": Broken()}, "TypeError"),
    "a level that is not text": ({"levelname": 20}, "20"),
    "an error that is not an exception": ({"exc_info": (Broken(), BOT, 1)}, "unwritten"),
}


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(("facts", "shown"), ODD_FACTS.values(), ids=list(ODD_FACTS))
def test_a_record_with_any_facts_is_written(
    capsys: pytest.CaptureFixture[str], log_format: str, facts: dict[object, object], shown: str
) -> None:
    set_up("INFO", log_format, ())
    record = logging.LogRecord("bot", logging.INFO, "", 0, "it happened", None, None)
    vars(record).update(facts)  # type: ignore[arg-type]  # as a careless caller could
    logging.getLogger("bot").handle(record)
    line = written(capsys)
    assert "it happened" in line
    assert shown in line
    assert BOT not in line
    assert "made-up" not in line
    if log_format == "json":
        fields = json.loads(line, parse_constant=pytest.fail)
        assert (fields["logger"], fields["event"]) == ("bot", "it happened")


def test_stack_info_is_part_of_the_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("INFO", "json", ())
    logging.getLogger("bot").info("here", stack_info=True)
    assert str(in_json(capsys)["stack"]).startswith("Stack (most recent call last):")


def test_a_librarys_facts_do_not_overwrite_fields(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("INFO", "json", ())
    logging.getLogger("bot").info("it", extra={"event": "another", "level": "none", "a": 1})
    fields = in_json(capsys)
    assert (fields["event"], fields["level"], fields["a"]) == ("it", "info", 1)


@pytest.mark.parametrize("log_format", ["text", "json"])
async def test_every_line_during_the_work_on_a_request_has_its_id(
    capsys: pytest.CaptureFixture[str], log_format: str
) -> None:
    async def work(request_id: str) -> None:
        with log_request(request_id):
            await asyncio.sleep(0)
            by_library("connected")
            await asyncio.create_task(inner())
        by_library("after")

    async def inner() -> None:
        by_library("within")
        logging.getLogger("bot").info("own", extra={"request": "another"})

    set_up("INFO", log_format, ())
    await asyncio.gather(work("r-one"), work("r-two"))
    lines = written(capsys).splitlines()
    assert len(lines) == 8
    for request_id in ("r-one", "r-two"):
        named = [line for line in lines if request_id in line]
        assert ["connected" in named[0], "within" in named[1]] == [True, True]
        assert len(named) == 2
    assert sum("another" in line for line in lines) == 2
    assert sum("request" in line for line in lines) == 6


def test_a_traceback_is_a_field_of_a_json_line_and_redacted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up("INFO", "json", (KNOWN,))
    try:
        fail_twice()
    except ValueError:
        logging.getLogger("bot").exception("unforeseen error")
    lines = str(in_json(capsys)["exception"]).splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert "KeyError: 'https://a.example/?access_token=[hidden]'" in lines
    assert lines[-1] == "ValueError: [hidden] [hidden]"


@pytest.mark.parametrize("log_format", ["text", "json"])
@pytest.mark.parametrize(
    "secret",
    [BOT, APP, ROTATED, KNOWN, 'quo"ted\\horse-shoe', "it's/horse-shoe"],
    ids=["bot", "app", "rotated", "blank", "quote-and-backslash", "apostrophe-and-slash"],
)
def test_a_librarys_debug_lines_contain_no_secret(
    capsys: pytest.CaptureFixture[str], log_format: str, secret: str
) -> None:
    set_up("DEBUG", log_format, (KNOWN, 'quo"ted\\horse-shoe', "it's/horse-shoe"))
    logger = logging.getLogger("slack_sdk")
    try:
        fail(secret)
    except KeyError:
        logger.debug("Request %s %r", secret, {"a": [secret]}, exc_info=True, extra={"got": secret})
    line = written(capsys)
    assert line.count("[hidden]") >= 4
    parts = [part for part in re.split(r"[^A-Za-z0-9-]", secret) if len(part) > 4]
    assert [part for part in parts if part in line] == []


BODY = f'{{"access_token":"{WECHAT}","url":"https:\\/\\/hooks.slack.com\\/actions\\/T1\\/AbC"}}'


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (BODY, r'{"access_token":"[hidden]","url":"https:\/\/hooks.slack.com\/[hidden]"}'),
        ('{"u":"wss://a.example/?ticket=1"}', '{"u":"wss://a.example/?ticket=[hidden]"}'),
        ("a\naccess_token: abc\nb", "a\naccess_token: [hidden]\nb"),
        ('a "token": "abc', 'a "token": "[hidden]'),
        (f"a\n{BOT}\nb", "a\n[hidden]\nb"),
    ],
)
def test_redacting_a_secret_leaves_a_json_line_valid(
    capsys: pytest.CaptureFixture[str], message: str, expected: str
) -> None:
    set_up("INFO", "json", ())
    by_library("%s", message)
    assert in_json(capsys)["event"] == expected


def test_a_fact_is_hidden_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("INFO", "json", ())
    facts = {"access_token": "short", "env": "prod-1", "seconds": 0.2}
    logging.getLogger("bot").info("read", extra=facts)
    fields = in_json(capsys)
    assert {name: fields[name] for name in facts} == facts | {"access_token": "[hidden]"}


@pytest.mark.parametrize("message", ["%s and %s", "%d", "%(a)s", "100 %"])
def test_arguments_that_do_not_match_their_format_are_logged_and_redacted(
    capsys: pytest.CaptureFixture[str], message: str
) -> None:
    set_up("INFO", "json", ())
    by_library(message, {"token": BOT})
    expected = f"{message} {{'token': '[hidden]'}}"
    assert in_json(capsys)["event"] == expected


@pytest.mark.parametrize("name", NOISY)
@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("DEBUG", ["debug", "info", "warning", "error"]),
        ("INFO", ["warning", "error"]),
        ("WARNING", ["warning", "error"]),
        ("ERROR", ["error"]),
    ],
)
def test_verbose_libraries_are_logged_fully_at_debug_only(
    capsys: pytest.CaptureFixture[str], name: str, level: str, expected: list[str]
) -> None:
    set_up(level, "json", ())
    for word in ("debug", "info", "warning", "error"):
        logging.getLogger(f"{name}.part").log(logging.getLevelNamesMapping()[word.upper()], word)
    lines = written(capsys).splitlines()
    assert [json.loads(line)["event"] for line in lines] == expected


@pytest.mark.parametrize(
    ("level", "expected"), [("DEBUG", "WARNING"), ("INFO", "WARNING"), ("ERROR", "ERROR")]
)
def test_httpx_which_logs_urls_is_quiet_at_every_level(level: str, expected: str) -> None:
    set_up(level, "json", ())
    assert (
        logging.getLogger("httpx").getEffectiveLevel() == logging.getLevelNamesMapping()[expected]
    )


@pytest.mark.parametrize(
    ("level", "expected"),
    [("DEBUG", 4), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)],
)
def test_other_lines_are_logged_from_the_configured_level(
    capsys: pytest.CaptureFixture[str], level: str, expected: int
) -> None:
    set_up(level, "text", ())
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        by_library("line", level=number)
    assert len(written(capsys).splitlines()) == expected


def test_without_a_terminal_the_format_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert not sys.stderr.isatty()
    set_up("INFO", None, ())
    by_library("hello")
    assert in_json(capsys)["event"] == "hello"


def test_a_second_setup_replaces_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("DEBUG", "json", ())
    set_up("INFO", "text", (KNOWN,))
    by_library("once %s", KNOWN)
    assert written(capsys)[17:] == "once [hidden]\n"


@pytest.mark.hypothesis
def test_any_message_makes_one_line_of_json() -> None:
    set_up("INFO", "json", ())
    written_by = logging.getLogger().handlers[0].format

    @given(st.text(), st.text(max_size=5))
    def one(message: str, fact: str) -> None:
        record = logging.makeLogRecord({"msg": "%s", "args": (message,), "fact": fact})
        line = written_by(record)
        assert "\n" not in line
        assert isinstance(json.loads(line), dict)

    one()
