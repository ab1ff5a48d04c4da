"""What an operator reads when the bot does not start, in the LANGUAGE that is set."""

import errno
import os
from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.language import Language
from bot.locale import languages
from bot.settings.environ import DOTENV
from bot.settings.load import load
from tests.ops.chinese import english_in

_WRONG = {
    "SLACK_APP_TOKEN": "xoxb-1",
    "SLACK_API_URL": "http://slack.example/",
    "WECHAT_API_URL": "api",
    "WECHAT_COMPONENT_APPID": "platform",
    "WECHAT_TOKEN_SERVER_URL": "https://a:b@tokens.example/<appid>",
    "WECHAT_AUTHORIZER_APPID": "xapp-1",
    "WECHAT_TIMEOUT": "soon",
    "WECHAT_ENCODING_AES_KEY": "short",
    "TOKEN_ENCRYPTION_KEY": "one,two",
    "DATABASE_URL": "sqlite:///a.db # mine",
    "SHARE_ENV_ALLOWED_USERS": "bob",
    "SHARE_ENV_ALLOWED_CHANNEL": "C012ABCDEF",
    "PORT": "0",
    "LOG_LEVEL": "loud",
    "SHUTDOWN_GRACE": "xapp-1",
}


@pytest.mark.parametrize(
    "environ",
    [
        {"DATABASE_URL": ""},
        _WRONG,
        {"SLACK_BOT_TOKEN": "xoxb-1", "POLICY_FILE": "/nowhere/policy.toml"},
        {"SLACK_BOT_TOKN": "xoxb-1", "PORT": "80"},
        {"WECHAT_AUTHORIZER_ACCESS_TOKEN": "12_abcdefghi", "SHARE_ENV_ALLOWED_USERS": "U012ABCDEF"},
        {"WECHAT_TOKEN_SERVER_URL": "https://tokens.example/<appid>"},
    ],
)
def test_each_sentence_of_a_wrong_setup_is_chinese(environ: dict[str, str]) -> None:
    problems = load(environ)
    assert isinstance(problems, list)
    words = languages(Language.CHINESE).channel
    told = [words.told(problem).replace(os.strerror(errno.ENOENT), "") for problem in problems]
    assert [english_in(problem) for problem in told] == [""] * len(problems)


def test_a_wrong_language_is_told_in_both() -> None:
    problems = load({"SLACK_BOT_TOKEN": "xoxb-1", "LANGUAGE": "klingon"})
    assert isinstance(problems, list)
    fix = "Set it to one of en, zh-CN. 请设为 en 或 zh-CN。"
    assert f"LANGUAGE is “klingon”. {fix}" in problems


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize(
    ("language", "dotenv", "said"),
    [
        ("zh-CN", "LANGUAGE=en\nA B", ".env 第 2 行不是 NAME=value 的形式。请改正。\n"),
        ("", "LANGUAGE=zh-CN\nA B", ".env 第 2 行不是 NAME=value 的形式。请改正。\n"),
        ("", "A B", ".env, line 1, is not NAME=value. Correct it.\n"),
    ],
)
def test_a_dotenv_that_cannot_be_read_is_told_in_the_language_that_can(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    language: str,
    dotenv: str,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGUAGE", language)
    DOTENV.write_text(dotenv, encoding="utf-8")
    assert main(["policy"]) == 2
    assert capsys.readouterr() == ("", said)
