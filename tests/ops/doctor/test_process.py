import json
from pathlib import Path

import pytest

from bot.playground.environments import chain_environment
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.world import OWNER
from tests.end_to_end.conftest import finished
from tests.faults.tls_proxy import State, tls_proxy
from tests.processes import ROOT
from tests.token_server import TokenWeChat, environment

GROUP = {"WECHAT_AUTHORIZER_APPID": OWNER, "SHARE_ENV_ALLOWED_GROUPS": "S0PLATFORM"}
MARKS = ("✅ ", "⚠️ ", "❌ ", "   ")


def one_line(text: str) -> str:
    return " ".join(text.split())


async def test_if_nothing_is_wrong_the_doctor_exits_with_0_and_prints_a_line_for_each_check(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path: Path
) -> None:
    code, out, err = await finished(environment(slack, wechat) | GROUP, tmp_path, "doctor")
    assert (code, err) == (0, "")
    told, _, last = out.partition("\n\n")
    assert all(line.startswith(MARKS) for line in told.splitlines())
    fine = sum(line.startswith("✅ ") for line in told.splitlines())
    assert f"Wrong: 0, warnings: 1, fine: {fine}." in last
    assert one_line(last).endswith(" Start the bot once: it makes it.")
    assert told.startswith("⚠️ ledger: there is none yet at\n   /")
    assert "   → Start the bot once" in out
    assert all(len(line) <= 80 or " " not in line.strip() for line in out.splitlines())


async def test_if_something_is_wrong_the_doctor_exits_with_1(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path: Path
) -> None:
    broken = environment(slack, wechat) | GROUP | {"SLACK_BOT_TOKEN": "xoxb-revoked"}
    code, out, err = await finished(broken, tmp_path, "doctor")
    assert (code, err) == (1, "")
    first = "SLACK_BOT_TOKEN is not accepted by Slack (invalid_auth)"
    assert out.startswith(f"❌ slack-bot: {first}\n")
    assert "   Not checked because of slack-bot: slack-scopes, slack-groups, slack-people" in out
    assert f"Do this first, for slack-bot: {first}. Copy the bot token again" in one_line(out)


async def test_json_is_a_list_of_objects_in_english(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path: Path
) -> None:
    environ = environment(slack, wechat) | GROUP
    _, out, _ = await finished(environ, tmp_path, "doctor", "--json")
    findings = json.loads(out)
    assert all(list(finding) == ["name", "level", "found", "fix"] for finding in findings)
    assert {finding["level"] for finding in findings} == {"ok", "warning"}
    assert findings[0]["name"] == "settings"
    _, chinese, _ = await finished(environ | {"LANGUAGE": "zh-CN"}, tmp_path, "doctor", "--json")
    both = ([f for f in json.loads(each) if f["name"] != "disk"] for each in (out, chinese))
    assert next(both) == next(both)


@pytest.mark.parametrize("broken", [False, True])
async def test_no_secret_is_shown(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path: Path, broken: bool
) -> None:
    environ = environment(slack, wechat) | chain_environment(wechat, free_port()) | GROUP
    del environ["WECHAT_TOKEN_SERVER_AUTHORIZATION"]
    if not broken:
        del environ["WECHAT_TOKEN_SERVER_URL"]
    environ |= {
        "WECHAT_AUTHORIZER_REFRESH_TOKEN": "refreshtoken@@@hush",
        "SLACK_SIGNING_SECRET": "5" * 32,
        "DATABASE_URL": f"postgresql+psycopg://bot:pass-word@127.0.0.1:{free_port()}/ledger",
        "HTTPS_PROXY": f"http://someone:proxy-word@127.0.0.1:{free_port()}",
    }
    if broken:
        secret = environ["WECHAT_ENCODING_AES_KEY"]
        environ |= {"SLACK_APP_TOKEN": secret, "TOKEN_ENCRYPTION_KEY": "no-fernet-key"}
    secrets = [
        *(environ[name] for name in ("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")),
        *(environ[name] for name in ("WECHAT_COMPONENT_APPSECRET", "WECHAT_MESSAGE_TOKEN")),
        *(environ["WECHAT_ENCODING_AES_KEY"], "@@@hush", "pass-word", "proxy-word", "no-fernet"),
    ]
    for arguments in (["doctor"], ["doctor", "--json"]):
        code, out, err = await finished(environ, tmp_path, *arguments)
        assert code == 1
        assert [secret for secret in secrets if secret in out + err] == []


