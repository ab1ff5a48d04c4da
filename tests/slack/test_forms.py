"""The form, over real sockets: opened from every place, filled in, submitted, closed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.messages.modals import APPIDS, DRY_RUN, ENV, FORM, REASON
from bot.playground.faults import Code, Drop, RateLimited, Slow
from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.payloads import interaction
from bot.playground.slack.server import Ack, LocalSlack, PostedMessage
from bot.playground.slack.surfaces import View
from bot.playground.slack.views import shown
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, OWNER
from bot.slack.forms import MESSAGE_SHORTCUT, SHORTCUT
from tests.conftest import (
    RELEASES,
    REQUESTER,
    appids,
    kinds,
    ledger_down,
    let_hang,
    opened,
    rows,
    soon,
    states,
)
from tests.rig import SECRET
from tests.said import BROKEN, IN_DOUBT, NOT_RECORDED, SHARED

OTHER = "wx0000000000000001"
GOOD: dict[str, Json] = {ENV: "prod-1", APPIDS: APPID}
MANIFEST: dict[str, Any] = yaml.safe_load(Path("app-manifest.yml").read_text(encoding="utf-8"))

pytestmark = pytest.mark.usefixtures("bot")


@pytest.fixture
async def said(slack: LocalSlack) -> PostedMessage:
    """Return what a person has said in the channel."""
    message = PostedMessage(slack.next_ts(), RELEASES, "U0SECOND", "prod-1, please", via="slack")
    slack.post(message)
    return message


async def by_command(slack: LocalSlack, channel: str = RELEASES, user: str = REQUESTER) -> View:
    ack = await slack.command(user, channel, "")
    assert (ack.error, ack.payload) == (None, None)
    return await opened(slack, user)


async def by_shortcut(slack: LocalSlack, user: str = REQUESTER) -> View:
    assert (await slack.shortcut(user, SHORTCUT)).error is None
    return await opened(slack, user)


async def by_message(slack: LocalSlack, message: PostedMessage, user: str = REQUESTER) -> View:
    assert (await slack.message_shortcut(user, MESSAGE_SHORTCUT, message)).error is None
    return await opened(slack, user)


async def sent(slack: LocalSlack, view: View, **entries: Any) -> Ack:
    """Choose an offered env, fill in the rest, and submit the form."""
    values = GOOD | entries
    await slack.options(view.user, view, ENV, str(values[ENV] or ""))
    return await slack.submit(view.user, view, values)


def with_values(slack: LocalSlack, view: View, **values: Any) -> JsonObject:
    """Return a submission with any values, even ones that Slack's own check would refuse."""
    kept: JsonObject = {
        ENV: {"selected_option": {"value": "prod-1"}},
        APPIDS: {"value": APPID},
        **values,
    }
    state: JsonObject = {"values": {name: {name: value} for name, value in kept.items()}}
    return {
        **interaction(slack, "view_submission", view.user),
        "trigger_id": slack.next_trigger(),
        "view": {**shown(slack, view), "state": state},
        "response_urls": [],
    }


async def done(slack: LocalSlack, channel: str = RELEASES) -> PostedMessage:
    """Return the parent of the only request once it is shared."""

    def shared() -> list[PostedMessage]:
        return [m for m in slack.messages if m.channel == channel and m.edits]

    await slack.until(lambda _: any(m.text.startswith("✅") for m in shared()))
    return shared()[0]


# Ways to open the form, and where the answer goes.


async def test_the_command_without_arguments_opens_the_form_and_the_answer_comes_in_the_channel(
    slack: LocalSlack, wechat: LocalWeChat
) -> None:
    view = await by_command(slack)
    assert view.body["callback_id"] == FORM
    ack = await sent(slack, view, **{REASON: "release", DRY_RUN: []})
    assert (ack.error, ack.errors, slack.modal(REQUESTER)) == (None, {}, None)
    await done(slack)
    assert wechat.shared == [(OWNER, "prod-1", APPID)]
    assert slack.shown_to(REQUESTER) == []
    assert any("Reason: release" in m.text for m in slack.messages)
    assert slack.violations == []


