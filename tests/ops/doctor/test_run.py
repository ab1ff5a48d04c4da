import asyncio
from pathlib import Path

from aiohttp import web

from bot.app.running import running
from bot.ops.doctor.findings import by_cause
from bot.ops.doctor.run import examine
from bot.playground.environments import chain_environment
from bot.playground.faults import Slow
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.runtime.clock import Runtime
from tests.conftest import rows, serving, settings_of
from tests.ops.doctors import CHECKS, complaints, contents

CHAIN = {"callback", "ticket", "platform-token", "owner-token", "encryption", "permissions"}
IF_WRONG = {"environment", "slack-workspaces", "wechat-envs"}
IF_SET = "collector"
ABSENT = {*IF_WRONG, "deliveries", "listener", IF_SET}
ORDER = [name for name in CHECKS if name not in CHAIN | ABSENT]
READING = {
    *("auth.test", "apps.connections.open", "usergroups.list"),
    *("users.info", "conversations.info", "bots.info"),
}


async def test_a_bot_without_problems_has_a_line_for_each_check_and_all_are_fine(
    bot: str, environ: dict[str, str]
) -> None:
    assert bot
    findings = await examine(environ)
    assert [(finding.name, finding.level) for finding in findings] == [(n, "ok") for n in ORDER]


async def test_a_token_chain_adds_checks_of_its_links(
    environ: dict[str, str], wechat: LocalWeChat, runtime: Runtime
) -> None:
    chain = chain_environment(wechat, free_port())
    environ = {k: v for k, v in environ.items() if not k.startswith("WECHAT_TOKEN")} | chain
    async with running(settings_of(environ), runtime):
        await wechat.until(lambda w: any(c.gave_token for c in w.platform.calls))
        names = [finding.name for finding in await examine(environ)]
    assert names == [name for name in CHECKS if name not in {*IF_WRONG, IF_SET}]


async def test_the_doctor_changes_nothing(
    environ: dict[str, str], slack: LocalSlack, wechat: LocalWeChat, tmp_path: Path, database: Path
) -> None:
    async with running(settings_of(environ)):
        await slack.command("U0REQUESTER", "C0RELEASES", "wx5fe6bb43205e9e70 prod-1")
        await slack.until(lambda slack: any(m.edits for m in slack.parents("C0RELEASES")))
    kept, calls, messages = contents(tmp_path), len(slack.calls), list(slack.messages)
    shared, violations = list(wechat.calls), list(slack.violations)
    before = len(wechat.transcript().splitlines())
    requests = rows(database, "SELECT * FROM requests")
    assert complaints(await examine(environ)) == []
    assert contents(tmp_path) == kept
    assert rows(database, "SELECT * FROM requests") == requests != []
    assert {call.method for call in slack.calls[calls:]} <= READING
    assert slack.messages == messages
    assert slack.violations == violations
    assert wechat.calls == shared
    assert wechat.transcript().splitlines()[before:] == ["getenvinfo of wx0123456789abcdef: 0"]


async def test_if_everything_is_down_each_check_says_so_at_once(environ: dict[str, str]) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    down = {
        "SLACK_API_URL": f"{nowhere}/api/",
        "WECHAT_API_URL": nowhere,
        "WECHAT_TOKEN_SERVER_URL": f"{nowhere}/{{appid}}",
        "DATABASE_URL": f"postgresql+psycopg://bot:pass-word@127.0.0.1:{free_port()}/x",
    }
    findings = await examine(environ | down)
    levels = {finding.name: finding.level for finding in findings}
    bad = [name for name, level in levels.items() if level == "wrong"]
    assert bad == ["slack-bot", "slack-app", "ledger", "wechat"]
    fixes = {finding.name: finding.fix for finding in findings}
    assert fixes["slack-bot"] == fixes["slack-app"] == fixes["wechat"]
    assert str(fixes["wechat"]).startswith(
        "Check the network and its firewall, whether HTTPS_PROXY"
    )
    first = "Correct {} first, then run the doctor again."
    later = {name: fixes[name] for name in levels if levels[name] == "warning"}
    assert later == {
        "slack-scopes": first.format("`slack-bot`"),
        "slack-connections": first.format("`slack-app`"),
        "slack-groups": first.format("`slack-bot`"),
        "slack-people": first.format("`slack-bot`"),
        "clock": first.format("`slack-bot`"),
    }


