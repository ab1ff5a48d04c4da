import re
import time

import pytest

from bot.ops.doctor.run import examine
from bot.ops.doctor.transport import origin_of
from bot.playground.faults import Status
from bot.playground.wechat.server import LocalWeChat
from bot.runtime.clock import Runtime
from tests.ops.doctors import complaints, finding_of, findings_of, level_of

NO_ADDRESS = "HTTPS_PROXY is no address that begins with http://, so it cannot be used"


@pytest.mark.parametrize(
    ("off", "expected"), [(0, "ok"), (20, "ok"), (-60, "warning"), (60, "warning"), (400, "wrong")]
)
async def test_a_wrong_clock_is_found_from_the_servers_dates(
    environ: dict[str, str], off: int, expected: str
) -> None:
    found = await finding_of(environ, "clock", Runtime(now=lambda: time.time() + off))
    assert found.level == expected
    if off:
        assert found.found.startswith(f"this machine's against Slack's: {'-' if off < 0 else '+'}")
        assert "WeChat's: " in found.found


async def test_a_wrong_clock_is_found_however_the_servers_address_is_written(
    environ: dict[str, str],
) -> None:
    for name in ("SLACK_API_URL", "WECHAT_API_URL"):
        environ[name] = environ[name].replace("127.0.0.1", "LocalHost")
    found = await finding_of(environ, "clock")
    assert "Slack's: " in found.found
    assert "WeChat's: " in found.found
    assert origin_of("HTTPS://API.example:443/x") == origin_of("https://api.example")
    assert origin_of("https://api.example:8443") != origin_of("https://api.example")


@pytest.mark.parametrize(
    ("variables", "found"),
    [
        ({}, "none"),
        (
            {"HTTPS_PROXY": "http://me:hush@proxy.example:3128"},
            "https: http://proxy.example:3128",
        ),
        ({"HTTP_PROXY": "http://proxy.example"}, "HTTPS_PROXY not"),
        (
            {"HTTPS_PROXY": "https://me:hush@proxy.example"},
            NO_ADDRESS,
        ),
        (
            {"HTTPS_PROXY": "http://proxy.example", "ALL_PROXY": "socks5://hush:1"},
            "https: http://proxy.example",
        ),
        ({"HTTPS_PROXY": "hush"}, NO_ADDRESS),
        ({"HTTPS_PROXY": "http://me:hush@proxy:808x"}, NO_ADDRESS),
        ({"HTTPS_PROXY": "http://"}, NO_ADDRESS),
        ({"HTTPS_PROXY": "socks5://hush:1"}, NO_ADDRESS),
    ],
)
async def test_proxies_are_reported_without_their_passwords(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], found: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    finding = (await findings_of({}, "proxies"))[0]
    assert found in finding.found
    assert not re.search("hush|None", finding.found)
    assert (finding.level == "ok") == ("none" in found or found.startswith("https: "))


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("proxy", ["proxy.example:3128", "http://proxy.example:312x"])
async def test_an_unusable_proxy_is_the_only_cause_if_nothing_can_be_reached(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    away = {"SLACK_API_URL": "https://slack.invalid/api/", "WECHAT_API_URL": "https://wx.invalid"}
    (complaint,) = complaints(await examine(environ | away))
    assert (complaint.names, complaint.finding.level) == (["proxies"], "wrong")
    assert complaint.finding.found == NO_ADDRESS
    assert [each.name for each in complaint.follows] == ["slack-bot", "slack-app", "wechat"]
    assert "slack-groups" in complaint.unchecked


@pytest.mark.usefixtures("ledger")
async def test_a_single_server_that_does_not_answer_is_its_own_cause(
    environ: dict[str, str],
) -> None:
    alone = {"SLACK_API_URL": "http://127.0.0.1:9/api/", "WECHAT_AUTHORIZER_APPID": ""}
    assert await level_of(environ | alone, "proxies") == "ok"


@pytest.mark.usefixtures("ledger")
async def test_a_refusing_proxy_is_reported_separately_from_other_findings_about_proxies(
    environ: dict[str, str], monkeypatch: pytest.MonkeyPatch, wechat: LocalWeChat
) -> None:
    wechat.fail("getenvinfo", Status(407))
    monkeypatch.delenv("NO_PROXY", raising=False)
    in_file = environ | {"NO_PROXY": "127.0.0.1"}
    refusing, unused = complaints(await examine(in_file))
    assert unused.finding.found.startswith("only in .env, where they are not used")
    assert unused.follows == []
    assert refusing.names == ["wechat"]
    assert "(HTTP 407)" in refusing.finding.found


async def test_a_proxy_in_the_env_file_only_is_not_used() -> None:
    (found,) = await findings_of({"https_proxy": "http://me:hush@proxy.example"}, "proxies")
    assert (found.level, found.found) == (
        "warning",
        "only in .env, where they are not used: https_proxy",
    )


async def test_without_any_answer_the_clock_cannot_be_checked() -> None:
    assert await level_of({}, "clock") == "warning"
