"""Payloads with half a surrogate pair, which JSON can escape and UTF-8 cannot hold: read, and acked with a sentence."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.playground.loopback import free_port
from bot.playground.slack.server import Ack, LocalSlack
from bot.playground.world import APPID
from tests.conftest import (
    ASK,
    RELEASES,
    REQUESTER,
    Start,
    address_at,
    ended,
    opened,
    over_http,
    rows,
    soon,
    states,
)
from tests.said import NO_SUCH_REQUEST
from tests.token_server import TokenWeChat

HALVES = pytest.mark.parametrize("half", ["\ud83d", "\ude00\ud83d"])


@pytest.fixture(params=["Socket Mode", "HTTP mode"])
async def connected(
    request: pytest.FixtureRequest, slack: LocalSlack, start: Start
) -> AsyncIterator[None]:
    """The bot, connected in each mode."""
    port, http = free_port(), request.param == "HTTP mode"
    async with start(**(over_http(port) if http else {})):
        slack.request_url = address_at(port) if http else None
        yield
    assert slack.violations == []


def text_of(ack: Ack) -> str:
    assert ack.payload is not None, ack.error
    return str(ack.payload["text"])


@pytest.mark.usefixtures("connected")
@HALVES
async def test_half_a_character_in_a_command_is_no_error_and_makes_no_other_env(
    slack: LocalSlack, wechat: TokenWeChat, half: str
) -> None:
    assert "Nothing was done." in text_of(await slack.command(REQUESTER, RELEASES, f"{ASK}{half}"))
    assert "Nothing was done." in text_of(await slack.command(REQUESTER, RELEASES, half))
    for field in ("channel_name", "user_name", "trigger_id"):
        asked = await slack.command(REQUESTER, RELEASES, "help")
        odd = await slack.deliver("slash_commands", {**asked.request, field: half})
        assert text_of(odd) == text_of(asked)
    assert wechat.calls == []


@pytest.mark.usefixtures("connected")
@HALVES
async def test_half_a_character_in_a_reason_is_recorded_as_one_that_cannot_be_read(
    slack: LocalSlack, database: Path, half: str
) -> None:
    text = f'{ASK} --reason "go{half} on"'
    assert text_of(await slack.command(REQUESTER, RELEASES, text)).startswith("On it")
    await slack.until(ended)
    ((reason,),) = rows(database, "SELECT reason FROM requests")
    assert reason.replace("\ufffd", "") == "go on"
    assert reason != "go on"


@pytest.mark.usefixtures("connected")
async def test_half_a_character_in_a_click_is_answered(slack: LocalSlack, database: Path) -> None:
    await slack.command(REQUESTER, RELEASES, ASK)
    await soon(lambda: states(database) == ["ended"])
    await slack.command(REQUESTER, RELEASES, ASK)
    clicked = await slack.click(REQUESTER, slack.shown_to(REQUESTER)[-1], "Share it again")
    request: Any = clicked.request
    before = len(slack.shown_to(REQUESTER))
    action = {**request["actions"][0], "value": "\ud83d"}
    odd = {**request, "actions": [action], "trigger_id": slack.next_trigger()}
    ack = await slack.deliver("interactive", odd)
    assert ack.error is None
    await soon(
        lambda: NO_SUCH_REQUEST in "".join(m.text for m in slack.shown_to(REQUESTER)[before:])
    )


@pytest.mark.usefixtures("connected")
async def test_half_a_character_in_a_form_is_a_mistake_at_its_field_or_recorded(
    slack: LocalSlack, database: Path
) -> None:
    await slack.command(REQUESTER, RELEASES, "")
    form = await opened(slack)
    await slack.options(REQUESTER, form, "env", "prod-1")
    wrong = await slack.submit(REQUESTER, form, {"env": "prod-1", "appids": f"{APPID}\ude00"})
    assert "appids" in wrong.errors
    sent = {"env": "prod-1", "appids": APPID, "reason": "go\ud83d on"}
    ack = await slack.submit(REQUESTER, form, sent)
    assert (ack.error, ack.errors) == (None, {})
    await slack.until(ended)
    assert rows(database, "SELECT reason FROM requests") == [("go\ufffd on",)]
