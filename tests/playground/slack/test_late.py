"""Calls that Slack carries out late: after the caller gave up, was cut off or was told something else."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.faults import Code, Drop, Late
from bot.playground.slack.server import LocalSlack
from tests.conftest import RELEASES, Clock
from tests.playground.conftest import error_of, home

PERSON = "U0SECOND"
FAILED = (aiohttp.ClientError, SlackApiError)
Call: TypeAlias = Callable[[AsyncWebClient, LocalSlack, aiohttp.ClientSession, str], Awaitable[Any]]


async def respond(
    _api: AsyncWebClient, slack: LocalSlack, http: aiohttp.ClientSession, _ts: str
) -> None:
    url = slack.response_url(PERSON, RELEASES)
    async with http.post(url, json={"text": "late"}, raise_for_status=True):
        pass


CALLS: dict[str, Call] = {
    "chat.postMessage": lambda api, *_: api.chat_postMessage(channel=RELEASES, text="late"),
    "chat.update": lambda api, _slack, _http, ts: api.chat_update(
        channel=RELEASES, ts=ts, text="late"
    ),
    "chat.delete": lambda api, _slack, _http, ts: api.chat_delete(channel=RELEASES, ts=ts),
    "chat.postEphemeral": lambda api, *_: api.chat_postEphemeral(
        channel=RELEASES, user=PERSON, text="late"
    ),
    "views.publish": lambda api, *_: api.views_publish(user_id=PERSON, view=home()),
    "response_url": respond,
}


def seen(slack: LocalSlack) -> tuple[list[str], bool]:
    """Return the messages that stand, and whether the person has an App Home."""
    texts = [each.text for each in slack.messages if not each.deleted]
    return texts, slack.home(PERSON) is not None


@pytest.mark.parametrize("method", CALLS)
async def test_any_call_can_be_carried_out_after_its_connection_was_cut(
    slack: LocalSlack, api: AsyncWebClient, http: aiohttp.ClientSession, method: str
) -> None:
    ts = (await api.chat_postMessage(channel=RELEASES, text="early"))["ts"]
    slack.fail(method, Late(None, Drop()))
    with pytest.raises(FAILED):
        await CALLS[method](api, slack, http, ts)
    assert seen(slack) == (["early"], False)
    slack.clear(method)
    await slack.settled()
    assert seen(slack) == {
        "chat.update": (["late"], False),
        "chat.delete": ([], False),
        "views.publish": (["early"], True),
    }.get(method, (["early", "late"], False))
    assert [call.error for call in slack.calls if call.method == method][-2:] == ["Drop", None]


async def test_a_late_edit_overwrites_a_later_one(
    slack: LocalSlack, api: AsyncWebClient, clock: Clock
) -> None:
    ts = (await api.chat_postMessage(channel=RELEASES, text="asked"))["ts"]
    slack.fail("chat.update", Late(None, Drop()), ts=ts)
    with pytest.raises(aiohttp.ClientError):
        await api.chat_update(channel=RELEASES, ts=ts, text="under way")
    await api.chat_update(channel=RELEASES, ts=ts, text="done")
    clock.now += 20
    slack.clear("chat.update")
    await slack.settled()
    (message,) = slack.messages
    assert (message.text, message.edits) == ("under way", 2)
    assert float(message.edited_ts) == pytest.approx(clock.now)


async def test_a_late_call_can_be_refused_when_nobody_hears_of_it_any_more(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    ts = (await api.chat_postMessage(channel=RELEASES, text="asked"))["ts"]
    slack.fail("chat.update", Late(None, Code("fatal_error")))
    assert await error_of(api.chat_update(channel=RELEASES, ts=ts, text="late")) == "fatal_error"
    await api.chat_delete(channel=RELEASES, ts=ts)
    slack.clear()
    await slack.settled()
    assert slack.calls[-1].error == "message_not_found"
    assert slack.messages[0].text == "asked"
