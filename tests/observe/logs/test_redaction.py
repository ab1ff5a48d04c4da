"""Known secrets, and text that looks like a secret, are hidden in any text; everything else stays."""

import json
import re
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bot.observe.logs.redaction import Redactor, may_be_in_words
from tests.checking import checks
from tests.conftest import examples

BOT = "xoxb-11-22-AbC"
KNOWN = "correct horse"
CLEAN = Redactor(()).clean


def read(marked: str) -> tuple[str, str]:
    """Return a line in which «» mark what has to be hidden, without the marks and with that hidden."""
    hidden = re.sub("«.*?»", "[hidden]", marked, flags=re.DOTALL)
    return marked.replace("«", "").replace("»", ""), hidden


SECRETS = {
    "bot-token": "using «xoxb-11-22-AbC» now",
    "app-token": "using «xapp-1-A2-33-dEf», fine",
    "rotated-bot-token": "(«xoxe.xoxb-1-MzA»)",
    "refresh-token-of-slack": "[«xoxe-1-My0x»]",
    "user-token": "«xoxp-1-2»",
    "token-behind-an-escaped-line-break": r"a\n«xoxb-1-2»",
    "token-in-an-encoded-form": "a=%22«xoxb-11-22-AbC»%22",
    "address-as-httpx-logs-it": 'HTTP Request: POST https://api.weixin.qq.com/tcb/shareenv?access_token=«80_aBc-DeF_123» "HTTP/1.1 200 OK"',
    "address-with-more-behind-the-token": "/cgi?component_access_token=«80_aBc-DeF_123»&lang=zh",
    "encoded-address": "to=a%3Faccess_token%3D«80_aBc-DeF_123»",
    "encoded-json": "%22access_token%22%3A%22«80_aBc-DeF_123%22»",
    "json": '{"authorizer_access_token": "«80_aBc-DeF_123»", "expires_in": 7200}',
    "json-without-blanks": '{"access_token":"«80_aBc-DeF_123»","expires_in":7200}',
    "json-within-json": r'{"body": "{\"access_token\": \"«80_aBc-DeF_123»\"}"}',
    "json-within-json-within-json": r"{\\\"access_token\\\": \\\"«80_aBc-DeF_123»\\\"}",
    "json-with-escaped-slashes": r'{"refresh_token": "«ab\/cd\u0026ef»", "a": 1}',
    "repr": "{'access_token': '«80_aBc-DeF_123»'}",
    "repr-of-bytes": "{b'access_token': b'«80_aBc-DeF_123»'}",
    "dataclass": "Token(token='«80_aBc-DeF_123»')",
    "camel-case": '{"accessToken":"«abc»"}',
    "name-behind-an-escaped-line-break": r"a\naccess_token=«abc»",
    "already-hidden": "access_token=«[hidden]»&a=b",
    "setting": "SLACK_SIGNING_SECRET=«0123abc»",
    "secret-of-the-platform": "component_appsecret: «0123abc»",
    "code-of-the-platform": "auth: pre_auth_code=«a@@b»",
    "key-of-the-ledger": "TOKEN_ENCRYPTION_KEY=«abc», a",
    "key-of-the-pushes": "WECHAT_ENCODING_AES_KEY=«abc» WECHAT_ENCODING_AES_KEY_PREVIOUS=«def»",
    "trigger-id": '{"trigger_id": "«1.2.abc»", "a": 1}',
    "password-by-its-short-names": "passwd=«abc», pwd=«def»",
    "ticket-as-xml": "<ComponentVerifyTicket><![CDATA[«ticket@@@ab-c»]]></ComponentVerifyTicket>",
    "header": "Authorization: Bearer «abc.def»",
    "basic-header": "authorization: Basic «dTpw»",
    "header-without-a-scheme": "Authorization: «abc»",
    "header-with-a-token-of-slack": "{'Authorization': 'Bearer «xoxb-11-22-AbC»'}",
    "token-that-somebody-bears": "curl -H 'X-Sent: Bearer «abc.def-0123456789»' said 401",
    "token-that-somebody-bears-in-an-address": "?a=Bearer%20«abcdefghijklmno0»&b=c",
    "header-with-a-token": "X-Auth-Token: «abc-like», a: 1",
    "header-with-a-key": "x-api-key: «abc-like»",
    "key-in-json": '{"apiKey": "«a b»", "c": 1}',
    "header-in-a-list": "[('Authorization', '«abc»')]",
    "header-in-a-list-of-bytes": "[(b'authorization', b'Bearer «abc»')]",
    "token-in-a-list": '{"access_token": «["a", "b]"], "expires_in": ["7200"]}»',
    "token-in-a-list-of-many-lines": '{"access_token": «[\n  "abc"\n], "a": 1}»',
    "token-in-a-list-in-json-within-json": r'"{\"access_token\": «[\"abc\"], \"a\": 1}"»',
    "token-in-a-list-that-is-cut-off": "{'token': «['abc', 'd»",
    "token-in-a-tuple": "{'access_token': «('abc',), 'a': 1}»",
    "token-in-a-table": "{'access_token': «{'value': ['abc']}, 'a': 1}»",
    "token-in-an-object": "Kept(token=«Token('abc', [7200]), a=1)»",
    "word-as-the-value-in-a-line-of-source": "password = «hunter»",
    "token-in-a-line-of-source": "    token = «ask(»\n            ^^^^\nKeyError: 'a'",
    "type-in-a-line-of-source": "    def keep(token: «Mapping[str, str]) -> None:»\nKeyError: 'a'",
    "header-in-a-list-of-its-values": "{'authorization': «['Basic dXNl'], 'host': ['a']}»",
    "header-with-a-list": "Authorization: «['Basic dXNl'] sent»",
    "name-and-value": '{"name": "access_token", "value": "«abc»"}',
    "name-and-value-in-lines": "{'name': 'access_token',\n 'value': '«abc»'}",
    "name-and-value-of-a-word": '{"name": "password", "value": "«abc»"}',
    "header-with-another-scheme": "Authorization: «ApiKey abc»",
    "header-with-a-digest": 'Authorization: «Digest username="a", response="b", qop=auth»\nHost: a',
    "header-with-a-digest-in-json": r'{"sent": "Authorization: «Digest a=\"b\", c=\"d\"»\r\nHost: e", "f": 1}',
    "header-in-a-command": "curl -H 'Authorization: «HMAC id:abc»' https://a.example",
    "response-url-of-a-command": "https://hooks.slack.com/«commands/T1/22/AbC» said 200",
    "response-url-of-a-click": '"response_url":"https://hooks.slack.com/«actions/T1/22/AbC»","a":1',
    "response-url-with-escaped-slashes": r'"https:\/\/hooks.slack.com\/«commands\/T1\/22\/AbC»"',
    "response-url-in-json-within-json": r'"{\"u\":\"https:\\/\\/hooks.slack.com\\/«actions\\/T1\\/AbC»\"}"',
    "response-url-of-the-playground": "http://127.0.0.1:4000/«commands/T0PLAYGROUND/1/made-up»",
    "response-url-without-its-server": '"POST /«actions/T1/22/AbC» HTTP/1.1" 200',
    "response-url-in-an-address": "?to=https%3A%2F%2Fhooks.slack.com%2F«commands%2FT1%2F22%2FAbC»&a=b",
    "webhook": "https://hooks.slack.com/«services/T1/B2/AbC»",
    "ticket-of-a-socket": "wss://wss-primary.slack.com/link/?ticket=«ab-1»&app_id=2 opened",
    "ticket-of-a-socket-with-escaped-slashes": r'{"url":"wss:\/\/wss-primary.slack.com\/link\/?ticket=«ab-1\u0026app_id=2»"}',
    "token-of-slack-in-an-address": "?t=«xoxb%2D1%2d2%252d3»&a=b",
    "token-of-slack-in-a-cookie": "Cookie: d=«xoxd-abc%2Fdef%2bg%3D%253D»; b=1",
    "token-of-slack-with-escapes": r'"«xoxb\u002d1-AbC»"',
    "value-with-blanks-and-commas": '{"access_token": "«one two, three; four»", "a": 1}',
    "value-with-a-quote": r'{"appsecret": "«a\"b c»", "a": 1}',
    "value-with-a-quote-in-json-within-json": r'''"{\"secret\": \"«it\'s a\\\"b c»\", \"a\": 1}"''',
    "value-that-is-cut-off": "{'secret': '«abc def»\nnext",
    "value-cut-off-in-json-within-json": r'{"body": "{\"token\": \"«abc def»", "a": 1}',
    "parameters-in-a-list": "[('access_token', '«abc, d»'), ('lang', 'zh')]",
    "items-of-a-longer-list": '["lang", "zh", "access_token", "«abc»"]',
    "ticket-by-its-shape": "got «ticket@@@AbC-1.»",
    "refresh-token-by-its-shape": "%22«refreshtoken%40%40%40AbC%22»",
    "connection-string": "host=h user=u password=«p@ss-word» dbname=d",
    "quoted-connection-string": r"host=h password='«p a\'ss, word»' dbname=d",
    "password-with-slashes": "postgresql://bot:«p/a/ss»@h/db",
    "password-in-an-encoded-address": "?d=postgresql%3A%2F%2Fbot%3A«p%2Fa%40ss»%40h%2Fdb",
    "password-in-the-query": "postgresql://h/db?password=«abc»&a=b",
    "password-of-a-database": "postgresql+psycopg://u:«p»@h/db",
    "password-with-odd-letters": "cannot open postgresql+psycopg://bot:«p@s%s:w0rd»@db.example:5432/share (timeout)",
    "password-in-a-web-address": "https://me:«pass»@tokens.example/a",
}


