import json
import logging
import re
import sys
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bot.ops.logs import Redactor, set_up

BOT, APP = "xoxb-11-22-AbC", "xapp-1-A2-33-dEf"
ROTATED, REFRESH = "xoxe.xoxb-1-MzA", "xoxe-1-My0x"
WECHAT = "80_aBc-DeF_123"
KNOWN = "correct horse"
NOISY = ("httpx", "slack_bolt", "slack_sdk", "aiohttp.access")
CLEAN = Redactor(()).clean


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    levels = {name: logging.getLogger(name).level for name in NOISY}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def written(capsys: pytest.CaptureFixture[str]) -> str:
    """Return what was logged, which goes to standard error alone."""
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


SECRETS: dict[str, tuple[str, str]] = {
    "bot-token": (f"using {BOT} now", "using [hidden] now"),
    "app-token": (f"using {APP}, fine", "using [hidden], fine"),
    "rotated-bot-token": (f"({ROTATED})", "([hidden])"),
    "refresh-token-of-slack": (f"[{REFRESH}]", "[[hidden]]"),
    "user-token": ("xoxp-1-2", "[hidden]"),
    "token-behind-an-escaped-line-break": (r"a\nxoxb-1-2", r"a\n[hidden]"),
    "token-in-an-encoded-form": (f"a=%22{BOT}%22", "a=%22[hidden]%22"),
    "address-as-httpx-logs-it": (
        (
            "HTTP Request: POST https://api.weixin.qq.com/tcb/shareenv?access_token="
            f'{WECHAT} "HTTP/1.1 200 OK"'
        ),
        (
            "HTTP Request: POST https://api.weixin.qq.com/tcb/shareenv?access_token=[hidden] "
            '"HTTP/1.1 200 OK"'
        ),
    ),
    "address-with-more-behind-the-token": (
        f"/cgi?component_access_token={WECHAT}&lang=zh",
        "/cgi?component_access_token=[hidden]&lang=zh",
    ),
    "encoded-address": (f"to=a%3Faccess_token%3D{WECHAT}", "to=a%3Faccess_token%3D[hidden]"),
    "encoded-json": (
        f"%22access_token%22%3A%22{WECHAT}%22",
        "%22access_token%22%3A%22[hidden]",
    ),
    "json": (
        f'{{"authorizer_access_token": "{WECHAT}", "expires_in": 7200}}',
        '{"authorizer_access_token": "[hidden]", "expires_in": 7200}',
    ),
    "json-without-blanks": (
        f'{{"access_token":"{WECHAT}","expires_in":7200}}',
        '{"access_token":"[hidden]","expires_in":7200}',
    ),
    "json-within-json": (
        rf'{{"body": "{{\"access_token\": \"{WECHAT}\"}}"}}',
        r'{"body": "{\"access_token\": \"[hidden]\"}"}',
    ),
    "json-within-json-within-json": (
        rf"{{\\\"access_token\\\": \\\"{WECHAT}\\\"}}",
        r"{\\\"access_token\\\": \\\"[hidden]\\\"}",
    ),
    "json-with-escaped-slashes": (
        r'{"refresh_token": "ab\/cd\u0026ef", "a": 1}',
        '{"refresh_token": "[hidden]", "a": 1}',
    ),
    "repr": (f"{{'access_token': '{WECHAT}'}}", "{'access_token': '[hidden]'}"),
    "repr-of-bytes": (f"{{b'access_token': b'{WECHAT}'}}", "{b'access_token': b'[hidden]'}"),
    "dataclass": (f"Token(token='{WECHAT}')", "Token(token='[hidden]')"),
    "camel-case": ('{"accessToken":"abc"}', '{"accessToken":"[hidden]"}'),
    "name-behind-an-escaped-line-break": (r"a\naccess_token=abc", r"a\naccess_token=[hidden]"),
    "already-hidden": ("access_token=[hidden]&a=b", "access_token=[hidden]&a=b"),
    "setting": ("SLACK_SIGNING_SECRET=0123abc", "SLACK_SIGNING_SECRET=[hidden]"),
    "secret-of-the-platform": ("component_appsecret: 0123abc", "component_appsecret: [hidden]"),
    "code-of-the-platform": ("auth: pre_auth_code=a@@b", "auth: pre_auth_code=[hidden]"),
    "ticket-as-xml": (
        "<ComponentVerifyTicket><![CDATA[ticket@@@ab-c]]></ComponentVerifyTicket>",
        "<ComponentVerifyTicket><![CDATA[[hidden]]]></ComponentVerifyTicket>",
    ),
    "header": ("Authorization: Bearer abc.def", "Authorization: Bearer [hidden]"),
    "basic-header": ("authorization: Basic dTpw", "authorization: Basic [hidden]"),
    "header-without-a-scheme": ("Authorization: abc", "Authorization: [hidden]"),
    "header-with-a-token-of-slack": (
        f"{{'Authorization': 'Bearer {BOT}'}}",
        "{'Authorization': 'Bearer [hidden]'}",
    ),
    "header-in-a-list": ("[('Authorization', 'abc')]", "[('Authorization', '[hidden]')]"),
    "header-in-a-list-of-bytes": (
        "[(b'authorization', b'Bearer abc')]",
        "[(b'authorization', b'Bearer [hidden]')]",
    ),
    "response-url-of-a-command": (
        "https://hooks.slack.com/commands/T1/22/AbC said 200",
        "https://hooks.slack.com/[hidden] said 200",
    ),
    "response-url-of-a-click": (
        '"response_url":"https://hooks.slack.com/actions/T1/22/AbC","a":1',
        '"response_url":"https://hooks.slack.com/[hidden]","a":1',
    ),
    "response-url-with-escaped-slashes": (
        r'"https:\/\/hooks.slack.com\/commands\/T1\/22\/AbC"',
        r'"https:\/\/hooks.slack.com\/[hidden]"',
    ),
    "response-url-in-json-within-json": (
        r'"{\"u\":\"https:\\/\\/hooks.slack.com\\/actions\\/T1\\/AbC\"}"',
        r'"{\"u\":\"https:\\/\\/hooks.slack.com\\/[hidden]\"}"',
    ),
    "response-url-of-the-playground": (
        "http://127.0.0.1:4000/response/abc-1",
        "http://127.0.0.1:4000/[hidden]",
    ),
    "ticket-of-a-socket": (
        "wss://wss-primary.slack.com/link/?ticket=ab-1&app_id=2 opened",
        "wss://wss-primary.slack.com/link/[hidden] opened",
    ),
    "ticket-of-a-socket-with-escaped-slashes": (
        r'{"url":"wss:\/\/wss-primary.slack.com\/link\/?ticket=ab-1\u0026app_id=2"}',
        r'{"url":"wss:\/\/wss-primary.slack.com\/link\/[hidden]"}',
    ),
    "password-of-a-database": (
        "postgresql+psycopg://u:p@h/db",
        "postgresql+psycopg://u:[hidden]@h/db",
    ),
    "password-with-odd-letters": (
        "cannot open postgresql+psycopg://bot:p@s%s:w0rd@db.example:5432/share (timeout)",
        "cannot open postgresql+psycopg://bot:[hidden]@db.example:5432/share (timeout)",
    ),
    "password-in-a-web-address": (
        "https://me:pass@tokens.example/a",
        "https://me:[hidden]@tokens.example/a",
    ),
}


