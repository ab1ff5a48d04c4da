"""A bot behind a company's proxy, on a machine with a ~/.netrc."""

from base64 import b64encode
from pathlib import Path

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID
from tests.conftest import RELEASES, REQUESTER, Start
from tests.ops.doctors import level_of
from tests.proxy import Proxy, running_proxy
from tests.token_server import TokenWeChat

HUSH = b64encode(b"someone-else:netrc-word").decode()
OWN = b64encode(b"someone:proxy-word").decode()
UPPER, LOWER = ("HTTPS_PROXY", "HTTP_PROXY"), ("https_proxy", "http_proxy")


@pytest.fixture(autouse=True)
def netrc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A ~/.netrc with a password for every server and for the proxy, which are all on this machine."""
    file = tmp_path / "netrc"
    file.write_text("machine 127.0.0.1 login someone-else password netrc-word\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("NETRC", str(file))


def assert_only_its_own_password(proxy: Proxy) -> None:
    """Check that only the proxy's own user and password are sent, and to the proxy alone."""
    assert f"Proxy-Authorization: Basic {OWN}" in proxy.sent
    assert HUSH not in proxy.sent
    assert "\r\nAuthorization: Basic" not in proxy.sent


@pytest.mark.parametrize("names", [UPPER, LOWER], ids=["upper case", "lower case"])
async def test_all_calls_go_by_the_proxy_and_none_carries_a_password_of_netrc(
    slack: LocalSlack,
    wechat: TokenWeChat,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, str],
) -> None:
    async with running_proxy() as proxy:
        for name in names:
            monkeypatch.setenv(name, proxy.address)
        async with start():
            await slack.command(REQUESTER, "C0SECRET", f"{APPID} prod-1")
            await slack.until(lambda _: len(wechat.shared) == 1)
            await slack.until(lambda slack: len(slack.parents("D0BOT")) == 1)
        assert [each.via for each in slack.shown_to(REQUESTER)].count("response_url") == 1
    assert_only_its_own_password(proxy)
    assert proxy.asked_for(slack.api_url.removesuffix("/api/"))
    assert proxy.asked_for(wechat.url)
    assert "Upgrade: websocket" in proxy.sent
    for called in ("/api/auth.test", "/commands/", "/tcb/shareenv", "/token/"):
        assert called in proxy.sent


async def test_what_no_proxy_names_is_called_directly(
    slack: LocalSlack, wechat: TokenWeChat, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_proxy() as proxy:
        for name in UPPER:
            monkeypatch.setenv(name, proxy.address)
        monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
        async with start():
            await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
            await slack.until(lambda _: len(wechat.shared) == 1)
    assert not proxy.asked_for(wechat.url)
    assert proxy.asked_for(
        slack.api_url.removesuffix("/api/")
    )  # Slack's library does not know NO_PROXY


async def test_the_doctor_calls_as_the_bot_does(
    environ: dict[str, str], slack: LocalSlack, wechat: TokenWeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_proxy() as proxy:
        for name in UPPER:
            monkeypatch.setenv(name, proxy.address)
        for check in ("slack-bot", "slack-app", "slack-connections", "wechat"):
            assert await level_of(environ, check) == "ok"
    assert_only_its_own_password(proxy)
    assert proxy.asked_for(wechat.url)
    assert proxy.asked_for(slack.api_url.removesuffix("/api/"))
