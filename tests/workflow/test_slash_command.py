import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.command.form import Fields
from bot.command.grammar import OpenForm, Share
from bot.command.mistake import Mistake, Wrong
from bot.domain.outcome import Shared
from bot.domain.request import State
from bot.ledger.entries import Entry
from bot.ledger.ledger import Ledger
from bot.messages import Message
from bot.messages.answers import accepted
from bot.messages.blocks import Copied
from bot.messages.click_replies import NothingDone, refused
from bot.messages.conversation import answer, parent
from bot.messages.modals import APPIDS
from bot.messages.modals import ENV as ENV_FIELD
from bot.messages.notices import stopping
from bot.messages.words import Words
from bot.playground.faults import Code, Drop, Slow, Status
from bot.playground.slack.server import Ack, LocalSlack
from bot.playground.world import APPID, OWNER, TEAM
from bot.policy.kinds import Approvers, Effect, Person, Policy, Rule
from bot.runtime.observers import no_op
from bot.runtime.tasks import Tasks
from bot.workflow.deadline import within
from bot.workflow.form import FormHandler
from bot.workflow.judge import Asker, Judge
from bot.workflow.ports import AwayError, PolicyInForce, Ports
from bot.workflow.slash_command import SlashCommands
from bot.workflow.submit import Intake
from tests.asking import at
from tests.checking import checks
from tests.conftest import (
    ASK,
    ENV,
    RELEASES,
    REQUESTER,
    Start,
    appids,
    calls_of,
    ended,
    kinds,
    ledger_down,
    locked,
    opened,
    request_of,
    rows,
    soon,
    states,
)
from tests.languages import CHINESE, ENGLISH
from tests.rig import ALLOW, SECOND, Rig, approved_by, for_platform_team, history_of
from tests.said import ACCEPTED, CANNOT_TELL, DENIED, NO_APPROVER, NOT_RECORDED, USABLE
from tests.token_server import TokenWeChat
from tests.workflow.conftest import Members

RULES = f"""\
contact = "the platform team"
[[owner]]
appid = "{OWNER}"
envs = ["prod-*", "secret-*", "careful-*", "big-*", "lonely-*"]
[[rule]]
name = "no secrets"
users = ["*"]
envs = ["secret-*"]
effect = "deny"
[[rule]]
name = "no other"
users = ["*"]
envs = ["prod-2"]
appids = ["wx00000000000000aa"]
effect = "deny"
[[rule]]
name = "careful"
groups = ["S0PLATFORM"]
envs = ["careful-*"]
effect = "allow"
confirm = true
[[rule]]
name = "four eyes"
groups = ["S0PLATFORM"]
envs = ["big-*"]
effect = "approve"
approvers = {{ users = ["U0APPROVER"], channel = "C0APPROVALS" }}
[[rule]]
name = "lonely"
groups = ["S0PLATFORM"]
envs = ["lonely-*"]
effect = "approve"
approvers = {{ users = ["U0REQUESTER", "U0GONE"], channel = "C0APPROVALS" }}
[[rule]]
name = "platform team"
groups = ["S0PLATFORM"]
effect = "allow"
"""
MEI = "U0CHINESE"
OTHER = "wx00000000000000aa"
MANY = f"{APPID} wx00000000000000aa"


@pytest.fixture
async def ruled(environ: dict[str, str], start: Start, tmp_path: Path) -> AsyncIterator[None]:
    """The bot, under rules of every kind."""
    path = tmp_path / "policy.toml"
    path.write_text(RULES, encoding="utf-8")
    del environ["SHARE_ENV_ALLOWED_GROUPS"], environ["WECHAT_AUTHORIZER_APPID"]
    async with start(POLICY_FILE=str(path)):
        yield


@pytest.fixture
def crew(environ: dict[str, str]) -> None:
    """Allow some people who are not in the platform team."""
    environ["SHARE_ENV_ALLOWED_USERS"] = "U0SECOND,U0APPROVER"


def said(ack: Ack) -> str:
    assert ack.payload is not None, ack.error
    return str(ack.payload["text"])


def events(caplog: pytest.LogCaptureFixture) -> list[str]:
    rooms = {"bot.events", "bot.workflow.deadline", "bot.workflow.leased", "bot.workflow.worker"}
    return [record.getMessage() for record in caplog.records if record.name in rooms]


# Commands.


