"""Replies to one person while Slack is away."""

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.request import Act, Origin
from bot.messages import Message
from bot.messages.blocks import Button, Buttons, message
from bot.playground.faults import Code, Fault, RateLimited, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.world import TEAM
from bot.runtime.tasks import Tasks
from bot.slack.api import SlackApi
from bot.slack.private import PrivateReplies
from tests.conftest import RELEASES, REQUESTER, Sleep
from tests.languages import ENGLISH

CLICKED = Origin(TEAM, REQUESTER, "", "", "1.1", "")


def told(slack: LocalSlack) -> list[str]:
    """Return the direct messages to the requester."""
    conversation = slack.direct_message(REQUESTER)
    return [each.text for each in slack.parents(conversation.id)] if conversation else []


AWAY: dict[str, list[Fault]] = {
    "chat.postEphemeral": [Status(503)],
    "chat.postMessage": [Status(503)],
}
BUSY: dict[str, list[Fault]] = {"chat.postEphemeral": [RateLimited(1), Status(503)]}
OLDER = message("older")
QUESTION = OLDER + message(Buttons((Button("Share it", Act.CONFIRM, "r2"),)))
SECOND = replace(CLICKED, user_id="U0SECOND")
ANOTHER = replace(CLICKED, trigger_id="another")
BOTH = ["older", "newer"]


@pytest.mark.parametrize(
    ("fails", "older", "newer", "about", "expected"),
    [
        pytest.param(AWAY, OLDER, CLICKED, ("r1", "r1"), ["newer"], id="same request"),
        pytest.param(BUSY, OLDER, CLICKED, ("r1", "r1"), ["newer"], id="between two ways"),
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

    answers = PrivateReplies(SlackApi(client, until_back), until_back, ENGLISH, Tasks().start)
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
    slack: LocalSlack, api: SlackApi, sleep: Sleep
) -> None:
    slack.fail("chat.postEphemeral", Status(503))
    slack.fail("chat.postMessage", Code("messages_tab_disabled"))
    click = replace(CLICKED, channel_id=RELEASES)
    await PrivateReplies(api, sleep, ENGLISH, Tasks().start).send(click, message("told"))
    assert [each.text for each in slack.shown_to(REQUESTER)] == ["told"]


async def test_a_reply_that_slack_never_takes_is_tried_for_some_minutes_and_then_logged(
    slack: LocalSlack, api: SlackApi, sleep: Sleep, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("chat.postMessage", Status(503), times=None)
    await PrivateReplies(api, sleep, ENGLISH, Tasks().start).send(CLICKED, message("told"))
    assert sleep.naps == [2.0, 8.0, 30.0, 120.0, 300.0]
    assert caplog.messages == ["Slack took nowhere what one person was to be told"]
    assert told(slack) == []


async def test_a_reply_is_not_tried_again_before_the_rate_limit_is_over(
    slack: LocalSlack, api: SlackApi, sleep: Sleep
) -> None:
    slack.fail("chat.postMessage", RateLimited(90))
    await PrivateReplies(api, sleep, ENGLISH, Tasks().start).send(CLICKED, message("told"))
    assert sleep.naps == [90.0]
    assert told(slack) == ["told"]


async def test_what_slack_delivers_twice_is_done_once(
    api: SlackApi, sleep: Sleep, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.slack.private._REMEMBERED", 2)
    tasks, done = Tasks(), list[str]()
    answers = PrivateReplies(api, sleep, ENGLISH, tasks.start)

    async def work(trigger_id: str) -> None:
        done.append(trigger_id)

    for each in "aabbaca":
        answers.attempt_once(replace(CLICKED, trigger_id=each), partial(work, each))
    await tasks.drain(5)
    assert "".join(done) == "abca"
