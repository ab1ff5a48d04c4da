import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.settings.environ import (
    Reader,
    UnreadableError,
    blamed,
    overridden,
    overriding,
    variables,
)
from bot.settings.setting import Parser, address, choice, fernet_keys, header, ids, number

NO_ADDRESS = "X is not a web address. Set it to one that begins with https://."
WITH_BLANKS = "X holds blanks or control characters. Set it to the address alone."
WITH_A_PASSWORD = "X holds a user or a password. Take it out of the address."
UNPROTECTED = "X begins with http://, which would send tokens unprotected. Use https://."


@pytest.fixture
def dotenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of the `.env` in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SLACK_BOT_TOKEN", raising=False)
    monkeypatch.setenv("PORT", "4000")
    return tmp_path / ".env"


FILES: dict[str, tuple[bytes | None, dict[str, str], dict[str, str | None]]] = {
    "no file": (None, {}, {"PORT": "4000", "SLACK_BOT_TOKEN": None}),
    "a variable that the process does not have": (b"A=x\n", {}, {"A": "x", "PORT": "4000"}),
    "a variable that the process has": (b"PORT=5000\n", {}, {"PORT": "4000"}),
    "a variable that the process has empty": (b"PORT=5000\n", {"PORT": ""}, {"PORT": ""}),
    "a LANGUAGE that a shell exports for gettext": (
        b"LANGUAGE=zh-CN\n",
        {"LANGUAGE": "en_US:en"},
        {"LANGUAGE": "zh-CN"},
    ),
    "a LANGUAGE of the bot's": (b"LANGUAGE=zh-CN\n", {"LANGUAGE": "en"}, {"LANGUAGE": "en"}),
    "a LANGUAGE for gettext alone": (b"A=x\n", {"LANGUAGE": "zh_CN"}, {"LANGUAGE": "zh_CN"}),
    "an empty value, which is not set": (b"A=\n", {}, {"A": None}),
    "a value above an empty one, as in .env.example": (b"A=x\nA=\nexport A=''\n", {}, {"A": "x"}),
    "two values": (b"A=x\nA=y\n", {}, {"A": "y"}),
    "comments, quotes and exports": (
        b"# mine\nexport A='x y' # note\nB=\"z\"\n",
        {},
        {"A": "x y", "B": "z"},
    ),
    "a byte order mark": (b"\xef\xbb\xbfA=x\r\nB=y\r\n", {}, {"A": "x", "B": "y"}),
    "characters in another encoding": (b"# caf\xe9\nA=x\n", {}, {"A": "x"}),
}


@pytest.mark.parametrize(("text", "process", "expected"), FILES.values(), ids=list(FILES))
def test_a_file_gives_the_variables_that_the_process_does_not_have(
    dotenv: Path,
    monkeypatch: pytest.MonkeyPatch,
    text: bytes | None,
    process: dict[str, str],
    expected: dict[str, str | None],
) -> None:
    for name, value in process.items():
        monkeypatch.setenv(name, value)
    if text is not None:
        dotenv.write_bytes(text)
    found = variables()
    assert {name: found.get(name) for name in expected} == expected


