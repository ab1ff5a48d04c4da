import json
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.domain.language import Language
from bot.domain.outcome import (
    AfterCall,
    Outcome,
    Readiness,
    Shared,
    Tally,
    Unknown,
)
from bot.domain.request import Act, Request
from bot.guidance import Trouble
from bot.messages import Message as Text
from bot.messages.approvals import waiting
from bot.messages.batches import progress
from bot.messages.conversation import alone, answer, parent
from bot.messages.notices import Note, NoThread, noted, only_you
from bot.messages.request import replies
from bot.messages.words import Words
from bot.playground.faults import Code, Drop, Fault, RateLimited, Status
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.world import BOT, TEAM, Channel
from bot.slack.api import RESPONSE_URL, SlackApi
from bot.slack.directory import Directory
from bot.slack.payloads import DIRECT
from bot.slack.posts import Posts
from bot.slack.thread import PRIVATE, Threads
from bot.workflow.ports import AwayError
from tests.conftest import (
    RELEASES,
    REQUESTER,
    Clock,
    Sleep,
    appids,
    calls_of,
    request_of,
    serving,
    use_up,
    web_client,
    without_history,
)
from tests.languages import CHINESE, ENGLISH, LANGUAGES
from tests.rig import has_button
from tests.said import MAY_BE_TWO

GROUP = Channel("G0GROUP", "", kind="mpim", members=frozenset({REQUESTER, "U0SECOND", BOT}))
STRANGERS = Channel("G0STRANGERS", "", kind="mpim", members=frozenset({REQUESTER, "U0SECOND"}))
ENDS = Shared()
AWAY: dict[str, Fault] = {
    "5xx": Status(503),
    "dropped": Drop(),
    "a rate limit beyond all patience": RateLimited(500),
}


@pytest.fixture
def threads(slack: LocalSlack, api: SlackApi, sleep: Sleep, clock: Clock) -> Threads:
    slack.channels |= {GROUP.id: GROUP, STRANGERS.id: STRANGERS}
    return Threads(api, Posts(api, BOT, sleep, time.time), Directory(api, TEAM, clock), LANGUAGES)


async def opened(threads: Threads, request: Request, **how: Any) -> str:
    """Open the place for a request's answer, and return its reference."""
    ref = await threads.open(request, **how)
    assert ref is not None
    return ref


def private_start(request: Request, why: NoThread) -> Text:
    return only_you(ENGLISH, parent(ENGLISH, request, None), why)


def direct_answer(request: Request, outcome: Outcome, words: Words = ENGLISH) -> str:
    """Return the answer for a place without a thread."""
    said = alone(words, request, outcome, answer(words, request, outcome)).text
    assert said.count(request.id) == 1
    return said


def texts(messages: list[PostedMessage]) -> list[str]:
    return [message.text for message in messages]


def assert_ended(slack: LocalSlack, channel: str, request: Request) -> None:
    """Assert that the one parent in a channel, and its one reply, show how the request ended."""
    [shown] = slack.parents(channel)
    assert shown.text == parent(ENGLISH, request, ENDS).text
    assert texts(slack.thread(channel, shown.ts)) == [answer(ENGLISH, request, ENDS).text]


# Places.


@pytest.mark.parametrize(
    "channel",
    [
        pytest.param(RELEASES, id="a public channel with the bot"),
        pytest.param("C0SECRET", id="a private channel with the bot"),
        pytest.param("D0BOT", id="a direct message with the bot"),
        pytest.param(GROUP.id, id="a group conversation with the bot"),
    ],
)
async def test_the_answer_is_a_reply_under_the_bots_own_message(
    slack: LocalSlack, threads: Threads, channel: str
) -> None:
    slack.invite_bot("C0SECRET")
    request = request_of(slack, channel)
    ref = await opened(threads, request)
    assert texts(slack.parents(channel)) == [parent(ENGLISH, request, None).text]
    assert await threads.close(request, ref, ENDS)
    assert_ended(slack, channel, request)
    assert slack.shown_to(REQUESTER) == []
    assert slack.violations == []


@pytest.mark.parametrize(
    ("channel", "why"),
    [
        pytest.param("C0LOUNGE", NoThread.NOT_INVITED, id="a public channel without the bot"),
        pytest.param("C0SECRET", NoThread.NOT_INVITED, id="a private channel without the bot"),
        pytest.param("D0DIRECT", NoThread.DIRECT, id="a direct message between two people"),
        pytest.param(STRANGERS.id, NoThread.DIRECT, id="a group conversation without the bot"),
        pytest.param("C0ARCHIVED", NoThread.ARCHIVED, id="an archived channel"),
        pytest.param("C0ANNOUNCE", NoThread.READ_ONLY, id="a read-only channel"),
        pytest.param("C0PARTNERS", NoThread.SHARED_OUTSIDE, id="an externally shared channel"),
    ],
)
async def test_in_other_places_only_the_requester_sees_the_answer_and_is_told_why(
    slack: LocalSlack, threads: Threads, channel: str, why: NoThread
) -> None:
    request = request_of(slack, channel)
    ref = await opened(threads, request)
    assert await threads.close(request, ref, ENDS)
    assert texts(slack.shown_to(REQUESTER)) == [private_start(request, why).text]
    assert texts(slack.parents("D0BOT")) == [direct_answer(request, ENDS)]
    assert slack.parents(channel) == []


