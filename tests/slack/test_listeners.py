import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from itertools import count

import pytest
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.command.grammar import SLASH_COMMAND, OpenForm
from bot.domain.request import Origin
from bot.messages import Message
from bot.messages.blocks import as_response, message
from bot.messages.notices import broken, unknown_command
from bot.playground.loopback import JsonObject
from bot.playground.slack.server import LocalSlack
from bot.runtime.clock import Runtime
from bot.slack.listeners import App, UnheardPayloads
from bot.slack.socket_mode import socket_mode
from tests.conftest import ASK, RELEASES, REQUESTER, Clock, Start, ended
from tests.languages import CHINESE

IDENTITY = {"team_id": "T0PLAYGROUND", "user_id": "U0SHAREENV", "bot_id": "B0SHAREENV"}
BREAKS_BOLT: tuple[JsonObject, ...] = (
    {"type": "block_actions", "actions": {}},
    {"type": "block_actions", "user": [], "event": 1.5},
    {"type": "block_actions", "team": 1.5, "user": 1.5, "view": 1.5},
)
AsyncNext = Callable[[], Awaitable[None]]
ANSWER = message("*hello*", "from the use case")


class StubUseCase:
    """A use case that answers, or raises."""

    def __init__(self) -> None:
        self.origins: list[Origin] = []
        self.texts: list[str] = []
        self.opened: list[Origin] = []
        self.sent: list[tuple[Origin, Message]] = []
        self.broken = False

    async def command(self, origin: Origin, text: str) -> Message | OpenForm:
        """Return the answer; a command without arguments wants the form."""
        self.origins.append(origin)
        self.texts.append(text)
        if self.broken:
            raise RuntimeError("the token is xoxb-1")
        return ANSWER if text else OpenForm()

    async def open(self, origin: Origin) -> None:
        """Record for whom the form was opened."""
        self.opened.append(origin)

    def send(self, origin: Origin, message: Message) -> None:
        """Record what is said after the ack."""
        self.sent.append((origin, message))


@pytest.fixture
async def use_case(slack: LocalSlack, client: AsyncWebClient) -> AsyncIterator[StubUseCase]:
    use_case = StubUseCase()
    app = App(
        client,
        IDENTITY,
        CHINESE,
        use_case.command,
        use_case.open,
        send=use_case.send,
        clock=time.monotonic,
        new_reference=lambda: "0badc0de",
    )
    socket = socket_mode(app, slack.world.app_token, None, Runtime())
    assert await socket.open()
    await slack.until(lambda slack: slack.sockets.connections == 1)
    yield use_case
    await socket.close()


@pytest.mark.usefixtures("use_case")
async def test_the_ack_is_the_answer(slack: LocalSlack) -> None:
    ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert ack.payload == {
        "response_type": "ephemeral",
        "text": ANSWER.text,
        "blocks": ANSWER.blocks,
    }
    [shown] = slack.messages
    assert (shown.via, shown.ephemeral_to, shown.text) == ("ack", REQUESTER, ANSWER.text)
    assert slack.violations == []


@pytest.mark.usefixtures("use_case")
async def test_a_command_makes_no_call_of_slacks_web_api(slack: LocalSlack) -> None:
    before = len(slack.calls)
    await slack.command(REQUESTER, RELEASES, ASK)
    assert slack.calls[before:] == []


async def test_the_use_case_gets_the_person_the_text_and_the_place(
    slack: LocalSlack, use_case: StubUseCase
) -> None:
    ack = await slack.command(REQUESTER, "C0SECRET", "  as typed <!here> ", trigger_id="1.2.3")
    assert use_case.texts == ["  as typed <!here> "]
    assert use_case.origins == [
        Origin(
            team_id="T0PLAYGROUND",
            user_id=REQUESTER,
            channel_id="C0SECRET",
            channel_name="privategroup",
            trigger_id="1.2.3",
            response_url=str(ack.request["response_url"]),
        )
    ]
    assert str(ack.request["response_url"]) not in repr(use_case.origins)


async def test_an_error_is_answered_with_an_apology_and_a_reference_that_is_in_the_log(
    slack: LocalSlack, use_case: StubUseCase, caplog: pytest.LogCaptureFixture
) -> None:
    use_case.broken = True
    ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert ack.error is None
    assert ack.payload is not None
    said = str(ack.payload["text"])
    [reference] = re.findall(r"`([0-9a-f]{8})`", said)
    assert said == broken(CHINESE, reference).text  # the person is not known yet
    assert "xoxb" not in said
    logged = [vars(r)["reference"] for r in caplog.records if r.msg == "unforeseen error"]
    assert [reference] == logged
    assert slack.violations == []


async def test_a_command_without_arguments_gets_an_empty_ack_and_opens_the_form(
    slack: LocalSlack, use_case: StubUseCase
) -> None:
    ack = await slack.command(REQUESTER, RELEASES, "", trigger_id="1.2.3")
    assert (ack.error, ack.payload) == (None, None)
    await slack.until(lambda _: bool(use_case.opened))
    assert [origin.trigger_id for origin in use_case.opened] == ["1.2.3"]
    assert use_case.opened == use_case.origins
    assert slack.messages == []
    assert slack.violations == []