@pytest.mark.usefixtures("bot")
async def test_an_allowed_share_is_acked_and_answered_in_a_thread(
    slack: LocalSlack, wechat: TokenWeChat
) -> None:
    ack = await slack.command(REQUESTER, RELEASES, ASK)
    request = request_of(slack)
    assert said(ack) == accepted(ENGLISH, request).text
    await slack.until(ended)
    [shown] = slack.parents(RELEASES)
    assert shown.text == parent(ENGLISH, request, Shared()).text
    [reply] = slack.thread(RELEASES, shown.ts)
    assert reply.text == answer(ENGLISH, request, Shared(), after=USABLE).text
    assert wechat.shared == [(OWNER, ENV, APPID)]
    assert slack.violations == []


@pytest.mark.usefixtures("ruled")
async def test_a_command_that_is_not_an_allowed_share_is_answered_at_once_without_a_call(
    slack: LocalSlack, wechat: TokenWeChat
) -> None:
    with checks() as check:
        for user, text, says in (
            (REQUESTER, "help", "What you can type"),
            (REQUESTER, "whoami", "“platform team”"),
            (REQUESTER, f"why {ASK}", "✅ You may share"),
            ("U0SECOND", f"why {ASK}", DENIED),
            (REQUESTER, f"prod-1 {APPID}", f"/share-env {APPID} prod-1"),
            (REQUESTER, f"{ASK} --dry-run", "nothing was shared"),
            ("U0SECOND", f"{ASK} --dry-run", "may not share"),
            ("U0SECOND", ASK, DENIED),
            ("U0GUEST", ASK, DENIED),
            (REQUESTER, f"{APPID} secret-1", "“no secrets” denies it"),
            (REQUESTER, f"{APPID} lonely-1", NO_APPROVER),
            (REQUESTER, f"{MANY} secret-1", "“no secrets” denies it"),
            (REQUESTER, f"why {MANY} prod-1", "Extra words: "),
            (REQUESTER, f"{APPID} lost-1", "which mini program owns"),
            (REQUESTER, f"why {APPID} lost-1", "which mini program owns"),
            (REQUESTER, f"{APPID} lost-1 --dry-run", "which mini program owns"),
        ):
            with check(text):
                assert says in said(await slack.command(user, RELEASES, text))
    assert slack.parents(RELEASES) == []
    assert wechat.calls == []
    assert slack.violations == []


@pytest.mark.usefixtures("bot")
async def test_a_person_who_cannot_be_looked_up_may_share_nothing_and_is_told_why(
    slack: LocalSlack, wechat: TokenWeChat
) -> None:
    slack.fail("users.info", Status(503), times=None)
    for text in ("help", "whoami", f"why {ASK}", ASK, f"{ASK} --dry-run"):
        ack = await slack.command(REQUESTER, RELEASES, text)
        assert "Slack did not answer" in said(ack)
    assert wechat.calls == []


async def test_an_unreadable_group_allows_nobody(
    slack: LocalSlack, wechat: TokenWeChat, start: Start
) -> None:
    slack.scopes.discard("usergroups:read")
    async with start():
        ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert CANNOT_TELL in said(ack)
    assert "usergroups:read" in said(ack)
    assert wechat.calls == []


@pytest.mark.parametrize("method", ["users.info", "usergroups.list"])
async def test_an_ack_is_in_time_however_long_the_lookup_of_the_person_takes(
    slack: LocalSlack, wechat: TokenWeChat, start: Start, method: str
) -> None:
    slack.fail(method, Slow(30))
    async with start():
        ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert CANNOT_TELL in said(ack)
    assert wechat.calls == []


async def test_a_word_is_an_env_if_the_policy_or_an_earlier_share_names_it_and_the_person_may_share_it(
    rig: Rig, slack: LocalSlack
) -> None:
    named = ALLOW.replace('effect = "allow"', 'envs = ["staging", "live-*"]\neffect = "allow"')
    unlike = "does not look like an env id"
    async with rig.bot(named):
        assert unlike in await rig.ask(f"{APPID} live-tomorrow")
        assert unlike in await rig.ask(f"{APPID} staging", user="U0STRANGER")
        assert ACCEPTED in await rig.ask(f"{APPID} staging")
        await rig.over()
        await slack.command(REQUESTER, RELEASES, "")
        view = await opened(slack, REQUESTER)
        await slack.options(REQUESTER, view, ENV_FIELD, "live-tomorrow")
        await slack.submit(REQUESTER, view, {ENV_FIELD: "live-tomorrow", APPIDS: APPID})
        await rig.over(2)
        assert unlike not in await rig.ask(f"{OTHER} live-tomorrow")
        assert unlike in await rig.ask(f"{APPID} live-tomorrow", user="U0STRANGER")
    assert rig.wechat.shared[0] == (OWNER, "staging", APPID)