@pytest.mark.parametrize(("line", "expected"), SECRETS.values(), ids=list(SECRETS))
def test_what_looks_like_a_secret_is_hidden_and_the_rest_stays(line: str, expected: str) -> None:
    assert CLEAN(line) == expected


@pytest.mark.parametrize(("line", "expected"), SECRETS.values(), ids=list(SECRETS))
def test_what_is_clean_stays_as_it_is(line: str, expected: str) -> None:
    assert CLEAN(CLEAN(line)) == expected


@pytest.mark.parametrize(
    "line",
    [
        "SLACK_BOT_TOKEN is missing. Copy the bot token (xoxb-…) from your Slack app's page.",
        "the token server did not answer",
        "WECHAT_TOKEN_SERVER_URL gives one token, but the policy file names several owners.",
        "env=prod-token-1 appid=wx5fe6bb43205e9e70 request=7kq2mhx4",
        '{"env": "prod-token", "appid": "wx5fe6bb43205e9e70"}',
        '{"env": "my-secret", "who": "U012ABCDEF"}',
        "invalid credential, access_token is invalid or not latest, rid: 5f3a1c2b-1a2b3c4d-5e6f",
        "errcode 40001, errmsg: invalid credential",
        "POST https://api.weixin.qq.com/tcb/shareenv said 200",
        "at http://127.0.0.1:3000/slack/events",
        "https://slack.com/api/chat.postMessage",
        "GET https://tokens.example:8443/one, ask ann@example.com",
        "postgresql+psycopg://h/db and sqlite:///share-env.db",
        "authorization was refused",
        "secret",
        "",
    ],
)
@pytest.mark.parametrize("redactor", [Redactor(()), Redactor((BOT, KNOWN, ""))])
def test_what_is_no_secret_is_left_alone(redactor: Redactor, line: str) -> None:
    assert redactor.clean(line) == line


