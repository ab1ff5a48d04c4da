"""Mentions, over real sockets: which ones are commands, and where their answers go."""

from collections.abc import AsyncIterator

import pytest

from bot.playground.loopback import Json, JsonObject
from bot.playground.slack.payloads import app_mention
from bot.playground.slack.server import LocalSlack, PostedMessage
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID, BOT, OWNER, TEAM
from bot.slack.payloads import mention_of
from bot.slack.preflight import MENTIONS
from tests.conftest import RELEASES, REQUESTER, soon, states
from tests.rig import ALLOW, CONFIRM, SECOND, Rig
from tests.said import SHARED

ME = f"<@{BOT}>"
SHARE = f"{ME} {APPID} prod-1"


def heard(slack: LocalSlack, text: str, **other: Json) -> JsonObject:
    """Return the event for a message, with changes."""
    message = PostedMessage(slack.next_ts(), RELEASES, REQUESTER, text)
    body = app_mention(slack, message)
    event = body["event"]
    assert isinstance(event, dict)
    return {**body, "event": {**event, **other}}


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (f"{ME} {APPID} prod-1", f" {APPID} prod-1"),
        (f"  <@{BOT}|share-env> whoami", " whoami"),
        (f"{ME}", ""),
        (f'{ME} {APPID} prod-1 --reason "a &gt; b"', f' {APPID} prod-1 --reason "a &gt; b"'),
        (f"{ME} `{APPID}` prod-1", f" `{APPID}` prod-1"),
        (f"{ME} why {APPID}\nprod-1", f" why {APPID}\nprod-1"),
        (f"{ME} help\n&gt; {ME} {APPID} prod-1", " help\n"),
        (f"{ME}\n&gt;&gt;&gt; {APPID} prod-1", "\n"),
        (f"{ME} ```{APPID} prod-1```", " "),
        (f"&gt; {SHARE}", None),
        (f"&gt; {SHARE}\n{SHARE}", None),
        (f"```{SHARE}```", None),
        (f"please, {SHARE}", None),
        (f"<@{SECOND}> {SHARE}", None),
        ("no mention", None),
        ("", None),
    ],
)
async def test_a_message_that_begins_with_the_mention_is_a_command_up_to_the_first_quote(
    slack: LocalSlack, said: str, read: str | None
) -> None:
    found = mention_of(heard(slack, said), BOT)
    assert (found and found[1]) == read


@pytest.mark.parametrize(
    ("other", "counts"),
    [
        ({}, True),
        ({"subtype": "thread_broadcast"}, True),
        ({"subtype": "file_share"}, True),
        ({"edited": {"user": REQUESTER, "ts": "1.1"}}, False),
        ({"bot_id": "B0OTHER"}, False),
        ({"subtype": "bot_message"}, False),
        ({"subtype": "message_changed"}, False),
        ({"blocks": [{"type": "rich_text", "elements": [{"type": "rich_text_quote"}]}]}, False),
        ({"blocks": [{"type": "section"}, "odd"]}, True),
    ],
)
async def test_edited_messages_bots_and_hidden_quotes_never_count(
    slack: LocalSlack, other: dict[str, Json], counts: bool
) -> None:
    assert (mention_of(heard(slack, SHARE, **other), BOT) is not None) is counts


async def test_the_workspace_is_that_of_the_installation_and_the_trigger_is_the_message(
    slack: LocalSlack,
) -> None:
    body = heard(slack, SHARE, ts="1.1", thread_ts="1.0") | {"team_id": "T0ELSEWHERE"}
    found = mention_of(body, BOT)
    assert found
    origin = found[0]
    assert (origin.team_id, origin.trigger_id) == (TEAM, f"{TEAM} {RELEASES} 1.1")
    assert (origin.thread_ts, origin.active_thread, origin.response_url) == ("1.0", "1.0", "")


@pytest.fixture
async def hearing(rig: Rig) -> AsyncIterator[Rig]:
    """The bot, whose app has the scope for mentions, with the rule that allows."""
    rig.slack.scopes.add(MENTIONS)
    async with rig.bot(ALLOW):
        yield rig


async def said(slack: LocalSlack, text: str, thread: str | None = None) -> PostedMessage:
    """Let the requester say something; the ack shows nothing."""
    ack = await slack.say(REQUESTER, RELEASES, text, thread)
    assert ack is not None
    assert (ack.error, ack.payload) == (None, None)
    return next(each for each in reversed(slack.messages) if each.text == text)


