import json

import pytest

from bot.guidance import Trouble
from bot.wechat.api import Declined, Troubled
from bot.wechat.envs import Functions, list_functions, read_functions


def test_the_call_asks_for_a_page_and_has_its_token_in_the_query_alone() -> None:
    call = list_functions("t0k3n", "prod-1", 100)
    assert call.path == "/tcb/listfunctions"
    assert json.loads(call.body) == {"env": "prod-1", "limit": 100, "offset": 100}
    assert "t0k3n" not in repr(call)


@pytest.mark.parametrize(
    ("body", "read"),
    [
        (
            '{"errcode": 0, "total_count": 2, "functions": [{"name": "a", "status": "Active"}, {"name": "b"}]}',
            Functions({"a": "Active", "b": ""}, 2),
        ),
        ('{"errcode": 0, "total_count": 0}', Functions({}, 0)),
        ('{"errcode": 0}', Functions({}, 0)),
        ('{"total_count": 1, "functions": [{"name": 7}, null]}', Functions({}, 1)),
        ('{"total_count": 3}', Troubled(Trouble.NOT_JSON)),
        ('{"total_count": "3", "functions": []}', Troubled(Trouble.NOT_JSON)),
        ('{"functions": {"a": 1}}', Troubled(Trouble.NOT_JSON)),
        ("[]", Troubled(Trouble.NOT_JSON)),
    ],
)
def test_what_is_listed_is_read_and_an_absent_list_is_empty_unless_the_total_says_otherwise(
    body: str, read: Functions | Troubled
) -> None:
    assert read_functions(200, body.encode()) == read


def test_a_refusal_and_a_gateway_are_no_lists() -> None:
    refused = read_functions(200, b'{"errcode": 85088, "errmsg": "no qbase privilege"}')
    assert isinstance(refused, Declined)
    assert isinstance(read_functions(502, b"<html>"), Troubled)