def test_text_that_looks_like_a_secret_is_hidden_and_the_rest_stays() -> None:
    with checks() as check:
        for marked in SECRETS.values():
            with check(marked):
                line, expected = read(marked)
                assert CLEAN(line) == expected
                assert CLEAN(expected) == expected


def test_text_without_a_secret_is_not_changed() -> None:
    with checks() as check:
        for line in [
            "SLACK_BOT_TOKEN is missing. Copy the bot token (xoxb-…) from your Slack app's page.",
            "the token server did not answer",
            "WECHAT_TOKEN_SERVER_URL gives one token, but the policy file names several owners.",
            "env=prod-token-1 appid=wx5fe6bb43205e9e70 request=7kq2mhx4",
            '{"env": "prod-token", "appid": "wx5fe6bb43205e9e70"}',
            '{"env": "my-secret", "who": "U012ABCDEF"}',
            '{"env": "an-api-key", "who": "U012ABCDEF"}',
            "invalid credential, access_token is invalid or not latest, rid: 5f3a1c2b-1a2b3c4d-5e6f",
            "errcode 40001, errmsg: invalid credential",
            "POST https://api.weixin.qq.com/tcb/shareenv said 200",
            "at http://127.0.0.1:3000/slack/events",
            "https://slack.com/api/chat.postMessage",
            "GET https://tokens.example:8443/one, ask ann@example.com",
            "postgresql+psycopg://h/db and sqlite:///share-env.db",
            "authorization was refused",
            "a bearer must be asked; Bearer authentication-is-required, bearer tokens expire in 7200",
            "token renewed",
            "no ticket: WeChat is asked to push one",
            "password authentication failed for user bot",
            "password: authentication failed",
            "component access_token expired rid: 686cabaf-0000005c-2e40eeb7",
            "access_token missing hint: [abc-1] rid: 686cabaf-0000005c-2e40eeb7",
            "{'token': None, 'secret': null, 'rid': '686cabaf-0000005c-2e40eeb7'}",
            '["ticket", "component", "secret", "token"]',
            "[('ticket', 'prod'), ('a', 'b')]",
            "{'authorization': None, 'a': [1]}",
            "https://console.example/services/one and /commands/help",
            '{"token": {"kind": "component"}, "tokens": 3}',
            "secret",
            "",
        ]:
            with check(line):
                for redactor in (Redactor(()), Redactor((BOT, KNOWN, ""))):
                    assert redactor.clean(line) == line


