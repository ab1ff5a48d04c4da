import asyncio
import time

import aiohttp
import pytest

from bot.messages import Message
from bot.messages.blocks import Posted, message
from bot.messages.notices import Note, noted
from bot.playground.faults import Code, Drop, Fault, RateLimited, Slow, Status
from bot.playground.loopback import JsonObject, free_port
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.slack.workspace import Orphans
from bot.playground.world import BOT
from bot.slack.api import NOT_SENT, Answered, Refused, SlackApi
from bot.slack.posts import Posts
from bot.workflow.ports import AwayError
from tests.conftest import (
    RELEASES,
    REQUESTER,
    Sleep,
    calls_of,
    soon,
    web_client,
    without_history,
)
from tests.languages import ENGLISH

MARK = "request1"
HELLO = message(f"hello <!here> `{MARK}`")
AGAIN = noted(ENGLISH, HELLO, Note.REPLACING)


@pytest.fixture
def posts(api: SlackApi, sleep: Sleep) -> Posts:
    return Posts(api, BOT, sleep, time.time)


async def post_message(posts: Posts, text: Message = HELLO, mark: str = MARK) -> Posted:
    """Post a message, and return its place."""
    found = await posts.post(ENGLISH, RELEASES, text, mark)
    assert isinstance(found, Posted)
    return found


def texts(slack: LocalSlack) -> list[str]:
    return [message.text for message in slack.parents(RELEASES)]


LOST: list[Fault] = [
    Status(503, after_effect=False),
    Status(503, after_effect=True),
    Drop(after_effect=False),
    Drop(after_effect=True),
    Code("fatal_error"),
    Status(200, b'{"ok": true, "channel": 7, "ts": 1.5}', "application/json"),
]
EVERY_LOSS = pytest.mark.parametrize(
    "fault",
    LOST,
    ids=["5xx", "5xx, posted", "dropped", "dropped, posted", "fatal_error", "no place"],
)


async def test_slack_makes_no_links_or_mentions_of_a_messages_text(
    slack: LocalSlack, posts: Posts
) -> None:
    await posts.post(ENGLISH, RELEASES, HELLO, MARK)
    sent = slack.calls[-1].args
    assert (sent["parse"], sent["unfurl_links"], sent["unfurl_media"]) == ("none", False, False)
    await posts.edit(Posted(RELEASES, slack.parents(RELEASES)[0].ts), HELLO, MARK)
    assert slack.calls[-1].args["parse"] == "none"


async def test_a_message_to_a_person_has_their_conversations_id(posts: Posts) -> None:
    posted = await posts.post(ENGLISH, REQUESTER, HELLO, MARK)
    assert isinstance(posted, Posted)
    assert posted.channel == "D0BOT"


@EVERY_LOSS
async def test_a_parent_is_posted_once_whichever_answer_is_lost(
    slack: LocalSlack, posts: Posts, fault: Fault
) -> None:
    slack.fail("chat.postMessage", fault)
    posted = await posts.post(ENGLISH, RELEASES, HELLO, MARK)
    [parent] = slack.parents(RELEASES)
    assert posted == Posted(RELEASES, parent.ts)


@EVERY_LOSS
async def test_a_reply_is_posted_once_whichever_answer_is_lost(
    slack: LocalSlack, posts: Posts, fault: Fault
) -> None:
    parent = await post_message(posts)
    slack.fail("chat.postMessage", fault)
    posted = await posts.post(ENGLISH, RELEASES, HELLO, MARK, parent.ts)
    [reply] = slack.thread(RELEASES, parent.ts)
    assert posted == Posted(RELEASES, reply.ts)
    assert len(slack.parents(RELEASES)) == 1


ORPHANS = pytest.mark.parametrize("orphans", ["refused", "top level"])


