"""The stand-in's payloads held against the shape of recorded ones."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.playground.faults import RateLimited
from bot.playground.slack.server import LocalSlack
from bot.playground.world import BOT, HARBOUR, ORGANISATION
from bot.slack.preflight import MENTIONS
from tests.conftest import RELEASES, REQUESTER, opened
from tests.playground.conftest import a_trigger, asks, buttons, home, line, modal, option, plain
from tests.playground.shapes import Payload, Recorded, differences, words_in
from tests.playground.slack.recorded import ANSWERS, ASKED, META, PAYLOADS

READ = words_in("slack")
SAID: dict[str, Any] = {"channel": RELEASES, "text": "Are you sure?", "blocks": buttons("confirm")}
SELECT = {
    "type": "external_select",
    "action_id": "env",
    "min_query_length": 0,
    "placeholder": plain("env"),
}
BOXES = {"type": "checkboxes", "action_id": "dry_run", "options": [option("dry")]}
FORM = modal(
    asks("env", SELECT),
    asks("appids", line("appids", placeholder=plain("wx…"))),
    asks("reason", line("reason", placeholder=plain("why")), optional=True),
    asks("dry_run", BOXES, optional=True),
    close=plain("Cancel"),
)
PAGE, DIALOG = home(*buttons("confirm")), modal(*buttons("confirm"), close=plain("Cancel"))
DECISION = modal(asks("comment", line("comment", placeholder=plain("why"))), close=plain("Cancel"))
MENTION = f"<@{BOT}> {ASKED}"

PEOPLE = {
    "a member": REQUESTER,
    "a guest": "U0GUEST",
    "one who is deactivated": "U0GONE",
    "a bot": BOT,
}
Envelopes = list[Payload]
Answer = Awaitable[AsyncSlackResponse]


@asynccontextmanager
async def listening(slack: LocalSlack, http: aiohttp.ClientSession) -> AsyncIterator[Envelopes]:
    """Be an app that takes everything; the value is all that came over its connection."""
    came: Envelopes = []

    async def take(socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            came.append(message.json())
            if envelope_id := came[-1].get("envelope_id"):
                options = {"options": [option("prod-1")]}
                asked = came[-1]["payload"].get("type") == "block_suggestion"
                said = {"payload": options} if asked else {}
                await socket.send_json({"envelope_id": envelope_id, **said})

    async with http.ws_connect(slack.socket_url()) as socket:
        taking = asyncio.create_task(take(socket))
        await slack.until(lambda slack: slack.sockets.greeted == 1)
        yield came
    await taking


async def acts(slack: LocalSlack, api: AsyncWebClient) -> AsyncIterator[str]:
    """Let a person do everything that the app hears of; yield the name of each payload that came."""
    who = REQUESTER
    await slack.command(who, RELEASES, ASKED)
    yield "command"
    alone, parent = [(await api.chat_postMessage(**SAID))["ts"] for _ in range(2)]
    reply = (await api.chat_postMessage(**SAID, thread_ts=parent, metadata=META))["ts"]
    await api.chat_postEphemeral(**SAID, user=who)
    await api.chat_postEphemeral(**SAID, user=who, thread_ts=parent)
    await api.views_publish(user_id=who, view=PAGE)
    await api.views_open(trigger_id=a_trigger(slack, who), view=DIALOG)
    private, private_reply = slack.shown_to(who)
    places = {
        "click on a message": alone,
        "click on a reply": reply,
        "click on an ephemeral message": private,
        "click on an ephemeral reply": private_reply,
        "click on the App Home": slack.home(who),
        "click in a modal": slack.modal(who),
    }
    for name, where in places.items():
        assert where
        await slack.click(who, where, "confirm")
        yield name
    await api.views_open(trigger_id=a_trigger(slack, who), view=FORM)
    form = await opened(slack, who)
    await slack.options(who, form, "env", "prod")
    yield "options of a form"
    entered: Payload = {"env": "prod-1", "appids": "wx1", "reason": None, "dry_run": ["dry"]}
    await slack.submit(who, form, entered)
    yield "form"
    await api.views_open(trigger_id=a_trigger(slack, who), view=DECISION)
    await slack.submit(who, await opened(slack, who), {"comment": "go ahead"})
    yield "decision"
    await slack.shortcut(who, "share_env")
    yield "shortcut"
    await slack.say("U0SECOND", RELEASES, "please")
    await slack.message_shortcut(who, "share_env_from_message", slack.messages[-1].ts)
    yield "shortcut on a message"
    await slack.say("U0SECOND", RELEASES, "please", parent)
    await slack.message_shortcut(who, "share_env_from_message", slack.messages[-1].ts)
    yield "shortcut on a reply"
    slack.scopes.add(MENTIONS)
    await slack.say(who, RELEASES, MENTION)
    yield "mention"
    await slack.say(who, RELEASES, MENTION, parent)
    await slack.reword(slack.messages[-1].ts, MENTION)
    yield "edited mention in a thread"
    await slack.open_home(who)
    yield "App Home opened"
    await slack.open_home("U0SECOND")
    yield "App Home opened for the first time"


async def acts_in_organisation(slack: LocalSlack, api: AsyncWebClient) -> AsyncIterator[str]:
    """Let a person of an organisation act in its second workspace."""
    who = REQUESTER
    slack.switch(who, HARBOUR)
    await slack.command(who, "C0HARBOUR", ASKED)
    yield "command in an organisation"
    await slack.open_home(who)
    yield "App Home opened in an organisation"
    await slack.shortcut(who, "share_env")
    yield "shortcut in an organisation"
    await api.views_open(trigger_id=a_trigger(slack, who), view=FORM)
    form = await opened(slack, who)
    await slack.options(who, form, "env", "prod")
    await slack.submit(who, form, {"env": "prod-1", "appids": "wx1"})
    yield "form in an organisation"


DIFFER: Mapping[str, str] = {
    "click on a reply: + message.metadata": "a guess: no recorded message had any",
    "options of a form: + enterprise": "recorded before Slack added it to interactions",
    "options of a form: + is_enterprise_install": "likewise",
    "options of a form: + view.state.values.*": "Slack left out what nobody had filled in",
}
"""How the stand-in's payloads begin to differ, and why that is fine; nothing that the bot reads."""