def test_what_the_environment_overrides_is_named_and_blamed_only_if_a_problem_mentions_it(
    dotenv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-old")
    monkeypatch.setenv("LANGUAGE", "C")
    monkeypatch.setenv("HOST", "::1")
    dotenv.write_text("SLACK_BOT_TOKEN=xoxb-new\nPORT=5000\nLANGUAGE=en\nHOST=::1\nA=x\n")
    names = overridden(variables())
    assert names == {"SLACK_BOT_TOKEN", "PORT"}
    assert blamed(["SLACK_BOT_TOKEN is not accepted.", "Set it."], names) == ["SLACK_BOT_TOKEN"]
    assert blamed(["MY_SLACK_BOT_TOKEN is strange."], names) == []
    told = overriding(["PORT", "SLACK_BOT_TOKEN"])
    assert "PORT, SLACK_BOT_TOKEN" in told.found
    assert "xoxb" not in told
    assert "unset PORT SLACK_BOT_TOKEN" in told.fix


def test_a_directory_called_env_is_ignored(dotenv: Path) -> None:
    dotenv.mkdir()
    assert variables()["PORT"] == "4000"


@pytest.mark.parametrize(
    ("target", "reason"),
    [("/proc/self/mem", "Input/output error"), ("x" * 300, "File name too long")],
)
def test_a_file_that_cannot_be_read_is_reported_with_the_reason(
    dotenv: Path, target: str, reason: str
) -> None:
    dotenv.symlink_to(target)
    with pytest.raises(UnreadableError) as caught:
        variables()
    fix = "Let the bot's user read it, or take it away."
    assert caught.value.problems == [f".env cannot be read: {reason}. {fix}"]


def test_an_invalid_line_is_reported_without_the_value(dotenv: Path) -> None:
    dotenv.write_text(
        "# mine\nSLACK_BOT_TOKEN xoxb-1\nA='b' c\nA_ONE='xoxb-2\nexport A_TWO=z\nA_THREE\n\nexport A_FOUR # all\n"
    )
    with pytest.raises(UnreadableError) as caught:
        variables()
    assert caught.value.problems == [
        *(f".env, line {n}, is not NAME=value. Correct it." for n in (2, 3)),
        ".env, line 4, has a quote that does not end. Close it, or write none.",
        *(f".env, line {n}, is not NAME=value. Correct it." for n in (6, 8)),
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_in_utf_16_is_reported_as_such(dotenv: Path, encoding: str) -> None:
    dotenv.write_bytes("SLACK_BOT_TOKEN=xoxb-1\n".encode(encoding))
    with pytest.raises(UnreadableError) as caught:
        variables()
    assert caught.value.problems == [".env is in UTF-16. Save it as UTF-8."]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_users_unreadable_file_is_reported(dotenv: Path) -> None:
    dotenv.write_text("SLACK_BOT_TOKEN=xoxb-1\n")
    dotenv.chmod(0o600)
    nobody = 65534
    child = os.fork()
    if not child:  # the child must exit before it returns to pytest
        os.setuid(nobody)
        try:
            variables()
        except UnreadableError as error:
            os._exit(len(error.problems))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 1


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"X": "a"}, "a"),
        ({"X": "  a b\n"}, "a b"),
        ({"X": ""}, None),
        ({"X": " \t"}, None),
        ({"X": '""'}, None),
        ({}, None),
    ],
)
def test_an_empty_value_counts_as_not_set(environ: dict[str, str], expected: str | None) -> None:
    assert Reader(environ).text("X") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (""" "a b" """, "a b"),
        ("'a'", "a"),
        ("“a”", "a"),
        ("‘ a ’", "a"),
        ("„a“", "a"),
        ("it’s", "it’s"),
        ("'a", "'a"),
        ('"', '"'),
    ],
)
def test_quotes_around_a_value_which_a_container_or_a_word_processor_leaves_do_not_belong_to_it(
    value: str, expected: str
) -> None:
    assert Reader({"X": value}).text("X") == expected


ANY, WHOLE, CHOICE = number(0.5, 60), number(1, 60, whole=True), choice("text", "json")
READ: tuple[tuple[Parser[object], str, object], ...] = (
    *(
        (ANY, value, read)
        for value, read in {"5": 5, " 0.5 ": 0.5, "1e1": 10, "60": 60, "": 7}.items()
    ),
    *((WHOLE, value, read) for value, read in {"5": 5, "5.0": 5, "6e1": 60, "": 7}.items()),
    *((CHOICE, value, read) for value, read in {"text": "text", " Json ": "json", "": "7"}.items()),
)


@pytest.mark.parametrize(("parse", "value", "expected"), READ)
def test_a_number_within_bounds_and_a_known_word_are_read_and_without_a_value_the_default(
    parse: Parser[object], value: str, expected: object
) -> None:
    read = Reader({"X": value})
    assert parse(read, "X", "7") == expected
    assert read.problems == []


BETWEEN, WHOLE_BETWEEN = "a number from 0.5 to 60", "a whole number from 1 to 60"
NOT_READ = (
    *(
        (ANY, value, BETWEEN)
        for value in ["ten", "0.4", "61", "-1", "nan", "inf", "1,5", "0x5", "5s"]
    ),
    *((WHOLE, value, WHOLE_BETWEEN) for value in ["5.5", "0", "61", "nan", "inf", "five"]),
    (CHOICE, "xml", "one of text, json"),
)


@pytest.mark.parametrize(("parse", "value", "known"), NOT_READ)
def test_another_number_or_word_is_a_problem_and_the_default_is_read(
    parse: Parser[object], value: str, known: str
) -> None:
    read = Reader({"X": value})
    assert parse(read, "X", "7") in {7, "7"}
    assert read.problems == [f"X is “{value}”. Set it to {known}."]


@pytest.mark.parametrize(
    ("value", "held"),
    [
        ("xoxb-1-AbC", "a bot token"),
        ("xoxe.xoxb-1-MzA", "a bot token"),
        ("xoxp-1", "a user token"),
        ("xoxe-1-My0x", "another token of Slack"),
        ("xapp-1-A2-3-def", "an app-level token"),
        ("0123456789abcdef" * 2, "an AppSecret or a signing secret"),
        ("54_SECRETTOKEN-1", "a WeChat token"),
        ("refreshtoken@@@a", "a refresh token of WeChat"),
        ("correct-horse-battery", "something else"),
        ("correct horse battery", "blanks or control characters"),
    ],
)
def test_a_value_that_may_be_a_secret_is_not_shown(value: str, held: str) -> None:
    read = Reader({"X": value})
    number(1, 60)(read, "X", "7")
    choice("text", "json")(read, "X", "")
    ids(re.compile("U[0-9]"), "U7")(read, "X", "")
    assert {problem.partition(". ")[0] for problem in read.problems} == {f"X holds {held}"} | (
        {f"X: “{part}” is not an id" for part in value.split()} if " " in value else set()
    )