@pytest.mark.parametrize(
    ("error", "why"),
    [
        ("restricted_action", NoThread.READ_ONLY),
        ("restricted_action_non_threadable_channel", NoThread.READ_ONLY),
        ("msg_too_long", NoThread.SLACK_TROUBLE),
        ("missing_scope", NoThread.SLACK_TROUBLE),
    ],
)
async def test_a_refused_parent_is_explained_with_its_reason(
    slack: LocalSlack, threads: Threads, error: str, why: NoThread
) -> None:
    slack.fail("chat.postMessage", Code(error))
    request = request_of(slack)
    await opened(threads, request)
    assert texts(slack.shown_to(REQUESTER)) == [private_start(request, why).text]


async def test_a_channel_that_cannot_be_looked_up_counts_as_shared_externally(
    slack: LocalSlack, threads: Threads
) -> None:
    slack.scopes.discard("channels:read")
    request = request_of(slack)
    await opened(threads, request)
    assert slack.parents(RELEASES) == []
    start = private_start(request, NoThread.CANNOT_TELL)
    assert texts(slack.shown_to(REQUESTER)) == [start.text]


@pytest.mark.parametrize(
    ("info", "why"),
    [
        pytest.param({"is_pending_ext_shared": True}, NoThread.SHARED_OUTSIDE, id="soon shared"),
        pytest.param(None, NoThread.CANNOT_TELL, id="no description"),
    ],
)
async def test_documented_answers_that_the_stand_in_does_not_give_are_read(
    slack: LocalSlack,
    http: aiohttp.ClientSession,
    sleep: Sleep,
    info: dict[str, object] | None,
    why: NoThread,
) -> None:
    shown: list[str] = []

    async def handler(asked: web.BaseRequest) -> web.StreamResponse:
        if asked.path.startswith("/api/"):
            return web.json_response({"ok": True, "channel": info})
        shown.append((await asked.json())["text"])
        return web.Response()

    async with serving(handler) as origin:
        told = SlackApi(web_client("xoxb-1", f"{origin}/api/", http), sleep)
        threads = Threads(
            told, Posts(told, BOT, sleep, time.time), Directory(told, TEAM, Clock()), LANGUAGES
        )
        request = request_of(slack, response_url=f"{origin}/commands/1")
        await opened(threads, request)
    assert shown == [private_start(request, why).text]


async def test_an_invitation_is_noticed_in_seconds(
    slack: LocalSlack, threads: Threads, clock: Clock
) -> None:
    await threads.open(request_of(slack, "C0SECRET"))
    slack.invite_bot("C0SECRET")
    clock.now += 5
    await threads.open(request_of(slack, "C0SECRET"))
    assert len(slack.parents("C0SECRET")) == 1


# Lost answers.

LOSS, GONE = Drop(after_effect=True), Code("expired_url")
LOST = {
    "5xx": Status(503),
    "5xx, posted": Status(503, after_effect=True),
    "dropped": Drop(),
    "dropped, posted": Drop(after_effect=True),
    "fatal_error": Code("fatal_error"),
}
EVERY_LOSS = pytest.mark.parametrize("fault", LOST.values(), ids=LOST.keys())
TWICE = pytest.mark.parametrize("times", [1, 2], ids=["once", "twice"])
OF_OTHERS = pytest.mark.parametrize(
    "of_others", [False, True], ids=["own thread", "thread of others"]
)


@OF_OTHERS
@TWICE
@EVERY_LOSS
@pytest.mark.parametrize("lost", ["parent", "reply"])
async def test_the_thread_has_the_answer_exactly_once(
    slack: LocalSlack, threads: Threads, lost: str, fault: Fault, times: int, of_others: bool
) -> None:
    request = inside(slack) if of_others else request_of(slack)
    if lost == "parent":
        slack.fail("chat.postMessage", *[fault] * times)
    ref = await opened(threads, request)
    if lost == "reply":
        slack.fail("chat.postMessage", *[fault] * times)
    assert await threads.close(request, ref, ENDS)
    root = request.origin.thread_ts or slack.parents(RELEASES)[0].ts
    assert [m.text for m in slack.messages if root in {m.ts, m.thread_ts}][of_others:] == [
        parent(ENGLISH, request, ENDS).text,
        answer(ENGLISH, request, ENDS).text,
    ]
    assert len(slack.parents(RELEASES)) == 1
    assert slack.shown_to(REQUESTER) == []


@EVERY_LOSS
async def test_a_doubtful_reply_is_posted_again_with_a_note_if_the_thread_cannot_be_read(
    slack: LocalSlack, threads: Threads, fault: Fault
) -> None:
    without_history(slack)
    request = request_of(slack)
    ref = await opened(threads, request)
    slack.fail("chat.postMessage", fault)
    assert await threads.close(request, ref, ENDS)
    [shown] = slack.parents(RELEASES)
    assert shown.text == parent(ENGLISH, request, ENDS).text
    *_, reply = texts(slack.thread(RELEASES, shown.ts))
    assert reply == noted(ENGLISH, answer(ENGLISH, request, ENDS), Note.REPLACING).text
    assert slack.shown_to(REQUESTER) == slack.parents("D0BOT") == []


