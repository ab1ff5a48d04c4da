"""The bot's readers on what WeChat answers and pushes, in the shape in which others recorded it."""

import json
from collections.abc import Callable, Mapping

import pytest

from bot.domain.outcome import Readiness, Said
from bot.guidance import ListedEnv, for_code
from bot.wechat import component
from bot.wechat.api import NoAnswer, read_answer, read_done, read_envs, read_readiness
from bot.wechat.component import Authorization, AuthorizerInfo, AuthorizerPage, Issued
from bot.wechat.push import Authorized, Push, Ticket, Unauthorized, read_push
from tests.playground.wechat.recorded import ANSWERS, NOW, PUSHES, RID
from tests.wechat.conftest import OWNER
from tests.wechat.test_push import PLATFORM, containing

REFRESH = "refreshtoken@@@made-up"
ISSUED = Issued("made-up-token", 7200.0, REFRESH)


@pytest.mark.parametrize(
    ("name", "read", "found"),
    [
        ("shareenv", read_done, None),
        ("getenvinfo", read_envs, {"prod-1": ListedEnv("NORMAL", "prod")}),
        ("listfunctions", read_readiness, Readiness.READY),
        ("api_component_token", component.read_component_token, Issued("made-up-token", 7200.0)),
        ("api_authorizer_token", component.read_authorizer_token, ISSUED),
        ("api_query_auth", component.read_query_auth, Authorization(OWNER, ISSUED)),
        (
            "api_get_authorizer_info",
            component.read_authorizer_info,
            AuthorizerInfo(frozenset({18, 49}), None),
        ),
        (
            "api_get_authorizer_list",
            component.read_authorizer_list,
            AuthorizerPage(1, {OWNER: REFRESH}),
        ),
        ("api_start_push_ticket", component.read_push, "ok"),
        ("refused", read_done, NoAnswer(for_code(85088), Said(85088, "no qbase privilege", RID))),
        (
            "refused by CloudBase",
            read_done,
            NoAnswer(for_code(-501000), Said(-501000, "", RID)),
        ),
    ],
)
def test_a_recorded_answer_is_read(
    name: str, read: Callable[[Mapping[str, object]], object], found: object
) -> None:
    body = json.dumps(ANSWERS[name].payloads[0], ensure_ascii=False).encode()
    assert read_answer(200, body, read) == found


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("ticket", Ticket(NOW, "ticket@@@made-up")),
        ("authorized", Authorized(NOW, OWNER, "queryauthcode@@@made-up")),
        ("updateauthorized", Authorized(NOW, OWNER, "queryauthcode@@@made-up")),
        ("unauthorized", Unauthorized(NOW, OWNER)),
    ],
)
def test_a_recorded_push_is_read(name: str, meaning: Push) -> None:
    posted = containing(PUSHES[name][1].encode())
    now = float(posted.query["timestamp"])
    assert read_push(PLATFORM, posted.query, posted.body, now) == meaning