@ORPHANS
async def test_a_reply_to_a_deleted_message_is_removed(
    slack: LocalSlack, posts: Posts, caplog: pytest.LogCaptureFixture, orphans: Orphans
) -> None:
    slack.orphans = orphans
    parent = await post_message(posts)
    slack.delete(parent.ts)
    slack.fail("chat.delete", RateLimited(1), Drop(after_effect=True))
    refused = Refused("thread_not_found")
    assert await posts.post(ENGLISH, RELEASES, HELLO, MARK, parent.ts) == refused
    assert await posts.post(ENGLISH, RELEASES, HELLO, MARK, parent.ts, look_since=0) == refused
    assert texts(slack) == []
    assert "outside of its thread" not in caplog.text


async def test_a_reply_to_a_deleted_message_that_cannot_be_removed_is_reported(
    slack: LocalSlack, posts: Posts, caplog: pytest.LogCaptureFixture
) -> None:
    parent = await post_message(posts)
    slack.delete(parent.ts)
    slack.fail("chat.delete", Code("cant_delete_message"))
    assert isinstance(await posts.post(ENGLISH, RELEASES, HELLO, MARK, parent.ts), Refused)
    assert "a reply was posted outside of its thread" in caplog.text


async def test_a_parent_whose_thread_slack_does_not_find_stays_and_gets_its_reply_with_a_note(
    slack: LocalSlack, posts: Posts
) -> None:
    parent = await post_message(posts)
    slack.fail("conversations.replies", Code("thread_not_found"))
    await posts.post(ENGLISH, RELEASES, HELLO, MARK, parent.ts, look_since=0)
    assert texts(slack) == [HELLO.text]
    [reply] = slack.thread(RELEASES, parent.ts)
    assert reply.text == AGAIN.text


@pytest.mark.parametrize("author", [REQUESTER, BOT], ids=["a person", "a reply to a click"])
async def test_a_message_that_names_the_request_is_not_taken_for_the_one_that_was_lost(
    slack: LocalSlack, posts: Posts, author: str
) -> None:
    slack.post(PostedMessage(slack.next_ts(), RELEASES, author, f"about `{MARK}`"))
    await posts.post(ENGLISH, RELEASES, message("another request"), "request2")
    slack.fail("chat.postMessage", Status(503))
    await posts.post(ENGLISH, RELEASES, HELLO, MARK)
    assert [m.text for m in slack.parents(RELEASES)[1:]] == ["another request", HELLO.text]


async def test_a_message_that_three_tries_did_not_post_is_owed_and_looked_for_later(
    slack: LocalSlack, posts: Posts
) -> None:
    slack.fail("chat.postMessage", *[Status(503)] * 2, Status(503, after_effect=True))
    slack.fail("conversations.history", Status(503), Status(503))
    with pytest.raises(AwayError):
        await posts.post(ENGLISH, RELEASES, HELLO, MARK)
    with pytest.raises(AwayError):
        await posts.post(ENGLISH, RELEASES, HELLO, MARK, look_since=0.0)
    later = await posts.post(ENGLISH, RELEASES, HELLO, MARK, look_since=0.0)
    assert isinstance(later, Posted)
    assert texts(slack) == [HELLO.text]


async def test_a_message_that_was_posted_in_spite_of_three_failures_is_found(
    slack: LocalSlack, posts: Posts, sleep: Sleep
) -> None:
    slack.fail("chat.postMessage", *[Status(503)] * 2, Status(503, after_effect=True))
    assert isinstance(await posts.post(ENGLISH, RELEASES, HELLO, MARK), Posted)
    assert calls_of(slack, "chat.postMessage") == 3
    assert sleep.naps == [1.0, 2.0, 3.0]


async def test_a_message_is_owed_for_as_long_as_a_long_rate_limit_lasts(
    slack: LocalSlack, posts: Posts
) -> None:
    slack.fail("chat.postMessage", RateLimited(500))
    with pytest.raises(AwayError) as raised:
        await posts.post(ENGLISH, RELEASES, HELLO, MARK)
    assert raised.value.after == 500
    assert calls_of(slack, "chat.postMessage") == 1


