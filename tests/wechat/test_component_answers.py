import json
from collections.abc import Callable, Mapping

import pytest

from bot.domain.outcome import Said
from bot.guidance import Trouble, for_code
from bot.wechat import component as api
from bot.wechat.api import NoAnswer, read_answer, read_done
from bot.wechat.component import Authorization, AuthorizerPage, Issued
from tests.wechat.conftest import OTHER, OWNER

RID = "686cab53-686d2226-2e40eeeb"
NOT_JSON = NoAnswer(Trouble.NOT_JSON.value)


def of(**members: object) -> bytes:
    return json.dumps(members).encode()


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (of(component_access_token="t", expires_in=7200), Issued("t", 7200.0)),
        (of(component_access_token="t", expires_in=60.5), Issued("t", 60.5)),
        (of(component_access_token="t", expires_in=10**400), Issued("t", 7200.0)),
        (of(component_access_token="t", expires_in=float("inf")), Issued("t", 7200.0)),
        (of(errcode="0", component_access_token="t", expires_in=7200), Issued("t", 7200.0)),
        (of(component_access_token="t", expires_in=0), NOT_JSON),
        (of(component_access_token="t", expires_in=-1), NOT_JSON),
        (of(component_access_token="t", expires_in=float("nan")), NOT_JSON),
        (of(component_access_token="t", expires_in="7200"), NOT_JSON),
        (of(component_access_token="t", expires_in=None), NOT_JSON),
        (of(component_access_token="t"), NOT_JSON),
        (of(component_access_token="", expires_in=7200), NOT_JSON),
        (of(component_access_token="two words", expires_in=7200), NOT_JSON),
        (of(component_access_token="a\nb", expires_in=7200), NOT_JSON),
        (of(component_access_token="秘密", expires_in=7200), NOT_JSON),
        (of(component_access_token=17, expires_in=7200), NOT_JSON),
        (of(access_token="t", expires_in=7200), NOT_JSON),
        (of(errcode=0, errmsg="ok"), NOT_JSON),
        (b"{}", NOT_JSON),
        (b"<html></html>", NOT_JSON),
        (
            of(errcode="61004", errmsg=f"no rid: {RID}"),
            NoAnswer(for_code(61004), Said(61004, "no", RID)),
        ),
        (of(errcode=True), NoAnswer(Trouble.NO_ERRCODE.value)),
    ],
    ids=lambda value: value.decode()[:60] if isinstance(value, bytes) else "",
)
def test_the_platforms_token_or_the_reason_for_its_absence_is_read(
    answer: bytes, found: Issued | NoAnswer
) -> None:
    assert read_answer(200, answer, api.read_component_token) == found


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ({"authorizer_refresh_token": "r"}, Issued("t", 7200.0, "r")),
        ({"authorizer_refresh_token": ""}, Issued("t", 7200.0)),
        ({"authorizer_refresh_token": None}, Issued("t", 7200.0)),
        ({"authorizer_refresh_token": "two words"}, Issued("t", 7200.0)),
        ({}, Issued("t", 7200.0)),
        ({"errcode": 61023}, NoAnswer(for_code(61023), Said(61023, "", None))),
    ],
)
def test_an_owners_token_is_read_with_or_without_a_refresh_token(
    answer: Mapping[str, object], found: Issued | NoAnswer
) -> None:
    body = of(authorizer_access_token="t", expires_in=7200, **answer)
    assert read_answer(200, body, api.read_authorizer_token) == found