async def test_the_doctor_ends_even_if_no_server_answers(
    environ: dict[str, str], slack: LocalSlack, wechat: LocalWeChat
) -> None:
    slack.fail("auth.test", Slow(60))
    slack.fail("apps.connections.open", Slow(60))
    wechat.latency = 60
    async with asyncio.timeout(50):  # each check waits five seconds
        findings = await examine(environ)
    (wrong,) = [each for each in by_cause(findings) if each.finding.level == "wrong"]
    assert wrong.names == ["slack-bot", "slack-app", "wechat"]
    assert (
        wrong.finding.told
        == "Slack and the token server cannot be reached: no answer comes in time"
    )


async def test_nonsense_from_every_server_does_not_crash_the_doctor(
    environ: dict[str, str],
) -> None:
    async def nonsense(request: web.BaseRequest) -> web.Response:
        answers = {"auth.test": '{"ok": true}', "usergroups.list": '{"ok": true, "usergroups": 7}'}
        text = answers.get(request.path.rpartition("/")[2], '["\\u0000"]')
        headers = {"Date": "never", "Content-Type": "application/json"}
        return web.Response(text=text, headers=headers)

    async with serving(nonsense) as origin:
        strange = {
            "SLACK_API_URL": f"{origin}/api/",
            "WECHAT_API_URL": origin,
            "WECHAT_TOKEN_SERVER_URL": f"{origin}/{{appid}}",
        }
        findings = await examine(environ | strange)
    assert [finding.found for finding in findings if "itself failed" in finding.found] == []


async def test_with_empty_settings_the_possible_checks_are_made() -> None:
    findings = await examine({"DATABASE_URL": "nonsense"})
    names = [finding.name for finding in findings]
    unchecked = [f for f in findings if f.found.startswith("not checked: ") and f.name != "clock"]
    assert len(unchecked) == 6
    assert {f.fix for f in unchecked} == {
        "Correct `settings` first, then run the doctor again.",
    }
    assert names.count("settings") == 4
    assert names[4:] == [
        *("slack-bot", "slack-scopes", "slack-app", "slack-connections", "policy-tests"),
        *("ledger", "wechat", "clock", "proxies"),
    ]


async def test_a_check_that_raises_does_not_affect_the_others(environ: dict[str, str]) -> None:
    def broken() -> float:
        raise RuntimeError("no clock")

    findings = await examine(environ, Runtime(now=broken))
    failed = [f.name for f in findings if f.found == "this check itself failed (RuntimeError)"]
    assert failed == ["slack-bot", "wechat"]
    cause = next(each for each in by_cause(findings) if "slack-bot" in each.names)
    assert (cause.names, cause.unchecked) == (["slack-bot", "wechat"], ["clock"])
    assert {"ledger", "policy-tests", "proxies"} <= {finding.name for finding in findings}


async def test_a_check_that_does_not_end_is_abandoned_and_the_others_run(
    environ: dict[str, str], slack: LocalSlack
) -> None:
    slack.fail("auth.test", Slow(60))
    findings = await examine(environ, longest=0.5)
    assert next((f.level, f.found) for f in findings if f.name == "slack-bot") == (
        "wrong",
        "not checked: it did not end within 0.5 seconds",
    )
    assert {"ledger", "policy-tests", "clock", "proxies"} <= {finding.name for finding in findings}


async def test_a_database_that_hangs_after_the_login_is_wrong(environ: dict[str, str]) -> None:
    over = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I")  # the login is accepted, as by a pooler
        await over.wait()
        writer.close()

    async with await asyncio.start_server(hang, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        database = f"postgresql+psycopg://bot@127.0.0.1:{port}/x?sslmode=disable&gssencmode=disable"
        findings = await examine(environ | {"DATABASE_URL": database}, longest=1)
        over.set()
    assert [(f.level, f.found) for f in findings if f.name == "ledger"] == [
        ("wrong", "not checked: it did not end within 1 seconds")
    ]
