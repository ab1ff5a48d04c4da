import asyncio
import re
import signal
from pathlib import Path

import pytest

from bot.playground.faults import Code, Hang, Slow
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from tests.end_to_end.conftest import bot, finished
from tests.processes import ROOT
from tests.said import SHARED

SHARE = f"{APPID} prod-1"


def final(slack: LocalSlack) -> list[PostedMessage]:
    """Return the parents in #releases in their final state."""
    return [message for message in slack.parents("C0RELEASES") if message.edits]


async def test_a_share_is_answered_in_a_thread_over_socket_mode(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["PYTHONPATH"] = str(ROOT)  # a variable for Python, so that a fresh Python is started
    async with bot(environ, tmp_path) as process:
        assert process.ready == (
            "share-env-bot 0.2.0 is ready: playground as share-env, over Socket Mode.\n"
        )
        await slack.command("U0REQUESTER", "C0RELEASES", SHARE)
        await slack.until(lambda slack: len(final(slack)) == 1)
        (parent,) = final(slack)
        (reply,) = slack.thread("C0RELEASES", parent.ts)
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
    environ["SLACK_SIGNING_SECRET"] = slack.world.signing_secret
    environ["PORT"] = str(unused_tcp_port)
    environ["SLACK_CLIENT_ID"] = environ["SLACK_CLIENT_SECRET"] = "made-up"
    del environ["SLACK_APP_TOKEN"]
    slack.request_url = f"http://127.0.0.1:{unused_tcp_port}/slack/events"
    async with bot(environ, tmp_path) as process:
        assert f"at http://127.0.0.1:{unused_tcp_port}" in process.ready
        ack = await slack.command("U0REQUESTER", "C0RELEASES", f"{APPID} payload-dev")
        assert ack.error is None
        await slack.until(lambda slack: len(final(slack)) == 1)
        assert wechat.shared == [(OWNER, "payload-dev", APPID)]
        assert await process.stop(signal.SIGINT) == 0


async def test_no_secret_is_in_any_log_line_at_debug(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    async with bot(environ, tmp_path) as process:
        await slack.command("U0REQUESTER", "C0RELEASES", SHARE)
        await slack.until(lambda slack: len(final(slack)) == 1)
        wechat.expire(wechat.calls[-1].token)
        wechat.fail("shareenv", Code(-1))
        ack = await slack.command("U0REQUESTER", "C0SECRET", f"{APPID} prod-2")
        await slack.until(lambda slack: slack.messages[-1].text.startswith("✅"))
        await process.stop(signal.SIGTERM)
    log = "".join(process.log)
    secrets = {
        *(slack.world.bot_token, slack.world.app_token, wechat.authorization.split()[1]),
        *(call.token for call in wechat.calls),
        *re.findall(r"/[\w-]+$", str(ack.request["response_url"])),
    }
    assert len(secrets) == 6
    assert '"api": "shareenv"' in log
    assert [secret for secret in secrets if secret in log] == []
    assert re.findall(r"\?ticket=\w+", log) == []


async def test_a_call_under_way_is_finished_before_the_process_ends(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    wechat.fail("shareenv", *[Slow(1, after_effect=True)] * 20)
    async with bot(environ, tmp_path) as process:
        commands = (
            slack.command("U0REQUESTER", "C0RELEASES", f"{APPID} prod-{n}") for n in range(20)
        )
        await asyncio.gather(*commands)
        assert await process.stop(signal.SIGTERM) == 0
    assert len(final(slack)) == 20
    assert {parent.text[0] for parent in final(slack)} == {"✅"}
    assert len(wechat.shared) == 20


async def test_a_call_that_outlasts_the_grace_is_finished_by_the_next_process(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    wechat.fail("shareenv", Slow(5, after_effect=True))  # would finish within the usual grace
    environ["SHUTDOWN_GRACE"] = "0.5"
    async with bot(environ, tmp_path) as process:
        await slack.command("U0REQUESTER", "C0RELEASES", SHARE)
        await wechat.until(lambda wechat: bool(wechat.calls))
        assert await process.stop(signal.SIGTERM) == 0
    assert final(slack) == []
    assert (tmp_path / "share-env.db").is_file()
    async with bot(environ, tmp_path):
        await slack.until(lambda slack: len(final(slack)) == 1)
    (parent,) = slack.parents("C0RELEASES")
    assert parent.text.startswith("✅")
    (reply,) = slack.thread("C0RELEASES", parent.ts)
    assert "I was restarted while this was under way" in reply.text


async def test_a_process_that_is_killed_leaves_its_request_to_the_next(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    wechat.fail("shareenv", Hang(60))
    async with bot(environ, tmp_path) as process:
        await slack.command("U0REQUESTER", "C0RELEASES", SHARE)
        await wechat.until(lambda wechat: bool(wechat.calls))
        assert await process.stop(signal.SIGKILL) == -signal.SIGKILL
    async with bot(environ, tmp_path):
        await slack.until(lambda slack: len(final(slack)) == 1)
    (parent,) = slack.parents("C0RELEASES")
    assert parent.text.startswith("✅")
    assert len(slack.thread("C0RELEASES", parent.ts)) == 1


async def test_a_second_process_on_the_same_file_is_refused_with_one_sentence(
    environ: dict[str, str], tmp_path: Path
) -> None:
    environ["LOG_LEVEL"] = "INFO"
    async with bot(environ, tmp_path):
        code, _, err = await finished(environ, tmp_path)
    assert code == 1
    assert err.startswith("Another share-env-bot already uses share-env.db.")
    assert len(err.splitlines()) == 1


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


@pytest.mark.parametrize("name", ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"])
async def test_a_token_that_slack_does_not_accept_ends_the_start_with_exit_code_2(
    environ: dict[str, str], tmp_path: Path, name: str
) -> None:
    environ[name] = environ[name].replace("playground", "somewhere-else")
    environ["LOG_LEVEL"] = "INFO"
    code, _, err = await finished(environ, tmp_path)
    assert code == 2
    assert err.startswith(f"{name} is not accepted by Slack (invalid_auth).")
    assert len(err.splitlines()) == 1


async def test_an_unreachable_slack_ends_the_start_with_exit_code_1(
    environ: dict[str, str], tmp_path: Path, unused_tcp_port: int
) -> None:
    environ["SLACK_API_URL"] = f"http://127.0.0.1:{unused_tcp_port}/api/"
    environ["LOG_LEVEL"] = "INFO"
    code, _, err = await finished(environ, tmp_path)
    assert code == 1
    assert err.startswith("Slack cannot be reached.")
    assert len(err.splitlines()) == 1


async def test_a_dotenv_file_in_the_working_directory_is_read(
    slack: LocalSlack, environ: dict[str, str], tmp_path: Path
) -> None:
    lines = (f"{name}={value}\n" for name, value in environ.items())
    (tmp_path / ".env").write_text("".join(lines), encoding="utf-8")
    async with bot({}, tmp_path):
        ack = await slack.command("U0REQUESTER", "C0RELEASES", "whoami")
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