@EVERY_LOSS
async def test_a_doubtful_message_is_posted_again_with_a_note_if_the_bot_may_not_look(
    slack: LocalSlack, posts: Posts, fault: Fault
) -> None:
    without_history(slack)
    slack.fail("chat.postMessage", fault)
    posted = await posts.post(ENGLISH, RELEASES, HELLO, MARK)
    last = slack.parents(RELEASES)[-1]
    assert (posted, last.text) == (Posted(RELEASES, last.ts), AGAIN.text)
    assert calls_of(slack, "chat.postMessage") == 2


async def test_a_message_that_is_in_doubt_again_is_owed(slack: LocalSlack, posts: Posts) -> None:
    without_history(slack)
    slack.fail("chat.postMessage", *[Status(503)] * 2)
    with pytest.raises(AwayError, match="missing_scope"):
        await posts.post(ENGLISH, RELEASES, HELLO, MARK)


@pytest.mark.parametrize(
    "answer", [Code("some_new_error"), Status(200, b'{"ok": true}', "application/json")]
)
async def test_nothing_is_posted_again_while_slack_does_not_let_a_bot_look_that_may(
    slack: LocalSlack, posts: Posts, answer: Code | Status
) -> None:
    slack.fail("chat.postMessage", Drop(after_effect=True))
    slack.fail("conversations.history", answer)
    with pytest.raises(AwayError):
        await posts.post(ENGLISH, RELEASES, HELLO, MARK)
    assert isinstance(await posts.post(ENGLISH, RELEASES, HELLO, MARK, look_since=0), Posted)
    assert len(slack.parents(RELEASES)) == 1


async def test_a_message_that_was_not_sent_is_sent_again_without_reading_the_history(
    slack: LocalSlack, http: aiohttp.ClientSession, sleep: Sleep
) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/api/"
    posts = Posts(SlackApi(web_client("xoxb-1", nowhere, http), sleep), BOT, sleep, time.time)
    with pytest.raises(AwayError, match=NOT_SENT):
        await posts.post(ENGLISH, RELEASES, HELLO, MARK)
    assert sleep.naps == [1.0, 2.0, 3.0]
    assert slack.calls == []


async def test_a_refused_post_is_not_repeated(slack: LocalSlack, posts: Posts) -> None:
    assert await posts.post(ENGLISH, "C0LOUNGE", HELLO, MARK) == Refused("not_in_channel")
    assert calls_of(slack, "chat.postMessage") == 1


async def test_a_rate_limit_is_waited_for(slack: LocalSlack, posts: Posts, sleep: Sleep) -> None:
    slack.fail("chat.postMessage", RateLimited(40), RateLimited(40))
    assert isinstance(await posts.post(ENGLISH, RELEASES, HELLO, MARK), Posted)
    assert sleep.naps == [40.0, 40.0]


@pytest.mark.parametrize(
    ("faults", "edited"),
    [
        pytest.param([], True, id="at once"),
        pytest.param([Status(503), Drop()], True, id="on the third try"),
        pytest.param([Status(503, after_effect=True)], True, id="twice is once"),
        pytest.param([RateLimited(9)], True, id="after a rate limit"),
        pytest.param([Code("update_failed")] * 2, True, id="failed inside Slack"),
        pytest.param([Code("external_channel_migrating")], True, id="while the channel moves"),
        pytest.param([Code("cant_update_message")], False, id="refused"),
    ],
)
async def test_an_edit_is_repeated_until_it_succeeds(
    slack: LocalSlack, posts: Posts, faults: list[Fault], edited: bool
) -> None:
    at = await post_message(posts)
    slack.fail("chat.update", *faults)
    changed = message("goodbye")
    assert isinstance(await posts.edit(at, changed, MARK), Answered) is edited
    assert slack.parents(RELEASES)[0].text == (changed if edited else HELLO).text


@pytest.mark.parametrize(
    "fault",
    [Status(503), RateLimited(500), Code("update_failed"), Code("external_channel_migrating")],
    ids=["5xx", "rate limit", "failed inside Slack", "while the channel moves"],
)
async def test_an_edit_that_slack_cannot_make_now_is_owed(
    slack: LocalSlack, posts: Posts, fault: Fault
) -> None:
    at = await post_message(posts)
    slack.fail("chat.update", *[fault] * 3)
    with pytest.raises(AwayError):
        await posts.edit(at, HELLO, MARK)