@EVERY_LOSS
async def test_a_doubtful_parent_is_posted_again_if_the_history_cannot_be_read(
    slack: LocalSlack, threads: Threads, fault: Fault
) -> None:
    without_history(slack)
    request = request_of(slack)
    slack.fail("chat.postMessage", fault)
    ref = await opened(threads, request)
    assert await threads.close(request, ref, ENDS)
    *_, shown = slack.parents(RELEASES)
    assert texts(slack.thread(RELEASES, shown.ts)) == [answer(ENGLISH, request, ENDS).text]
    assert calls_of(slack, "chat.postMessage") == 3


async def test_a_requester_who_is_absent_at_the_start_gets_the_answer_nevertheless(
    slack: LocalSlack, threads: Threads
) -> None:
    slack.absent.add(REQUESTER)
    request = request_of(slack, "C0SECRET")
    ref = await opened(threads, request)
    assert await threads.close(request, ref, ENDS)
    assert texts(slack.messages) == [direct_answer(request, ENDS)]


@pytest.mark.parametrize(
    "method", ["conversations.info", "chat.postMessage"], ids=["before the parent", "the parent"]
)
@pytest.mark.parametrize("fault", AWAY.values(), ids=AWAY.keys())
async def test_a_parent_that_slack_cannot_take_now_is_owed_and_then_posted_once(
    slack: LocalSlack, threads: Threads, fault: Fault, method: str
) -> None:
    request = request_of(slack)
    slack.fail(method, *[fault] * 3)
    with pytest.raises(AwayError):
        await threads.open(request)
    slack.clear(method)
    await threads.open(request, look_since=0)
    assert texts(slack.parents(RELEASES)) == [parent(ENGLISH, request, None).text]
    assert slack.shown_to(REQUESTER) == []


@pytest.mark.parametrize("fault", AWAY.values(), ids=AWAY.keys())
async def test_an_answer_that_slack_cannot_take_now_is_owed_and_then_posted_once(
    slack: LocalSlack, threads: Threads, fault: Fault
) -> None:
    request = request_of(slack)
    ref = await opened(threads, request)
    times = 1 if isinstance(fault, RateLimited) else 3
    slack.fail("chat.postMessage", *[fault] * times)
    with pytest.raises(AwayError):
        await threads.close(request, ref, ENDS)
    slack.fail("chat.update", *[fault] * times)
    with pytest.raises(AwayError):
        await threads.close(request, ref, ENDS, look_since=0)
    assert await threads.close(request, ref, ENDS, look_since=0)
    assert_ended(slack, RELEASES, request)
    assert slack.shown_to(REQUESTER) == []


async def test_a_private_answer_during_an_outage_is_sent_once_by_direct_message_afterwards(
    slack: LocalSlack, threads: Threads
) -> None:
    request = request_of(slack, "C0SECRET")
    ref = await opened(threads, request)
    slack.fail("chat.postMessage", *[Status(503)] * 3)
    with pytest.raises(AwayError):
        await threads.close(request, ref, ENDS)
    slack.fail("chat.postMessage", Status(503, after_effect=True))
    slack.fail(
        "conversations.history",
        Status(200, b'{"ok": true, "messages": []}', "application/json"),
        Status(503),
    )
    with pytest.raises(AwayError):
        await threads.close(request, ref, ENDS, look_since=0)
    assert await threads.close(request, ref, ENDS, look_since=0)
    assert texts(slack.parents("D0BOT")) == [direct_answer(request, ENDS)]


# Changes between the parent and the reply.


def delete_parent(slack: LocalSlack) -> None:
    slack.delete(slack.parents(RELEASES)[0].ts)


def archive(slack: LocalSlack) -> None:
    slack.channels[RELEASES] = replace(slack.channels[RELEASES], archived=True)


def remove_the_bot(slack: LocalSlack) -> None:
    channel = slack.channels[RELEASES]
    slack.channels[RELEASES] = replace(channel, members=channel.members - {BOT})


@pytest.mark.parametrize("meanwhile", [delete_parent, archive, remove_the_bot])
async def test_the_answer_goes_to_the_requester_if_the_thread_is_gone(
    slack: LocalSlack, threads: Threads, meanwhile: Callable[[LocalSlack], None]
) -> None:
    request = request_of(slack)
    ref = await opened(threads, request)
    meanwhile(slack)
    assert await threads.close(request, ref, ENDS)
    assert texts(slack.parents("D0BOT")) == [direct_answer(request, ENDS)]
    assert not any(m.thread_ts for m in slack.messages)


async def test_an_answer_that_was_sent_instead_of_a_deleted_thread_is_not_repeated(
    slack: LocalSlack, threads: Threads
) -> None:
    request = request_of(slack)
    ref = await opened(threads, request)
    delete_parent(slack)
    for _ in range(2):  # the replica that sent it may have died before recording it
        assert await threads.close(request, ref, ENDS, look_since=0)
    assert texts(slack.parents("D0BOT")) == [direct_answer(request, ENDS)]
    ready = AfterCall(Readiness.READY)
    assert await threads.close(request, ref, ENDS, look_since=0, called_again=True, after=ready)
    [told] = texts(slack.parents("D0BOT"))
    assert answer(ENGLISH, request, ENDS, called_again=True, after=ready).text in told


async def test_the_answer_goes_to_the_requester_if_the_channel_became_shared_meanwhile(
    slack: LocalSlack, threads: Threads, clock: Clock
) -> None:
    request = request_of(slack)
    ref = await opened(threads, request)
    slack.channels[RELEASES] = replace(slack.channels[RELEASES], ext_shared=True)
    clock.now += 60
    assert await threads.close(request, ref, ENDS)
    assert texts(slack.parents("D0BOT")) == [direct_answer(request, ENDS)]
    [shown] = slack.parents(RELEASES)
    assert shown.text == parent(ENGLISH, request, ENDS).text
    assert not any(m.thread_ts for m in slack.messages)


