from pathlib import Path

import pytest

from bot.ops.doctor.findings import by_cause
from bot.ops.doctor.run import examine
from bot.playground.loopback import free_port
from tests.ops.doctors import finding_of, findings_of, judged, level_of, rule, with_policy


async def test_valid_settings_are_summarised_by_kind(environ: dict[str, str]) -> None:
    assert (await finding_of(environ, "settings")).found == (
        "a bot token (xoxb-…), an app-level token (xapp-…), so Socket Mode, a token server"
    )
    del environ["SLACK_APP_TOKEN"]
    environ["SLACK_SIGNING_SECRET"] = "5" * 32
    assert "HTTP mode" in (await finding_of(environ, "settings")).found


@pytest.mark.parametrize("text", [None, "SLACK_BOT_TOKEN=\n"])
async def test_if_nothing_is_set_one_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / ".env").write_text(text)
        (tmp_path / ".env").chmod(0o600)
    finding = await finding_of({"LANGUAGE": "en_US:en", "HOST": "machine"}, "settings")
    found = "No settings found, neither in a .env here nor in the environment"
    assert (finding.level, finding.found) == ("wrong", found)
    assert finding.fix == (
        "Run this where the bot runs: in its folder or container, or, with the unit, as share-env-bot without a path. "
        "If it has never run, copy .env.example to .env there and fill it in, or set its environment."
    )


@pytest.mark.parametrize(
    ("one_setting", "other"),
    [
        ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"),
        ("SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"),
        ("SLACK_BOT_TOKEN", "SLACK_SIGNING_SECRET"),
    ],
)
async def test_two_swapped_settings_are_named(
    environ: dict[str, str], one_setting: str, other: str
) -> None:
    environ["SLACK_SIGNING_SECRET"] = "0123456789abcdef" * 2
    environ[one_setting], environ[other] = environ[other], environ[one_setting]
    assert await judged(environ, "settings") == ("wrong", f"{one_setting} and {other} are swapped")


@pytest.mark.parametrize(
    "change",
    [{"SHARE_ENV_ALLOWED_GROUPS": "@platform"}, {"SHARE_ENV_ALLOWED_USERS": "@mei U0REQUESTER"}],
    ids=str,
)
async def test_an_invalid_id_is_one_finding_and_is_not_looked_up(
    environ: dict[str, str], change: dict[str, str]
) -> None:
    printed = by_cause(await examine(environ | change))
    (wrong,) = [each for each in printed if each.finding.level == "wrong"]
    assert wrong.names == ["settings"]
    assert "policy-tests" in wrong.unchecked
    assert not [
        each for each in printed if "policy-reach" in each.names or "slack-people" in each.names
    ]


