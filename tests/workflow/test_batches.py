"""Batches as people see them: requested, run concurrently, paused, cancelled, retried."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from time import monotonic

from bot.messages.modals import APPIDS, ENV
from bot.playground.faults import Code
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.world import APPID, OWNER, World
from bot.runtime.clock import Runtime
from tests.conftest import RELEASES, REQUESTER, appids, rows, soon
from tests.rig import ALLOW, APPROVALS, APPROVE, APPROVER, CONFIRM, DENY, Rig, has_button
from tests.said import NEEDS_APPROVAL, RECEIVER_OFF
from tests.token_server import TokenWeChat, environment
from tests.workflow.test_form import asked, offered

NOT_ENABLED = 85088


def line(count: int, more: str = "", *, env: str = "prod-1") -> str:
    """Return the command for a batch of this size."""
    return f"{' '.join(appids(count))} {env} {more}".strip()


async def answer_to_all(rig: Rig) -> PostedMessage:
    """Wait until every request has ended; return the last answer in the first parent's thread."""
    query = "SELECT count(*) FROM requests WHERE state <> 'ended'"
    await soon(
        lambda: (
            rows(rig.database, "SELECT 1 FROM requests") and rows(rig.database, query) == [(0,)]
        ),
    )
    parent = rig.slack.parents(RELEASES)[0]
    return rig.slack.thread(RELEASES, parent.ts)[-1]


def shared(rig: Rig) -> list[str]:
    return sorted(appid for _, _, appid in rig.wechat.shared)