async def test_a_channel_that_became_shared_after_the_answer_gets_no_further_one(
    slack: LocalSlack, threads: Threads, clock: Clock
) -> None:
    request = request_of(slack)
    ref = await opened(threads, request)
    slack.fail("chat.update", *[Status(503)] * 3)
    with pytest.raises(AwayError):
        await threads.close(request, ref, ENDS)
    slack.channels[RELEASES] = replace(slack.channels[RELEASES], ext_shared=True)
    clock.now += 60
    assert await threads.close(request, ref, ENDS, look_since=0)
    assert_ended(slack, RELEASES, request)
    assert texts(slack.parents("D0BOT")) == [direct_answer(request, ENDS)]


async def test_a_refused_edit_does_not_affect_the_reply(
    slack: LocalSlack, threads: Threads
) -> None:
    request = request_of(slack)
    ref = await opened(threads, request)
    slack.fail("chat.update", Code("cant_update_message"))
    assert await threads.close(request, ref, ENDS)
    [shown] = slack.parents(RELEASES)
    assert shown.text == parent(ENGLISH, request, None).text
    assert texts(slack.thread(RELEASES, shown.ts)) == [answer(ENGLISH, request, ENDS).text]
    assert slack.shown_to(REQUESTER) == []


async def test_a_rate_limit_at_every_step_only_delays_the_answer(
    slack: LocalSlack, threads: Threads, sleep: Sleep
) -> None:
    request = request_of(slack)
    for method in ("conversations.info", "chat.postMessage", "chat.update"):
        slack.fail(method, RateLimited(30))
    ref = await opened(threads, request)
    slack.fail("chat.postMessage", RateLimited(30), RateLimited(60))
    assert await threads.close(request, ref, ENDS)
    assert sleep.naps == [30.0, 30.0, 30.0, 60.0, 30.0]
    assert_ended(slack, RELEASES, request)


# Without a thread, and without a response_url.


@pytest.mark.parametrize("ending", ["used up", "expired"])
async def test_the_answer_is_a_direct_message_if_the_response_url_has_expired(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession, ending: str
) -> None:
    url = slack.response_url(REQUESTER, "C0SECRET")
    await use_up(http, url)
    request = request_of(slack, "C0SECRET", response_url=url if ending == "used up" else f"{url}0")
    ref = await opened(threads, request)
    assert await threads.close(request, ref, ENDS)
    assert_ended(slack, "D0BOT", request)
    assert slack.parents("C0SECRET") == []
    assert slack.calls[-1].error is None


async def use_up_the_rest(http: aiohttp.ClientSession, url: str) -> None:
    status = 200
    while status == 200:
        async with http.post(url, json={"text": "used"}) as response:
            status = response.status


@pytest.mark.parametrize("after_effect", [False, True], ids=["lost", "posted"])
async def test_a_direct_message_in_doubt_is_looked_for(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession, after_effect: bool
) -> None:
    request = request_of(slack, "C0SECRET")
    ref = await opened(threads, request)
    await use_up_the_rest(http, request.origin.response_url)
    slack.fail("chat.postMessage", Status(503, after_effect=after_effect))
    assert await threads.close(request, ref, ENDS)
    [shown] = slack.parents("D0BOT")
    assert shown.text == direct_answer(request, ENDS)


@pytest.mark.parametrize("scope", ["im:history", "im:write"])
async def test_a_doubtful_direct_message_is_sent_again_if_the_history_cannot_be_read(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession, scope: str
) -> None:
    slack.scopes.discard(scope)
    request = request_of(slack, "C0SECRET")
    ref = await opened(threads, request)
    await use_up_the_rest(http, request.origin.response_url)
    slack.fail("chat.postMessage", Status(503))
    assert await threads.close(request, ref, ENDS)
    [shown] = slack.parents("D0BOT")
    assert answer(ENGLISH, request, ENDS).text in shown.text
    assert MAY_BE_TWO in shown.text


async def test_a_doubtful_first_direct_message_is_sent_again_too(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession
) -> None:
    request = request_of(slack, "C0SECRET")
    await use_up(http, request.origin.response_url)
    slack.fail("chat.postMessage", Status(503))
    ref = await opened(threads, request)
    assert await threads.close(request, ref, ENDS)
    [shown] = slack.parents("D0BOT")
    assert texts(slack.thread("D0BOT", shown.ts)) == [answer(ENGLISH, request, ENDS).text]


async def test_nothing_begins_if_the_answer_could_reach_nobody(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession
) -> None:
    request = request_of(slack, "C0SECRET")
    await use_up(http, request.origin.response_url)
    for each in (request, inside(slack, "C0SECRET")):  # the second has no response_url
        slack.fail("chat.postMessage", Code("messages_tab_disabled"))
        assert await threads.open(each) is None


async def test_an_answer_is_owed_if_only_the_response_url_may_work_again(
    slack: LocalSlack, threads: Threads
) -> None:
    request = request_of(slack, "C0SECRET")
    slack.fail("response_url", *[RateLimited(500)] * 2)
    slack.fail("chat.postMessage", *[Code("messages_tab_disabled")] * 2)
    with pytest.raises(AwayError):
        await threads.open(request)
    with pytest.raises(AwayError):
        await threads.close(request, PRIVATE, ENDS)


