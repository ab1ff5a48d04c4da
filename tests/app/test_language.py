"""What stops a start beside the settings is told in Chinese, wholly: policy, database, Slack, and what is in the way."""

import logging
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from bot.app.running import running
from bot.domain.in_general import in_general
from bot.domain.language import Language
from bot.domain.sentence import Sentence
from bot.guidance import all_guidance
from bot.ledger.database import open_database
from bot.ledger.engine import CannotOpenError
from bot.locale import languages
from bot.observe.output import speaking
from bot.policy.file import read_and_test
from bot.policy.lint import owners, reach
from bot.runtime.clock import Runtime
from bot.runtime.listener import unusable
from bot.runtime.way import in_the_way, proxy_refuses
from bot.slack.api import BAD_TOKEN, NOT_FROM_SLACK, Doubtful, Refused, Result
from bot.slack.greeting import REFUSALS
from bot.slack.preflight import SCOPES, not_granted, problem_of_app, problem_of_bot
from bot.wechat.push import PushRefusal
from bot.wechat.token_answer import read_token
from tests.conftest import settings_of
from tests.ops.chinese import english_in, without_others

_WORDS = languages(Language.CHINESE).channel
_KEY = ConnectionKey("wechat.example", 443, True, True, None, None, None)  # noqa: FBT003
_RULE = '[[rule]]\neffect = "allow"\n'


def _left_in(problem: str | None) -> str:
    """Return what is left in English, but for the words of the system."""
    assert isinstance(problem, Sentence)
    return english_in(without_others(_WORDS.told(problem)))


@pytest.mark.parametrize(
    "policy",
    [
        "rule = ",
        "rule = " + "[" * 2000,
        "",
        "rule = 1",
        "rule = []",
        '[[rule]]\neffect = "perhaps"',
        f'{_RULE}users = "U012ABCDEF"\nnobody = 1\nappid = ["x"]\nname = 1',
        f'{_RULE}users = ["bob"]\ngroups = ["U012ABCDEF"]\nchannels = []\nconfirm = "no"',
        f'{_RULE}users = ["*"]\nappids = ["prod"]\nenvs = ["_"]\nchannels = ["bob"]\ncontact = "x"',
        f'{_RULE}users = ["*"]\napprovers = 1\nname = "a\\u0000b"',
        f'{_RULE}name = "a"\n\n{_RULE}name = "a"\nself_approval = true\nusers = ["*"]',
        '[[rule]]\neffect = "approve"',
        '[[rule]]\neffect = "approve"\napprovers = { channel = "C012ABCDEF", expires = "soon" }',
        '[[rule]]\neffect = "deny"\nguests = true',
        f'contact = "{"x" * 201}"\n[[owner]]\nappid = "wx"\nenvs = []\n\n{_RULE}users = ["*"]',
    ],
)
def test_each_mistake_in_a_policy_is_chinese(policy: str) -> None:
    found = read_and_test(policy, None)
    assert isinstance(found, list)
    assert found
    assert [_left_in(problem) for problem in found] == [""] * len(found)


def test_failed_tests_and_rules_that_never_decide_are_chinese() -> None:
    allow = f'{_RULE}users = ["*"]\nname = "all"\n'
    policy = f"""
{allow}
[[rule]]
name = "few"
effect = "deny"
users = ["U012ABCDEF"]
[[rule]]
name = "none"
effect = "allow"
users = ["U012ABCDEF"]
[[owner]]
appid = "wx0123456789abcdef"
envs = ["prod-*"]
[[owner]]
appid = "wx0123456789abcde0"
envs = ["prod-1"]
[[test]]
user = "U012ABCDEF"
appid = "wx0123456789abcdef"
env = "prod-1"
expect = "deny"
"""
    tested = read_and_test(policy, None)
    assert not isinstance(tested, list)
    findings = [*reach(tested.policy), *owners(tested.policy)]
    said = [*tested.failed, *(text for each in findings for text in (each.told, each.fix or ""))]
    assert len(said) > 5
    assert [_left_in(text) for text in said] == [""] * len(said)


