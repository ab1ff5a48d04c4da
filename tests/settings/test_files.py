import os
from pathlib import Path

import pytest

from bot.domain.finding import Problem
from bot.domain.language import Language
from bot.locale import languages
from bot.settings.environ import UnreadableError
from bot.settings.files import environment
from bot.settings.table import FILED, SETTINGS
from tests.ops.chinese import english_in

TOKEN = "xoxb-made-up"


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, empty, in a process without any setting."""
    monkeypatch.chdir(tmp_path)
    for name in (each.name for each in SETTINGS):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def problems() -> list[Problem]:
    with pytest.raises(UnreadableError) as caught:
        environment()
    return caught.value.problems


def test_each_secret_may_stand_in_a_file_which_the_process_or_dotenv_names(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in FILED:
        (directory / name).write_text(f"{name} made up\n", encoding="utf-8")
        monkeypatch.setenv(f"{name}_FILE", str(directory / name))
    monkeypatch.delenv("SLACK_BOT_TOKEN_FILE")
    (directory / ".env").write_text("SLACK_BOT_TOKEN_FILE=SLACK_BOT_TOKEN\n")
    found = environment()
    assert {name: found[name] for name in FILED} == {name: f"{name} made up" for name in FILED}
    assert not [name for name in found if name.removesuffix("_FILE") in FILED and name not in FILED]


@pytest.mark.parametrize("name", ["PORT", "POLICY", "SSL_CERT"])
def test_no_other_setting_is_read_from_a_file(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"{name}_FILE", "/nowhere")
    assert name not in environment()


def test_a_setting_beside_its_file_is_refused_unless_one_of_them_is_empty(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "token").write_bytes(b"\xef\xbb\xbf " + TOKEN.encode() + b"\r\n")
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", "token")
    (directory / ".env").write_text("SLACK_BOT_TOKEN=xoxb-other\n")
    assert problems() == [
        "SLACK_BOT_TOKEN and SLACK_BOT_TOKEN_FILE are set together. Keep one of them."
    ]
    (directory / ".env").write_text("SLACK_BOT_TOKEN=\nSLACK_APP_TOKEN_FILE=\n")
    assert environment()["SLACK_BOT_TOKEN"] == TOKEN


def test_each_file_that_cannot_be_read_is_named_with_the_reason_in_both_languages(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (directory / "empty").write_text(" \n")
    (directory / "bytes").write_bytes(b"\xff" + TOKEN.encode())
    (directory / "long").write_text("x" * 70_000)
    os.mkfifo(directory / "pipe")
    for path, reason in (
        ("missing", "No such file or directory"),
        ("empty", "it is empty"),
        ("bytes", "it is not in UTF-8"),
        ("long", "it is too long for a secret"),
        ("pipe", "it is no file"),
        (".", "it is no file"),
    ):
        monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", path)
        (problem,) = problems()
        assert problem == (
            f"SLACK_BOT_TOKEN_FILE names {path}, which cannot be read: {reason}. "
            "Put the secret alone into that file, and let the bot's user read it."
        )
        told = languages(Language.CHINESE).channel.told(problem).replace(reason, "")
        assert english_in(told.replace(path, "")) == ""


def test_all_that_is_wrong_with_files_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLACK_BOT_TOKEN_FILE", "one")
    monkeypatch.setenv("AUDIT_SECRET_FILE", "two")
    assert [each.split()[0] for each in problems()] == ["SLACK_BOT_TOKEN_FILE", "AUDIT_SECRET_FILE"]