@pytest.mark.parametrize(
    "error", ["token_revoked", "missing_scope", "team_added_to_org", "message_limit_exceeded"]
)
async def test_while_the_app_has_no_access_the_last_means_is_owed(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession, error: str
) -> None:
    request = request_of(slack, "C0SECRET")
    await use_up(http, request.origin.response_url)
    slack.fail("chat.postMessage", *[Code(error)] * 2)
    with pytest.raises(AwayError):
        await threads.open(request)
    with pytest.raises(AwayError):
        await threads.close(request, PRIVATE, ENDS)


@pytest.mark.parametrize(
    "revoked",
    [["chat.update"], ["chat.update", "chat.postMessage"]],
    ids=["after the reply", "before it"],
)
async def test_no_thread_is_left_at_its_beginning_because_the_token_was_revoked_for_a_while(
    slack: LocalSlack, threads: Threads, revoked: list[str]
) -> None:
    request = request_of(slack)
    ref = await opened(threads, request)
    for method in revoked:
        slack.fail(method, Code("token_revoked"), times=None)
    with pytest.raises(AwayError):
        await threads.close(request, ref, ENDS)
    slack.clear()
    assert await threads.close(request, ref, ENDS, look_since=slack.clock())
    assert texts(slack.messages) == [
        parent(ENGLISH, request, ENDS).text,
        answer(ENGLISH, request, ENDS).text,
    ]


async def test_an_answer_that_reaches_nobody_is_not_recorded_as_delivered(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession
) -> None:
    request = request_of(slack, "C0SECRET")
    ref = await opened(threads, request)
    await use_up_the_rest(http, request.origin.response_url)
    slack.fail("chat.postMessage", Code("messages_tab_disabled"))
    assert not await threads.close(request, ref, ENDS)


@pytest.mark.parametrize(
    "error", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"]
)
@pytest.mark.parametrize("channel", [RELEASES, "C0SECRET"])
async def test_an_answer_whose_blocks_slack_refuses_is_told_as_its_text(
    slack: LocalSlack, threads: Threads, error: str, channel: str, caplog: pytest.LogCaptureFixture
) -> None:
    request = request_of(slack, channel)
    ref = await opened(threads, request)
    for method in ("chat.postMessage", "chat.update"):
        slack.fail(method, Code(error))
    assert await threads.close(request, ref, ENDS)
    told = slack.messages[-1]
    assert answer(ENGLISH, request, ENDS).text in told.text
    assert told.blocks == ()
    assert told.metadata or told.ephemeral_to  # with which it is found if Slack does not confirm it
    assert set(caplog.messages) == {"a message is sent as its text, since Slack refuses its blocks"}


@pytest.mark.parametrize(
    ("faults", "may_be_second", "directly"),
    [
        pytest.param([Status(503)], [True], False, id="in doubt, not done"),
        pytest.param([LOSS], [False, True], False, id="in doubt, done"),
        pytest.param([LOSS, LOSS], [False, True], False, id="in doubt twice, done"),
        pytest.param([Status(503)] * 2, [], False, id="in doubt twice, not done"),
        pytest.param([LOSS, GONE], [False], False, id="in doubt, then refused"),
        pytest.param([GONE], [], True, id="refused"),
        pytest.param([RateLimited(500)], [], True, id="busy"),
    ],
)
async def test_a_private_start_comes_as_a_direct_message_only_if_the_response_url_refuses_it(
    slack: LocalSlack,
    threads: Threads,
    faults: list[Fault],
    may_be_second: list[bool],
    *,
    directly: bool,
) -> None:
    request = request_of(slack, "C0SECRET")
    slack.fail(RESPONSE_URL, *faults)
    ref = await opened(threads, request)
    assert [MAY_BE_TWO in each.text for each in slack.shown_to(REQUESTER)] == may_be_second
    assert calls_of(slack, RESPONSE_URL) == (1 if directly else 2)
    assert bool(slack.parents("D0BOT")) is (ref != PRIVATE) is directly
    assert await threads.close(request, ref, ENDS)
    assert len(slack.parents("D0BOT")) == 1


@pytest.mark.parametrize(
    ("faults", "delivered", "shown"),
    [
        pytest.param([LOSS], True, 2, id="in doubt, done"),
        pytest.param([LOSS, LOSS], False, 2, id="in doubt twice, done"),
        pytest.param([Status(503)] * 2, False, 0, id="in doubt twice, not done"),
        pytest.param([GONE], False, 0, id="refused"),
        pytest.param([RateLimited(500)], None, 0, id="busy"),
    ],
)
async def test_an_answer_by_a_response_url_is_repeated_once_in_doubt_and_owed_only_if_refused(
    slack: LocalSlack,
    threads: Threads,
    faults: list[Fault],
    delivered: bool | None,
    shown: int,
) -> None:
    request = request_of(slack, "C0SECRET")
    slack.fail("chat.postMessage", Code("messages_tab_disabled"))
    slack.fail(RESPONSE_URL, *faults)
    owed = pytest.raises(AwayError) if delivered is None else nullcontext()
    with owed:
        assert await threads.close(request, PRIVATE, ENDS) is delivered
    assert len(slack.shown_to(REQUESTER)) == shown
    assert calls_of(slack, RESPONSE_URL) <= 2
    assert calls_of(slack, "chat.postMessage") == 1


