"""Startup while Slack refuses the bot: it ends cleanly and says why."""

from pathlib import Path

import pytest

from bot.playground.faults import Code, RateLimited, Status
from bot.playground.faults import Fault as Injected
from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
from tests.faults.bots import Bot, assert_keeps_secrets, environ
from tests.faults.table import Fault
from tests.token_server import TokenWeChat

pytestmark = pytest.mark.slow

AUTH, OPEN = "auth.test", "apps.connections.open"
UNREACHABLE = "Slack cannot be reached."
PAGE = Status(200, b"<html>Welcome</html>", "text/html")
CASES: dict[Fault, tuple[str, Injected, int]] = {
    Fault("Slack, at the start", f"`{method}`: {what}", told): (method, trouble, code)
    for method, name in ((AUTH, "SLACK_BOT_TOKEN"), (OPEN, "SLACK_APP_TOKEN"))
    for what, trouble, told, code in (
        (
            "HTTP 429 with a long Retry-After",
            RateLimited(60),
            "Slack asks the bot to slow down.",
            1,
        ),
        ("HTTP 503", Status(503), UNREACHABLE, 1),
        ("a page of HTML", PAGE, "What answers at SLACK_API_URL is not Slack", 1),
        ("`token_revoked`", Code("token_revoked"), f"{name} is not accepted by Slack", 2),
        ("an error that nobody knows", Code("some_new_error"), "Slack says no", 2),
    )
}
FAULTS = tuple(CASES)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_a_start_without_slack_ends_and_says_why(fault: Fault, tmp_path: Path) -> None:
    method, trouble, code = CASES[fault]
    async with LocalSlack(World()) as slack, TokenWeChat() as wechat:
        slack.fail(method, trouble)
        bot = Bot(environ(slack, wechat, f"sqlite:///{tmp_path}/ledger.db"), tmp_path)
        await bot.launch()
        assert await bot.ended() == code
        assert fault.told in bot.log
        assert_keeps_secrets(bot, slack)
