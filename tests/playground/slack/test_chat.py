from dataclasses import replace
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.slack.server import LocalSlack, PostedMessage
from tests.conftest import RELEASES
from tests.playground.conftest import error_of

SECTION: dict[str, Any] = {"type": "section", "text": {"type": "mrkdwn", "text": "x"}}
SHOWN = {"block_id": "block-0", **SECTION}


async def test_a_message_is_posted_in_its_channel(slack: LocalSlack, api: AsyncWebClient) -> None:
    metadata = {"event_type": "share_requested", "event_payload": {"id": "r1"}}
    answer = await api.chat_postMessage(
        channel=RELEASES, text="hello", metadata=metadata, blocks=[SECTION]
    )
    assert slack.parents(RELEASES) == [
        PostedMessage(
            ts=answer["ts"],
            channel=RELEASES,
            user="U0SHAREENV",
            text="hello",
            blocks=(SHOWN,),
            metadata={"event_type": "share_requested", "event_payload": {"id": "r1"}},
        )
    ]


async def test_timestamps_grow_even_if_the_clock_stands_still(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    for _ in range(3):
        await api.chat_postMessage(channel=RELEASES, text="hello")
    stamps = [each.ts for each in slack.parents(RELEASES)]
    assert stamps == sorted(set(stamps))


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("C0SECRET", "channel_not_found"),
        ("D0DIRECT", "channel_not_found"),
        ("C0NOWHERE", "channel_not_found"),
        ("U0NOBODY", "channel_not_found"),
        ("U0GONE", "channel_not_found"),
        ("C0LOUNGE", "not_in_channel"),
        ("C0ARCHIVED", "is_archived"),
        ("C0ANNOUNCE", "restricted_action_read_only_channel"),
    ],
)
async def test_posting_is_refused_where_slack_refuses_it(
    slack: LocalSlack, api: AsyncWebClient, channel: str, error: str
) -> None:
    assert await error_of(api.chat_postMessage(channel=channel, text="hello")) == error
    assert slack.messages == []
    assert (slack.calls[-1].method, slack.calls[-1].error) == ("chat.postMessage", error)


async def test_a_message_to_a_persons_id_goes_to_their_direct_conversation(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    known = await api.chat_postMessage(channel="U0REQUESTER", text="hello")
    opened = await api.chat_postMessage(channel="U0SECOND", text="hello")
    again = await api.chat_postMessage(channel="U0SECOND", text="hello")
    assert known["channel"] == "D0BOT"
    assert opened["channel"] == again["channel"] == "D0SECOND"
    assert len(slack.parents("D0SECOND")) == 2


async def test_a_reply_is_in_its_thread(slack: LocalSlack, api: AsyncWebClient) -> None:
    parent = (await api.chat_postMessage(channel=RELEASES, text="asked"))["ts"]
    reply = await api.chat_postMessage(channel=RELEASES, text="done", thread_ts=parent)
    assert [each.text for each in slack.thread(RELEASES, parent)] == ["done"]
    assert [each.text for each in slack.parents(RELEASES)] == ["asked"]
    for ts in (reply["ts"], "1.000001", "nonsense"):
        call = api.chat_postMessage(channel=RELEASES, text="x", thread_ts=ts)
        assert await error_of(call) == "thread_not_found"


async def test_a_reply_to_a_deleted_message_is_refused_or_posted_in_the_channel(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    parent = (await api.chat_postMessage(channel=RELEASES, text="asked"))["ts"]
    reply = await api.chat_postMessage(channel=RELEASES, text="done", thread_ts=parent)
    assert reply["message"]["thread_ts"] == parent
    slack.delete(parent)
    orphan = await api.chat_postMessage(channel=RELEASES, text="x", thread_ts=parent)
    assert "thread_ts" not in orphan["message"]
    assert [each.text for each in slack.parents(RELEASES)] == ["x"]
    slack.orphans = "refused"
    call = api.chat_postMessage(channel=RELEASES, text="x", thread_ts=parent)
    assert await error_of(call) == "thread_not_found"


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({}, "no_text"),
        ({"text": ""}, "no_text"),
        ({"text": "x", "blocks": [{"type": "marquee"}]}, "invalid_blocks"),
        ({"text": "x", "blocks": "["}, "invalid_blocks_format"),
        ({"text": "x", "blocks": {"type": "section"}}, "invalid_blocks_format"),
        ({"text": "x", "metadata": "["}, "invalid_metadata_format"),
        ({"text": "x", "metadata": [1]}, "invalid_metadata_format"),
        ({"text": "x", "metadata": {"event_type": "a"}}, "invalid_metadata_schema"),
        (
            {"text": "x", "metadata": {"event_type": "a", "event_payload": {"a": "x" * 9000}}},
            "metadata_too_large",
        ),
        ({"text": "x", "channel": ""}, "invalid_arguments"),
        ({"text": ["x"]}, "invalid_arguments"),
    ],
)
async def test_an_invalid_message_is_refused(
    slack: LocalSlack, api: AsyncWebClient, args: dict[str, object], error: str
) -> None:
    call = api.api_call("chat.postMessage", json={"channel": RELEASES, **args})
    assert await error_of(call) == error
    assert slack.messages == []