@pytest.mark.parametrize(
    "value",
    [
        *("https://a.example", "https://a.example:8443/b?c={appid}", "https://{appid}.example/"),
        *("HTTPS://A.example", "https://a.example/@b?c=@"),
        *("http://localhost", "http://localhost:80/x", "http://LOCALHOST:1"),
        *("http://127.0.0.1:8080", "http://127.9.9.9", "http://[::1]:8080/"),
    ],
)
def test_an_https_or_local_address_is_read_unchanged(value: str) -> None:
    read = Reader({"X": value})
    assert address()(read, "X", "") == value
    assert read.problems == []


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("http://a.example", UNPROTECTED),
        ("http://10.0.0.1", UNPROTECTED),
        ("http://localhost.example", UNPROTECTED),
        ("http://127.0.0.1.example", UNPROTECTED),
        ("http://localhost@a.example", WITH_A_PASSWORD),
        ("https://u:made-up@a.example/", WITH_A_PASSWORD),
        ("https://made-up@a.example/", WITH_A_PASSWORD),
        ("HTTP://a.example", UNPROTECTED),
        ("a.example", NO_ADDRESS),
        ("localhost:80", NO_ADDRESS),
        ("https://", NO_ADDRESS),
        ("http:///x", NO_ADDRESS),
        ("ftp://a.example", NO_ADDRESS),
        ("https://[::1", NO_ADDRESS),
        ("https://[a]/", NO_ADDRESS),
        ("https://a.example:99999", NO_ADDRESS),
        ("https://a.example:http", NO_ADDRESS),
        ("https://a.example:0", NO_ADDRESS),
        ("//a.example", NO_ADDRESS),
        ("https://a.example # as a container's file leaves it", WITH_BLANKS),
        ("https://a.example/\thttps://b.example/", WITH_BLANKS),
    ],
)
def test_an_invalid_address_or_one_without_tls_is_a_problem(value: str, problem: str) -> None:
    read = Reader({"X": value})
    address()(read, "X", "")
    assert read.problems == [problem]


def test_an_address_that_is_not_set_is_the_default() -> None:
    read = Reader({})
    assert (address()(read, "X", ""), address()(read, "X", "https://a.example")) == (
        "",
        "https://a.example",
    )
    assert read.problems == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("U1,U2", {"U1", "U2"}),
        (" U1 , U2\nU1 ,", {"U1", "U2"}),
        ("U1 U2", {"U1", "U2"}),
        ("U1，U2、", {"U1", "U2"}),
        ("", set()),
    ],
)
def test_ids_are_separated_by_commas_or_blanks(value: str, expected: set[str]) -> None:
    read = Reader({"X": value})
    assert ids(re.compile("U[0-9]"), "U7")(read, "X", "") == expected
    assert read.problems == []


@pytest.mark.parametrize("value", [",", " , , ", "“，”"])
def test_commas_without_ids_are_a_problem(value: str) -> None:
    read = Reader({"X": value})
    assert ids(re.compile("C[0-9]"), "C7")(read, "X", "")
    (problem,) = read.problems
    assert problem.fix == "Use ids such as C7, separated by commas."
    assert fernet_keys(read, "X", "")
    assert len(read.problems) == 2


def test_each_invalid_id_is_a_problem() -> None:
    read = Reader({"X": "bob, U1, *, @ann"})
    ids(re.compile("U[0-9]"), "U7")(read, "X", "")
    assert read.problems == [
        f"X: “{value}” is not an id. Use ids such as U7, separated by commas."
        for value in ("*", "@ann", "bob")
    ]


@given(st.text())
def test_any_value_is_read_or_has_a_problem(value: str) -> None:
    read = Reader({"X": value})
    assert 0.5 <= number(0.5, 60)(read, "X", "7") <= 60
    choice("text", "json")(read, "X", "")
    ids(re.compile("U[0-9]"), "U7")(read, "X", "")
    read_address = address()(read, "X", "")
    assert all(problem.startswith("X") and problem.endswith(".") for problem in read.problems)
    assert not read_address or read.problems


@given(st.from_regex(r"(https?|ftp)://[\[\]a-z0-9.:@/?#{}%-]{0,20}", fullmatch=True))
def test_any_address_is_read_or_has_a_problem(value: str) -> None:
    read = Reader({"X": value})
    address()(read, "X", "")
    assert set(read.problems) <= {NO_ADDRESS, UNPROTECTED, WITH_A_PASSWORD}


@pytest.mark.parametrize("value", ["Bearer ключ", "Bearer a\nX-More: b", "Bearer a\x00b"])
def test_a_header_takes_no_characters_that_would_break_it(value: str) -> None:
    read = Reader({"NAME": value})
    header(read, "NAME", "")
    (problem,) = read.problems
    assert problem.startswith("NAME holds characters that no header may have.")


def test_a_header_may_be_any_line_of_ascii() -> None:
    read = Reader({"NAME": " Bearer made-up_token=/+ "})
    assert header(read, "NAME", "") == "Bearer made-up_token=/+"
    assert read.problems == []
