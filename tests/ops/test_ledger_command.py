import asyncio
import re
from datetime import UTC, datetime

import pytest

from bot.guidance import for_code
from bot.observe.collector.cloudevents import id_of
from bot.ops.ledger_command import audit, change, tell_request
from bot.playground.faults import Code, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from tests.conftest import ENV, RELEASES, REQUESTER, ended, rows, soon
from tests.databases import Database
from tests.ledger.test_events import ORIGIN
from tests.ops.chinese import english_in
from tests.rig import ALLOW, APPROVALS, APPROVE, APPROVER, Rig

ANOTHER = "wx00000000000000bb"


async def story_of(
    rig: Rig, request: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """Return the exit code of the command that tells a request's story, and what it printed."""
    capsys.readouterr()
    code = await asyncio.to_thread(tell_request, rig.environ, request)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


async def test_the_story_of_a_request_goes_from_the_requester_to_the_next_steps(
    rig: Rig, slack: LocalSlack, wechat: LocalWeChat, capsys: pytest.CaptureFixture[str]
) -> None:
    wechat.fail("shareenv", Code(85088))
    async with rig.bot(ALLOW):
        await slack.command(REQUESTER, RELEASES, f'{APPID} {ENV} --reason "release 4.2"')
        await slack.until(ended)
        (parent,) = slack.parents(RELEASES)
    code, out, err = await story_of(rig, "request1", capsys)
    assert (code, err) == (0, "")
    about, steps, links, what = out.strip().split("\n\n")
    for words in (
        *("request1", REQUESTER, RELEASES, "#releases", OWNER, ENV, APPID, "platform team"),
        *("release 4.2", "failed"),
    ):
        assert words in about
    kinds = [line.split()[4] for line in steps.splitlines()]
    assert kinds == ["accepted", "placed", "call", "answered", "delivered"]
    assert "errcode=85088" in steps
    assert "rid=" in steps
    assert links.endswith(f"/archives/{RELEASES}/p{parent.ts.replace('.', '')}")
    assert links.split()[1].startswith("https://")
    assert what.splitlines()[1].startswith("1. ")
    assert what.splitlines()[-1].startswith("WeChat said: 85088 ")
    assert all(line[:24].endswith(" UTC ") for line in steps.splitlines())
    chinese = {**rig.environ, "LANGUAGE": "zh-CN"}
    await asyncio.to_thread(tell_request, chinese, "request1")
    about, same_steps, _, what = capsys.readouterr().out.strip().split("\n\n")
    assert about.splitlines()[:2] == [
        "请求      request1",
        f"请求人    {REQUESTER}，工作区 T0PLAYGROUND",
    ]
    assert same_steps == steps
    assert english_in(what) == ""
    assert "微信说：85088 " in what
    for shape, told in (("table", False), ("jsonl", True), ("csv", True)):
        await asyncio.to_thread(audit, rig.environ, {}, shape)
        assert ("release 4.2" in capsys.readouterr().out) is told, shape


async def test_the_story_of_an_item_has_the_batchs_events_and_no_other_items(
    rig: Rig, slack: LocalSlack, wechat: LocalWeChat, capsys: pytest.CaptureFixture[str]
) -> None:
    wechat.fail("shareenv", *[Code(40097)] * 2)
    async with rig.bot(APPROVE):
        await rig.ask(f"{APPID} {ANOTHER} {ENV}")
        question = await rig.question()
        await rig.decide(APPROVER, "approve", "go on", question)
        await slack.until(ended)
        (parent,) = slack.parents(RELEASES)
    _, out, _ = await story_of(rig, "request1-2", capsys)
    about, steps, links, what = out.strip().split("\n\n")
    for words in ("batch     request1\n", f"appid     {ANOTHER}\n", "comment   go on"):
        assert words in about
    kinds = [line.split()[3:5] for line in steps.splitlines()]
    assert kinds == [
        ["request1", "accepted"],
        ["request1", "approved"],
        *[["request1-2", "call"], ["request1-2", "answered"]],
        *[["request1", "answered"], ["request1", "delivered"]],
    ]
    answer, asked = links.splitlines()
    assert answer.endswith(f"/archives/{RELEASES}/p{parent.ts.replace('.', '')}")
    assert f"/archives/{APPROVALS}/" in asked
    assert "{" not in what


async def test_the_story_of_a_batch_counts_its_items_and_ends_with_each_cause_and_the_next_steps(
    rig: Rig, slack: LocalSlack, wechat: LocalWeChat, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "access clientip is not registered, requestIP: 203.0.113.7"
    wechat.fail("shareenv", Code(61004, address), times=None, appid=ANOTHER)
    wechat.fail("shareenv", Code(85088), times=None, appid=APPID)
    async with rig.bot(ALLOW):
        await rig.ask(f"{APPID} {ANOTHER} wx00000000000000aa {ENV}")
        await slack.until(ended)
    _, out, _ = await story_of(rig, "request1", capsys)
    about, _, _, *causes = out.strip().split("\n\n")
    assert about.endswith("items     2 failed, 1 shared")
    for cause, said in zip(causes, ("85088", f"61004 {address}"), strict=True):
        assert cause.startswith("1 of 3: ")
        assert f"\nWeChat said: {said}" in cause
    assert f". {for_code(61004).read}\n" in causes[1]


async def test_the_story_of_a_failure_names_the_http_status_that_its_meaning_is_about(
    rig: Rig, slack: LocalSlack, wechat: LocalWeChat, capsys: pytest.CaptureFixture[str]
) -> None:
    wechat.fail("shareenv", Status(403))
    async with rig.bot(ALLOW):
        await rig.ask()
        await slack.until(ended)
    _, out, _ = await story_of(rig, "request1", capsys)
    assert " to WeChat (HTTP 403). WeChat itself does not use this status" in out


async def test_the_story_of_a_batch_that_is_not_over_counts_the_open_items(
    rig: Rig, wechat: LocalWeChat, capsys: pytest.CaptureFixture[str]
) -> None:
    wechat.fail("shareenv", Code(45009), times=None)  # the day's limit, at which it pauses
    async with rig.bot(ALLOW):
        await rig.ask(f"{APPID} {ANOTHER} {ENV}")
        await soon(lambda: rows(rig.database, "SELECT 1 FROM events WHERE kind = 'call'"))
    _, out, _ = await story_of(rig, "request1", capsys)
    assert "\nitems     2 open\n" in out


async def test_the_story_of_a_request_that_waits_says_until_when(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
        _, out, _ = await story_of(rig, "request1", capsys)
    assert re.search(r"^until     \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$", out, re.MULTILINE)


async def test_the_link_to_an_answer_in_a_thread_leads_to_the_thread(
    rig: Rig, slack: LocalSlack, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig.bot(ALLOW):
        await rig.ask()
        await slack.until(ended)
    rows(rig.database, f"UPDATE requests SET place = '{RELEASES}/1.5/1.25'")  # noqa: S608  # names of the tests
    _, out, _ = await story_of(rig, "request1", capsys)
    assert f"/archives/{RELEASES}/p15?thread_ts=1.25&cid={RELEASES}\n" in out


async def test_without_slack_the_story_has_the_channel_and_the_message(
    rig: Rig, slack: LocalSlack, capsys: pytest.CaptureFixture[str]
) -> None:
    async with rig.bot(ALLOW):
        await slack.command(REQUESTER, RELEASES, f"{APPID} {ENV}")
        await slack.until(lambda slack: bool(slack.parents(RELEASES)))
    rig.environ["SLACK_API_URL"] = "http://127.0.0.1:9/api/"
    code, out, _ = await story_of(rig, "request1", capsys)
    assert (code, f"answer    {RELEASES}, message " in out) == (0, True)


async def test_a_missing_request_and_a_missing_ledger_are_reported(
    rig: Rig, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = await story_of(rig, "nosuch", capsys)
    assert (code, out) == (1, "")
    assert err.startswith("No request “nosuch” is in the ledger.")
    rig.environ["DATABASE_URL"] = "sqlite:////no/such/ledger.db"
    code, _, err = await story_of(rig, "nosuch", capsys)
    assert (code, "there is no ledger" in err) == (2, True)


async def test_what_the_collector_does_not_have_is_not_deleted_and_can_be_sent_again_or_left_out(
    sqlite: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    environ = {"DATABASE_URL": sqlite.url, "AUDIT_URL": "https://siem.example/events"}
    past, today = datetime(2000, 1, 1, tzinfo=UTC), datetime.now(UTC)
    ledger = sqlite.ledger("a")
    await ledger.start()

    def do(option: str, wanted: datetime | str) -> str:
        code = change(environ, {}, option, wanted)
        printed = capsys.readouterr()
        assert code == (2 if printed.err else 0)
        return printed.out + printed.err

    await ledger.collector(environ["AUDIT_URL"]).due(9)
    await ledger.record_event("first", ORIGIN, {})
    await ledger.record_event("second", ORIGIN, {})
    sqlite.execute("UPDATE events SET at = 1000")
    first, second = map(id_of, sqlite.rows("SELECT id, at FROM events"))
    assert do("--delete-before", today).startswith("AUDIT_URL does not have 2 events from before ")
    assert do("--leave-out", second).endswith(f"The next one is {first}.\n")
    assert do("--leave-out", first).startswith(f"AUDIT_URL does not get event {first}, but")
    assert do("--send-since", past).startswith(
        "Events that the bot sends to AUDIT_URL while it runs: 3, "
    )
    assert do("--leave-out", first).endswith(f"The next one is {second}.\n")
    environ["AUDIT_URL"] = ""
    assert do("--send-since", past).startswith("AUDIT_URL is missing. ")
    assert do("--delete-before", today).startswith("Deleted 0 requests and 2 events from before ")