async def thread(slack: LocalSlack) -> str:
    """Return a thread in which somebody has replied."""
    await slack.say(SECOND, RELEASES, "prod-1, please")
    parent = slack.parents(RELEASES)[-1].ts
    await slack.say(REQUESTER, RELEASES, "yes", parent)
    return parent


@pytest.mark.parametrize("in_thread", [False, True], ids=["in the channel", "in a thread"])
async def test_a_share_is_answered_in_the_thread_of_the_mention(
    hearing: Rig, wechat: LocalWeChat, in_thread: bool
) -> None:
    slack = hearing.slack
    root = await thread(slack) if in_thread else None
    mention = await said(slack, f'{SHARE} --reason "a &gt; b"', root)
    await hearing.over()
    told = [each for each in slack.thread(RELEASES, root or mention.ts) if each.user == BOT]
    assert told[0].text.startswith(f"✅ <@{REQUESTER}> shared `prod-1`")
    assert told[1].text.startswith(SHARED)
    assert "Reason: a &gt; b" in told[1].text or "Reason: a &gt; b" in told[0].text
    assert wechat.shared == [(OWNER, "prod-1", APPID)]
    assert slack.shown_to(REQUESTER) == []


@pytest.mark.parametrize("in_thread", [False, True], ids=["in the channel", "in a thread"])
@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("whoami", "You are "),
        ("", "What you can type"),
        (f"prod-1 {APPID.upper()}", "In a thread, type `@share-env` instead of `/share-env`."),
        ("so far, so good", "You typed `@share-env so far, so good`"),
    ],
)
async def test_any_other_answer_is_for_the_person_alone_and_seen_where_they_are(
    hearing: Rig, in_thread: bool, text: str, answer: str
) -> None:
    slack = hearing.slack
    root = await thread(slack) if in_thread else None
    await said(slack, f"{ME} {text}".strip(), root)
    await soon(lambda: bool(slack.shown_to(REQUESTER)))
    [alone] = slack.shown_to(REQUESTER)
    assert answer in alone.text
    assert alone.thread_ts == root


async def test_help_tells_of_mentions_only_where_slack_tells_the_bot_of_them(rig: Rig) -> None:
    async with rig.bot(ALLOW):
        assert "`@share-env`" not in await rig.ask("help")
        assert await rig.slack.say(REQUESTER, RELEASES, SHARE) is None
    rig.slack.scopes.add(MENTIONS)
    async with rig.bot(ALLOW):
        assert "`@share-env` does the same" in await rig.ask("help")


async def test_a_mention_that_is_delivered_twice_or_edited_is_one_request(
    hearing: Rig, wechat: LocalWeChat
) -> None:
    slack = hearing.slack
    ack = await slack.say(REQUESTER, RELEASES, SHARE)
    assert ack
    again = await slack.redeliver(ack)
    assert (again.error, again.attempt) == (None, 1)
    await slack.reword(slack.parents(RELEASES)[0].ts, f"{ME} {APPID} prod-2")
    await hearing.over()
    await slack.redeliver(ack)
    assert states(hearing.database) == ["ended"]
    assert wechat.shared == [(OWNER, "prod-1", APPID)]


async def test_the_question_to_confirm_is_asked_in_the_thread(
    rig: Rig, wechat: LocalWeChat
) -> None:
    rig.slack.scopes.add(MENTIONS)
    async with rig.bot(CONFIRM):
        root = await thread(rig.slack)
        await said(rig.slack, SHARE, root)
        await soon(lambda: bool(rig.slack.shown_to(REQUESTER)))
        assert rig.shown().thread_ts == root
        await rig.click(REQUESTER, rig.shown(), "confirm")
        await rig.over()
    assert wechat.shared == [(OWNER, "prod-1", APPID)]


async def test_a_person_of_another_organisation_gets_nothing_shared(
    hearing: Rig, wechat: LocalWeChat
) -> None:
    ack = await hearing.slack.say("U0ELSEWHERE", "C0PARTNERS", SHARE)
    assert ack
    assert ack.error is None
    await soon(lambda: bool(hearing.slack.shown_to("U0ELSEWHERE")))
    [alone] = hearing.slack.shown_to("U0ELSEWHERE")
    assert "the platform team" in alone.text
    assert "prod" not in alone.text.replace("`prod-1`", "")
    assert wechat.shared == []
    assert states(hearing.database) == []