async def test_an_env_file_that_others_can_read_is_reported(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    dotenv = tmp_path / ".env"
    dotenv.touch(0o600)
    assert await level_of(environ, "settings") == "ok"
    dotenv.chmod(0o644)
    finding = await finding_of(environ, "settings")
    assert (finding.level, finding.found) == ("warning", "others may read .env")
    assert finding.fix == "Run chmod 600 .env."


@pytest.mark.parametrize("second", ["", "C0OTHER"])
async def test_a_setting_below_a_line_of_the_env_file_that_gives_its_value_is_reported(
    environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, second: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").touch(0o600)
    lines = f"PORT=\nSHARE_ENV_ALLOWED_CHANNELS=C0FIRST\nPORT=3000\nSHARE_ENV_ALLOWED_CHANNELS={second}\n"
    (tmp_path / ".env").write_text(lines)
    finding = await finding_of(environ, "settings")
    assert finding.level == "warning"
    assert finding.found == "SHARE_ENV_ALLOWED_CHANNELS stands more than once in .env"
    assert finding.fix == "Keep one line: now the last one with a value counts."


APPID, APPSECRET, TOKEN = "wx0123456789abcdef", "0123456789abcdef" * 2, "54_SECRETTOKEN-abc"


@pytest.mark.parametrize(
    ("one_setting", "other", "secret"),
    [
        ("WECHAT_AUTHORIZER_APPID", "WECHAT_AUTHORIZER_ACCESS_TOKEN", TOKEN),
        ("WECHAT_COMPONENT_APPID", "WECHAT_COMPONENT_APPSECRET", APPSECRET),
    ],
)
async def test_a_swapped_appid_and_secret_are_named_without_showing_the_secret(
    environ: dict[str, str], tmp_path: Path, one_setting: str, other: str, secret: str
) -> None:
    del environ["WECHAT_TOKEN_SERVER_URL"]
    owner = '[[owner]]\nappid = "wxaaaaaaaaaaaaaaaa"\nenvs = ["prod-*"]\n'
    wrong = with_policy(environ, tmp_path, owner + rule()) | {one_setting: secret, other: APPID}
    findings = await examine(wrong)
    swapped, *others = [finding for finding in findings if finding.name == "settings"]
    assert swapped.found == f"{one_setting} and {other} are swapped"
    assert [f.found for f in others if f.found.startswith((one_setting, other))] == []
    assert secret not in str(findings)


@pytest.mark.parametrize("name", ["PORT", "HOST", "POLICY_FILE", "LOG_LEVEL", "WECHAT_API_URL"])
@pytest.mark.parametrize("secret", ["xoxb-1-AbC-dEf", "xapp-1-A2-3-def", APPSECRET, TOKEN])
async def test_a_secret_in_the_wrong_setting_is_shown_by_no_check(
    environ: dict[str, str], name: str, secret: str
) -> None:
    findings = await examine(environ | {"PORT": str(free_port()), name: secret})
    assert {finding.level for finding in findings} > {"wrong"}
    assert secret not in str(findings)


async def test_each_problem_is_a_line_with_its_fix(environ: dict[str, str]) -> None:
    wrong = environ | {"SLACK_BOT_TOKEN": "xoxp-1", "PORT": "0", "LOG_LEVEL": "loud. Very"}
    assert [(f.found, (f.fix or "")[:6]) for f in await findings_of(wrong, "settings")] == [
        ("SLACK_BOT_TOKEN holds a user token", "Put th"),
        ("PORT is “0”", "Set it"),
        ("LOG_LEVEL is “loud. Very”", "Set it"),
    ]


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("SLACK_BOT_TOEKN", "Did you mean SLACK_BOT_TOKEN?"),
        ("DATABSE_URL", "Did you mean DATABASE_URL?"),
        ("SHARE_ENV_ADMINS", "Take it out."),
        ("WECHAT_X", "Take it out."),
        ("slack_bot_token", "Did you mean SLACK_BOT_TOKEN?"),
        ("EDITOR", None),
    ],
)
async def test_an_unknown_name_in_the_env_file_is_reported(
    environ: dict[str, str], name: str, fix: str | None
) -> None:
    found = await finding_of(environ | {name: "hush"}, "settings")
    assert found.fix == fix
    assert (found.level, "hush" in found.found) == ("warning" if fix else "ok", False)
    assert (found.found == f"{name} in .env is not a setting") is bool(fix)


@pytest.mark.parametrize("name", ["SLACK_CLIENT_ID", "SHARE_ENV_BOT_PORT_3000_TCP_ADDR"])
async def test_names_of_other_programs_in_the_process_environment_are_fine(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "made-up")
    assert await level_of(environ | {name: "made-up"}, "settings") == "ok"


async def test_a_name_in_the_process_environment_that_only_this_bot_could_use_is_reported(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    misspelt = {"SHARE_ENV_ALLOWED_CHANNEL": "C0RELEASES"}
    monkeypatch.setenv(*next(iter(misspelt.items())))
    finding = await finding_of(environ | misspelt, "settings")
    assert (finding.level, finding.found, finding.fix) == (
        "warning",
        "SHARE_ENV_ALLOWED_CHANNEL in the environment is not a setting",
        "Did you mean SHARE_ENV_ALLOWED_CHANNELS?",
    )


async def test_a_rotating_token_is_a_warning(environ: dict[str, str]) -> None:
    assert await level_of(environ | {"SLACK_BOT_TOKEN": "xoxe.xoxb-1-a"}, "settings") == "warning"


@pytest.mark.parametrize(
    ("changes", "checked"),
    [
        ({"SLACK_APP_TOKEN": "xoxb-x"}, {"slack-bot": "ok", "slack-app": "warning"}),
        ({"SLACK_BOT_TOKEN": "xapp-x"}, {"slack-bot": "warning", "slack-app": "ok"}),
        ({"SLACK_API_URL": "http://slack.example"}, {"slack-bot": "warning", "wechat": "ok"}),
        ({"WECHAT_API_URL": "http://wechat.example"}, {"slack-bot": "ok", "wechat": "warning"}),
        ({"WECHAT_TOKEN_SERVER_URL": "http://tokens.example"}, {"wechat": "warning"}),
    ],
)
async def test_with_one_wrong_setting_the_others_are_checked_and_no_token_is_sent_elsewhere(
    environ: dict[str, str], changes: dict[str, str], checked: dict[str, str]
) -> None:
    assert {name: await level_of(environ | changes, name) for name in checked} == checked