async def test_an_error_about_a_block_has_its_place(api: AsyncWebClient) -> None:
    blocks = [{"type": "section", "text": {"type": "plain_text", "text": "x" * 3001}}]
    with pytest.raises(SlackApiError) as caught:
        await api.chat_postMessage(channel=RELEASES, text="x", blocks=blocks)
    assert caught.value.response["response_metadata"]["messages"] == [
        "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    ]


async def test_blocks_with_too_much_text_together_are_refused(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    full: list[dict[str, Any]] = [
        {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}
    ] * 4
    more = [*full, SECTION]
    answer = await api.chat_postMessage(channel=RELEASES, text="x", blocks=full)
    posting = api.chat_postMessage(channel=RELEASES, text="x", blocks=more)
    editing = api.chat_update(channel=RELEASES, text="x", blocks=more, ts=answer["ts"])
    assert await error_of(posting) == await error_of(editing) == "msg_blocks_too_long"
    assert len(slack.messages) == 1


async def test_a_very_long_text_is_refused_and_a_long_one_when_it_is_edited(
    api: AsyncWebClient,
) -> None:
    answer = await api.chat_postMessage(channel=RELEASES, text="x" * 40_000)
    post = api.chat_postMessage(channel=RELEASES, text="x" * 40_001)
    edit = api.chat_update(channel=RELEASES, ts=answer["ts"], text="x" * 4_001)
    assert await error_of(post) == await error_of(edit) == "msg_too_long"


async def test_an_edit_with_only_a_text_removes_the_blocks(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    ts = (await api.chat_postMessage(channel=RELEASES, text="a", blocks=[SECTION]))["ts"]
    shown = [slack.messages[0].blocks]
    edits: list[dict[str, Any]] = [{}, {"blocks": [SECTION]}, {"blocks": []}]
    for more in edits:
        await api.chat_update(channel=RELEASES, ts=ts, text="b", **more)
        shown.append(slack.messages[0].blocks)
    assert shown == [(SHOWN,), (), (SHOWN,), ()]
    assert (slack.messages[0].text, slack.messages[0].edits) == ("b", 3)


async def test_an_edit_keeps_the_metadata_that_it_leaves_out_and_an_empty_one_removes_it(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    first, second = ({"event_type": "asked", "event_payload": {"id": id_}} for id_ in ("r1", "r2"))
    posted = await api.chat_postMessage(channel=RELEASES, text="a", metadata=first)
    edits: list[dict[str, Any]] = [{}, {"metadata": second}, {"metadata": {}}, {}]
    found = []
    for more in edits:
        await api.chat_update(channel=RELEASES, ts=posted["ts"], text="b", **more)
        found.append(slack.messages[0].metadata)
    assert found == [first, second, None, None]


async def test_an_edited_message_has_the_time_of_its_last_edit(api: AsyncWebClient) -> None:
    posted = await api.chat_postMessage(channel=RELEASES, text="a")
    assert "edited" not in posted["message"]
    first, last = [
        (await api.chat_update(channel=RELEASES, ts=posted["ts"], text=text))["message"]["edited"]
        for text in "bc"
    ]
    assert posted["ts"] < first["ts"] < last["ts"]
    [read] = (await api.conversations_history(channel=RELEASES))["messages"]
    assert (read["ts"], read["edited"]) == (posted["ts"], last)


async def test_only_the_bots_own_messages_can_be_edited(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    theirs = slack.next_ts()
    slack.post(PostedMessage(theirs, RELEASES, "U0SECOND", "hello", via="slack"))
    mine = (await api.chat_postMessage(channel=RELEASES, text="mine"))["ts"]
    cases = {
        theirs: "cant_update_message",
        "1.000001": "message_not_found",
    }
    for ts, error in cases.items():
        assert await error_of(api.chat_update(channel=RELEASES, ts=ts, text="x")) == error
    hidden = api.chat_update(channel="C0SECRET", ts=mine, text="x")
    assert await error_of(hidden) == "channel_not_found"
    slack.channels[RELEASES] = replace(slack.channels[RELEASES], archived=True)
    inactive = api.chat_update(channel=RELEASES, ts=mine, text="x")
    assert await error_of(inactive) == "is_inactive"
    slack.delete(mine)
    gone = api.chat_update(channel=RELEASES, ts=mine, text="x")
    assert await error_of(gone) == "message_not_found"


async def test_an_ephemeral_message_is_shown_to_one_member(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    await api.chat_postEphemeral(channel=RELEASES, user="U0SECOND", text="psst")
    assert [each.text for each in slack.shown_to("U0SECOND")] == ["psst"]
    assert slack.parents(RELEASES) == []
    absent = api.chat_postEphemeral(channel=RELEASES, user="U0ELSEWHERE", text="psst")
    assert await error_of(absent) == "user_not_in_channel"
    long = api.chat_postEphemeral(channel=RELEASES, user="U0SECOND", text="x" * 40_001)
    assert await error_of(long) == "msg_too_long"


async def test_an_ephemeral_message_in_a_thread_is_shown_only_if_the_thread_is_active(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    parent = (await api.chat_postMessage(channel=RELEASES, text="asked"))["ts"]
    psst = {"channel": RELEASES, "user": "U0SECOND", "text": "psst", "thread_ts": parent}
    assert (await api.api_call("chat.postEphemeral", json=psst))["message_ts"]
    assert slack.shown_to("U0SECOND") == []
    await api.chat_postMessage(channel=RELEASES, text="done", thread_ts=parent)
    await api.api_call("chat.postEphemeral", json=psst)
    assert [each.thread_ts for each in slack.shown_to("U0SECOND")] == [parent]


async def test_an_ephemeral_message_to_an_absent_person_is_accepted_and_never_shown(
    slack: LocalSlack, api: AsyncWebClient
) -> None:
    slack.absent.add("U0SECOND")
    psst = {"channel": RELEASES, "user": "U0SECOND", "text": "psst"}
    assert (await api.api_call("chat.postEphemeral", json=psst))["message_ts"]
    slack.absent.clear()
    assert slack.shown_to("U0SECOND") == []


async def test_some_messages_cannot_have_replies(slack: LocalSlack, api: AsyncWebClient) -> None:
    ts = slack.next_ts()
    slack.post(PostedMessage(ts, RELEASES, "U0SECOND", "has joined", can_have_replies=False))
    reply = api.chat_postMessage(channel=RELEASES, text="hi", thread_ts=ts)
    assert await error_of(reply) == "cannot_reply_to_message"