async def test_an_unknown_outcome_is_reported_as_unknown_in_every_place(
    slack: LocalSlack, threads: Threads
) -> None:
    unknown = Unknown(Trouble.TIMEOUT.value)
    for channel in (RELEASES, "C0SECRET"):
        request = request_of(slack, channel)
        ref = await opened(threads, request)
        assert await threads.close(request, ref, unknown)
    [shown] = slack.parents(RELEASES)
    assert shown.text.startswith("❔")
    assert texts(slack.parents("D0BOT")) == [direct_answer(request, unknown)]


# Places that were found before, with messages that may exist already.


def test_a_user_id_stands_for_the_direct_messages_with_the_bot() -> None:
    assert [
        channel.startswith(DIRECT) for channel in ("D0BOT", "U0ANN", "W0ANN", "C0A", "G0A")
    ] == [
        *[True] * 3,
        *[False] * 2,
    ]


def test_only_a_thread_and_a_question_have_a_link_and_only_for_those_who_can_open_it(
    api: SlackApi, sleep: Sleep, clock: Clock
) -> None:
    threads = Threads(
        api,
        Posts(api, BOT, sleep, time.time),
        Directory(api, TEAM, clock),
        LANGUAGES,
        "https://playground.slack.com/",
    )
    link = threads.link("C0RELEASES/1700000000.000100", own=False)
    assert link == "https://playground.slack.com/archives/C0RELEASES/p1700000000000100"
    inside = threads.link("C0RELEASES/1700000000.000100/1690000000.000200", own=False)
    assert inside == f"{link}?thread_ts=1690000000.000200&cid=C0RELEASES"
    assert threads.link("D1/1.2", own=True) == "https://playground.slack.com/archives/D1/p12"
    assert threads.link("D1/1.2", own=False) is None
    assert threads.link("D1/1.2 D2/1.3", own=True) is None
    assert threads.link("private", own=True) is None
    assert threads.link(None, own=True) is None


async def test_a_private_start_that_may_have_been_shown_is_repeated_with_a_note(
    slack: LocalSlack, threads: Threads
) -> None:
    await opened(threads, request_of(slack, "C0SECRET"), look_since=0)
    last = slack.shown_to(REQUESTER)[-1]
    assert last.text.startswith("⏳")
    assert MAY_BE_TWO in last.text


async def test_a_first_direct_message_is_looked_for_and_not_repeated(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession
) -> None:
    request = request_of(slack, "C0SECRET")
    await use_up(http, request.origin.response_url)
    for _ in range(2):
        await opened(threads, request, look_since=0)
    [shown] = slack.parents("D0BOT")
    assert MAY_BE_TWO not in shown.text


async def test_an_existing_reply_is_not_repeated(slack: LocalSlack, threads: Threads) -> None:
    request = request_of(slack)
    ref = await opened(threads, request)
    for _ in range(2):
        assert await threads.close(request, ref, ENDS, look_since=0)
    [shown] = slack.parents(RELEASES)
    [reply] = slack.thread(RELEASES, shown.ts)
    assert reply.edits == 0


async def test_an_existing_reply_is_edited_after_a_second_call(
    slack: LocalSlack, threads: Threads
) -> None:
    request = request_of(slack)
    ref = await opened(threads, request)
    assert await threads.close(request, ref, Unknown(Trouble.LOST.value))
    assert await threads.close(request, ref, ENDS, look_since=0, called_again=True)
    [shown] = slack.parents(RELEASES)
    assert texts(slack.thread(RELEASES, shown.ts)) == [
        answer(ENGLISH, request, ENDS, called_again=True).text
    ]


@pytest.mark.parametrize("channel", [RELEASES, "C0SECRET"], ids=["thread", "private"])
async def test_an_existing_answer_that_cannot_be_edited_after_a_second_call_is_followed_by_another(
    slack: LocalSlack, threads: Threads, channel: str
) -> None:
    request = request_of(slack, channel)
    ref = await opened(threads, request)
    assert await threads.close(request, ref, Unknown(Trouble.LOST.value))
    slack.fail("chat.update", *[Code("edit_window_closed")] * 2)
    assert await threads.close(request, ref, ENDS, look_since=0, called_again=True)
    *_, told = slack.messages
    assert answer(ENGLISH, request, ENDS, called_again=True).text in told.text
    assert MAY_BE_TWO in told.text


async def test_an_existing_private_answer_is_not_repeated(
    slack: LocalSlack, threads: Threads
) -> None:
    request = request_of(slack, "C0SECRET")
    ref = await opened(threads, request)
    for _ in range(2):
        assert await threads.close(request, ref, ENDS, look_since=0)
    [told] = slack.parents("D0BOT")
    assert (told.text, told.edits) == (direct_answer(request, ENDS), 0)
    assert await threads.close(request, ref, ENDS, look_since=0, called_again=True)
    [told] = slack.parents("D0BOT")
    assert answer(ENGLISH, request, ENDS, called_again=True).text in told.text


async def test_a_private_answer_that_cannot_be_looked_for_says_that_it_may_come_twice(
    slack: LocalSlack, threads: Threads
) -> None:
    request = request_of(slack, "C0SECRET")
    ref = await opened(threads, request)
    slack.fail("chat.postMessage", Code("messages_tab_disabled"))
    assert await threads.close(replace(request, id="another"), ref, ENDS, look_since=0)
    assert MAY_BE_TWO in slack.shown_to(REQUESTER)[-1].text


