import signal
from pathlib import Path

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, BOT, OWNER
from bot.slack.preflight import MENTIONS
from tests.conftest import RELEASES, REQUESTER, address_at, over_http
from tests.end_to_end.conftest import bot, ended_parents, finished
from tests.processes import ROOT
from tests.said import SHARED

SHARE = f"{APPID} prod-1"


async def test_a_share_is_answered_in_a_thread_over_socket_mode(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["PYTHONPATH"] = str(ROOT)  # a variable for Python, so that a fresh Python is started
    async with bot(environ, tmp_path) as process:
        assert process.ready == (
            "share-env-bot 0.3.0 is ready: playground as share-env, over Socket Mode.\n"
        )
        await slack.command(REQUESTER, RELEASES, SHARE)
        await slack.until(lambda slack: len(ended_parents(slack)) == 1)
        (parent,) = ended_parents(slack)
        (reply,) = slack.thread(RELEASES, parent.ts)
        assert parent.text.startswith(f"✅ <@U0REQUESTER> shared `prod-1` with `{APPID}`")
        assert reply.text.startswith(SHARED)
        assert wechat.shared == [(OWNER, "prod-1", APPID)]
        assert slack.violations == []
        assert await process.stop(signal.SIGTERM) == 0


async def test_http_mode_accepts_a_command_that_contains_the_word_payload(
    slack: LocalSlack,
    wechat: LocalWeChat,
    environ: dict[str, str],
    tmp_path: Path,
    unused_tcp_port: int,
) -> None:
    environ |= over_http(unused_tcp_port)
    environ["SLACK_CLIENT_ID"] = environ["SLACK_CLIENT_SECRET"] = "made-up"
    slack.request_url = address_at(unused_tcp_port)
    async with bot(environ, tmp_path) as process:
        assert f"at http://127.0.0.1:{unused_tcp_port}" in process.ready
        ack = await slack.command(REQUESTER, RELEASES, f"{APPID} payload-1")
        assert ack.error is None
        await slack.until(lambda slack: len(ended_parents(slack)) == 1)
        assert wechat.shared == [(OWNER, "payload-1", APPID)]
        assert await process.stop(signal.SIGINT) == 0


@pytest.mark.parametrize("way", ["Socket Mode", "HTTP"])
async def test_a_mention_in_a_thread_is_answered_there(
    slack: LocalSlack,
    wechat: LocalWeChat,
    environ: dict[str, str],
    tmp_path: Path,
    unused_tcp_port: int,
    way: str,
) -> None:
    slack.scopes.add(MENTIONS)
    if way == "HTTP":
        environ |= over_http(unused_tcp_port)
        slack.request_url = address_at(unused_tcp_port)
    async with bot(environ, tmp_path) as process:
        await slack.say(REQUESTER, RELEASES, "who shares prod-1?")
        (root,) = slack.parents(RELEASES)
        ack = await slack.say(REQUESTER, RELEASES, f"<@{BOT}> {SHARE}", root.ts)
        assert ack
        assert (ack.error, ack.payload) == (None, None)
        await slack.redeliver(ack)
        await slack.until(lambda slack: any(SHARED in m.text for m in slack.messages))
        assert [m.thread_ts for m in slack.messages] == [None, root.ts, root.ts, root.ts]
        assert wechat.shared == [(OWNER, "prod-1", APPID)]
        assert slack.violations == []
        assert await process.stop(signal.SIGTERM) == 0


async def test_a_wrong_setup_ends_at_once_with_a_sentence_for_each_thing_wrong(
    tmp_path: Path,
) -> None:
    code, out, err = await finished({"SLACK_BOT_TOKEN": "xapp-made-up"}, tmp_path)
    assert code == 2
    assert out == ""
    assert err.splitlines()[0] == (
        "SLACK_BOT_TOKEN holds an app-level token. Put the bot token (xoxb-…) there; it is on your "
        "Slack app's page “OAuth & Permissions”."
    )
    assert len(err.splitlines()) == 4
    assert "Traceback" not in err


async def test_an_unreachable_slack_ends_the_start_with_exit_code_1(
    environ: dict[str, str], tmp_path: Path, unused_tcp_port: int
) -> None:
    environ["SLACK_API_URL"] = f"http://127.0.0.1:{unused_tcp_port}/api/"
    environ["LOG_LEVEL"] = "INFO"
    code, _, err = await finished(environ, tmp_path)
    assert code == 1
    assert err.startswith(
        "Slack cannot be reached: no connection can be made (Connection refused). "
    )
    assert len(err.splitlines()) == 1


async def test_a_dotenv_file_in_the_working_directory_is_read(
    slack: LocalSlack, environ: dict[str, str], tmp_path: Path
) -> None:
    lines = (f"{name}={value}\n" for name, value in environ.items())
    (tmp_path / ".env").write_text("".join(lines), encoding="utf-8")
    async with bot({}, tmp_path):
        ack = await slack.command(REQUESTER, RELEASES, "whoami")
        assert "a full member of this workspace" in str(ack.payload)


async def test_messages_about_a_wrong_setup_show_no_secret(
    environ: dict[str, str], tmp_path: Path
) -> None:
    environ |= {"WECHAT_AUTHORIZER_APPID": "54_SECRETTOKEN-1", "POLICY_FILE": "54_SECRETTOKEN-1"}
    code, out, err = await finished(environ, tmp_path, "run")
    assert (code, out) == (2, "")
    assert "WECHAT_AUTHORIZER_APPID holds a WeChat token, which is not an appid. Set it to" in err
    assert "The policy file “[hidden]” cannot be read: " in err
    assert "SECRETTOKEN" not in err


@pytest.mark.parametrize(
    "arguments",
    [
        ("{}",),
        ("run", "{}"),
        ("audit", "--since={}"),
        ("audit", "--{}"),
        ("request", "7kq2mhx4", "of {} it"),
    ],
)
async def test_wrong_words_on_the_command_line_are_named_without_secrets(
    environ: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    for word in ("oops", "xoxb-made-up-by-somebody", environ["WECHAT_TOKEN_SERVER_AUTHORIZATION"]):
        typed = [each.format(word) for each in arguments]
        code, out, err = await finished(environ, tmp_path, *typed)
        assert (code, out, word in err) == (2, "", word == "oops")
        assert ("[hidden]" in err) is (word != "oops")
        assert err.startswith("usage: share-env-bot ")