@pytest.mark.parametrize(
    "url",
    [
        "mysql://db/x",
        "nothing",
        "sqlite://tmp/a.db",
        "postgresql+asyncpg://db/x",
        "postgresql://bot:a@b@db/x",
        "sqlite:///{folder}",
        "sqlite:///{folder}/no/such/a.db",
        "sqlite:///{folder}/text.db",
    ],
)
def test_why_a_database_cannot_be_opened_is_chinese(url: str, tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("This is no database. " * 100)
    with pytest.raises(CannotOpenError) as raised:
        open_database(url.format(folder=tmp_path), Runtime())
    assert _left_in(raised.value.problem) == ""
    assert str(raised.value) == raised.value.problem


def _refusals() -> Iterator[Result]:
    errors = [*BAD_TOKEN, *REFUSALS, "missing_scope", "ratelimited", "unforeseen"]
    yield from map(Refused, errors)
    yield from map(Doubtful, (NOT_FROM_SLACK, "HTTP 404", "internal_error", "timeout"))


@pytest.mark.parametrize("result", list(_refusals()))
def test_what_slack_refuses_is_chinese(result: Result) -> None:
    assert _left_in(problem_of_bot(result)) == _left_in(problem_of_app(result)) == ""


def test_each_scope_tells_in_chinese_what_does_not_work_without_it() -> None:
    assert [_left_in(not_granted([scope])) for scope in SCOPES] == [""] * len(SCOPES)


@pytest.mark.parametrize("proxy", [None, "http://proxy.example:3128", "socks5://proxy.example"])
@pytest.mark.parametrize(
    "error",
    [
        aiohttp.ClientConnectorDNSError(_KEY, OSError(111, "refused")),
        aiohttp.ClientConnectorError(_KEY, OSError(111, "refused")),
        aiohttp.ClientConnectorCertificateError(_KEY, ValueError("x")),
        aiohttp.ConnectionTimeoutError(),
        aiohttp.ServerDisconnectedError(),
        TimeoutError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_in_the_way_is_chinese(error: Exception, proxy: str | None) -> None:
    assert _left_in(in_the_way(error, proxy)) == ""


def test_what_refuses_a_call_or_a_post_is_chinese() -> None:
    refused = [proxy_refuses(status, None) for status in (403, 407, 502)]
    said = [*refused, unusable("host", 1, ValueError()), *(each.value for each in PushRefusal)]
    assert [_left_in(problem) for problem in said] == [""] * len(said)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "token",
        '"token"',
        "[]",
        "{}",
        '{"authorizer_appid": "wx1"}',
        '{"component_access_token": "x"}',
        '{"access_token": 1}',
        '{"errcode": 40001}',
    ],
)
def test_what_a_token_server_sends_in_place_of_a_token_is_chinese(body: str) -> None:
    found = read_token(body.encode(), "wx0123456789abcdef")
    assert not isinstance(found, tuple)
    assert _left_in(found) == ""


def test_all_guidance_is_chinese_for_operators() -> None:
    said = [text for row in all_guidance() for text in (row.title, row.meaning, *row.steps)]
    assert {_left_in(in_general(text)) for text in said} == {""}


async def test_the_log_is_english_in_each_language(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "bot")
    logs = []
    for language in ("en", "zh-CN"):
        caplog.clear()
        odd = {"LANGUAGE": language, "DATABASE_URL": "sqlite://"}
        async with running(settings_of(environ | odd)) as line:
            assert (line == speaking(odd).told(line)) is (language == "en")
        lines = [vars(record) for record in caplog.records]
        logs.append([[each.get(name) for name in ("msg", "reason", "fix")] for each in lines])
    assert logs[0] == logs[1]
    assert "it is in memory, and lost at each stop" in str(logs[0])
