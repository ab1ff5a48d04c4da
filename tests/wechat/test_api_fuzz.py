"""Any bytes in place of an answer are read as one of a closed set of results, whose repr has no token."""

import json
import string
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.command.grammar import is_env
from bot.domain.finding import Problem
from bot.domain.outcome import Readiness
from bot.wechat import component
from bot.wechat.api import (
    NoAnswer,
    read_answer,
    read_done,
    read_envs,
    read_readiness,
)
from bot.wechat.component import Authorization, AuthorizerInfo, AuthorizerPage, Issued
from bot.wechat.token_answer import read_token
from tests.conftest import examples
from tests.wechat.conftest import OWNER

Reader = Callable[[int, bytes], object]

OFTEN = settings(max_examples=examples(300))
TOKEN = "72_made-up-token-of-an-owner-that-is-as-long-as-wechats-are"
NEW_TOKEN = {"access_token": TOKEN, "authorizer_access_token": TOKEN, "expires_in": 7200}
OWNED = {**NEW_TOKEN, "authorizer_appid": OWNER, "authorizer_refresh_token": f"refresh@@@{TOKEN}"}
GOOD: dict[str, object] = {
    "errcode": 0,
    "errmsg": "ok",
    "component_access_token": TOKEN,
    **OWNED,
    "authorization_info": OWNED,
    "total_count": 1,
    "list": [{"authorizer_appid": OWNER, "refresh_token": f"refresh@@@{TOKEN}"}],
    "info_list": [{"env": "prod-1", "status": "NORMAL"}],
    "functions": [{"name": "login", "status": "Active"}],
}
"""An answer that every reader accepts."""
READERS: tuple[tuple[Reader, tuple[type, ...]], ...] = (
    (partial(read_answer, read=read_done), (type(None),)),
    (partial(read_answer, read=read_envs), (dict,)),
    (partial(read_answer, read=read_readiness), (Readiness, int)),
    (partial(read_answer, read=component.read_component_token), (Issued,)),
    (partial(read_answer, read=component.read_authorizer_token), (Issued,)),
    (partial(read_answer, read=component.read_query_auth), (Authorization,)),
    (partial(read_answer, read=component.read_authorizer_info), (AuthorizerInfo,)),
    (partial(read_answer, read=component.read_authorizer_list), (AuthorizerPage,)),
    (lambda _, body: read_token(body, OWNER), (tuple, Problem)),
)

texts = st.text() | st.text(st.characters(categories=["Cs", "Cc", "Nd", "Zs"])) | st.just(TOKEN)
numbers = (
    st.integers() | st.sampled_from([0, -0.0, 10**400, -(10**400), 2**63, 1e308]) | st.floats()
)
anything = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "env"]) | st.text(), inner)
    ),
    max_leaves=8,
)
codes = st.sampled_from([0, "0", " 00 ", 40097, "０", "٠", "0_0", "+0", 0.0, False]) | anything
encodings = st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "gbk"])


@st.composite
def objects(draw: st.DrawFn) -> object:
    """Draw a good answer from which some members are missing, and others are of a wrong type or not documented."""
    missing = draw(st.sets(st.sampled_from([*GOOD])))
    changed = draw(st.dictionaries(st.sampled_from([*GOOD]) | st.text(), anything, max_size=3))
    code = {"errcode": draw(codes)} if draw(st.booleans()) else {}
    return {name: GOOD[name] for name in GOOD if name not in missing} | changed | code


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Draw what can come: JSON of any shape in any encoding, perhaps with something wrong in its bytes."""
    value = draw(objects() | anything)
    text = json.dumps(value, ensure_ascii=draw(st.booleans()))
    deep = draw(st.sampled_from([0, 0, 0, 1, 500, 990, 20_000]))
    text = '{"errcode":' * deep + text + "}" * deep
    encoding = draw(encodings)
    errors = "surrogatepass" if encoding.startswith("utf") else "replace"
    body = bytearray(text.encode(encoding, errors))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at = draw(st.integers(0, len(body)))
        body[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(body[: draw(st.none() | st.integers(0, len(body)))])


@pytest.mark.parametrize(("reader", "found"), READERS)
@given(st.just(200) | st.integers(-1, 999), bodies() | st.binary())
def test_each_reader_returns_its_result_or_an_error_for_any_body(
    reader: Reader, found: tuple[type, ...], status: int, body: bytes
) -> None:
    answer = reader(status, body)
    assert isinstance(answer, (*found, NoAnswer))
    if status != 200 and found != (tuple, Problem):
        assert isinstance(answer, NoAnswer)
        assert answer.said is None
    assert TOKEN not in repr(answer) or found == (tuple, Problem)
    match answer:
        case (
            Issued(token, life) | Authorization(_, Issued(token, life)) | (str(token), float(life))
        ):
            assert token.isascii()
            assert token.isprintable()
            assert " " not in token
            assert life <= 7200
        case tuple():
            assert all(is_env(env) for env in answer)
        case _:
            pass


@pytest.mark.parametrize("reader", [reader for reader, _ in READERS])
def test_each_reader_accepts_a_good_answer(reader: Reader) -> None:
    assert not isinstance(reader(200, json.dumps(GOOD).encode()), NoAnswer)


@given(bodies())
@OFTEN
def test_only_an_object_with_an_errcode_of_zero_is_read_as_shared(body: bytes) -> None:
    if read_answer(200, body, read_done) is not None:
        return
    errcode = json.loads(body.decode("utf-8-sig", "replace"), strict=False)["errcode"]
    if isinstance(errcode, str):
        assert errcode.isascii()
        assert set(errcode.strip()) <= {"0", "-"}
    else:
        assert (type(errcode), errcode) == (int, 0)


secrets = st.text(string.ascii_letters + string.digits + "_-@=", min_size=40, max_size=512)


@given(secrets, st.text(max_size=400), st.text(max_size=400), st.booleans())
@OFTEN
def test_a_token_that_an_answer_repeats_is_not_shown_even_in_part(
    secret: str, before: str, after: str, is_text: bool
) -> None:
    errmsg = before + secret + after
    body = json.dumps({"errcode": 40097, "errmsg": errmsg if is_text else {"hint": [errmsg]}})
    shown = repr(read_answer(200, body.encode(), read_done))
    parts = {secret[at : at + 32] for at in range(len(secret) - 31)}
    assert not any(part in shown for part in parts if part not in before + after)