KNOWN_SECRETS = {
    "with a blank": ((KNOWN,), "a «correct horse», b"),
    "with odd letters": (("a.c+def",), "«a.c+def» abc+def"),
    "the longest first": (("abcde1", "abcde1fg"), "«abcde1fg»"),
    "twice": (("abcde1",), "«abcde1»«abcde1»"),
    "in any script": (("密钥密钥密钥",), "«密钥密钥密钥»"),
    "in JSON's escapes": (("密钥密钥密钥",), r'"«\u5bc6\u94a5\u5bc6\u94a5\u5bc6\u94a5»"'),
    "in an address": ((KNOWN,), "?k=«correct%20horse»"),
    "in a form": ((KNOWN,), "?k=«correct+horse»"),
    "in small letters": (("abc/de-f",), "?k=«abc%2fde%2Df»"),
    "in an address in an address": (("abc/def",), "?u=%3Fk%3D«abc%252Fdef»"),
    "with a slash in JSON": (("abc/def",), r'"«abc\/def»"'),
    "with a quote in JSON": (('abc"def',), r'"«abc\"def»"'),
    "with an escape in JSON": (("abc&def",), r'"«abc\u0026def»"'),
    "with a backslash in JSON": (("abc\\def",), r'"«abc\\def»"'),
    "as bytes": (("abcdeä",), r"b'«abcde\xc3\xa4»'"),
    "with a surrogate": (("\ud800abcdef",), "«\ud800abcdef»"),
    "too short to be looked for alone": (("prod",), "prod-1 password=«prod»"),
    "in a header": (("Bearer abc",), "authorization: «Bearer abc»"),
}