async def test_a_name_server_that_never_answers_does_not_keep_the_doctor_from_ending(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path: Path
) -> None:
    silent = "import socket, time\nsocket.getaddrinfo = lambda *_, **__: time.sleep(1000)\n"
    (tmp_path / "sitecustomize.py").write_text(silent, encoding="utf-8")
    environ = environment(slack, wechat) | GROUP | {"SLACK_API_URL": "https://slack.test/api/"}
    path = {"PYTHONPATH": f"{tmp_path}:{ROOT}"}
    code, out, _ = await finished(environ | path, tmp_path, "doctor")
    assert code == 1
    assert "❌ slack-bot, slack-app: Slack cannot be reached: no connection" in out


async def test_a_company_that_decrypts_tls_is_named_and_trusted_with_ssl_cert_file(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path: Path
) -> None:
    async with tls_proxy(tmp_path, State.TRUSTED) as company:
        company.target = slack.api_url.removesuffix("/api/")
        environ = environment(slack, wechat) | GROUP | {"SLACK_API_URL": f"{company.url}/api/"}
        code, out, _ = await finished(environ, tmp_path, "doctor")
        assert code == 1
        first = (
            "Slack cannot be reached: the certificate is signed by nobody whom this machine trusts"
        )
        assert one_line(out).startswith(
            f"❌ slack-bot, slack-app: {first} (self-signed certificate)"
        )
        assert "or set SSL_CERT_FILE, in the environment of the process, to a PEM" in one_line(out)
        code, _, err = await finished(environ, tmp_path, "run")
        assert (code, err.startswith(first)) == (1, True)
        trusting = environ | {"SSL_CERT_FILE": str(company.trusted), "PYTHONPATH": str(ROOT)}
        code, out, _ = await finished(trusting, tmp_path, "doctor")
    assert (code, "✅ slack-bot: " in out, "✅ slack-app: " in out) == (0, True, True)


async def test_a_dead_proxy_is_named_by_the_doctor_and_at_the_start(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path: Path
) -> None:
    proxy = {"HTTPS_PROXY": "http://someone:proxy-word@127.0.0.1:9", "NO_PROXY": ""}
    environ = environment(slack, wechat) | GROUP | proxy
    way = "the proxy http://127.0.0.1:9 takes no connection (Connection refused)"
    code, out, _ = await finished(environ, tmp_path, "doctor")
    assert code == 1
    assert one_line(out).startswith(f"❌ slack-bot, slack-app: Slack cannot be reached: {way}")
    code, _, err = await finished(environ, tmp_path, "run")
    fix = "Correct HTTPS_PROXY, or let the proxy run."
    assert (code, err) == (1, f"Slack cannot be reached: {way}. {fix}\n")


async def test_a_corrected_env_file_that_the_environment_overrides_is_the_first_thing_that_is_said(
    slack: LocalSlack, wechat: TokenWeChat, tmp_path: Path
) -> None:
    old = environment(slack, wechat) | GROUP | {"SLACK_BOT_TOKEN": "xoxb-old"}
    (tmp_path / ".env").write_text(f"SLACK_BOT_TOKEN={slack.world.bot_token}\n", encoding="utf-8")
    (tmp_path / ".env").chmod(0o600)
    first = "The environment gives SLACK_BOT_TOKEN another value than .env, and it counts"
    code, out, _ = await finished(old, tmp_path, "doctor")
    assert code == 1
    assert one_line(out).startswith(f"❌ environment: {first} → Take it out of the environment")
    assert "slack-bot, because of environment: SLACK_BOT_TOKEN is not accepted" in one_line(out)
    code, _, err = await finished(old, tmp_path, "run")
    assert (code, err.splitlines()[0].startswith(f"{first}. ")) == (2, True)
    assert "SLACK_BOT_TOKEN is not accepted by Slack" in err.splitlines()[1]
    followed = {name: value for name, value in old.items() if name != "SLACK_BOT_TOKEN"}
    code, out, _ = await finished(followed, tmp_path, "doctor")
    assert (code, "environment" in out) == (0, False)


async def test_json_is_printed_of_an_env_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SLACK_BOT_TOKEN xoxb-1\n", encoding="utf-8")
    code, out, err = await finished({}, tmp_path, "doctor", "--json")
    (found,) = json.loads(out)
    assert (code, found["name"], found["level"]) == (2, "settings", "wrong")
    assert (found["found"], found["fix"]) == (".env, line 1, is not NAME=value", "Correct it.")
    assert err == ".env, line 1, is not NAME=value. Correct it.\n"