async def test_one_command_shares_with_all_its_appids_under_one_message(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        said = await rig.ask(line(30, '--reason "launch"'))
        answer = await answer_to_all(rig)
    assert said.startswith("On it: sharing `prod-1` with 30 apps.")
    assert shared(rig) == appids(30)
    assert "30 shared." in rig.parent()
    assert "Reason: launch" in rig.parent()
    assert answer.text.startswith("✅ *All 30 shared.*")
    assert not has_button(answer, "retry")


async def test_five_hundred_appids_are_accepted_and_one_more_is_refused(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        refused = await rig.ask(line(501))
        assert "500" in refused
        assert rig.wechat.calls == []
        await rig.ask(line(500))
        await answer_to_all(rig)
    assert shared(rig) == appids(500)


async def test_one_invalid_appid_refuses_the_whole_batch_and_is_named(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        said = await rig.ask(f"{appids(3)[0]} wx00000000000000zz {appids(3)[2]} prod-1")
        assert "`wx00000000000000zz` is not an appid" in said
    assert rig.wechat.calls == []


async def test_a_confirmation_is_for_the_whole_batch(rig: Rig) -> None:
    async with rig.bot(CONFIRM):
        said = await rig.ask(line(3))
        assert "with 3 apps?" in said
        assert rig.wechat.calls == []
        await rig.click(REQUESTER, rig.shown(), "confirm")
        await answer_to_all(rig)
    assert shared(rig) == appids(3)


async def test_an_approval_is_for_the_whole_batch(rig: Rig) -> None:
    async with rig.bot(APPROVE):
        await rig.ask(line(3))
        await rig.decide(APPROVER, "approve")
        answer = await answer_to_all(rig)
    assert "3 apps" in rig.slack.parents(APPROVALS)[-1].text
    assert "3 shared" in answer.text
    assert f"Approved by <@{APPROVER}>" in answer.text


async def test_failures_are_grouped_and_only_they_are_retried_once(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        rig.wechat.fail("shareenv", Code(NOT_ENABLED), Code(NOT_ENABLED))
        await rig.ask(line(10))
        answer = await answer_to_all(rig)
        assert "8 shared, 2 not shared" in rig.parent()
        assert answer.text.count(RECEIVER_OFF) == 1
        before = len(rig.wechat.calls)
        assert (await rig.click(REQUESTER, answer, "retry")).startswith("On it")
        await answer_to_all(rig)
        assert len(rig.wechat.calls) == before + 2
        assert shared(rig) == appids(10)
        assert "tried again already" in await rig.click(REQUESTER, answer, "retry")
    assert len(rig.wechat.calls) == before + 2


async def test_a_retry_is_for_failed_and_unknown_items_only(rig: Rig, wechat: TokenWeChat) -> None:
    async with rig.bot(ALLOW):
        await rig.ask(f"{appids(4)[3]} prod-1")
        await rig.over()
        wechat.fail("shareenv", Code(-1), times=None)
        wechat.fail("shareenv", Code(NOT_ENABLED))
        await rig.ask(line(4))
        await soon(lambda: "left out" in rig.slack.parents(RELEASES)[-1].text)
        await answer_to_all(rig)
        wechat.clear("shareenv")
        parent = rig.slack.parents(RELEASES)[-1]
        assert "1 skipped, 1 not shared, 2 unknown" in parent.text
        before = len(wechat.calls)
        await rig.click(REQUESTER, rig.slack.thread(RELEASES, parent.ts)[-1], "retry")
        await soon(lambda: len(wechat.shared) == 4)
        await answer_to_all(rig)
    assert sorted(call.appid for call in wechat.calls[before:]) == appids(3)


async def test_a_single_failed_item_is_retried_as_a_single_share(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        rig.wechat.fail("shareenv", Code(NOT_ENABLED))
        await rig.ask(line(5))
        answer = await answer_to_all(rig)
        (failed,) = set(appids(5)) - set(shared(rig))
        said = await rig.click(REQUESTER, answer, "retry")
        assert said.startswith(f"On it: sharing `prod-1` with `{failed}`.")
        await answer_to_all(rig)
    assert shared(rig) == appids(5)


async def test_items_that_were_shared_before_are_skipped_unless_again_is_given(
    rig: Rig,
) -> None:
    async with rig.bot(ALLOW):
        await rig.ask(f"{appids(1)[0]} prod-1")
        await rig.over()
        await rig.ask(line(3))
        await soon(lambda: "left out" in rig.slack.parents(RELEASES)[-1].text)
        assert "2 shared, 1 skipped" in rig.slack.parents(RELEASES)[-1].text
        assert len(rig.wechat.calls) == 3
        await rig.ask(line(3, "--again"))
        await soon(lambda: len(rig.wechat.calls) == 6)


async def test_at_most_twenty_calls_are_made_at_once_and_batches_run_one_after_the_other(
    rig: Rig, wechat: TokenWeChat
) -> None:
    async with rig.bot(ALLOW):
        with wechat.thinking():
            asks = (rig.ask(line(25)), rig.ask(line(25, env="prod-2")))
            await asyncio.gather(*asks)
            await wechat.until(lambda wechat: wechat.in_flight == 20)
        await answer_to_all(rig)
    assert len(wechat.shared) == 50
    assert wechat.most_at_once == 20
    envs = [call.env for call in wechat.calls]
    changes = sum(one != other for one, other in pairwise(envs))
    assert changes == 1


async def test_a_sixth_waiting_batch_is_refused_by_command_and_form(
    rig: Rig, slack: LocalSlack
) -> None:
    refused = "SELECT count(*) FROM events WHERE kind = 'denied' AND detail = 'TooManyBatches'"
    async with rig.bot(APPROVE):
        for number in range(5):
            assert NEEDS_APPROVAL in await rig.ask(line(2, env=f"e-{number}"))
        said = await rig.ask(line(2))
        assert f"<@{REQUESTER}> has 5 batches waiting already" in said
        assert "cancel one" in said
        view = await asked(slack)
        assert "e-1" in await offered(slack, view)
        await slack.submit(REQUESTER, view, {ENV: "e-1", APPIDS: "\n".join(appids(2))})
        await soon(lambda: rows(rig.database, refused) == [(2,)])
        assert "waiting already" in rig.shown().text
        assert NEEDS_APPROVAL in await rig.ask(f"{appids(1)[0]} prod-1")  # a single share


async def test_the_progress_is_edited_at_most_every_three_seconds(
    rig: Rig, slack: LocalSlack, wechat: TokenWeChat
) -> None:
    rig.runtime = replace(rig.runtime, sleep=lambda seconds: asyncio.sleep(seconds / 3))
    wechat.latency = 0.6
    edits: list[float] = []

    def time_edits() -> None:
        if sum(each.edits for each in slack.parents(RELEASES)) > len(edits):
            edits.append(monotonic())

    slack.watchers.add(time_edits)
    async with rig.bot(ALLOW):
        await rig.ask(line(100))
        await soon(lambda: slack.parents(RELEASES))
        await soon(lambda: "of 100" in slack.parents(RELEASES)[0].text, 10)
        bar = slack.parents(RELEASES)[0].text
        await answer_to_all(rig)
    del edits[-1]  # the last one shows the end, at once
    assert len(edits) >= 2
    assert all(later - earlier >= 1 for earlier, later in pairwise(edits))
    assert "of 100" in bar


class FastClock:
    """A clock, in Unix seconds, that is twenty times as fast."""

    def __init__(self) -> None:
        self.began = monotonic()

    def __call__(self) -> float:
        """Return the time."""
        return 1_800_000_000.0 + 20 * (monotonic() - self.began)

    async def sleep(self, seconds: float) -> None:
        """Sleep by this time."""
        await asyncio.sleep(seconds / 20)


async def test_the_progress_of_a_batch_leaves_slacks_rate_limit_for_other_edits(
    wechat: TokenWeChat, database: Path, runtime: Runtime
) -> None:
    fast = FastClock()
    wechat.latency = 0.2
    async with LocalSlack(World(), fast) as slack:
        slack.limits.on = True
        environ = environment(slack, wechat) | {"DATABASE_URL": f"sqlite:///{database}"}
        timed = replace(runtime, now=fast, sleep=fast.sleep)
        rig = Rig(slack, wechat, database, environ | {"WECHAT_AUTHORIZER_APPID": OWNER}, timed)
        async with rig.bot(ALLOW):
            await rig.ask(line(340))
            await soon(lambda: len(wechat.shared) >= 300)
            for number in range(27):
                await rig.ask(f"{APPID} env-{number}")
            await answer_to_all(rig)
    assert [call.method for call in slack.calls if call.error == "ratelimited"] == []


async def test_history_shows_a_batch_as_one_line_and_an_item_if_its_appid_is_looked_up(
    rig: Rig,
) -> None:
    async with rig.bot(ALLOW):
        await rig.ask(line(3))
        await answer_to_all(rig)
        mine = await rig.ask("history")
        about = await rig.ask(f"history {appids(3)[1]}")
        again = await rig.ask(f"{appids(3)[1]} prod-1")
    (parent,) = rig.slack.parents(RELEASES)
    thread = f"{RELEASES}/p{parent.ts.replace('.', '')}"
    assert f"{thread}|thread>" in about
    assert f"{thread}|this thread>" in again
    assert mine.count("prod-1") == 1
    assert "3 shared" in mine
    assert "3 apps" in mine
    assert "✅ shared" in about


async def test_the_logged_events_of_a_batch_contain_no_appid(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        await rig.ask(line(2, "--dry-run"))
        await rig.ask(line(2))
        await answer_to_all(rig)
    async with rig.bot(DENY):
        await rig.ask(line(2))
    query = (
        "SELECT DISTINCT kind, appid FROM events WHERE request IS NULL OR request NOT LIKE '%-%'"
    )
    found = rows(rig.database, query)
    kinds = {"dry run", "accepted", "placed", "answered", "delivered", "denied"}
    assert kinds <= {kind for kind, _ in found}
    assert {appid for _, appid in found} == {None}