async def test_progress_does_not_wait_for_a_rate_limit(
    slack: LocalSlack, posts: Posts, sleep: Sleep
) -> None:
    at = await post_message(posts)
    slack.fail("chat.update", RateLimited(30))
    with pytest.raises(AwayError) as raised:
        await posts.show(at, message("half of it"), MARK)
    assert (raised.value.after, sleep.naps) == (30, [])
    await posts.show(at, message("most of it"), MARK)
    assert slack.parents(RELEASES)[0].text == "most of it"


async def test_progress_that_is_cancelled_on_its_way_does_not_replace_what_lasts(
    slack: LocalSlack, posts: Posts
) -> None:
    at = await post_message(posts)
    slack.fail("chat.update", Slow(0.3))
    showing = asyncio.create_task(posts.show(at, message("half of it"), MARK))
    await soon(lambda: calls_of(slack, "chat.update") == 1)
    showing.cancel()
    assert isinstance(await posts.edit(at, message("all of it"), MARK), Answered)
    await soon(lambda: slack.parents(RELEASES)[0].edits == 2)
    assert slack.parents(RELEASES)[0].text == "all of it"


async def test_a_lost_reply_is_found_at_the_end_of_a_long_thread(
    slack: LocalSlack, posts: Posts
) -> None:
    parent = await post_message(posts, message("the parent"), "the parent")
    earlier = slack.clock() - 3600
    for number in range(450):
        ts = f"{earlier + number:.6f}"
        slack.post(PostedMessage(ts, RELEASES, REQUESTER, f"chat {number}", thread_ts=parent.ts))
    slack.fail("chat.postMessage", Drop(after_effect=True))
    posted = await posts.post(ENGLISH, RELEASES, HELLO, MARK, parent.ts)
    replies = [each for each in slack.thread(RELEASES, parent.ts) if each.text == HELLO.text]
    assert [Posted(RELEASES, each.ts) for each in replies] == [posted]
    assert calls_of(slack, "conversations.replies") == 2


async def test_a_direct_message_that_may_be_there_is_posted_only_after_a_look_into_its_conversation(
    slack: LocalSlack, posts: Posts
) -> None:
    slack.fail("conversations.open", Status(503))
    with pytest.raises(AwayError):
        await posts.post(ENGLISH, REQUESTER, HELLO, MARK, look_since=0)
    slack.fail("conversations.open", Code("missing_scope"))
    assert isinstance(await posts.post(ENGLISH, REQUESTER, HELLO, MARK, look_since=0), Posted)
    [shown] = slack.parents("D0BOT")
    assert shown.text == AGAIN.text


@pytest.mark.parametrize(
    "answer", [Code("some_new_error"), Status(200, b'{"ok": true}', "application/json")]
)
async def test_a_direct_message_is_not_repeated_while_slack_does_not_open_its_conversation(
    slack: LocalSlack, posts: Posts, answer: Code | Status
) -> None:
    slack.fail("chat.postMessage", Drop(after_effect=True))
    slack.fail("conversations.open", answer)
    with pytest.raises(AwayError):
        await posts.post(ENGLISH, REQUESTER, HELLO, MARK)
    assert isinstance(await posts.post(ENGLISH, REQUESTER, HELLO, MARK, look_since=0), Posted)
    [shown] = slack.parents("D0BOT")
    assert shown.text == HELLO.text


@pytest.mark.parametrize("user", ["U0GONE", "U0NOBODY"])
async def test_a_direct_message_to_somebody_who_is_gone_is_refused_and_not_waited_for(
    posts: Posts, user: str
) -> None:
    assert isinstance(await posts.post(ENGLISH, user, HELLO, MARK, look_since=0), Refused)


# Messages that a dead replica may have posted.