async def test_oauth_settings_in_the_environment_change_nothing(
    slack: LocalSlack,
    start: Start,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for name in ("SLACK_CLIENT_ID", "SLACK_CLIENT_SECRET", "SLACK_BOT_TOKEN", "SLACK_APP_TOKEN"):
        monkeypatch.setenv(name, "made-up-elsewhere")
    async with start():
        ack = await slack.command(REQUESTER, RELEASES, ASK)
        assert ack.payload is not None
        assert str(ack.payload["text"]).startswith("On it")
        await slack.until(ended)
    assert [r for r in caplog.records if r.levelno > 20] == []


@pytest.mark.usefixtures("use_case")
async def test_a_payload_without_a_listener_is_acked_as_its_kind_permits(slack: LocalSlack) -> None:
    view: JsonObject = {"type": "modal", "callback_id": "of_long_ago"}
    click: JsonObject = {"action_id": "of_long_ago", "block_id": "b", "type": "button"}
    who: JsonObject = {"user": {"id": REQUESTER, "team_id": "T0PLAYGROUND"}}
    clicked = await slack.deliver(
        "interactive", {**who, "type": "block_actions", "actions": [click]}
    )
    offered = await slack.deliver("interactive", {**who, **click, "type": "block_suggestion"})
    sent = await slack.deliver("interactive", {**who, "type": "view_submission", "view": view})
    assert (clicked.error, clicked.payload) == (None, None)
    assert offered.payload == {"options": []}
    assert sent.payload is not None
    assert sent.payload["response_action"] == "update"
    assert slack.violations == []


@pytest.mark.usefixtures("use_case")
async def test_a_command_with_another_name_is_answered_with_the_right_name(
    slack: LocalSlack, caplog: pytest.LogCaptureFixture
) -> None:
    ack = await slack.command(REQUESTER, RELEASES, ASK, command="/share-envs")
    assert ack.payload is not None
    assert ack.payload["text"] == unknown_command(CHINESE, "/share-envs").text
    assert [vars(line)["type"] for line in caplog.records] == ["command /share-envs"]
    assert slack.violations == []


def test_a_payload_without_a_listener_is_logged_once_an_hour_for_each_type(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    numbers = count()
    unheard = UnheardPayloads(clock, lambda: f"{next(numbers):08}")
    event: JsonObject = {"type": "event_callback", "event": {"type": "app_mention"}}
    references = [unheard.reference_for(body) for body in (event, {"type": "shortcut"}, event, {})]
    clock.now += 3599
    references.append(unheard.reference_for(event))
    assert references[0] == references[2] == references[4] != references[1]
    clock.now += 1
    references.append(unheard.reference_for(event))
    logged = [(vars(line)["type"], vars(line)["reference"]) for line in caplog.records]
    assert logged == [
        ("event app_mention", references[0]),
        ("shortcut", references[1]),
        ("no type", references[3]),
        ("event app_mention", references[5]),
    ]


async def test_a_payload_without_a_listener_is_reported(client: AsyncWebClient) -> None:
    use_case, reported = StubUseCase(), list[Mapping[str, object]]()
    command, open_form = use_case.command, use_case.open
    app = App(
        client,
        IDENTITY,
        CHINESE,
        command,
        open_form,
        send=use_case.send,
        unheard=reported.append,
        clock=time.monotonic,
        new_reference=lambda: "0badc0de",
    )
    odd: JsonObject = {"type": "event_callback", "event": {"type": "app_mention"}}
    assert await app.answer(odd) == ""
    assert await app.answer(BREAKS_BOLT[0]) == ""
    assert reported == [odd]


async def test_a_command_passes_bolts_middleware_as_in_every_bolt_app(
    client: AsyncWebClient,
) -> None:
    use_case, seen = StubUseCase(), list[Mapping[str, object]]()

    async def middleware(body: dict[str, object], next_: AsyncNext) -> None:
        seen.append(body)
        await next_()

    typed: JsonObject = {
        "command": SLASH_COMMAND,
        "team_id": "T0PLAYGROUND",
        "channel_id": RELEASES,
        "user_id": REQUESTER,
        "text": ASK,
        "trigger_id": "1.2.3",
        "response_url": "http://127.0.0.1/commands/made-up",
    }

    def listen(bolt: AsyncApp) -> None:
        bolt.use(middleware)

    command, open_form = use_case.command, use_case.open
    app = App(
        client,
        IDENTITY,
        CHINESE,
        command,
        open_form,
        listen,
        send=use_case.send,
        clock=time.monotonic,
        new_reference=lambda: "0badc0de",
    )
    assert json.loads(await app.answer(typed)) == as_response(ANSWER)
    assert seen == [typed]


@pytest.mark.usefixtures("use_case")
async def test_a_payload_at_which_bolt_raises_is_acked_nevertheless(slack: LocalSlack) -> None:
    for odd in BREAKS_BOLT:
        ack = await slack.deliver("interactive", odd)
        assert (ack.error, ack.payload) == (None, None)
    submission = await slack.deliver("interactive", BREAKS_BOLT[-1] | {"type": "view_submission"})
    typed: JsonObject = {"command": SLASH_COMMAND, "channel_id": RELEASES, "user_id": REQUESTER}
    command = await slack.deliver("slash_commands", BREAKS_BOLT[-1] | typed)
    for ack in submission, command:
        assert broken(CHINESE, "").text[:7] in json.dumps(ack.payload, ensure_ascii=False)
