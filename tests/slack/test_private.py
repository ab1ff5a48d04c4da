"""Replies to one person while Slack is away."""

import asyncio
from dataclasses import replace

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.request import Act, Origin
from bot.messages import Message
from bot.messages.blocks import Button, Buttons, message
from bot.playground.faults import Code, RateLimited, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.world import TEAM
from bot.slack.api import SlackApi
from bot.slack.private import PrivateReplies
from tests.conftest import RELEASES, REQUESTER, HeldSleep, Sleep
from tests.languages import ENGLISH

CLICKED = Origin(TEAM, REQUESTER, "", "", "1.1", "")


def told(slack: LocalSlack) -> list[str]:
    """Return the direct messages to the requester."""
    conversation = slack.direct_message(REQUESTER)
    return [each.text for each in slack.parents(conversation.id)] if conversation else []


OLDER = message("older")
WITH_A_BUTTON = OLDER + message(Buttons((Button("Share it", Act.CONFIRM, "r2"),)))


@pytest.mark.parametrize(
    ("older", "newer", "about", "expected"),
    [
        pytest.param(OLDER, CLICKED, "r1", ["newer"], id="same request"),
        pytest.param(OLDER, CLICKED, "r2", ["newer", "older"], id="another request"),
        pytest.param(OLDER, CLICKED, "", ["newer", "older"], id="no request"),
        pytest.param(
            OLDER, replace(CLICKED, user_id="U0SECOND"), "r1", ["older"], id="another person"
        ),
        pytest.param(WITH_A_BUTTON, CLICKED, "r1", ["newer", "older"], id="a question"),
    ],
)
async def test_an_answer_that_slack_did_not_take_is_not_sent_after_a_newer_one_unless_it_asks(
    slack: LocalSlack,
    api: SlackApi,
    older: Message,
    newer: Origin,
    about: str,
    expected: list[str],
) -> None:
    until_back = HeldSleep()
    answers = PrivateReplies(api, until_back, ENGLISH)
    slack.fail("chat.postMessage", Status(503))
    sending = asyncio.create_task(answers.send(CLICKED, older, about="r1" if about else ""))
    await until_back.begun.wait()
    await answers.send(newer, message("newer"), about=about)
    until_back.over.set()
    await sending
    assert told(slack) == expected


async def test_an_answer_that_one_way_did_not_take_is_not_sent_by_the_next_after_a_newer_one(
    slack: LocalSlack, client: AsyncWebClient, sleep: Sleep
) -> None:
    until_back = HeldSleep()
    answers = PrivateReplies(SlackApi(client, until_back), sleep, ENGLISH)
    slack.fail("chat.postEphemeral", RateLimited(1), Status(503))
    older = answers.send(replace(CLICKED, channel_id=RELEASES), OLDER, about="r1")
    sending = asyncio.create_task(older)
    await until_back.begun.wait()
    await answers.send(CLICKED, message("newer"), about="r1")
    until_back.over.set()
    await sending
    assert told(slack) == ["newer"]


async def test_an_answer_is_tried_again_in_a_way_that_failed_for_the_moment(
    slack: LocalSlack, api: SlackApi, sleep: Sleep
) -> None:
    slack.fail("chat.postEphemeral", Status(503))
    slack.fail("chat.postMessage", Code("messages_tab_disabled"))
    click = replace(CLICKED, channel_id=RELEASES)
    await PrivateReplies(api, sleep, ENGLISH).send(click, message("told"), about="r1")
    assert [each.text for each in slack.shown_to(REQUESTER)] == ["told"]


async def test_a_reply_that_slack_never_takes_is_tried_for_some_minutes_and_then_logged(
    slack: LocalSlack, api: SlackApi, sleep: Sleep, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("chat.postMessage", Status(503), times=None)
    await PrivateReplies(api, sleep, ENGLISH).send(CLICKED, message("told"), about="r1")
    assert sleep.naps == [2.0, 8.0, 30.0, 120.0, 300.0]
    assert caplog.messages == ["Slack took nowhere what one person was to be told"]
    assert told(slack) == []


async def test_a_reply_is_not_tried_again_before_the_rate_limit_is_over(
    slack: LocalSlack, api: SlackApi, sleep: Sleep
) -> None:
    slack.fail("chat.postMessage", RateLimited(90))
    await PrivateReplies(api, sleep, ENGLISH).send(CLICKED, message("told"))
    assert sleep.naps == [90.0]
    assert told(slack) == ["told"]
