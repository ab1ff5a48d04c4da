"""Which event loop the bot runs on."""

import sys

import pytest

from bot.app.process import loop_factory
from bot.playground.world import OWNER
from tests.conftest import settings_of

SOCKET = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"}
HTTP = {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_SIGNING_SECRET": "5ecre7" * 6}
FIXED = {"WECHAT_AUTHORIZER_ACCESS_TOKEN": "token-1", "WECHAT_AUTHORIZER_APPID": OWNER}
CHAIN = {
    "WECHAT_COMPONENT_APPID": "wx0000000000000c01",
    "WECHAT_COMPONENT_APPSECRET": "0123456789abcdef" * 2,
    "WECHAT_MESSAGE_TOKEN": "message0token",
    "WECHAT_ENCODING_AES_KEY": "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    "WECHAT_AUTHORIZER_APPID": OWNER,
    "WECHAT_AUTHORIZER_REFRESH_TOKEN": "refresh-1",
    "TOKEN_ENCRYPTION_KEY": "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
}
POLICY = {"SHARE_ENV_ALLOWED_USERS": "U0REQUESTER"}


def test_over_socket_mode_the_bot_runs_on_uvloop_if_that_is_installed() -> None:
    uvloop = pytest.importorskip("uvloop")
    assert loop_factory(settings_of(SOCKET | FIXED | POLICY)) is uvloop.new_event_loop


@pytest.mark.parametrize(
    "environ", [HTTP | FIXED, SOCKET | CHAIN], ids=["Slack's commands", "WeChat's pushes"]
)
def test_with_an_http_listener_the_bot_runs_on_asyncios_own_event_loop(
    environ: dict[str, str],
) -> None:
    assert loop_factory(settings_of(environ | POLICY)) is None


def test_without_uvloop_the_bot_runs_on_asyncios_own_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)  # as if it were not installed
    assert loop_factory(settings_of(SOCKET | FIXED | POLICY)) is None
