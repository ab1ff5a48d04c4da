"""Calls that Slack carries out late: after the caller gave up, was cut off or was told something else."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.faults import Code, Drop, Fault, Late, Slow, Status
from bot.playground.slack.server import LocalSlack
from bot.playground.world import World
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


@pytest.mark.parametrize(
    "fault",
    [
        Late(None, Drop()),
        Late(None, Drop(reset=True)),
        Late(None, Drop(silence=0.01)),
        Late(None, Drop(silence=None)),
        Late(None, Status(504)),
        Late(None, Code("fatal_error")),
        Slow(),
    ],
    ids=repr,
)
async def test_a_call_takes_effect_whatever_its_caller_saw_or_if_it_has_gone(
    slack: LocalSlack, api: AsyncWebClient, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    slack.fail("chat.postMessage", fault)
    calling = asyncio.create_task(api.chat_postMessage(channel=RELEASES, text="late"))
    await slack.until(lambda slack: len(slack.faults.late) == 1)
    calling.cancel()
    await asyncio.wait([calling])
    await api.chat_postMessage(channel=RELEASES, text="later")
    assert [each.text for each in slack.messages] == ["later"]
    slack.clear()
    await slack.settled()
    assert [each.text for each in slack.messages] == ["later", "late"]
    assert [each for each in caplog.records if each.name != "slack_sdk"] == []


@pytest.mark.parametrize("fault", [Late(0.05, Drop()), Late(0.05, Drop(silence=None)), Slow(0.05)])
async def test_a_call_is_carried_out_after_its_seconds_by_itself(
    slack: LocalSlack, api: AsyncWebClient, fault: Fault
) -> None:
    slack.fail("chat.postMessage", fault)
    calling = asyncio.create_task(api.chat_postMessage(channel=RELEASES, text="late"))
    await slack.until(lambda slack: len(slack.faults.late) == 1)
    await slack.settled()
    assert [each.text for each in slack.messages] == ["late"]
    calling.cancel()
    await asyncio.wait([calling])


async def test_an_answer_can_come_after_the_late_effect(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    slack.fail("chat.postMessage", Slow())
    calling = asyncio.create_task(api.chat_postMessage(channel=RELEASES, text="late"))
    await slack.until(lambda slack: len(slack.calls) == 1)
    assert (slack.messages, calling.done()) == ([], False)
    slack.clear("chat.postMessage")
    assert (await calling)["ts"] == slack.messages[0].ts


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


async def test_a_late_post_gets_the_ts_of_the_moment_at_which_it_appears(
    slack: LocalSlack, api: AsyncWebClient, clock: Clock
) -> None:
    slack.fail("chat.postMessage", Late(None, Drop()))
    with pytest.raises(aiohttp.ClientError):
        await api.chat_postMessage(channel=RELEASES, text="late")
    clock.now += 10
    await api.chat_postMessage(channel=RELEASES, text="in between")
    clock.now += 10
    slack.clear("chat.postMessage")
    await slack.settled()
    found = (await api.conversations_history(channel=RELEASES))["messages"]
    assert [each["text"] for each in found] == ["late", "in between"]
    assert float(found[0]["ts"]) == pytest.approx(clock.now)


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


@pytest.mark.parametrize("fault", [Late(60, Drop()), Late(None, Drop(silence=None)), Slow(60)])
async def test_what_is_still_to_be_carried_out_ends_with_the_stand_in(
    http: aiohttp.ClientSession, fault: Fault
) -> None:
    async with LocalSlack(World()) as slack:
        slack.fail("response_url", fault, user=PERSON)
        url = slack.response_url(PERSON, RELEASES)
        calling = asyncio.create_task(http.post(url, json={"text": "late"}))
        await slack.until(lambda slack: len(slack.faults.late) == 1)
        (task,) = slack.faults.late
    assert (task.done(), slack.messages) == (True, [])
    with pytest.raises(aiohttp.ClientError):
        await calling
