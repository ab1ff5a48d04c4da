"""Replies to one person while Slack is away."""

from dataclasses import replace
from functools import partial

import pytest

from bot.domain.request import Origin
from bot.messages.blocks import message
from bot.playground.faults import Code, RateLimited, Status
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
