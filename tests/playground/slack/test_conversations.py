from dataclasses import replace
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.server import LocalSlack, PostedMessage
from tests.conftest import RELEASES
from tests.playground.conftest import error_of


@pytest.mark.parametrize(
    ("user", "flag"),
    [("U0GUEST", "is_restricted"), ("U0GONE", "deleted"), ("U0ELSEWHERE", "is_stranger")],
)
async def test_people_have_their_flags(api: AsyncWebClient, user: str, flag: str) -> None:
    assert (await api.users_info(user=user))["user"][flag] is True
    assert not (await api.users_info(user="U0REQUESTER"))["user"].get(flag, False)


async def test_an_unknown_person_is_not_found(api: AsyncWebClient) -> None:
    assert await error_of(api.users_info(user="U0NOBODY")) == "user_not_found"


async def test_a_conversation_is_returned_only_if_the_bot_may_see_it(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    assert (await api.conversations_info(channel="C0PARTNERS"))["channel"]["is_ext_shared"] is True
    assert (await api.conversations_info(channel="C0LOUNGE"))["channel"]["is_member"] is False
    assert await error_of(api.conversations_info(channel="D0BOT")) == "missing_scope"
    slack.scopes.add("im:read")
    assert (await api.conversations_info(channel="D0BOT"))["channel"]["is_archived"] is False
    assert await error_of(api.conversations_info(channel="C0SECRET")) == "channel_not_found"
    slack.scopes.remove("channels:read")
    assert await error_of(api.conversations_info(channel="C0LOUNGE")) == "missing_scope"


async def test_a_direct_conversation_is_opened_with_a_member_only(api: AsyncWebClient) -> None:
    opened = await api.conversations_open(users="U0REQUESTER")
    assert opened["channel"]["id"] == "D0BOT"
    for user, error in {"U0NOBODY": "user_not_found", "U0GONE": "user_disabled"}.items():
        assert await error_of(api.conversations_open(users=user)) == error


async def test_history_is_paged_from_the_newest_and_has_no_replies(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    for text in "abc":
        await api.chat_postMessage(channel=RELEASES, text=text)
    first = slack.messages[0].ts
    await api.chat_postMessage(channel=RELEASES, text="reply", thread_ts=first)
    await api.chat_postEphemeral(channel=RELEASES, user="U0SECOND", text="psst")
    page = await api.conversations_history(channel=RELEASES, limit=2)
    assert ([each["text"] for each in page["messages"]], page["has_more"]) == (["c", "b"], True)
    cursor = page["response_metadata"]["next_cursor"]
    rest = await api.conversations_history(channel=RELEASES, limit=2, cursor=cursor)
    assert ([each["text"] for each in rest["messages"]], rest["has_more"]) == (["a"], False)
    assert rest["messages"][0]["thread_ts"] == first
    since = await api.conversations_history(channel=RELEASES, oldest=first)
    assert [each["text"] for each in since["messages"]] == ["c", "b"]


async def test_metadata_is_returned_on_request(api: AsyncWebClient) -> None:
    metadata = {"event_type": "asked", "event_payload": {"id": "r1"}}
    await api.chat_postMessage(channel=RELEASES, text="x", metadata=metadata)
    plain = await api.conversations_history(channel=RELEASES)
    full = await api.conversations_history(channel=RELEASES, include_all_metadata=True)
    assert "metadata" not in plain["messages"][0]
    assert full["messages"][0]["metadata"] == metadata


async def test_a_thread_is_returned_with_its_parent_first(api: AsyncWebClient) -> None:
    ts = (await api.chat_postMessage(channel=RELEASES, text="asked"))["ts"]
    reply = (await api.chat_postMessage(channel=RELEASES, text="done", thread_ts=ts))["ts"]
    thread = await api.conversations_replies(channel=RELEASES, ts=ts)
    assert [each["text"] for each in thread["messages"]] == ["asked", "done"]
    alone = await api.conversations_replies(channel=RELEASES, ts=reply)
    assert [each["text"] for each in alone["messages"]] == ["done"]
    unknown = api.conversations_replies(channel=RELEASES, ts="1.000001")
    assert await error_of(unknown) == "thread_not_found"


async def test_only_a_member_reads_and_of_a_thread_slack_does_not_say_why(
    api: AsyncWebClient,
) -> None:
    history = api.conversations_history(channel="C0LOUNGE")
    assert await error_of(history) == "not_in_channel"
    thread = api.conversations_replies(channel="C0LOUNGE", ts="1.000001")
    assert await error_of(thread) == "channel_not_found"


async def test_a_history_lies_between_two_times_themselves_if_inclusive(
    api: AsyncWebClient,
) -> None:
    first, second, third = [
        (await api.chat_postMessage(channel=RELEASES, text=text))["ts"] for text in "abc"
    ]

    async def texts(**between: Any) -> str:
        history = await api.conversations_history(channel=RELEASES, **between)
        return "".join(each["text"] for each in history["messages"])

    assert await texts(oldest=first, latest=third) == "b"
    assert await texts(oldest=first, latest=third, inclusive=True) == "cba"
    assert await texts(latest=second, inclusive=True, limit=1) == "b"
    assert await texts(latest=second) == "a"


async def test_without_a_limit_a_page_has_100_messages_of_a_history_and_1000_of_a_thread(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    parent = (await api.chat_postMessage(channel=RELEASES, text="asked"))["ts"]
    for thread in (parent, None):
        for _ in range(101):
            ts = slack.next_ts()
            slack.post(PostedMessage(ts, RELEASES, "U0SECOND", "x", thread_ts=thread))
    history = await api.conversations_history(channel=RELEASES)
    replies = await api.conversations_replies(channel=RELEASES, ts=parent)
    assert (len(history["messages"]), len(replies["messages"])) == (100, 102)
    await api.conversations_replies(channel=RELEASES, ts=parent, limit=1000)
    too_many = api.conversations_history(channel=RELEASES, limit=1000)
    assert await error_of(too_many) == "invalid_limit"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"limit": "0"}, "invalid_limit"),
        ({"limit": "many"}, "invalid_limit"),
        ({"cursor": "nowhere"}, "invalid_cursor"),
        ({"channel": "C0LOUNGE"}, "not_in_channel"),
        ({"channel": "C0SECRET"}, "channel_not_found"),
    ],
)
async def test_history_refuses_invalid_paging_arguments(
    api: AsyncWebClient, args: dict[str, object], error: str
) -> None:
    call = api.api_call("conversations.history", params={"channel": RELEASES, **args})
    assert await error_of(call) == error


async def test_the_history_of_a_persons_id_is_refused(api: AsyncWebClient) -> None:
    said = await api.chat_postMessage(channel="U0REQUESTER", text="hi")
    for call in (
        api.conversations_history(channel="U0REQUESTER"),
        api.conversations_replies(channel="U0REQUESTER", ts=said["ts"]),
    ):
        assert await error_of(call) == "channel_not_found"
    read = await api.conversations_history(channel=said["channel"])
    assert [each["text"] for each in read["messages"]] == ["hi"]


async def test_a_disabled_group_has_its_former_members_and_the_time_of_disabling(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    slack.groups["S0PLATFORM"] = replace(slack.groups["S0PLATFORM"], disabled=True)
    listed = await api.usergroups_list(include_users=True, include_disabled=True)
    told = {each["id"]: each for each in listed["usergroups"]}
    assert told["S0PLATFORM"]["users"] == ["U0REQUESTER"]
    assert (bool(told["S0PLATFORM"]["date_delete"]), told["S0APPROVERS"]["date_delete"]) == (
        True,
        0,
    )