@pytest.mark.parametrize(("secrets", "marked"), KNOWN_SECRETS.values(), ids=list(KNOWN_SECRETS))
def test_a_known_secret_of_any_shape_is_hidden(secrets: tuple[str, ...], marked: str) -> None:
    line, expected = read(marked)
    assert Redactor(secrets).clean(line) == expected


@pytest.mark.parametrize(
    "marked",
    [
        '{"database": "postgresql"}',
        "postgresql+psycopg and Postgres",
        "role “«postgres»” is refused",
        "bot_«postgres», «postgres»_1",
        "a=«postgres»&b=1 «postgres».",
        "?to=a%3D«postgres»%26b",
        r'''"a\n«postgres»\tb" b\'\x00«postgres»\' "\u0026«postgres»"''',
        "口令«postgres»错误",
        "postgresql://bot:«postgres»@h/db",
    ],
)
def test_a_known_secret_that_is_a_word_is_hidden_as_a_separate_word_only(marked: str) -> None:
    line, expected = read(marked)  # within another word, the gap would reveal it
    assert Redactor(("postgres",)).clean(line) == expected


def test_a_known_secret_of_letters_too_long_for_a_word_is_hidden_within_others() -> None:
    assert Redactor(("abcdefghijklmnop",)).clean("xabcdefghijklmnopy") == "x[hidden]y"


def test_a_known_secret_that_equals_a_settings_name_does_not_hide_the_name() -> None:
    assert Redactor(("secret",)).clean("client_secret=abc") == "client_[hidden]=[hidden]"


# A bracket could make a new secret of "[hidden]" and what stands beside it; no token has one.
LETTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="[]")
SHAPES = st.text(LETTERS, min_size=8, max_size=40).filter(lambda text: not may_be_in_words(text))
# Nor does one end with a backslash, which could as well belong to the quote behind it.
PRINTABLE = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="[]"),
    min_size=8,
    max_size=40,
).filter(lambda text: not text.endswith("\\"))


@given(SHAPES, st.text(), st.text())
@example("access_token=abc", "", "def")
def test_a_line_never_contains_a_known_secret_after_cleaning(
    secret: str, before: str, after: str
) -> None:
    assert secret not in Redactor((secret,)).clean(before + secret + after)


@given(PRINTABLE)
@example("a\"b\\c/d'e")
def test_a_known_secret_is_found_as_json_and_python_write_it(secret: str) -> None:
    clean = Redactor((secret,)).clean
    once = json.dumps({"a": secret})
    assert json.loads(clean(once)) == {"a": "[hidden]"}
    assert json.loads(json.loads(clean(json.dumps(once)))) == {"a": "[hidden]"}
    assert clean(repr(secret))[1:-1] == "[hidden]"


