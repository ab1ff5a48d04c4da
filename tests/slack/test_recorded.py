"""The bot's readers on what Slack sends and answers, in the shape in which others recorded it."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import aiohttp
import pytest
from aiohttp import web

from bot.domain.language import Language
from bot.domain.request import Click, Origin
from bot.messages.blocks import Posted, message
from bot.playground.slack.connected import Kind
from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID, BOT, HARBOUR, ORG, TEAM
from bot.policy.kinds import Person, Standing
from bot.slack.api import Refused, SlackApi
from bot.slack.directory import Directory
from bot.slack.greeting import Hello, read_hello
from bot.slack.payloads import (
    Body,
    click_of,
    command_origin,
    decision_of,
    is_private,
    mention_of,
    shortcut_origin,
    without_buttons,
)
from bot.slack.posts import Posts
from bot.slack.preflight import MENTIONS, Ready, preflight
from bot.slack.search import MessageSearch
from tests.conftest import Clock, Sleep, serving, web_client
from tests.languages import ENGLISH
from tests.playground.slack.recorded import (
    ANSWERS,
    ASKED,
    CHANNEL,
    HOOK,
    PARENT,
    PAYLOADS,
    PERSON,
    REPLY,
    REQUEST,
    TRIGGER,
)
from tests.token_server import TokenWeChat

Recorded = Callable[..., SlackApi]
Does = Callable[[LocalSlack, TokenWeChat], bool]
IN_CHANNEL = Origin(
    team_id=TEAM,
    user_id=PERSON,
    channel_id=CHANNEL,
    channel_name="releases",
    trigger_id=TRIGGER,
    response_url=HOOK,
)
IN_THREAD = replace(IN_CHANNEL, thread_ts=PARENT, active_thread=PARENT)
ON_PAGE = replace(IN_CHANNEL, channel_id="", channel_name="", response_url="")


def sent(name: str) -> Body:
    return PAYLOADS[name].payloads[0]


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("command", IN_CHANNEL),
        ("command in an organisation", replace(IN_CHANNEL, team_id=HARBOUR)),
    ],
)
def test_a_recorded_command_is_read(name: str, origin: Origin) -> None:
    assert command_origin(sent(name)) == origin


@pytest.mark.parametrize(
    ("name", "origin", "at", "private"),
    [
        ("on a message", IN_CHANNEL, f"{CHANNEL}/{PARENT}", False),
        ("on a reply", IN_THREAD, f"{CHANNEL}/{REPLY}/{PARENT}", False),
        ("on an ephemeral message", IN_CHANNEL, None, True),
        ("on an ephemeral reply", IN_THREAD, None, True),
        ("on the App Home", ON_PAGE, None, False),
        ("in a modal", ON_PAGE, None, False),
    ],
)
def test_a_recorded_click_is_read(
    name: str, origin: Origin, at: str | None, *, private: bool
) -> None:
    body = sent(f"click {name}")
    click = click_of(body)
    assert click == Click(origin, REQUEST, at, "because")
    assert is_private(click) is private
    assert (without_buttons(body) is None) is (at is None)
    assert (without_buttons(body) or {}).get("blocks", []) == []


def test_a_recorded_decision_is_read() -> None:
    click = decision_of(sent("decision"))
    place = replace(ON_PAGE, channel_id=CHANNEL, trigger_id="V0MADEUP 1790000002.MadeUp")
    assert click == Click(place, REQUEST, f"{CHANNEL}/{PARENT}", comment="go ahead")


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("shortcut", replace(ON_PAGE, channel_id=PERSON)),
        ("shortcut in an organisation", replace(ON_PAGE, channel_id=PERSON, team_id=HARBOUR)),
        ("shortcut on a message", replace(IN_CHANNEL, thread_ts=REPLY)),
        ("shortcut on a reply", IN_THREAD),
    ],
)
def test_a_recorded_shortcut_is_read(name: str, origin: Origin) -> None:
    assert shortcut_origin(sent(name)) == origin


def test_a_recorded_mention_is_read_and_an_edited_one_is_none() -> None:
    trigger = f"{TEAM} {CHANNEL} {REPLY}"
    origin = replace(IN_CHANNEL, channel_name="", trigger_id=trigger, response_url="")
    assert mention_of(sent("mention"), BOT) == (replace(origin, thread_ts=REPLY), f" {ASKED}")
    assert mention_of(sent("edited mention in a thread"), BOT) is None


def test_a_recorded_hello_is_read() -> None:
    assert read_hello(sent("hello")) == Hello(2, "A0SHAREENV")


def shares(_: LocalSlack, wechat: TokenWeChat) -> bool:
    return [(env, appid) for _, env, appid in wechat.shared] == [("prod-1", APPID)]


def opens(slack: LocalSlack, _: TokenWeChat) -> bool:
    return slack.modal(PERSON) is not None


def publishes(slack: LocalSlack, _: TokenWeChat) -> bool:
    return slack.home(PERSON) is not None


@pytest.mark.parametrize(
    ("kind", "name", "does"),
    [
        ("slash_commands", "command", shares),
        ("interactive", "form", shares),
        ("events_api", "mention", shares),
        ("interactive", "shortcut", opens),
        ("interactive", "shortcut on a message", opens),
        ("events_api", "App Home opened", publishes),
        ("events_api", "App Home opened for the first time", publishes),
    ],
)
@pytest.mark.usefixtures("bot")
async def test_a_bot_does_what_a_recorded_payload_asks(
    slack: LocalSlack, wechat: TokenWeChat, kind: Kind, name: str, does: Does
) -> None:
    slack.scopes.add(MENTIONS)
    ack = await slack.deliver(kind, {**sent(name)})
    assert (ack.error, ack.errors) == (None, {})
    await slack.until(lambda slack: does(slack, wechat))
    assert slack.violations == []


@pytest.mark.usefixtures("bot")
async def test_a_bot_offers_envs_for_a_recorded_search(slack: LocalSlack) -> None:
    ack = await slack.deliver("interactive", {**sent("options of a form")})
    assert ack.payload
    assert "prod-1" in str(ack.payload["options"])


@pytest.fixture
async def recorded(http: aiohttp.ClientSession, sleep: Sleep) -> AsyncIterator[Recorded]:
    """A function that returns a client of a Slack whose methods answer as recorded, or with the answers named otherwise."""
    otherwise: dict[str, str] = {}

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        method = request.path.rpartition("/")[2]
        name = otherwise.get(method, method)
        status, headers = (429, {"Retry-After": "7"}) if name == "ratelimited" else (200, {})
        return web.json_response(ANSWERS[name].payloads[0], status=status, headers=headers)

    async with serving(answer) as origin:

        def client(**names: str) -> SlackApi:
            otherwise.update({method.replace("_", "."): name for method, name in names.items()})
            return SlackApi(web_client("xoxb-made-up", f"{origin}/", http), sleep)

        yield client


@pytest.mark.parametrize(
    ("who", "standing", "language"),
    [
        ("a member", Standing.MEMBER, Language.CHINESE),
        ("a member on Grid", Standing.MEMBER, Language.CHINESE),
        ("a guest", Standing.GUEST, Language.CHINESE),
        ("one who is deactivated", Standing.DEACTIVATED, Language.ENGLISH),
        ("a bot", Standing.BOT, Language.CHINESE),
    ],
)
async def test_recorded_people_and_groups_are_read(
    recorded: Recorded, clock: Clock, who: str, standing: Standing, language: Language
) -> None:
    directory = Directory(recorded(users_info=f"users.info of {who}"), TEAM, clock)
    groups = frozenset({"S0PLATFORM"})
    known = Person(TEAM, PERSON, standing, groups=groups, language=language)
    assert await directory.person(TEAM, PERSON, groups) == known
    assert await directory.why_private(CHANNEL) is None
    await directory.close()


@pytest.mark.parametrize(
    ("name", "team_id"), [("auth.test", TEAM), ("auth.test of an organisation", ORG)]
)
async def test_a_recorded_start_is_read(recorded: Recorded, name: str, team_id: str) -> None:
    api = recorded(auth_test=name)
    ready = await preflight(api, api)
    assert isinstance(ready, Ready)
    assert (ready.installation.id, ready.field("user_id")) == (team_id, BOT)
    assert ready.installation.is_wide is (team_id == ORG)
    assert ready.socket_url == "wss://made-up.slack.com/link"


async def test_recorded_messages_are_posted_edited_and_found(
    recorded: Recorded, sleep: Sleep
) -> None:
    posts = Posts(recorded(), BOT, sleep, time.time)
    posted = await posts.post(ENGLISH, CHANNEL, message("x"), REQUEST)
    assert posted == Posted(CHANNEL, PARENT)
    found = await MessageSearch(recorded(), BOT).find(CHANNEL, REQUEST, PARENT, 0.0)
    assert found == Posted(CHANNEL, REPLY)


@pytest.mark.parametrize(
    ("name", "wait"),
    [
        ("missing_scope", None),
        ("channel_not_found", None),
        ("ratelimited", 7),
        ("invalid_blocks", None),
    ],
)
async def test_a_recorded_refusal_is_read(
    recorded: Recorded, name: str, wait: float | None
) -> None:
    result = await recorded(chat_postMessage=name).write("chat.postMessage", 0.0)
    assert isinstance(result, Refused)
    assert (result.error, result.retry_after) == (name, wait)