async def test_a_shortcut_on_a_message_is_answered_in_its_thread(
    slack: LocalSlack, said: PostedMessage
) -> None:
    view = await by_message(slack, said)
    await sent(slack, view)
    parent = await done(slack)
    assert parent.thread_ts == said.ts
    assert len(slack.parents(RELEASES)) == 1


@pytest.mark.parametrize("active", [False, True], ids=["without replies", "with replies"])
async def test_an_ephemeral_answer_to_a_message_shortcut_is_visible(
    slack: LocalSlack, said: PostedMessage, active: bool
) -> None:
    if active:
        slack.post(PostedMessage(slack.next_ts(), RELEASES, REQUESTER, "yes", thread_ts=said.ts))
    await sent(slack, await by_message(slack, said), **{DRY_RUN: [DRY_RUN]})
    await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
    [alone] = slack.shown_to(REQUESTER)
    assert "would" in alone.text
    assert alone.thread_ts == (said.ts if active else None)


async def test_a_shortcut_on_a_reply_is_answered_in_the_same_thread(
    slack: LocalSlack, said: PostedMessage
) -> None:
    reply = PostedMessage(
        slack.next_ts(), RELEASES, REQUESTER, "yes", thread_ts=said.ts, via="slack"
    )
    slack.post(reply)
    await sent(slack, await by_message(slack, reply))
    assert (await done(slack)).thread_ts == said.ts


async def test_a_shortcut_in_a_thread_that_the_bot_cannot_see_is_answered_to_the_requester_only(
    slack: LocalSlack,
) -> None:
    there = PostedMessage(slack.next_ts(), SECRET, REQUESTER, "prod-1?", via="slack")
    slack.post(there)
    await sent(slack, await by_message(slack, there))
    await slack.until(lambda slack: any(SHARED in m.text for m in slack.parents("D0BOT")))
    assert {(m.channel, m.thread_ts) for m in slack.shown_to(REQUESTER)} == {(SECRET, None)}


async def test_the_global_shortcut_is_answered_by_direct_message(
    slack: LocalSlack, wechat: LocalWeChat
) -> None:
    view = await by_shortcut(slack)
    assert "by direct message" in json.dumps(view.body)
    await sent(slack, view)
    await done(slack, "D0BOT")
    assert len(wechat.shared) == 1
    assert slack.shown_to(REQUESTER) == []
    assert sorted(m.text[:5] for m in slack.parents("D0BOT")) == ["✅ <@U"]
    assert [call.error for call in slack.calls if call.error] == []


async def test_a_used_up_response_url_does_not_matter(slack: LocalSlack) -> None:
    view = await by_command(slack)
    known = json.loads(str(view.body["private_metadata"]))
    used_up = json.dumps([*known[:-1], f"{slack.api_url.removesuffix('api/')}commands/none"])
    slack.show(replace(view, body={**view.body, "private_metadata": used_up}), "updated")
    await sent(slack, view, **{DRY_RUN: [DRY_RUN]})
    await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
    assert [m.via for m in slack.shown_to(REQUESTER)] == ["api"]


async def test_the_form_is_in_the_requesters_language(slack: LocalSlack) -> None:
    view = await by_command(slack, user="U0CHINESE")
    assert "取消" in json.dumps(view.body["close"], ensure_ascii=False)


# Mistakes.


@pytest.mark.parametrize(
    ("field", "typed", "words"),
    [
        (APPIDS, "wx12", "“wx12” is not an appid: that is “wx” and 16 of"),
        (APPIDS, f"{APPID}\n{OTHER[:-1]}g\n{OTHER}", "“wx000000000000000g” is not an appid"),
        (APPIDS, " , ", "The appid is missing"),
        (APPIDS, APPID.upper(), "in lower case."),
        (REASON, "<reason>", "The reason is missing. Put your own words there."),
    ],
)
async def test_a_mistake_is_shown_at_its_field_and_the_form_stays(
    slack: LocalSlack, wechat: LocalWeChat, database: Path, field: str, typed: str, words: str
) -> None:
    view = await by_command(slack)
    ack = await sent(slack, view, **{field: typed})
    assert list(ack.errors) == [field]
    assert words in ack.errors[field]
    left = await opened(slack)
    assert left.errors == ack.errors
    await soon(lambda: kinds(database) == ["mistake"])
    assert (rows(database, "SELECT * FROM requests"), wechat.calls) == ([], [])
    await sent(slack, left, **{REASON: "a reason"})
    await done(slack)
    assert slack.modal(REQUESTER) is None