async def test_a_word_in_the_place_of_the_env_is_asked_back_while_the_ledger_is_down(
    rig: Rig,
) -> None:
    async with rig.bot(ALLOW):
        with ledger_down(rig.database):
            assert "does not look like an env id" in await rig.ask(f"{APPID} live")


@pytest.mark.usefixtures("ruled")
@pytest.mark.parametrize(
    "text", [f"{OWNER} prod-1", f"{APPID} {OWNER} prod-1", f"{OWNER} prod-1 --dry-run"]
)
async def test_the_owner_as_its_own_receiver_is_refused_before_anything_is_recorded(
    slack: LocalSlack, wechat: TokenWeChat, database: Path, text: str
) -> None:
    ack = await slack.command(REQUESTER, RELEASES, text)
    assert f"`{OWNER}` owns `prod-1`" in said(ack)
    assert (states(database), wechat.calls) == ([], [])
    assert f"`{OWNER}` owns" in said(
        await slack.command(REQUESTER, RELEASES, f"why {OWNER} prod-1")
    )


@pytest.mark.usefixtures("ruled")
async def test_who_may_not_share_does_not_learn_who_the_owner_is(slack: LocalSlack) -> None:
    ack = await slack.command("U0SECOND", RELEASES, f"{OWNER} prod-1")
    assert "owns" not in said(ack)


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(("count", "shown"), [(100, True), (300, False)])
async def test_a_corrected_line_is_shown_completely_or_not_at_all(
    slack: LocalSlack, count: int, shown: bool
) -> None:
    many = " ".join(appids(count))
    ack = await slack.command(REQUESTER, RELEASES, f"prod-1 {many}")
    assert ("Try this instead" in said(ack)) is shown
    assert (f"`/share-env {many} prod-1`" in said(ack)) is shown
    assert slack.violations == []


# Languages.


@pytest.mark.parametrize(
    ("setting", "channel"), [("en", ENGLISH), ("zh-CN", CHINESE)], ids=["en", "zh-CN"]
)
async def test_people_are_answered_in_their_language_and_the_channel_in_its_own(
    slack: LocalSlack,
    wechat: TokenWeChat,
    start: Start,
    setting: str,
    channel: Words,
) -> None:
    async with start(SHARE_ENV_ALLOWED_USERS=MEI, LANGUAGE=setting):
        ack = await slack.command(MEI, RELEASES, ASK)
        request = request_of(slack, user_id=MEI)
        assert said(ack) == accepted(CHINESE, request).text
        await slack.until(ended)
    [shown] = slack.parents(RELEASES)
    [reply] = slack.thread(RELEASES, shown.ts)
    assert shown.text == parent(channel, request, Shared()).text
    assert reply.text == answer(channel, request, Shared(), after=USABLE).text
    assert len(wechat.calls) == 1


@pytest.mark.usefixtures("bot")
async def test_immediate_answers_are_in_the_requesters_language(slack: LocalSlack) -> None:
    for text in ("help", "whoami", "history", f"why {ASK}", ASK, f"{ASK} --dry-run", "oops"):
        mine = said(await slack.command(MEI, RELEASES, text))
        theirs = said(await slack.command("U0SECOND", RELEASES, text))
        assert re.search("[一-鿿]", mine)
        assert not re.search("[一-鿿]", theirs)


async def test_a_person_who_cannot_be_looked_up_is_answered_in_the_channels_language(
    slack: LocalSlack, start: Start
) -> None:
    slack.fail("users.info", Status(503))
    async with start(LANGUAGE="zh-CN"):
        ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert re.search("[一-鿿]", said(ack))


# The same command twice.


SAME = f"`{ENV}` with `{APPID}`"


@pytest.mark.usefixtures("crew", "bot")
@pytest.mark.parametrize("asks", [REQUESTER, "U0SECOND"])
async def test_a_share_that_is_under_way_is_not_repeated_but_linked(
    slack: LocalSlack, wechat: TokenWeChat, database: Path, asks: str
) -> None:
    wechat.fail("shareenv", Slow(after_effect=True))
    await slack.command(REQUESTER, RELEASES, ASK)
    await wechat.until(lambda wechat: bool(wechat.calls))
    ack = await slack.command(asks, "C0SECRET", ASK)
    [shown] = slack.parents(RELEASES)
    link = f"<https://playground.slack.com/archives/{RELEASES}/p{shown.ts.replace('.', '')}|"
    assert f"<@{REQUESTER}> is already sharing {SAME}" in said(ack)
    assert link in said(ack)
    wechat.clear("shareenv")
    await soon(lambda: states(database) == ["ended"])
    assert len(wechat.calls) == 1
    assert "under way" in kinds(database)