@pytest.mark.parametrize(
    ("secrets", "line", "expected"),
    [
        pytest.param((KNOWN,), f"a {KNOWN}, b", "a [hidden], b", id="with a blank"),
        pytest.param(("a.c+d",), "a.c+d abc+d", "[hidden] abc+d", id="with odd letters"),
        pytest.param(("abcd", "abcdef"), "abcdef", "[hidden]", id="the longest first"),
        pytest.param(("abcd",), "abcdabcd", "[hidden][hidden]", id="twice"),
        pytest.param(("密钥密钥",), "密钥密钥", "[hidden]", id="in any script"),
        pytest.param((KNOWN,), "?k=correct%20horse", "?k=[hidden]", id="in an address"),
        pytest.param(("a/b",), "?k=a%2Fb", "?k=[hidden]", id="with a slash in an address"),
        pytest.param(("a/b",), r'"a\/b"', '"[hidden]"', id="with a slash in JSON"),
        pytest.param(('a"b',), r'"a\"b"', '"[hidden]"', id="with a quote in JSON"),
        pytest.param(("a\\b",), r'"a\\b"', '"[hidden]"', id="with a backslash in JSON"),
        pytest.param(("\ud800abc",), "\ud800abc", "[hidden]", id="no text at all"),
        pytest.param(
            ("Bearer abc",),
            "authorization: Bearer abc",
            "authorization: [hidden]",
            id="in a header",
        ),
    ],
)
def test_a_known_secret_of_any_shape_is_hidden(
    secrets: tuple[str, ...], line: str, expected: str
) -> None:
    assert Redactor(secrets).clean(line) == expected


def test_text_has_the_time_the_level_the_message_and_the_facts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up("INFO", "text", ())
    facts = {"env": "prod-1", "why": 'he said "no"', "took": 0.5, "rid": None, "empty": "a=b"}
    logging.getLogger("bot").warning("shared %s", "it", extra=facts)
    line = written(capsys)
    assert re.match(r"\d\d:\d\d:\d\d WARNING shared it ", line)
    assert line[17:] == 'shared it env=prod-1 why="he said \\"no\\"" took=0.5 empty="a=b"\n'


def test_json_has_the_same_in_fields(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_a_traceback_is_part_of_the_text_and_clean(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("INFO", "text", (KNOWN,))
    try:
        fail_twice()
    except ValueError:
        logging.getLogger("bot").exception("unforeseen error")
    lines = written(capsys).splitlines()
    assert lines[0][9:] == "ERROR   unforeseen error"
    assert lines[1] == "Traceback (most recent call last):"
    assert "KeyError: 'https://a.example/?access_token=[hidden]'" in lines
    assert lines[-1] == "ValueError: [hidden] [hidden]"


def test_a_traceback_is_a_field_of_the_json_and_clean(capsys: pytest.CaptureFixture[str]) -> None:
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
def test_a_secret_shows_nowhere_in_a_line_of_a_library_even_for_debugging(
    capsys: pytest.CaptureFixture[str], log_format: str, secret: str
) -> None:
    set_up("DEBUG", log_format, (KNOWN, 'quo"ted\\horse-shoe', "it's/horse-shoe"))
    logger = logging.getLogger("httpx")
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
        ('{"u":"wss://a.example/?ticket=1"}', '{"u":"wss://a.example/[hidden]"}'),
        ('{"u":"https://a.example/response/1"}', '{"u":"https://a.example/[hidden]"}'),
        ("a\naccess_token: abc\nb", "a\naccess_token: [hidden]"),
        (f"a\n{BOT}\nb", "a\n[hidden]\nb"),
    ],
)
def test_a_line_of_json_stays_one_when_a_secret_is_taken_out_of_it(
    capsys: pytest.CaptureFixture[str], message: str, expected: str
) -> None:
    set_up("INFO", "json", ())
    by_library("%s", message)
    assert in_json(capsys)["event"] == expected