@pytest.mark.parametrize(
    ("values", "field", "words"),
    [
        ({ENV: {"selected_option": None}}, ENV, "The env is missing"),
        ({ENV: {}}, ENV, "The env is missing"),
        ({ENV: {"selected_option": {"value": "<env>"}}}, ENV, "“<env>” is not an env id"),
        ({ENV: {"selected_option": {"value": "-a"}}}, ENV, "“-a” is not an env id"),
        ({APPIDS: {"value": None}}, APPIDS, "The appid is missing"),
        ({REASON: {"value": "r" * 301}}, REASON, "301 characters. Up to 300 fit"),
        (
            {APPIDS: {"value": "\n".join(appids(501))}},
            APPIDS,
            "Up to 500 appids go together, and there are 501",
        ),
    ],
)
async def test_a_submission_that_slack_would_not_send_is_answered_too(
    slack: LocalSlack, values: dict[str, JsonObject], field: str, words: str
) -> None:
    view = await by_command(slack)
    ack = await slack.deliver("interactive", with_values(slack, view, **values))
    assert list(ack.errors) == [field]
    assert words in ack.errors[field]


async def test_five_hundred_appids_make_one_batch(slack: LocalSlack, database: Path) -> None:
    view = await by_command(slack)
    many = {"value": " ".join(appids(500))}
    await slack.deliver("interactive", with_values(slack, view, **{APPIDS: many}))
    await soon(lambda: rows(database, "SELECT 1 FROM requests WHERE appids IS NOT NULL"))
    [(stored,)] = rows(database, "SELECT appids FROM requests WHERE appids IS NOT NULL")
    assert len(stored.split()) == 500


async def test_a_dry_run_shares_and_records_nothing(
    slack: LocalSlack, wechat: LocalWeChat, database: Path
) -> None:
    await sent(slack, await by_command(slack), **{DRY_RUN: [DRY_RUN]})
    await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
    assert kinds(database) == ["dry run"]
    assert wechat.calls == []


# Repeated deliveries, and damaged forms.


async def test_the_same_form_delivered_twice_is_one_request_and_one_answer(
    slack: LocalSlack, wechat: LocalWeChat, database: Path
) -> None:
    ack = await sent(slack, await by_command(slack))
    again = await slack.redeliver(ack)
    assert again.error is None
    await done(slack)
    assert len(wechat.shared) == 1
    assert len(rows(database, "SELECT * FROM requests")) == 1
    assert len(slack.parents(RELEASES)) == 1


async def test_the_answer_to_a_form_that_is_delivered_twice_is_told_once(
    slack: LocalSlack, database: Path
) -> None:
    ack = await sent(slack, await by_command(slack), **{DRY_RUN: [DRY_RUN]})
    await slack.redeliver(ack)
    await soon(lambda: kinds(database) == ["dry run"] * 2)
    await sent(slack, await by_command(slack), **{APPIDS: OTHER})
    await done(slack)
    assert len(slack.shown_to(REQUESTER)) == 1


async def test_a_form_that_is_sent_again_once_the_ledger_is_back_is_answered_anew(
    slack: LocalSlack, database: Path
) -> None:
    await sent(slack, await by_command(slack))
    await soon(lambda: states(database) == ["ended"])
    with ledger_down(database):
        ack = await sent(slack, await by_command(slack))
        await slack.until(lambda slack: any(NOT_RECORDED in m.text for m in slack.messages))
    await slack.redeliver(ack)
    await slack.until(lambda slack: any("--again" in m.text for m in slack.messages))


async def test_a_form_that_is_changed_after_a_lost_ack_is_another_request(
    slack: LocalSlack, wechat: LocalWeChat
) -> None:
    view = await by_command(slack)
    for appid in (APPID, OTHER):
        await slack.deliver("interactive", with_values(slack, view, **{APPIDS: {"value": appid}}))
    await soon(lambda: len(wechat.shared) == 2)