# Existing threads.


def inside(slack: LocalSlack, channel: str = RELEASES) -> Request:
    """Return a request from a button or a shortcut in a thread, without a response_url."""
    ts = slack.next_ts()
    slack.post(PostedMessage(ts, channel, "U0SECOND", "What about prod-1?"))
    request = request_of(slack, channel)
    return replace(request, origin=replace(request.origin, thread_ts=ts, response_url=""))


async def test_a_request_on_a_message_that_cannot_have_replies_is_answered_to_the_requester_only(
    slack: LocalSlack, threads: Threads
) -> None:
    request = inside(slack)
    slack.edit(replace(slack.messages[-1], can_have_replies=False))
    ref = await opened(threads, request)
    assert "cannot_reply_to_message" in [call.error for call in slack.calls]
    assert await threads.close(request, ref, ENDS)
    [shown] = slack.parents("D0BOT")
    assert texts(slack.thread("D0BOT", shown.ts)) == [answer(ENGLISH, request, ENDS).text]
    assert len(slack.parents(RELEASES)) == 1


async def test_a_request_in_a_thread_is_shown_and_answered_there(
    slack: LocalSlack, threads: Threads
) -> None:
    request = inside(slack)
    root = request.origin.thread_ts
    ref = await opened(threads, request)
    [started] = slack.thread(RELEASES, root)
    assert started.text == parent(ENGLISH, request, None).text
    assert ref == f"{RELEASES}/{started.ts}/{root}"
    assert await threads.close(request, ref, ENDS)
    shown, reply = slack.thread(RELEASES, root)
    assert (shown.ts, shown.text) == (started.ts, parent(ENGLISH, request, ENDS).text)
    assert reply.text == answer(ENGLISH, request, ENDS).text
    assert len(slack.parents(RELEASES)) == 1
    assert slack.violations == []


async def test_a_private_start_does_not_replace_the_public_message_that_was_clicked(
    slack: LocalSlack, threads: Threads
) -> None:
    request = inside(slack, "C0LOUNGE")
    clicked = slack.response_url(REQUESTER, "C0LOUNGE", request.origin.thread_ts)
    await opened(threads, replace(request, origin=replace(request.origin, response_url=clicked)))
    assert texts(slack.parents("C0LOUNGE")) == ["What about prod-1?"]
    [start] = slack.shown_to(REQUESTER)
    assert start.text == private_start(request, NoThread.NOT_INVITED).text


async def test_two_requests_in_one_thread_do_not_mix(slack: LocalSlack, threads: Threads) -> None:
    first = inside(slack)
    second = replace(first, id="request11", env="prod-2")
    for request in (second, first, second, first):
        ref = await opened(threads, request, look_since=0)
        assert await threads.close(request, ref, ENDS, look_since=0)
    assert texts(slack.thread(RELEASES, first.origin.thread_ts)) == [
        parent(ENGLISH, second, ENDS).text,
        answer(ENGLISH, second, ENDS).text,
        parent(ENGLISH, first, ENDS).text,
        answer(ENGLISH, first, ENDS).text,
    ]


async def test_a_request_in_a_deleted_thread_is_answered_by_direct_message(
    slack: LocalSlack, threads: Threads
) -> None:
    request = inside(slack)
    slack.delete(request.origin.thread_ts)
    ref = await opened(threads, request)
    assert await threads.close(request, ref, ENDS)
    assert_ended(slack, "D0BOT", request)


# Waiting for an approval.


@pytest.mark.parametrize("channel", [RELEASES, "D0BOT", "C0SECRET"])
async def test_the_parent_says_that_a_request_waits_and_can_be_withdrawn(
    slack: LocalSlack, threads: Threads, channel: str
) -> None:
    request = request_of(slack, channel)
    ref = await opened(threads, request, waiting=True)
    [shown] = slack.shown_to(REQUESTER) if channel == "C0SECRET" else slack.parents(channel)
    assert shown.text.startswith(waiting(ENGLISH, request).text)
    assert [block for block in shown.blocks if block["type"] == "actions"]
    assert await threads.close(request, ref, ENDS)
    if channel != "C0SECRET":
        [shown] = slack.parents(channel)
        assert shown.text == parent(ENGLISH, request, ENDS).text
        assert not [block for block in shown.blocks if block["type"] == "actions"]


async def test_a_direct_message_says_that_a_request_waits_too(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession
) -> None:
    request = request_of(slack, "C0SECRET")
    await use_up(http, request.origin.response_url)
    await opened(threads, request, waiting=True)
    [shown] = slack.parents("D0BOT")
    assert shown.text == noted(ENGLISH, waiting(ENGLISH, request), Note.ELSEWHERE).text


# Progress of batches.


BATCH = ("wx5fe6bb43205e9e70", "wx00000000000000aa")
HALF = Tally(2, shared=1)


@OF_OTHERS
async def test_the_progress_of_a_batch_is_shown_in_the_parent(
    slack: LocalSlack, threads: Threads, of_others: bool
) -> None:
    asked = inside(slack) if of_others else request_of(slack)
    request = replace(asked, appid="", appids=BATCH)
    ref = await opened(threads, request)
    await threads.progress(request, ref, HALF, None)
    shown = slack.messages[-1]
    assert (shown.edits, shown.text) == (1, progress(ENGLISH, request, HALF, None).text)
    assert calls_of(slack, "chat.postMessage") == 1