SECRETS_OF_WECHAT = st.from_regex(r"[A-Za-z0-9_@-]{10,60}", fullmatch=True)
LETTERS_OF_URLS = st.from_regex(r"[A-Za-z0-9]{8,24}", fullmatch=True)
PASSWORDS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="@/:\"'<>%#?&[]{}\\,;()"),
    min_size=8,
    max_size=30,
)


def in_a_query(name: str, value: str) -> str:
    return f"https://a.example/x?{urlencode({name: value})}&lang=zh"


WAYS: dict[str, Callable[[str, str], str]] = {
    "query": in_a_query,
    "address in an address": lambda name, value: quote(in_a_query(name, value), safe=""),
    "json": lambda name, value: json.dumps({"a": 1, name: value, "b": 2}),
    "json in json": lambda name, value: json.dumps({"body": json.dumps({name: value})}),
    "json in json in json": lambda name, value: json.dumps(json.dumps(json.dumps({name: value}))),
    "repr": lambda name, value: repr({name: value}),
    "repr of bytes": lambda name, value: repr({name.encode(): value.encode()}),
    "repr of json": lambda name, value: repr(json.dumps({name: value}).encode()),
    "dataclass": lambda name, value: f"Token({name}={value!r}, life=7200)",
    "words": lambda name, value: f"{name}={value} was refused",
    "a header": lambda name, value: f"{{'Authorization': 'Bearer {value}', 'X-{name}': '{value}'}}",
    "parameters": lambda name, value: repr([(name, value), ("lang", "zh")]),
    "parsed parameters": lambda name, value: repr({name: [value], "lang": ["zh"]}),
    "tuple": lambda name, value: repr({name: (value,), "lang": "zh"}),
    "table": lambda name, value: json.dumps([{"name": name, "value": value}, {"a": 1}]),
    "lines": lambda name, value: json.dumps({name: [value, 1], "b": 2}, indent=2),
    "xml": lambda name, value: f"<{name}><![CDATA[{value}]]></{name}>",
}
NAMES = (
    *("access_token", "component_access_token", "authorizer_access_token"),
    *("refresh_token", "authorizer_refresh_token", "component_appsecret", "appsecret"),
    *("component_verify_ticket", "ComponentVerifyTicket", "authorization_code", "pre_auth_code"),
)


def shown_of(secret: str, text: str) -> list[str]:
    """Return the parts of a secret, of six letters or more, that are visible in a text."""
    return [part for at in range(len(secret) - 5) if (part := secret[at : at + 6]) in text]


def assert_unseen(secret: str, line: str) -> None:
    """Check that no more of a secret is visible than by chance."""
    around = line.replace(secret, "\0")
    assert [part for part in shown_of(secret, CLEAN(line)) if part not in around] == [], line


