import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.outcome import Said
from bot.guidance import Trouble, for_code
from bot.wechat import api
from bot.wechat.api import NoAnswer, read_answer, share_env
from tests.wechat.conftest import APPID, ENV

RID = "686cab53-686d2226-2e40eeeb"
STABLE = "could get access_token by getStableAccessToken"


def read(status: int, body: bytes) -> NoAnswer | None:
    """Read the answer to a share."""
    return read_answer(status, body, api.read_done)


def said(errmsg: object, errcode: object = 40097) -> Said:
    answer = read(200, json.dumps({"errcode": errcode, "errmsg": errmsg}).encode())
    assert isinstance(answer, NoAnswer)
    assert answer.said
    return answer.said


def test_the_call_is_a_json_object_with_the_token_only_in_the_query() -> None:
    call = share_env("t0k3n", ENV, APPID)
    assert call.path == "/tcb/shareenv"
    assert call.query == {"access_token": "t0k3n"}
    assert json.loads(call.body) == {"appid": APPID, "env": ENV}


@given(st.text(), st.text(), st.text())
def test_the_repr_of_the_call_contains_neither_its_token_nor_its_body(
    token: str, env: str, appid: str
) -> None:
    call, other = share_env(token, env, appid), share_env("another", env, appid)
    assert (repr(call), call.body, call.path) == (repr(other), other.body, other.path)
    assert repr(call) == "Call(path='/tcb/shareenv')"  # a body of the platform's holds its secrets


@given(st.text(), st.text())
def test_any_appid_and_env_arrive_unchanged(env: str, appid: str) -> None:
    assert json.loads(share_env("t", env, appid).body) == {"appid": appid, "env": env}


@pytest.mark.parametrize(
    "body",
    [
        b'{"errcode":0,"errmsg":"ok"}',
        b'{"errcode":0}',
        b'{"errcode":"0","errmsg":"ok"}',
        b'{"errcode":" 0 "}',
        b'{"errcode":-0}',
        b'\xef\xbb\xbf{"errcode":0,"errmsg":"ok"}',
        b' \r\n{"errcode":0}\n ',
        b'{"errcode":0,"errmsg":"\xff\xfe"}',
        b'{"errcode":0,"errmsg":"a\x01\tb"}',
        b'{"errcode":0,"errmsg":null}',
        b'{"errmsg":[1],"errcode":0,"more":{"a":1}}',
        b'{"errcode":0,"more":{"errcode":1}}',
    ],
    ids=[
        *("as documented", "without a text", "code as text", "code as text with blanks"),
        *("minus zero", "byte order mark", "blanks around", "broken UTF-8"),
        *("raw control characters", "text null", "more than documented", "others further in"),
    ],
)
def test_errcode_zero_means_shared_in_every_form(body: bytes) -> None:
    assert read(200, body) is None


@pytest.mark.parametrize(
    ("errcode", "number"),
    [
        ("40097", 40097),
        ('"40097"', 40097),
        ('"-501001"', -501001),
        ("-1", -1),
        ('" 61007 "', 61007),
        ("9999999999", 9_999_999_999),
    ],
)
def test_another_errcode_is_an_error_as_number_or_as_text(errcode: str, number: int) -> None:
    answer = read(200, b'{"errcode":%s,"errmsg":"no"}' % errcode.encode())
    assert answer == NoAnswer(for_code(number), Said(number, "no", None))


@pytest.mark.parametrize(
    "member",
    [
        *('"errcode":true', '"errcode":false', '"errcode":0.0', '"errcode":1e3'),
        *('"errcode":null', '"errcode":""', '"errcode":"ok"', '"errcode":"0x0"'),
        *('"errcode":"0.0"', '"errcode":[0]', '"errcode":{"errcode":0}', '"errmsg":"ok"'),
        *('"errcode":NaN', '"errcode":Infinity', '"Errcode":0', '"errcode":10000000000'),
        *(f'"errcode":{"9" * 4000}', f'"errcode":"{"9" * 5000}"'),
        *('"errcode":"０"', '"errcode":"٠"', '"errcode":"0_0"', '"errcode":"+0"'),
    ],
    ids=lambda member: member[:24],
)
def test_an_object_without_a_readable_errcode_is_neither_success_nor_error(member: str) -> None:
    assert read(200, f"{{{member}}}".encode()) == NoAnswer(Trouble.NO_ERRCODE.value)


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b" ", b"\xef\xbb\xbf", b"ok", b"0", b"null", b"true", b'"errcode"'),
        *(b"[]", b'[{"errcode":0}]', b"<html><body>Bad Gateway</body></html>"),
        *(b'{"errcode":0', b'{"errcode":0}{"errcode":0}', b"\x1f\x8b\x08\x00", b"\xff" * 40),
        *(b"[" * 100_000, b'{"errcode":' + b"9" * 5000 + b"}"),
        '{"errcode":0}'.encode("utf-16"),
    ],
    ids=lambda body: repr(body[:20]),
)
def test_anything_but_a_json_object_is_not_wechats_answer(body: bytes) -> None:
    assert read(200, body) == NoAnswer(Trouble.NOT_JSON.value)


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        *((100, Trouble.NOT_JSON), (201, Trouble.NOT_JSON), (204, Trouble.NOT_JSON)),
        *((299, Trouble.NOT_JSON), (300, Trouble.REDIRECTED), (302, Trouble.REDIRECTED)),
        *((301, Trouble.REDIRECTED), (303, Trouble.NOT_JSON), (307, Trouble.REDIRECTED)),
        *((408, Trouble.GATEWAY_BROKEN), (424, Trouble.GATEWAY_BROKEN)),
        *((304, Trouble.REDIRECTED), (399, Trouble.REDIRECTED), (400, Trouble.GATEWAY_REFUSED)),
        *((401, Trouble.GATEWAY_CLOSED), (403, Trouble.GATEWAY_CLOSED)),
        *((407, Trouble.GATEWAY_CLOSED), (404, Trouble.GATEWAY_REFUSED)),
        *((411, Trouble.GATEWAY_LENGTH), (412, Trouble.GATEWAY_LENGTH)),
        *((498, Trouble.GATEWAY_REFUSED), (499, Trouble.GATEWAY_BROKEN)),
        (500, Trouble.GATEWAY_BROKEN),
        *((502, Trouble.GATEWAY_BROKEN), (599, Trouble.GATEWAY_BROKEN)),
        *((999, Trouble.GATEWAY_BROKEN), (0, Trouble.NOT_JSON)),
    ],
)
def test_an_answer_with_a_status_other_than_200_is_not_wechats_whatever_its_body(
    status: int, trouble: Trouble
) -> None:
    assert read(status, b'{"errcode":0,"errmsg":"ok"}') == NoAnswer(trouble.value, status=status)