def at(message: PostedMessage | Posted) -> float:
    """Return when a message was posted, in Unix seconds."""
    return float(message.ts)


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_message_that_exists_already_is_found_and_not_posted_again(
    slack: LocalSlack, posts: Posts, in_thread: bool
) -> None:
    parent = await post_message(posts, message("the parent"), "the parent")
    thread = parent.ts if in_thread else None
    first = await posts.post(ENGLISH, RELEASES, HELLO, MARK, thread)
    again = await posts.post(ENGLISH, RELEASES, HELLO, MARK, thread, look_since=at(parent))
    assert again == first
    assert calls_of(slack, "chat.postMessage") == 2


async def test_the_parent_itself_is_not_taken_for_its_reply(
    slack: LocalSlack, posts: Posts
) -> None:
    parent = await post_message(posts)
    reply = await posts.post(ENGLISH, RELEASES, HELLO, MARK, parent.ts, look_since=at(parent))
    assert isinstance(reply, Posted)
    assert reply.ts != parent.ts
    assert len(slack.thread(RELEASES, parent.ts)) == 1


@pytest.mark.parametrize("ahead", [299, 7200, -7200])
@pytest.mark.parametrize("in_thread", [False, True])
async def test_an_existing_message_is_found_however_far_the_clock_is_from_slacks(
    slack: LocalSlack, posts: Posts, in_thread: bool, ahead: float
) -> None:
    parent = await post_message(posts, message("the parent"), "the parent")
    thread = parent.ts if in_thread else None
    first = await posts.post(ENGLISH, RELEASES, HELLO, MARK, thread)
    since = at(parent) + ahead
    assert await posts.post(ENGLISH, RELEASES, HELLO, MARK, thread, look_since=since) == first
    assert calls_of(slack, "chat.postMessage") == 2


async def test_an_existing_message_is_found_behind_many_later_ones(
    slack: LocalSlack, posts: Posts
) -> None:
    first = await post_message(posts)
    for number in range(450):
        ts = slack.next_ts()
        slack.post(PostedMessage(ts, RELEASES, REQUESTER, f"chat {number}"))
    assert await posts.post(ENGLISH, RELEASES, HELLO, MARK, look_since=at(first)) == first
    assert calls_of(slack, "conversations.history") == 3


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_message_that_may_be_there_is_posted_again_with_a_note_if_the_bot_may_not_look(
    slack: LocalSlack, posts: Posts, in_thread: bool
) -> None:
    parent = await post_message(posts, message("the parent"), "the parent")
    without_history(slack)
    thread = parent.ts if in_thread else None
    await posts.post(ENGLISH, RELEASES, HELLO, MARK, thread, look_since=at(parent))
    last = slack.messages[-1]
    assert (last.text, last.thread_ts) == (AGAIN.text, thread)


async def test_an_existing_message_is_recognised_by_its_metadata_whatever_its_text(
    slack: LocalSlack, posts: Posts
) -> None:
    posted = await posts.post(ENGLISH, RELEASES, message("no id in here"), MARK)
    other = await posts.post(
        ENGLISH, RELEASES, message(f"about another, and not `{MARK}`"), "request2"
    )
    marked: JsonObject = {"event_type": "share_env_request", "event_payload": {"request": MARK}}
    another_apps = PostedMessage(slack.next_ts(), RELEASES, REQUESTER, f"`{MARK}`", metadata=marked)
    slack.post(another_apps)
    assert await posts.post(ENGLISH, RELEASES, HELLO, MARK, look_since=slack.clock()) == posted
    assert await posts.post(ENGLISH, RELEASES, HELLO, "request2", look_since=slack.clock()) == other
    assert len(slack.parents(RELEASES)) == 3


async def test_a_message_that_may_be_among_too_many_to_read_is_posted_again_with_a_note(
    slack: LocalSlack, posts: Posts
) -> None:
    for _ in range(2001):
        slack.post(PostedMessage(slack.next_ts(), RELEASES, REQUESTER, "something else"))
    await posts.post(ENGLISH, RELEASES, HELLO, MARK, look_since=slack.clock() - 3600)
    assert slack.parents(RELEASES)[-1].text == AGAIN.text