async def test_a_form_that_is_sent_again_after_a_lost_ack_is_the_same_request(
    slack: LocalSlack, wechat: LocalWeChat, database: Path
) -> None:
    view = await by_command(slack)
    assert view.hash
    for _ in range(2):
        await slack.deliver("interactive", with_values(slack, view))  # each with its own trigger
    await done(slack)
    assert len(wechat.shared) == len(rows(database, "SELECT * FROM requests")) == 1


async def test_the_same_command_delivered_twice_opens_one_form(slack: LocalSlack) -> None:
    ack = await slack.command(REQUESTER, RELEASES, "")
    await slack.redeliver(ack)
    await opened(slack)
    assert [call.method for call in slack.calls].count("views.open") == 1
    assert slack.shown_to(REQUESTER) == []


async def test_a_form_that_does_not_say_where_it_was_opened_shares_nothing_and_says_so(
    slack: LocalSlack, wechat: LocalWeChat
) -> None:
    view = await by_command(slack)
    damaged = replace(view, body={**view.body, "private_metadata": "[]"})
    ack = await slack.deliver("interactive", with_values(slack, damaged))
    assert ack.payload is not None
    assert BROKEN in str(ack.payload["view"])
    assert wechat.calls == []


@pytest.mark.parametrize("fault", [Code("expired_trigger_id"), RateLimited(30), Drop()])
async def test_a_person_whose_form_does_not_open_is_told(
    slack: LocalSlack, fault: Code | RateLimited | Drop
) -> None:
    slack.fail("views.open", fault)
    await slack.command(REQUESTER, RELEASES, "")
    await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
    assert "please try again" in slack.shown_to(REQUESTER)[0].text


# Slow or failing servers.


async def test_the_form_opens_in_time_if_the_person_cannot_be_looked_up(slack: LocalSlack) -> None:
    slack.fail("users.info", *[Slow(4.0)] * 3)
    ack = await slack.command("U0SECOND", RELEASES, "")
    view = await opened(slack, "U0SECOND")
    assert ack.seconds < 1.9  # the bot waits two for Slack's answer
    [call] = [call for call in slack.calls if call.method == "views.open"]
    assert call.error is None
    assert await slack.options("U0SECOND", view, ENV) == []


@pytest.mark.parametrize("way", ["command", "shortcut"])
async def test_the_form_opens_if_the_ledger_is_down_and_wechat_is_silent(
    slack: LocalSlack, wechat: LocalWeChat, database: Path, way: str
) -> None:
    wechat.latency = 30.0
    with ledger_down(database):
        view = await (by_command(slack) if way == "command" else by_shortcut(slack))
        ack = await sent(slack, view)
        assert (ack.error, ack.errors) == (None, {})
        await slack.until(lambda slack: any(NOT_RECORDED in m.text for m in slack.messages))
    assert wechat.shared == []


@pytest.mark.usefixtures("impatient")
async def test_a_slow_ledger_does_not_delay_the_ack(
    slack: LocalSlack, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.forms._ACK_SECONDS", 0.2)
    view = await by_command(slack)
    let_hang(database, "requests")
    ack = await sent(slack, view)
    assert ack.error is None
    assert ack.seconds < 1.9  # the bot waits two for the ledger
    await slack.until(lambda slack: bool(slack.shown_to(REQUESTER)))
    assert IN_DOUBT in slack.shown_to(REQUESTER)[0].text
    await soon(
        lambda: states(database) == ["ended"], 60
    )  # otherwise its end would interrupt the ledger


async def test_an_unforeseen_error_is_said_in_the_form(
    slack: LocalSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError

    view = await by_command(slack)
    monkeypatch.setattr("bot.workflow.form.FormHandler.submit", fail)
    ack = await sent(slack, view)
    assert ack.error is None
    assert BROKEN in str(ack.payload)


# The manifest.


def test_the_manifest_has_the_shortcuts_that_the_bot_handles() -> None:
    shortcuts = MANIFEST["features"]["shortcuts"]
    assert {each["callback_id"]: each["type"] for each in shortcuts} == {
        SHORTCUT: "global",
        MESSAGE_SHORTCUT: "message",
    }
    assert all(0 < len(each["name"]) <= 24 for each in shortcuts)
    assert all(0 < len(each["description"]) <= 150 for each in shortcuts)
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
