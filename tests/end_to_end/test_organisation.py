"""The bot as a process, installed for an organisation with two workspaces."""

import signal
from pathlib import Path

import pytest

from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, HARBOUR, ORGANISATION, OWNER, World
from tests.conftest import RELEASES, REQUESTER, opened
from tests.end_to_end.conftest import bot, finished
from tests.said import SHARED

APPROVER, PILOT, PORT = "U0APPROVER", "U0HARBOUR", "C0HARBOUR"
RULES = """
[[rule]]
name = "two of the harbour"
users = ["*"]
workspaces = ["T0PLAYGROUND"]
effect = "approve"
approvers = { groups = ["T0HARBOUR/S0HARBOUR"], approvals = 2, channel = "C0HARBOUR" }
"""


@pytest.fixture
def world() -> World:
    return ORGANISATION


async def agree(slack: LocalSlack, user: str) -> None:
    """Approve the only question, by its button and the modal, and wait for the answer."""
    (question,) = slack.parents(PORT)
    assert (await slack.click(user, question.ts, "approve")).error is None
    view, before = await opened(slack, user), len(slack.shown_to(user))
    assert (await slack.submit(user, view)).error is None
    await slack.until(lambda slack: len(slack.shown_to(user)) > before)


async def test_two_of_another_workspace_agree_of_whom_one_has_both(
    slack: LocalSlack, wechat: LocalWeChat, environ: dict[str, str], tmp_path: Path
) -> None:
    del environ["SHARE_ENV_ALLOWED_GROUPS"]
    (tmp_path / "policy.toml").write_text(RULES, encoding="utf-8")
    code, out, _ = await finished(environ, tmp_path, "doctor")
    assert "✅ slack-workspaces: T0HARBOUR harbour, T0PLAYGROUND playground" in out
    assert "✅ slack-groups: T0HARBOUR/S0HARBOUR" in out
    assert code == 0
    async with bot(environ, tmp_path) as process:
        assert "is ready: the organisation seaside as share-env, over Socket" in process.ready
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
        await slack.until(lambda slack: bool(slack.parents(PORT)))
        await agree(slack, APPROVER)
        slack.switch(APPROVER, HARBOUR)
        await agree(slack, APPROVER)
        assert slack.shown_to(APPROVER)[-1].text.startswith("You agreed already")
        assert wechat.shared == []
        await agree(slack, PILOT)
        (parent,) = slack.parents(RELEASES)
        await slack.until(lambda slack: bool(slack.thread(RELEASES, parent.ts)))
        assert slack.thread(RELEASES, parent.ts)[-1].text.startswith(SHARED)
        assert wechat.shared == [(OWNER, "prod-1", APPID)]
        assert slack.violations == []
        assert await process.stop(signal.SIGTERM) == 0