@settings(max_examples=examples(200))
@given(
    st.sampled_from(list(WAYS)),
    st.sampled_from(NAMES),
    SECRETS_OF_WECHAT,
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_a_value_with_a_secrets_name_is_hidden_in_every_format(
    way: str, name: str, secret: str, before: str, after: str
) -> None:
    assert_unseen(secret, f"{before} {WAYS[way](name, secret)} {after}")


@settings(max_examples=examples(200))
@given(
    st.sampled_from(list(WAYS)),
    st.sampled_from(("xoxb", "xoxp", "xapp", "xoxe.xoxb")),
    LETTERS_OF_URLS,
    st.text(max_size=20),
)
def test_slacks_tokens_are_hidden_in_every_place(
    way: str, kind: str, letters: str, before: str
) -> None:
    assert_unseen(letters, before + WAYS[way]("text", f"{kind}-1-{letters}"))


@settings(max_examples=examples(200))
@given(
    st.sampled_from(list(WAYS)),
    st.sampled_from(("commands", "actions", "services")),
    LETTERS_OF_URLS,
    st.text(max_size=20),
)
def test_response_urls_are_hidden_in_every_place(
    way: str, kind: str, letters: str, before: str
) -> None:
    url = f"https://hooks.slack.com/{kind}/T012ABC/345/{letters}"
    assert_unseen(letters, f"{before} {WAYS[way]('response_url', url)}")


@given(PASSWORDS, st.text(max_size=20))
def test_a_databases_password_is_hidden(password: str, before: str) -> None:
    assume(password not in f"{before} postgresql")
    for line in (
        f"{before} postgresql+psycopg://bot:{password}@db.example/ledger refused",
        f"{before} {quote(f'postgresql://bot:{password}@db.example/ledger', safe='')}",
        f"{before} host=h password={password} dbname=d",
        f"{before} host=h password='{password}, and {password}' dbname=d",
    ):
        assert_unseen(password, line)


@given(PRINTABLE, st.sampled_from([json.dumps, repr, quote, quote_plus, str]), st.text(max_size=20))
def test_a_known_secret_is_hidden_in_every_encoding(
    secret: str, write: Callable[[str], str], before: str
) -> None:
    cleaned = Redactor((secret,)).clean(f"{before} {write(write(secret))}.")
    assert write(write(secret)).strip("\"'") not in cleaned
    assert [part for part in shown_of(secret, cleaned) if part not in before] == []


ID = st.text("23456789abcdefghjkmnpqrstvwxyz", min_size=8, max_size=8)
RID = st.from_regex(r"[0-9a-f]{8}-[0-9a-f]{8}-[0-9a-f]{8}", fullmatch=True)
ENV = st.from_regex(r"[a-z][a-z0-9-]{0,30}[a-z0-9]", fullmatch=True)


@given(
    ID, RID, ENV, st.from_regex(r"wx[0-9a-f]{16}", fullmatch=True), st.integers(-600_000, 99_999)
)
def test_ids_that_people_search_the_log_for_are_never_hidden(
    request: str, rid: str, env: str, appid: str, errcode: int
) -> None:
    facts = {"request": request, "env": env, "appid": appid, "errcode": errcode, "rid": rid}
    for line in (
        json.dumps(facts),
        repr(facts),
        f"request={request} env={env} appid={appid} errcode={errcode} rid={rid}",
        f"invalid credential, access_token is invalid or not latest rid: {rid}",
        f"https://a.example/tcb/shareenv?env={env}&appid={appid}",
    ):
        assert CLEAN(line) == line


# Repeated, each of these once took time that grew with the square of the length, or might.
PIECES = (
    *("https://a.example/x/", "http:", "wss://", "https://a.example/x?token=", "\\", "\"'", " "),
    *("token='", 'token=\\"', "token: ", "token \t", "token\\", "authorization", "xox", "%25"),
    *("postgres://a:", "x://a:", "@", "%3a", "a%3a%2f%2fb%3a", "hooks.slack.com/", "commands/T1/"),
    *("token=[", "token={", "a:%2f%2fx:", "postgres:%2f%2fa:"),
    *("token:(", "token=a(", "token:['", "access_token={", '"token",', "('token',", "('token','"),
    *("[[", '["token","', '"token","value":', "authorization:", 'authorization:="'),
    "authorization:\\",
    *('"token",\n', "token: [a", "('a-", "[hidden]", "token=[hidden]"),
    *("Bearer ", "Bearer%20", "Bearer+a1", "xoxd-%2", "x-api-key: "),
)


@pytest.mark.parametrize("piece", PIECES)
def test_the_time_for_a_line_grows_in_proportion_to_its_length(piece: str) -> None:
    # It takes 0.05 s; if it grew with the square of the length, five seconds and more.
    line = piece * (150_000 // len(piece)) + " access_token=made-up"
    began = time.thread_time()  # which does not count the time of other processes
    cleaned = CLEAN(line)
    assert time.thread_time() - began < 2.5
    assert cleaned.endswith("[hidden]")
    assert "made-up" not in cleaned


@pytest.mark.timeout(30)
def test_a_line_of_megabytes_is_cleaned() -> None:
    line = "https://a.example/x?access_token=made-up " * 50_000
    assert CLEAN(line) == line.replace("made-up", "[hidden]")