def test_a_fact_is_hidden_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("INFO", "json", ())
    logging.getLogger("bot").info("read", extra={"access_token": "short", "env": "prod-1"})
    fields = in_json(capsys)
    assert (fields["access_token"], fields["env"]) == ("[hidden]", "prod-1")


@pytest.mark.parametrize("message", ["%s and %s", "%d", "%(a)s", "100 %"])
def test_arguments_that_do_not_fit_their_message_are_logged_and_clean(
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
def test_libraries_that_talk_much_are_heard_in_full_only_for_debugging(
    capsys: pytest.CaptureFixture[str], name: str, level: str, expected: list[str]
) -> None:
    set_up(level, "json", ())
    for word in ("debug", "info", "warning", "error"):
        logging.getLogger(f"{name}.part").log(logging.getLevelNamesMapping()[word.upper()], word)
    lines = written(capsys).splitlines()
    assert [json.loads(line)["event"] for line in lines] == expected


@pytest.mark.parametrize(
    ("level", "expected"),
    [("DEBUG", 4), ("INFO", 3), ("WARNING", 2), ("ERROR", 1)],
)
def test_other_lines_are_heard_from_the_level_on(
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


def test_setting_up_again_replaces_what_was_before(capsys: pytest.CaptureFixture[str]) -> None:
    set_up("DEBUG", "json", ())
    set_up("INFO", "text", (KNOWN,))
    by_library("once %s", KNOWN)
    assert written(capsys)[17:] == "once [hidden]\n"


# A bracket could make a new secret of "[hidden]" and what stands beside it; no token has one.
LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="[]")
SHAPES = st.text(LETTERS, min_size=8, max_size=40)
# Nor does one end with a backslash, which could as well belong to the quote behind it.
PRINTABLE = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="[]"),
    min_size=8,
    max_size=40,
).filter(lambda text: not text.endswith("\\"))


@given(SHAPES, st.text(), st.text())
@example("access_token=abc", "", "def")
def test_a_line_that_holds_a_known_secret_never_comes_out_with_it(
    secret: str, before: str, after: str
) -> None:
    assert secret not in Redactor((secret,)).clean(before + secret + after)


@given(st.lists(SHAPES, min_size=1, max_size=4), st.data())
def test_of_several_known_secrets_none_comes_out(secrets: list[str], data: st.DataObject) -> None:
    words = data.draw(st.lists(st.sampled_from(secrets) | st.text(max_size=5)))
    cleaned = Redactor(secrets).clean(" ".join(words))
    assert [secret for secret in secrets if secret in cleaned] == []


@given(PRINTABLE)
@example("a\"b\\c/d'e")
def test_a_known_secret_is_found_as_json_and_python_write_it(secret: str) -> None:
    clean = Redactor((secret,)).clean
    once = json.dumps({"a": secret})
    assert json.loads(clean(once)) == {"a": "[hidden]"}
    assert json.loads(json.loads(clean(json.dumps(once)))) == {"a": "[hidden]"}
    assert clean(repr(secret))[1:-1] == "[hidden]"


@given(
    st.from_regex(r"[A-Za-z0-9_@-]{8,60}", fullmatch=True),
    st.sampled_from(("access_token", "refresh_token", "authorizer_access_token", "ticket")),
)
def test_a_token_of_wechat_is_found_wherever_it_is_named(token: str, name: str) -> None:
    for line in (f"?{name}={token}&a=b", json.dumps({name: token}), repr({name: token})):
        assert token not in CLEAN(line).replace(name, "")
        assert "[hidden]" in CLEAN(line)


@given(st.text(), st.text(max_size=5))
def test_any_message_makes_one_line_of_json(message: str, fact: str) -> None:
    record = logging.makeLogRecord({"msg": "%s", "args": (message,), "fact": fact})
    set_up("INFO", "json", ())
    line = logging.getLogger().handlers[0].format(record)
    assert "\n" not in line
    assert isinstance(json.loads(line), dict)