@pytest.mark.usefixtures("bot")
async def test_a_share_that_is_under_way_in_a_private_place_has_no_link(
    slack: LocalSlack, wechat: TokenWeChat, database: Path
) -> None:
    wechat.fail("shareenv", Slow(after_effect=True))
    await slack.command(REQUESTER, "C0SECRET", ASK)
    await wechat.until(lambda wechat: bool(wechat.calls))
    ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert f"<@{REQUESTER}> is already sharing {SAME}" in said(ack)
    assert "thread>" not in said(ack)
    wechat.clear("shareenv")
    await soon(lambda: states(database) == ["ended"])


@pytest.mark.usefixtures("bot")
async def test_an_earlier_share_is_repeated_only_on_demand(
    slack: LocalSlack, wechat: TokenWeChat, database: Path
) -> None:
    await slack.command(REQUESTER, RELEASES, ASK)
    await soon(lambda: states(database) == ["ended"])
    ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert f"<@{REQUESTER}> shared {SAME} before" in said(ack)
    assert "this thread>" in said(ack)
    assert "send the command with `--again`" in said(ack)
    assert len(wechat.calls) == 1
    assert kinds(database)[-1] == "shared before"
    again = await slack.command(REQUESTER, RELEASES, f"{ASK} --again")
    assert said(again).startswith("On it")
    await soon(lambda: states(database) == ["ended", "ended"])
    assert len(wechat.calls) == 2