@pytest.mark.parametrize(
    ("errmsg", "words", "rid"),
    [
        (f"invalid args rid: {RID}", "invalid args", RID),
        (f"invalid args rid:{RID}", "invalid args", RID),
        (f"rid: {RID}", "", RID),
        (f"invalid rid: {RID} hint: [a]", "invalid", RID),
        (f"hint: [OEkDjOLoRa-JqqnuA] rid: {RID}", "", RID),
        ("hint: [OEkDjOLoRa-JqqnuA]", "", None),
        (f"env not exists hint: [a] rid: {RID}", "env not exists", RID),
        (f"api unauthorized, rid: {RID}", "api unauthorized", RID),
        ("a, b,", "a, b", None),
        (
            f"not latest, {STABLE}, more details at https://mmbizurl.cn/s/M rid: {RID}",
            "not latest",
            RID,
        ),
        (f"not latest, {STABLE}", "not latest", None),
        ("hint: [", "hint: [", None),
        ("hint: [a hint: [b] c", "hint: [a c", None),
        (f"no \t\n rid: \r\n {RID}", "no", RID),
        (f"a rid: {RID} b rid: {RID}", "a b", RID),
        ("invalid args", "invalid args", None),
        ("arid: 1", "arid: 1", None),
        (f"grid: {RID}", f"grid: {RID}", None),
        ("rid: 686cab53", "rid: 686cab53", None),
        (f"no rid: {RID.upper()}", f"no rid: {RID.upper()}", None),
        (f"{'x ' * 900} rid: {RID}", ("x " * 150).strip(), RID),
        (f"no access_token: {'x' * 32}, hint", "no access_token: [hidden], hint", None),
        (f"access_token={'x' * 512}", "[hidden]", None),
        (f"{'x ' * 145}{'y' * 157}", f"{'x ' * 145}[hidden]", None),
        (f"ticket@@@{'x_-=' * 8} rid: {RID}", "[hidden]", RID),
        (
            f"{'x' * 31} [FailedOperation.{'x' * 31}]",
            f"{'x' * 31} [FailedOperation.{'x' * 31}]",
            None,
        ),
        ("https://developers.weixin.qq.com/x/", "https://developers.weixin.qq.com/x/", None),
        ("", "", None),
        (None, "", None),
        (0, "", None),
        (17, "17", None),
        (["a"], "['a']", None),
        (" system \t error\r\n", "system error", None),
        ("a\u202eb\u0000c \ufeffd\ud800", "a b c d", None),
        ("<!channel> & `x`", "<!channel> & `x`", None),
    ],
    ids=repr,
)
def test_wechats_errmsg_is_split_into_text_and_rid(
    errmsg: object, words: str, rid: str | None
) -> None:
    assert said(errmsg) == Said(40097, words, rid)


@pytest.mark.parametrize(
    ("piece", "words"), [(" ", ""), ("hint: [", ("hint: [" * 43)[:300].strip())]
)
def test_a_megabyte_of_blanks_or_of_open_brackets_is_read_quickly(piece: str, words: str) -> None:
    errmsg = piece * (1_000_000 // len(piece))
    assert said(f"{errmsg} rid: {RID}") == Said(40097, words, RID)


@given(st.text())
def test_an_errmsg_is_printable_and_without_superfluous_blanks(errmsg: str) -> None:
    words = said(errmsg).errmsg
    assert words.isprintable()
    assert words == " ".join(words.split())
    assert len(words) <= 300


def test_nesting_at_the_limit_of_the_parser_is_not_an_error_of_the_bot() -> None:
    for depth in range(600, 1000, 7):
        nested = b'{"errcode":1,"errmsg":%s}' % (b"[" * depth + b"]" * depth)
        assert isinstance(read(200, nested), NoAnswer)