async def test_what_the_stand_in_sends_has_the_shape_of_what_slack_sent(
    slack: LocalSlack, api: AsyncWebClient, http: aiohttp.ClientSession
) -> None:
    async with listening(slack, http) as came:
        envelopes = {name: came[-1] async for name in acts(slack, api)}
        await slack.sockets.disconnect("warning")
        await slack.sockets.disconnect()
    async with LocalSlack(ORGANISATION) as grid, listening(grid, http) as heard:
        client = AsyncWebClient(grid.world.bot_token, grid.api_url, session=http)
        envelopes |= {name: heard[-1] async for name in acts_in_organisation(grid, client)}
    made: dict[str, object] = {name: each["payload"] for name, each in envelopes.items()}
    made |= {"hello": came[0], "disconnect": came[-1]}
    made["envelope of a command"] = envelopes["command"]
    made["envelope of an event"] = envelopes["App Home opened for the first time"]
    made["envelope of an interaction"] = envelopes["shortcut"]
    assert unlike(made, PAYLOADS) == ([], [])


def unlike(made: Mapping[str, object], real: Mapping[str, Recorded]) -> tuple[list[str], list[str]]:
    """Return the differences without a reason, and the reasons without a difference."""
    found = differences(made, real, READ)
    known = [each for each in DIFFER if each.partition(":")[0] in made]
    gone = [each for each in known if not any(one.startswith(each) for one in found)]
    return sorted(one for one in found if not one.startswith(tuple(known))), gone


async def calls(slack: LocalSlack, api: AsyncWebClient) -> AsyncIterator[tuple[str, Answer]]:
    """Call what the bot calls; yield the name of each answer, and the call."""
    who = REQUESTER
    yield "auth.test", api.auth_test()
    yield "apps.connections.open", api.apps_connections_open(app_token=slack.world.app_token)
    yield "chat.postMessage", api.chat_postMessage(**SAID, metadata=META)
    parent = slack.messages[-1].ts
    yield "chat.postMessage in a thread", api.chat_postMessage(**SAID, thread_ts=parent)
    yield "chat.postEphemeral", api.chat_postEphemeral(**SAID, user=who)
    yield "chat.update", api.chat_update(**SAID, ts=parent)
    yield "conversations.info", api.conversations_info(channel=RELEASES)
    slack.scopes.add("im:read")
    yield "conversations.info of a direct message", api.conversations_info(channel="D0BOT")
    yield "conversations.open", api.conversations_open(users=who)
    await slack.say(who, RELEASES, "hello")
    asked = slack.messages[-1].ts
    for _ in range(2):
        await api.chat_postMessage(**SAID, thread_ts=asked, metadata=META)
    await api.chat_update(**SAID, ts=slack.messages[-2].ts)
    reads: dict[str, Any] = {
        "channel": RELEASES,
        "ts": asked,
        "include_all_metadata": True,
        "limit": 2,
    }
    yield "conversations.replies", api.conversations_replies(**reads)
    for name, user in PEOPLE.items():
        yield f"users.info of {name}", api.users_info(user=user, include_locale=True)
    yield "usergroups.list", api.usergroups_list(include_users=True, include_disabled=True)
    yield "views.open", api.views_open(trigger_id=a_trigger(slack, who), view=DIALOG)
    yield "views.publish", api.views_publish(user_id=who, view=PAGE)
    wrong = [{"type": "made up"}]
    yield "invalid_blocks", api.chat_postMessage(channel=RELEASES, text="x", blocks=wrong)
    yield "channel_not_found", api.chat_postMessage(channel="C0SECRET", text="x")
    slack.fail("chat.postMessage", RateLimited(1))
    yield "ratelimited", api.chat_postMessage(channel=RELEASES, text="y")
    slack.scopes.remove("chat:write")
    yield "missing_scope", api.chat_postMessage(channel=RELEASES, text="z")


async def answer_to(call: Answer) -> Payload:
    """Return what Slack answered, also if that is an error."""
    try:
        answer = await call
    except SlackApiError as error:
        answer = error.response
    assert isinstance(answer.data, dict)
    return answer.data


async def test_what_the_stand_in_answers_has_the_shape_of_what_slack_answered(
    slack: LocalSlack, api: AsyncWebClient, http: aiohttp.ClientSession
) -> None:
    made = {name: await answer_to(call) async for name, call in calls(slack, api)}
    async with LocalSlack(ORGANISATION) as grid:
        client = AsyncWebClient(grid.world.bot_token, grid.api_url, session=http)
        made["auth.test of an organisation"] = await answer_to(client.auth_test())
        asked = client.users_info(user=REQUESTER, include_locale=True)
        made["users.info of a member on Grid"] = await answer_to(asked)
    assert unlike(made, ANSWERS) == ([], [])