async def test_only_who_can_open_a_direct_message_gets_a_link_to_the_answer_there(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        conversation = rig.slack.direct_message(REQUESTER)
        assert conversation is not None
        await rig.ask(channel=conversation.id)
        await rig.over()
        told = [[await rig.ask(ASK), await rig.ask(ASK, SECOND)]]
        told += [[await history_of(rig.slack, user, ENV) for user in (REQUESTER, SECOND)]]
        for own, others in told:
            assert "thread>" in own
            assert f"<@{REQUESTER}>" in others
            assert "thread>" not in others
        assert f"Its answer goes to <@{REQUESTER}>." in await rig.ask(user=SECOND)


async def test_a_dry_run_says_that_no_share_is_repeated_unless_that_is_asked_for(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        await rig.ask()
        await rig.over()
        assert "I do not repeat what was shared before." in await rig.ask(f"{ASK} --dry-run")
        assert "before" not in await rig.ask(f"{ASK} --dry-run --again")
    assert len(rig.wechat.calls) == 1


async def test_a_dry_run_says_that_nobody_can_approve(rig: Rig) -> None:
    async with rig.bot(approved_by("U0GONE")):
        assert NO_APPROVER in await rig.ask(f"{APPID} env-2 --dry-run")
        assert NO_APPROVER in await rig.ask(f"why {APPID} env-2")


@pytest.mark.parametrize("group", ["S0PLATFORM", "S0APPROVERS"], ids=["allowed", "denied by then"])
async def test_the_same_trigger_makes_one_request_even_after_a_restart(
    slack: LocalSlack, wechat: TokenWeChat, database: Path, start: Start, group: str
) -> None:
    async with start():
        first = await slack.command(REQUESTER, RELEASES, ASK)
    async with start(SHARE_ENV_ALLOWED_GROUPS=group):
        assert (await slack.redeliver(first)).payload == first.payload
    assert states(database) == ["ended"]
    assert len(wechat.calls) == 1
    assert len(slack.parents(RELEASES)) == 1


async def test_a_request_that_gets_the_id_of_an_earlier_one_is_not_taken_for_it(rig: Rig) -> None:
    rig.runtime = replace(rig.runtime, new_id=lambda: "7kq2mhx4")
    async with rig.bot(ALLOW):
        assert (await rig.ask()).startswith("On it")
        await rig.over()
        said = await rig.ask(ASK.replace("prod-1", "prod-2"))
    assert said.startswith(NOT_RECORDED)
    assert states(rig.database) == ["ended"]


# No place for an answer.


async def command_with_a_dead_response_url(slack: LocalSlack, channel: str) -> None:
    asked = await slack.command("U0STRANGER", channel, "help")
    more = {
        "user_id": REQUESTER,
        "text": ASK,
        "response_url": f"{asked.request['response_url']}-no-more",
        "trigger_id": slack.next_trigger(),
    }
    await slack.deliver("slash_commands", {**asked.request, **more})


@pytest.mark.usefixtures("bot")
async def test_wechat_is_not_called_if_the_answer_could_reach_nobody(
    slack: LocalSlack, wechat: TokenWeChat, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("chat.postMessage", Code("messages_tab_disabled"))
    await command_with_a_dead_response_url(slack, "C0SECRET")
    await soon(lambda: states(database) == ["ended"])
    assert "Slack leaves nowhere to answer, so the request ends" in events(caplog)
    assert kinds(database, "request1") == ["accepted", "nowhere to answer"]
    assert (wechat.calls, wechat.token_calls) == ([], [])


@pytest.mark.usefixtures("bot")
async def test_an_answer_that_reaches_nobody_is_logged(
    slack: LocalSlack, wechat: TokenWeChat, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with wechat.thinking():
        await command_with_a_dead_response_url(slack, RELEASES)
        await slack.until(lambda slack: len(slack.parents(RELEASES)) == 1)
        slack.channels[RELEASES] = replace(slack.channels[RELEASES], archived=True)
        slack.fail("chat.postMessage", Code("is_archived"), Code("messages_tab_disabled"))
    await soon(lambda: "not delivered" in events(caplog))
    assert "the answer was not delivered" in events(caplog)
    await soon(lambda: kinds(database, "request1")[-1] == "not delivered")
    assert len(wechat.shared) == 1


# The log.


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        pytest.param([], "shared", id="shared"),
        pytest.param([Code(85088)], "failed", id="failed"),
        pytest.param([Drop()] * 4, "unknown", id="unknown"),
    ],
)
async def test_the_log_has_one_line_for_the_beginning_and_one_for_the_end_of_a_request(
    slack: LocalSlack,
    wechat: TokenWeChat,
    caplog: pytest.LogCaptureFixture,
    answers: list[Code | Drop],
    outcome: str,
) -> None:
    caplog.set_level(logging.INFO)
    wechat.fail("shareenv", *answers)
    await slack.command(REQUESTER, RELEASES, ASK)
    await slack.until(ended)
    await soon(lambda: "delivered" in events(caplog))
    lines = {record.getMessage(): vars(record) for record in caplog.records}
    who = {"team": TEAM, "user": REQUESTER, "channel": RELEASES}
    what = {"request": "request1", "env": ENV, "appid": APPID, "rule": "SHARE_ENV_ALLOWED settings"}
    assert (who | what).items() <= lines["accepted"].items()
    assert (what | {"outcome": outcome}).items() <= lines["answered"].items()
    assert (who | what).items() <= lines["delivered"].items()
    of_request = [r.getMessage() for r in caplog.records if vars(r).get("request") == "request1"]
    steps = ["call"] * len(answers or [None])
    assert of_request == ["accepted", "placed", *steps, "answered", "delivered"]


# Records of commands that are no requests.


@pytest.mark.usefixtures("ruled")
async def test_every_command_is_recorded_as_an_event_with_the_person_and_place(
    slack: LocalSlack, database: Path
) -> None:
    columns = 'team, "user", channel, kind, env, rule, outcome, detail'
    commands: tuple[tuple[str, str, tuple[str | None, ...]], ...] = (
        (REQUESTER, "help", ("asked", None, None, None, "help")),
        (REQUESTER, "whoami", ("asked", None, None, None, "whoami")),
        (REQUESTER, f"why {ASK}", ("asked", ENV, None, None, "why")),
        (REQUESTER, "history", ("asked", None, None, None, "history")),
        (REQUESTER, "history prod-2", ("asked", "prod-2", None, None, "history")),
        (REQUESTER, "oops", ("mistake", None, None, "mistake", "NotAnAppid")),
        ("U0SECOND", ASK, ("denied", ENV, None, "denied", "NoRule")),
        (
            REQUESTER,
            f"{APPID} secret-1",
            ("denied", "secret-1", "no secrets", "denied", "DeniedByRule"),
        ),
        (REQUESTER, f"{MANY} prod-2", ("denied", "prod-2", "no other", "denied", "DeniedByRule")),
        (REQUESTER, f"{MANY} big-1 --dry-run", ("dry run", "big-1", "four eyes", None, None)),
        (REQUESTER, f"{APPID} careful-1", ("accepted", "careful-1", "careful", None, None)),
        (REQUESTER, f"{APPID} lonely-1", ("denied", "lonely-1", "lonely", "denied", "NoApprover")),
        (REQUESTER, f"{APPID} lost-1", ("no owner", "lost-1", "platform team", "denied", None)),
        (REQUESTER, f"{ASK} --dry-run", ("dry run", ENV, "platform team", None, None)),
        (REQUESTER, f"{APPID} big-1", ("accepted", "big-1", "four eyes", None, None)),
    )
    with checks() as check:
        for number, (user, text, event) in enumerate(commands):
            with check(text):
                await slack.command(user, RELEASES, text)
                newer = f"SELECT {columns} FROM events WHERE id > {number} ORDER BY id"  # noqa: S608  # its own
                assert rows(database, newer)[0] == (TEAM, user, RELEASES, *event)


# Failures of the ledger.


@pytest.mark.usefixtures("bot")
async def test_a_request_that_cannot_be_recorded_does_not_begin_and_the_person_is_told(
    slack: LocalSlack, wechat: TokenWeChat, database: Path
) -> None:
    with ledger_down(database):
        ack = await slack.command(REQUESTER, RELEASES, ASK)
        assert said(ack) == refused(ENGLISH, NothingDone.LEDGER_DOWN).text
    again = await slack.command(REQUESTER, RELEASES, ASK)
    assert said(again).startswith("On it")
    await soon(lambda: states(database) == ["ended"])
    assert len(wechat.calls) == 1


@pytest.mark.usefixtures("bot")
@pytest.mark.parametrize(
    ("text", "what"), [("help", "asked"), ("oops", "mistake"), (f"{ASK} --dry-run", "dry run")]
)
async def test_a_command_that_is_no_request_is_answered_even_if_it_cannot_be_recorded(
    slack: LocalSlack, database: Path, caplog: pytest.LogCaptureFixture, text: str, what: str
) -> None:
    with ledger_down(database):
        ack = await slack.command(REQUESTER, RELEASES, text)
    assert ack.error is None
    assert said(ack) != refused(ENGLISH, NothingDone.LEDGER_DOWN).text
    [line] = [vars(r) for r in caplog.records if r.getMessage() == "not recorded"]
    who = {"team": TEAM, "user": REQUESTER, "channel": RELEASES}
    assert (who | {"what": what}).items() <= line.items()
    assert line["reason"]
    assert kinds(database) == []


@pytest.mark.parametrize("text", ["history", ASK])
async def test_an_ack_is_in_time_however_long_slack_and_the_ledger_take_together(
    slack: LocalSlack,
    wechat: TokenWeChat,
    database: Path,
    start: Start,
    text: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.workflow.slash_command._ACK_SECONDS", 2.6)
    monkeypatch.setattr("bot.ledger.engine.BUSY_SECONDS", 30.0)
    slack.fail("users.info", Slow(30))
    async with start():
        with locked(database):
            ack = await slack.command(REQUESTER, RELEASES, text)
        assert ack.error is None
        assert ack.seconds < 15  # not two for Slack, and then twenty for the ledger
    assert wechat.calls == []


# The history.


@pytest.mark.usefixtures("bot")
async def test_a_persons_own_history_has_links_and_the_newest_first(
    slack: LocalSlack, wechat: TokenWeChat, database: Path
) -> None:
    wechat.fail("shareenv", Code(0), Code(85088), *[Drop()] * 4)
    for number, channel in enumerate((RELEASES, RELEASES, "C0SECRET"), 1):
        await slack.command(REQUESTER, channel, f"{APPID} prod-{number}")
        await soon(lambda: set(states(database)) == {"ended"})
    text = await history_of(slack, REQUESTER)
    lines = [line for line in text.splitlines() if "`prod-" in line]
    assert [line.split(" · ")[1] for line in lines] == [
        "❔ unknown, it may have been shared",
        "❌ not shared",
        "✅ shared",
    ]
    assert ["|thread>" in line for line in lines] == [False, True, True]
    second = await history_of(slack, "U0SECOND")
    assert "You have no requests yet" in second


@pytest.mark.usefixtures("crew", "bot")
@pytest.mark.parametrize("about", [ENV, APPID])
@pytest.mark.parametrize(
    ("user", "sees"), [(REQUESTER, True), ("U0APPROVER", True), ("U0STRANGER", False)]
)
async def test_a_person_sees_the_history_of_envs_and_appids_that_they_may_share(
    slack: LocalSlack, database: Path, about: str, user: str, sees: bool
) -> None:
    await slack.command(REQUESTER, RELEASES, ASK)
    await soon(lambda: states(database) == ["ended"])
    text = await history_of(slack, user, about)
    assert (f"<@{REQUESTER}>" in text) is sees
    assert ("There are no requests about" in text) is not sees


@pytest.mark.usefixtures("bot")
async def test_a_person_who_cannot_be_looked_up_sees_only_their_own_history(
    slack: LocalSlack, database: Path
) -> None:
    await slack.command(REQUESTER, RELEASES, ASK)
    await soon(lambda: states(database) == ["ended"])
    slack.fail("users.info", Status(503), times=None)
    nothing = "There are no requests about"
    assert nothing in await history_of(slack, "U0APPROVER", ENV)
    rows(database, "UPDATE requests SET user = 'U0APPROVER'")
    assert nothing not in await history_of(slack, "U0APPROVER", ENV)
    rows(database, "UPDATE requests SET team = 'T0ELSEWHERE'")  # of another person with that id
    assert nothing in await history_of(slack, "U0APPROVER", ENV)


@pytest.mark.usefixtures("crew", "bot")
@pytest.mark.parametrize("line", ["history {}", "{}", "retry {}", "请重试 {}"])
@pytest.mark.parametrize(
    ("user", "sees"), [(REQUESTER, True), ("U0APPROVER", True), ("U0STRANGER", False)]
)
async def test_a_request_is_shown_by_its_id_to_whoever_may_see_it_and_else_as_one_that_never_was(
    slack: LocalSlack, database: Path, user: str, sees: bool, line: str
) -> None:
    await slack.command(REQUESTER, RELEASES, ASK)
    await soon(lambda: states(database) == ["ended"])
    [[known]] = rows(database, "SELECT id FROM requests")
    texts = [
        said(await slack.command(user, RELEASES, line.format(each))) for each in (known, "0kq2mhx4")
    ]
    shown, unknown = (text.replace(str(known), "0kq2mhx4") for text in texts)
    assert ("*Request `0kq2mhx4`*" in shown) is sees
    assert (f"`{ENV}` with `{APPID}`" in shown) is sees
    assert (shown == unknown) is not sees
    retry = "retry" in line or "重试" in line
    assert ("with the button below its answer" in shown) is retry


@pytest.mark.usefixtures("bot")
async def test_an_id_is_looked_up_before_an_env_of_that_name(
    slack: LocalSlack, database: Path
) -> None:
    await slack.command(REQUESTER, RELEASES, ASK)
    await soon(lambda: states(database) == ["ended"])
    rows(database, "UPDATE requests SET id = 'prod-1'")
    assert "*Request `prod-1`*" in said(await slack.command(REQUESTER, RELEASES, "history prod-1"))


@pytest.mark.usefixtures("bot")
async def test_a_history_that_cannot_be_read_is_reported(slack: LocalSlack, database: Path) -> None:
    with ledger_down(database):
        ack = await slack.command(REQUESTER, RELEASES, "history")
    assert said(ack) == refused(ENGLISH, NothingDone.LEDGER_DOWN).text


# The use case alone.


class NobodyKnows(Members):
    """A directory that never answers who may approve."""

    async def approvers(self, rule: Rule, requester_id: str, most: int) -> list[str]:
        """Never return."""
        await asyncio.Event().wait()
        return await super().approvers(rule, requester_id, most)


async def test_a_command_without_arguments_opens_the_form_without_any_lookup(
    slack: LocalSlack, members: Members, ledger: Ledger, judge: Judge, ports: Ports
) -> None:
    sharing = SlashCommands(Intake(ports), judge, ports)
    assert await sharing.command(request_of(slack).origin, " ") == OpenForm()
    assert members.lookups == 0
    assert await ledger.history((TEAM, REQUESTER), None, 9) == []


@pytest.mark.parametrize(
    ("rule", "text", "read"),
    [
        (Rule("all", Effect.ALLOW), ASK, [RELEASES]),
        (Rule("all", Effect.APPROVE), f"{MANY} {ENV}", [RELEASES]),
        (Rule("others", Effect.ALLOW, users=frozenset({"U0ELSE"})), ASK, [RELEASES]),
        (Rule("here", Effect.ALLOW, channels=frozenset({RELEASES})), ASK, [RELEASES]),
        (Rule("there", Effect.ALLOW, channels=frozenset({"C0ELSE"})), ASK, []),
        (Rule("other env", Effect.ALLOW, envs=("test-*",)), ASK, []),
        (Rule("other appid", Effect.ALLOW, appids=("wx00000000000000aa",)), ASK, []),
        (Rule("nobody", Effect.DENY), ASK, []),
        (Rule("confirmed first", Effect.ALLOW, confirm=True), ASK, []),
        (Rule("all", Effect.ALLOW), f"{ASK} --dry-run", []),
        *((Rule("all", Effect.ALLOW), text, []) for text in ("help", f"why {ASK}", "", "nonsense")),
    ],
)
async def test_the_channel_is_read_ahead_only_if_the_policy_may_let_a_share_begin(
    slack: LocalSlack,
    members: Members,
    judge: Judge,
    ports: Ports,
    rule: Rule,
    text: str,
    read: list[str],
) -> None:
    judge = replace(judge, in_force=PolicyInForce(Policy((rule,), default_owner=OWNER)))
    await SlashCommands(Intake(ports), judge, ports).command(request_of(slack).origin, text)
    assert members.channels == read


async def test_how_many_appids_go_together_is_one_number_for_command_and_form(
    slack: LocalSlack, judge: Judge, ports: Ports
) -> None:
    ports = replace(ports, most_appids=1)

    text = f"{MANY} {ENV}"
    told = await SlashCommands(Intake(ports), judge, ports).command(request_of(slack).origin, text)
    assert isinstance(told, Message)
    assert told.text.startswith("Up to 1 appids go together, and there are 2.")
    assert Copied(f"/share-env {APPID} {ENV}") in told.parts
    form = FormHandler(Intake(ports), judge, ports, no_op)
    wrong = Mistake(Wrong.TOO_MANY_APPIDS, tuple(MANY.split()), most=1)
    assert form.read(Fields(ENV, MANY)) == {"appids": wrong}


async def test_the_channel_is_read_at_the_same_time_as_the_person(rig: Rig) -> None:
    rig.slack.fail("users.info", Slow(None))
    async with rig.bot(for_platform_team(ALLOW)):
        asked = asyncio.create_task(rig.ask())
        await rig.slack.until(lambda slack: calls_of(slack, "conversations.info") == 1)
        assert not asked.done()
        rig.slack.clear("users.info")
        await asked
        await rig.slack.until(ended)
    assert calls_of(rig.slack, "conversations.info") == 1


async def test_a_stopping_bot_accepts_no_request_and_says_so(
    slack: LocalSlack, ledger: Ledger, begun: list[Entry], judge: Judge, ports: Ports, tasks: Tasks
) -> None:
    ports = replace(ports, stopping=lambda: True)
    sharing = SlashCommands(Intake(ports), judge, ports)
    answers = [
        await sharing.command(request_of(slack).origin, text)
        for text in (ASK, f"{MANY} {ENV}", "whoami", f"{ASK} --dry-run")
    ]
    await tasks.drain(5)
    assert answers[:2] == [stopping(ENGLISH)] * 2
    assert stopping(ENGLISH) not in answers[2:]
    assert begun == []
    assert await ledger.history((TEAM, REQUESTER), None, 9) == []


class SlackIsAway(Members):
    """A directory that cannot be asked who may approve."""

    async def approvers(self, rule: Rule, requester_id: str, most: int) -> list[str]:
        """Raise AwayError."""
        raise AwayError(f"{rule.name} {requester_id} {most}")


@pytest.mark.parametrize("people", [NobodyKnows(), SlackIsAway()], ids=["slow", "away"])
async def test_a_request_is_accepted_in_time_while_slack_does_not_tell_the_approvers(
    slack: LocalSlack, begun: list[Entry], ports: Ports, tasks: Tasks, people: Members
) -> None:
    approvers = Approvers(frozenset({"U0APPROVER"}), frozenset(), "C0APPROVALS", timedelta(hours=2))
    policy = Policy((Rule("ask", Effect.APPROVE, approvers=approvers),), default_owner=OWNER)
    intake, origin = Intake(replace(ports, people=people)), request_of(slack).origin
    me = Asker(policy, at(Person(TEAM, REQUESTER), origin.channel_id))
    async with asyncio.timeout(30):
        told = await intake.submit(me, origin, Share((APPID,), ENV), within(1.0), words=ENGLISH)
    await tasks.drain(5)
    assert told.text.startswith("Sharing `prod-1` with")
    assert [entry.state for entry in begun] == [State.WAITING]
