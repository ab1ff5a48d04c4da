"""Replies to one person while Slack is away."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from functools import partial

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.request import Act, Origin
from bot.messages import Message
from bot.messages.blocks import Announcement, Button, Buttons, Part, message
from bot.playground.faults import Code, Drop, Fault, Late, RateLimited, Status
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.world import TEAM
from bot.runtime.tasks import Tasks
from bot.slack.api import RESPONSE_URL, SlackApi
from bot.slack.private import PrivateReplies
from tests.conftest import RELEASES, REQUESTER, Sleep
from tests.languages import ENGLISH

CLICKED = Origin(
    team_id=TEAM,
    user_id=REQUESTER,
    channel_id="",
    channel_name="",
    trigger_id="1.1",
    response_url="",
)


def told(slack: LocalSlack) -> list[str]:
    """Return the direct messages to the requester."""
    conversation = slack.direct_message(REQUESTER)
    return [each.text for each in slack.parents(conversation.id)] if conversation else []


def clicked(slack: LocalSlack) -> Origin:
    """Return the origin of a click in a channel, with a response_url."""
    url = slack.response_url(REQUESTER, RELEASES)
    return replace(CLICKED, channel_id=RELEASES, response_url=url)


def replies_by(
    api: SlackApi, tasks: Tasks | None = None, ended: Collection[str] = ()
) -> PrivateReplies:
    """Return replies by this client; the requests with these ids have ended."""

    async def has_ended(request_id: str) -> bool:
        return request_id in ended

    return PrivateReplies(api, ENGLISH, (tasks or Tasks()).start, has_ended, lambda: "0badc0de")


# In which ways.


WAYS = (RESPONSE_URL, "chat.postEphemeral", "chat.postMessage")
Planned = tuple[Fault, ...]
LOST = Drop(after_effect=True)
LATE = Late(None, Drop())
NO, BUSY = Code("user_not_in_channel"), RateLimited(90)


@pytest.mark.parametrize(
    ("fails", "tried", "shown"),
    [
        pytest.param([()], "R", "R", id="done"),
        pytest.param([(Status(503),)], "RR", "R", id="in doubt, not done"),
        pytest.param([(LOST,)], "RR", "RR", id="in doubt, done"),
        pytest.param([(LOST, LOST)], "RR", "RR", id="in doubt twice, done"),
        pytest.param([(Status(503), Status(503))], "RR", "", id="in doubt twice, not done"),
        pytest.param([(LATE,)], "RR", "RR", id="in doubt, done after the second"),
        pytest.param([(LATE, LATE)], "RR", "RR", id="in doubt twice, done later"),
        pytest.param([(LATE, NO)], "RR", "R", id="in doubt, then refused, done later"),
        pytest.param([(NO,), (LATE, LATE)], "REE", "EE", id="refused, then done later"),
        pytest.param([(LOST, NO)], "RR", "R", id="in doubt, then refused"),
        pytest.param([(LOST, BUSY, LOST)], "RRR", "RR", id="in doubt, then busy, then in doubt"),
        pytest.param([(NO,)], "RE", "E", id="refused"),
        pytest.param([(BUSY,)], "RE", "E", id="busy"),
        pytest.param([(NO,), (LOST, LOST)], "REE", "EE", id="refused, then in doubt"),
        pytest.param([(BUSY,), (LOST, LOST)], "REE", "EE", id="busy, then in doubt"),
        pytest.param([(NO,), (NO,)], "REM", "M", id="refused twice"),
        pytest.param([(NO,), (NO,), (LOST, LOST)], "REMM", "MM", id="the last one in doubt"),
        pytest.param([(NO,), (NO,), (NO,)], "REM", "", id="refused everywhere"),
        pytest.param([(BUSY,), (NO,), (NO,)], "REMR", "R", id="busy, and refused elsewhere"),
    ],
)
async def test_a_reply_goes_another_way_only_after_a_refusal_and_in_doubt_twice_at_most(
    slack: LocalSlack, api: SlackApi, fails: list[Planned], tried: str, shown: str
) -> None:
    for way, faults in zip(WAYS, fails, strict=False):
        slack.fail(way, *faults)
    await replies_by(api).send(clicked(slack), message("told"))
    letters = dict(zip(WAYS, "REM", strict=True))
    assert "".join(letters[call.method] for call in slack.calls) == tried
    slack.clear()
    await slack.settled()
    stand = [
        "M" if not each.ephemeral_to else "R" if each.via == "response_url" else "E"
        for each in slack.messages
    ]
    assert "".join(stand) == shown


async def test_a_reply_goes_another_way_if_it_could_not_be_sent(
    slack: LocalSlack, api: SlackApi
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/"
    click = replace(CLICKED, channel_id=RELEASES, response_url=nowhere)
    await replies_by(api).send(click, message("told"))
    assert [each.text for each in slack.shown_to(REQUESTER)] == ["told"]


# What is only true until the request has ended.


PLAIN = message("told")
ANNOUNCED = Announcement((Part("told"),), "r1")
DOUBT = {RESPONSE_URL: Status(503)}
ALL_BUSY = dict.fromkeys(WAYS, BUSY)


@pytest.mark.parametrize(
    ("said", "fails", "ended", "expected"),
    [
        pytest.param(ANNOUNCED, DOUBT, {"r1"}, [], id="ended, in doubt"),
        pytest.param(ANNOUNCED, {RESPONSE_URL: NO}, {"r1"}, [], id="ended, refused"),
        pytest.param(ANNOUNCED, ALL_BUSY, {"r1"}, [], id="ended, busy"),
        pytest.param(ANNOUNCED, {}, {"r1"}, ["told"], id="ended, the first try"),
        pytest.param(ANNOUNCED, DOUBT, {"r2"}, ["told"], id="open"),
        pytest.param(PLAIN, DOUBT, {"r1"}, ["told"], id="no announcement"),
    ],
)
async def test_what_only_announces_an_answer_is_not_tried_again_once_the_request_has_ended(
    slack: LocalSlack,
    api: SlackApi,
    caplog: pytest.LogCaptureFixture,
    said: Message,
    fails: dict[str, Fault],
    ended: set[str],
    expected: list[str],
) -> None:
    for way, fault in fails.items():
        slack.fail(way, fault)
    await replies_by(api, ended=ended).send(clicked(slack), said, about="r1")
    assert [each.text for each in slack.messages] == expected
    assert caplog.messages == []


# While Slack is away.


AWAY: dict[str, list[Fault]] = {
    "chat.postEphemeral": [RateLimited(90)],
    "chat.postMessage": [RateLimited(90)],
}
IN_DOUBT: dict[str, list[Fault]] = {"chat.postEphemeral": [Status(503)]}
BETWEEN: dict[str, list[Fault]] = {"chat.postEphemeral": [RateLimited(1), NO]}
OLDER = message("older")
QUESTION = OLDER + message(Buttons((Button("Share it", Act.CONFIRM, "r2"),)))
SECOND = replace(CLICKED, user_id="U0SECOND")
ANOTHER = replace(CLICKED, trigger_id="another")
BOTH = ["older", "newer"]


@pytest.mark.parametrize(
    ("fails", "older", "newer", "about", "expected"),
    [
        pytest.param(AWAY, OLDER, CLICKED, ("r1", "r1"), ["newer"], id="same request"),
        pytest.param(IN_DOUBT, OLDER, CLICKED, ("r1", "r1"), ["newer"], id="in doubt"),
        pytest.param(BETWEEN, OLDER, CLICKED, ("r1", "r1"), ["newer"], id="between two ways"),
        pytest.param(AWAY, OLDER, CLICKED, ("r1", "r2"), BOTH, id="another request"),
        pytest.param(AWAY, OLDER, SECOND, ("r1", "r1"), ["older"], id="another person"),
        pytest.param(AWAY, QUESTION, CLICKED, ("r1", "r1"), BOTH, id="a question"),
        pytest.param(AWAY, OLDER, ANOTHER, ("", ""), BOTH, id="about no request"),
    ],
)
async def test_an_answer_is_not_sent_after_a_newer_one_about_the_same_request_unless_it_asks(
    slack: LocalSlack,
    client: AsyncWebClient,
    fails: dict[str, list[Fault]],
    older: Message,
    newer: Origin,
    about: tuple[str, str],
    expected: list[str],
) -> None:
    away, back = asyncio.Event(), asyncio.Event()

    async def until_back(_: float) -> None:
        away.set()
        await back.wait()

    answers = replies_by(SlackApi(client, until_back))
    for method, faults in fails.items():
        slack.fail(method, *faults)
    click = replace(CLICKED, channel_id=RELEASES)
    sending = asyncio.create_task(answers.send(click, older, about=about[0]))
    await away.wait()
    await answers.send(newer, message("newer"), about=about[1])
    back.set()
    await sending
    assert [each.text for each in slack.shown_to(REQUESTER)] + told(slack) == expected


async def test_an_answer_is_tried_again_in_a_way_that_failed_for_the_moment(
    slack: LocalSlack, api: SlackApi
) -> None:
    slack.fail("chat.postEphemeral", RateLimited(90))
    slack.fail("chat.postMessage", Code("messages_tab_disabled"))
    click = replace(CLICKED, channel_id=RELEASES)
    await replies_by(api).send(click, message("told"))
    assert [each.text for each in slack.shown_to(REQUESTER)] == ["told"]


async def test_a_reply_that_slack_never_takes_is_tried_for_some_minutes_and_then_logged(
    slack: LocalSlack, api: SlackApi, sleep: Sleep, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("chat.postMessage", RateLimited(90), times=None)
    await replies_by(api).send(CLICKED, message("told"))
    assert sleep.naps == [90.0, 90.0, 90.0, 120.0, 300.0]
    assert caplog.messages == ["a message to one person was not delivered"]
    assert told(slack) == []


async def test_a_reply_that_slack_never_confirms_is_logged(
    slack: LocalSlack, api: SlackApi, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("chat.postMessage", LOST, LOST)
    await replies_by(api).send(CLICKED, message("told"))
    assert caplog.messages == ["Slack did not confirm what one person was told"]


async def test_a_reply_is_not_tried_again_before_the_rate_limit_is_over(
    slack: LocalSlack, api: SlackApi, sleep: Sleep
) -> None:
    slack.fail("chat.postMessage", RateLimited(90))
    await replies_by(api).send(CLICKED, message("told"))
    assert sleep.naps == [90.0]
    assert told(slack) == ["told"]


async def test_what_slack_delivers_twice_is_done_once(
    api: SlackApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.private._REMEMBERED", 2)
    tasks, done = Tasks(), list[str]()
    answers = replies_by(api, tasks)

    async def work(trigger_id: str) -> None:
        done.append(trigger_id)

    for each in "aabbaca":
        answers.attempt_once(replace(CLICKED, trigger_id=each), partial(work, each))
    await tasks.drain(5)
    assert "".join(done) == "abca"