async def test_the_progress_of_a_batch_is_not_shown_in_private_places(
    slack: LocalSlack, threads: Threads
) -> None:
    request = replace(request_of(slack, "C0SECRET"), appid="", appids=BATCH)
    ref = await opened(threads, request)
    [shown] = slack.shown_to(REQUESTER)
    assert "0 of 2" not in shown.text
    assert "░" not in json.dumps(shown.blocks, ensure_ascii=False)
    assert has_button(shown, Act.CANCEL.value)
    before = len(slack.calls), len(slack.messages)
    await threads.progress(request, ref, HALF, None)
    assert (len(slack.calls), len(slack.messages)) == before


MANY = tuple(appids(11))


@OF_OTHERS
async def test_the_appids_of_a_long_batch_are_listed_once_where_its_answer_will_come(
    slack: LocalSlack, threads: Threads, of_others: bool
) -> None:
    asked = inside(slack) if of_others else request_of(slack)
    request = replace(asked, appid="", appids=MANY, language=Language.CHINESE)
    for _ in range(2):  # the replica that listed them may have died before recording it
        await opened(threads, request, look_since=slack.clock())
    root = asked.origin.thread_ts or slack.parents(RELEASES)[0].ts
    *_, listed = slack.thread(RELEASES, root)
    assert listed.text == replies(ENGLISH, request)[0].text
    assert calls_of(slack, "chat.postMessage") == 2


async def test_a_batch_continues_if_slack_refuses_its_list(
    slack: LocalSlack, threads: Threads
) -> None:
    fault = Code("restricted_action_thread_locked")
    request = replace(request_of(slack), appid="", appids=MANY)
    started = await opened(threads, replace(request, appids=MANY[:10]))
    slack.fail("chat.postMessage", *[fault] * 9, thread_ts=slack.parents(RELEASES)[0].ts)
    ref = await opened(threads, request, look_since=slack.clock())
    assert ref == started
    assert slack.thread(RELEASES, slack.parents(RELEASES)[0].ts) == []


async def test_the_list_of_a_batch_is_owed_while_slack_is_down(
    slack: LocalSlack, threads: Threads
) -> None:
    request = replace(request_of(slack), appid="", appids=MANY)
    started = await opened(threads, replace(request, appids=MANY[:10]))
    root = slack.parents(RELEASES)[0].ts
    slack.fail("chat.postMessage", *[Status(503)] * 3, thread_ts=root)
    with pytest.raises(AwayError):
        await threads.open(request, look_since=slack.clock())
    ref = await opened(threads, request, look_since=slack.clock())
    assert ref == started
    assert texts(slack.thread(RELEASES, root)) == [replies(ENGLISH, request)[0].text]


async def test_the_appids_of_a_long_batch_are_not_listed_in_private_places(
    slack: LocalSlack, threads: Threads
) -> None:
    await threads.open(replace(request_of(slack, "C0SECRET"), appid="", appids=MANY))
    assert calls_of(slack, "chat.postMessage") == 0
    assert len(slack.shown_to(REQUESTER)) == 1


# Languages.


@pytest.mark.parametrize(
    ("channel", "shared"), [(RELEASES, True), ("C0SECRET", False)], ids=["thread", "private"]
)
async def test_the_requester_is_answered_in_their_language_and_the_channel_in_its_own(
    slack: LocalSlack, threads: Threads, channel: str, shared: bool
) -> None:
    request = replace(request_of(slack, channel), language=Language.CHINESE)
    ref = await opened(threads, request)
    assert await threads.close(request, ref, ENDS)
    if shared:
        [shown] = slack.parents(channel)
        assert shown.text == parent(ENGLISH, request, ENDS).text
        assert texts(slack.thread(channel, shown.ts)) == [answer(ENGLISH, request, ENDS).text]
    else:
        [start], [told] = texts(slack.shown_to(REQUESTER)), texts(slack.parents("D0BOT"))
        begun = parent(CHINESE, request, None)
        assert start == only_you(CHINESE, begun, NoThread.NOT_INVITED).text
        assert told == direct_answer(request, ENDS, CHINESE)


@pytest.mark.parametrize("channel", ["D0BOT", "C0SECRET"], ids=["asked there", "as a way out"])
async def test_a_thread_in_a_direct_message_is_in_the_requesters_language(
    slack: LocalSlack, threads: Threads, http: aiohttp.ClientSession, channel: str
) -> None:
    request = replace(request_of(slack, channel), language=Language.CHINESE)
    await use_up(http, request.origin.response_url)
    ref = await opened(threads, request)
    [shown] = slack.parents("D0BOT")
    assert shown.text.startswith(parent(CHINESE, request, None).text)
    batch = replace(request, appid="", appids=BATCH)
    await threads.progress(batch, ref, HALF, None)
    [shown] = slack.parents("D0BOT")
    assert shown.text == progress(CHINESE, batch, HALF, None).text
    assert await threads.close(request, ref, ENDS)
    [shown] = slack.parents("D0BOT")
    assert shown.text == parent(CHINESE, request, ENDS).text
    assert texts(slack.thread("D0BOT", shown.ts)) == [answer(CHINESE, request, ENDS).text]
