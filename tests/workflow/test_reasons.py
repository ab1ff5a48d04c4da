"""A rule that wants a reason: refused with the line to send again, at each step by the reason that was recorded."""

import asyncio

import pytest

from bot.domain.outcome import Denied, Ground
from bot.messages.modals import APPIDS, REASON
from bot.messages.modals import ENV as ENV_FIELD
from bot.ops.ledger_command import audit, tell_request
from bot.playground.faults import Code
from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID, OWNER
from tests.conftest import ENV, RELEASES, REQUESTER, Change, kinds, opened, rows
from tests.rig import ALLOW, APPROVALS, APPROVE, APPROVER, CONFIRM, SECOND, Rig
from tests.said import answer_to, late_answer

TICKET = 'require_reason = true\nreason_pattern = "[A-Z]+-[0-9]+"\nreason_url = "https://t.example/{reason}"\n'
LINK = "<https://t.example/OPS-12|OPS-12>"


async def test_a_share_without_the_reason_that_the_rule_wants_is_refused_with_the_line(
    rig: Rig,
) -> None:
    async with rig.bot(ALLOW + TICKET):
        told = await rig.ask(f'{APPID} {ENV} --reason "release" --again')
        assert "wants a reason with a part that fits `[A-Z]+-[0-9]+`. Nothing was done." in told
        line = f'/share-env {APPID} {ENV} --reason "&lt;reason&gt; release" --again'
        assert line in told
        assert "needs a reason" in await rig.ask("help")
        why = await rig.ask(f"why {APPID} {ENV}")
        assert "You may share" in why
        assert "wants a reason with a part that fits" in why
        assert (await rig.ask(f"{APPID} {ENV} --dry-run")).startswith("Rule “platform team” wants")
        assert (await rig.ask(f'{APPID} {ENV} --reason "OPS-12"')).startswith("On it")
        await rig.over()
    assert rig.wechat.shared == [(OWNER, ENV, APPID)]
    denied = rows(rig.database, "SELECT detail FROM events WHERE kind = 'denied'")
    assert denied == [("ReasonWanted",)]


async def test_in_the_form_it_stands_at_the_reason_and_the_form_stays(
    rig: Rig, slack: LocalSlack
) -> None:
    async with rig.bot(ALLOW + TICKET):
        await slack.command(REQUESTER, RELEASES, "")
        view = await opened(slack, REQUESTER)
        await slack.options(view.user, view, ENV_FIELD, ENV)
        values = {ENV_FIELD: ENV, APPIDS: APPID}
        ack = await slack.submit(REQUESTER, view, values)
        assert list(ack.errors) == [REASON]
        assert "wants a reason with a part that fits “[A-Z]+-[0-9]+”." in ack.errors[REASON]
        assert kinds(rig.database) == ["denied"]
        ack = await slack.submit(REQUESTER, view, {**values, REASON: "OPS-12"})
        assert ack.errors == {}
        await rig.over()
    assert rig.wechat.shared == [(OWNER, ENV, APPID)]


async def test_what_a_reason_refers_to_is_a_link_for_approvers_and_in_the_story(
    rig: Rig, slack: LocalSlack, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig.bot(APPROVE + TICKET):
        await rig.ask(f'{APPID} {ENV} --reason "for OPS-12, <4.2>"')
        await slack.until(lambda slack: bool(slack.parents(APPROVALS)))
        (question,) = slack.parents(APPROVALS)
        assert f"*Why:* for {LINK}, &lt;4.2&gt;" in question.text
    environ = {name: value for name, value in rig.environ.items() if "ALLOWED" not in name}
    environ |= {"POLICY_FILE": str(rig.write(APPROVE + TICKET))}
    assert await asyncio.to_thread(tell_request, environ, "request1") == 0
    assert "https://t.example/OPS-12" in capsys.readouterr().out
    assert await asyncio.to_thread(audit, environ, {}, "jsonl") == 0
    assert '"reason_url":"https://t.example/OPS-12"' in capsys.readouterr().out


async def test_an_approval_does_not_count_if_the_rule_wants_another_reason_by_now(
    rig: Rig, change: Change
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask(f"{APPID} {ENV}")
        view = await rig.open(APPROVER, "approve")
        await change(APPROVE + TICKET)
        assert late_answer(Denied(Ground.NOT_ALLOWED)) in await rig.send(APPROVER, view)
        await rig.over()
        assert answer_to(Denied(Ground.NOT_ALLOWED)) in rig.replies()[-1]
    assert rig.wechat.calls == []


async def test_a_confirmation_does_not_count_either_and_gives_the_line(
    rig: Rig, change: Change
) -> None:
    async with rig.bot(CONFIRM):
        await rig.ask(f"{APPID} {ENV}")
        await change(CONFIRM + TICKET)
        told = await rig.click(REQUESTER, rig.shown(), "confirm")
        assert f'/share-env {APPID} {ENV} --reason "&lt;reason&gt;"' in told
    assert rig.wechat.calls == []


@pytest.mark.parametrize(("reason", "shared"), [("OPS-12", True), ("the launch", False)])
async def test_a_retry_and_sharing_again_go_by_the_recorded_reason(
    rig: Rig, reason: str, shared: bool
) -> None:
    rig.wechat.fail("shareenv", Code(-501018))
    async with rig.bot(ALLOW):
        await rig.ask(f'{APPID} {ENV} --reason "{reason}"')
        await rig.over()
    failed = rig.slack.thread(RELEASES, rig.slack.parents(RELEASES)[0].ts)[-1]
    async with rig.bot(ALLOW + TICKET):
        told = await rig.click(REQUESTER, failed, "retry")
        assert told.startswith("On it") is shared
        if shared:
            await rig.over(2)
        else:
            assert '--reason "&lt;reason&gt; the launch"' in told
    assert len(rig.wechat.shared) == shared


async def test_whoever_shares_again_what_another_shared_needs_a_reason_of_their_own(
    rig: Rig,
) -> None:
    async with rig.bot(ALLOW + TICKET):
        await rig.ask(f'{APPID} {ENV} --reason "OPS-12"')
        await rig.over()
        await rig.ask(f'{APPID} {ENV} --reason "OPS-13"', SECOND)
        told = await rig.click(SECOND, rig.shown(SECOND), "again")
        assert told.startswith("On it")
        await rig.over(2)
    assert rig.column("reason") == "OPS-13"