INFO = {
    "authorizer_appid": OWNER,
    "authorizer_access_token": "t",
    "expires_in": 7200,
    "authorizer_refresh_token": "r",
    "func_info": [{"funcscope_category": {"id": 49}}],
}


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (of(authorization_info=INFO), Authorization(OWNER, Issued("t", 7200.0, "r"))),
        (of(authorization_info={**INFO, "authorizer_appid": None}), NOT_JSON),
        (of(authorization_info={**INFO, "authorizer_access_token": None}), NOT_JSON),
        (of(authorization_info={**INFO, "expires_in": 0}), NOT_JSON),
        (of(authorization_info=[INFO]), NOT_JSON),
        (of(authorization_info=None), NOT_JSON),
        (of(**INFO), NOT_JSON),
        (of(errcode=61009, errmsg="code"), NoAnswer(for_code(61009), Said(61009, "code", None))),
    ],
)
def test_the_tokens_of_a_code_or_the_reason_for_their_absence_are_read(
    answer: bytes, found: Authorization | NoAnswer
) -> None:
    assert read_answer(200, answer, api.read_query_auth) == found


SET_49: list[object] = [{"funcscope_category": {"id": 49}}]
ODD_SETS = [{}, 49, {"funcscope_category": 49}, {"funcscope_category": {"id": "49"}}]


@pytest.mark.parametrize(
    ("info", "found"),
    [
        (
            {"func_info": SET_49, "authorizer_refresh_token": "r"},
            api.AuthorizerInfo(frozenset({49}), "r"),
        ),
        ({"func_info": SET_49}, api.AuthorizerInfo(frozenset({49}), None)),
        ({"authorizer_refresh_token": 17}, api.AuthorizerInfo(frozenset(), None)),
        ({"func_info": None}, api.AuthorizerInfo(frozenset(), None)),
        ({"func_info": ODD_SETS}, api.AuthorizerInfo(frozenset(), None)),
        ([], NOT_JSON),
        (None, NOT_JSON),
    ],
)
def test_an_owners_granted_sets_or_the_reason_for_their_absence_are_read(
    info: object, found: object
) -> None:
    assert read_answer(200, of(authorization_info=info), api.read_authorizer_info) == found
    assert read_answer(200, of(errcode=61003), api.read_authorizer_info) == NoAnswer(
        for_code(61003), Said(61003, "", None)
    )


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        (
            of(
                total_count=700,
                list=[
                    {"authorizer_appid": OWNER, "refresh_token": "r", "auth_time": 1},
                    {"authorizer_appid": OTHER, "auth_time": 1},
                    {"authorizer_appid": "wx3", "refresh_token": 17},
                    {"refresh_token": "nobody's"},
                    "nonsense",
                ],
            ),
            AuthorizerPage(700, {OWNER: "r", OTHER: None, "wx3": None}),
        ),
        (of(total_count=0, list=[]), AuthorizerPage(0, {})),
        (of(total_count="0", list=[]), NOT_JSON),
        (of(total_count=0, list={}), NOT_JSON),
        (of(total_count=0), AuthorizerPage(0, {})),
        (of(total_count=0, list=None), AuthorizerPage(0, {})),
        (of(total_count=1), NOT_JSON),
        (of(errcode=0), NOT_JSON),
        (of(errcode=42001), NoAnswer(for_code(42001), Said(42001, "", None))),
    ],
)
def test_a_page_of_the_list_or_the_reason_for_its_absence_is_read(
    answer: bytes, found: AuthorizerPage | NoAnswer
) -> None:
    assert read_answer(200, answer, api.read_authorizer_list) == found


READERS: tuple[Callable[[Mapping[str, object]], object], ...] = (
    api.read_component_token,
    api.read_authorizer_token,
    api.read_query_auth,
    api.read_authorizer_info,
    api.read_authorizer_list,
    read_done,
)


def test_the_repr_of_a_read_answer_contains_no_secret() -> None:
    secret = of(
        component_access_token="made-up",
        authorizer_access_token="made-up",
        authorizer_refresh_token="made-up",
        expires_in=7200,
        authorization_info={**INFO, "authorizer_access_token": "made-up"},
        total_count=1,
        list=[{"authorizer_appid": OWNER, "refresh_token": "made-up"}],
    )
    shown = [repr(read_answer(200, secret, read)) for read in READERS]
    assert [each for each in shown if "made-up" in each] == []
