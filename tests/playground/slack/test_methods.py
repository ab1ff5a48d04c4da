"""blocks.validate: every error with its place in the argument; nothing is posted."""

import asyncio
import json

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from bot.playground.loopback import Json
from bot.playground.slack.server import LocalSlack
from bot.slack.api import Answered, Refused, SlackApi


@pytest.fixture
def client(api: AsyncWebClient) -> SlackApi:
    return SlackApi(api, asyncio.sleep)


GOOD: Json = [{"type": "section", "text": {"type": "mrkdwn", "text": "fine"}}]
BAD: Json = [{"type": "section", "text": {"type": "mrkdwn", "text": ""}}]
HOME: Json = {"type": "home", "blocks": GOOD}


@pytest.mark.parametrize("given", [{"message": {"blocks": GOOD}}, {"view": HOME}, {"blocks": GOOD}])
async def test_what_is_valid_is_only_said_to_be(
    slack: LocalSlack, client: SlackApi, given: dict[str, Json]
) -> None:
    for arguments in (given, {kind: json.dumps(value) for kind, value in given.items()}):
        assert isinstance(await client.write("blocks.validate", 0.0, **arguments), Answered)
    assert slack.messages == []


@pytest.mark.parametrize(
    ("kind", "value", "pointer"),
    [
        ("message", {"blocks": BAD}, "/blocks/0/text/text"),
        ("view", {"type": "home", "blocks": BAD}, "/blocks/0/text/text"),
        ("blocks", BAD, "/0/text/text"),
        ("blocks", {"type": "section"}, ""),
        ("view", {"type": "nothing", "blocks": GOOD}, "/type"),
    ],
)
async def test_an_error_names_its_place_in_what_was_given(
    client: SlackApi, kind: str, value: Json, pointer: str
) -> None:
    result = await client.write("blocks.validate", 0.0, **{kind: value})
    assert result == Refused(f"invalid_{kind}")
    assert isinstance(result, Refused)
    assert pointer in result.pointers


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"message": {"blocks": GOOD}, "view": HOME},
        {"message": {"blocks": GOOD}, "blocks": GOOD},
    ],
)
async def test_one_thing_is_looked_at_at_a_time(client: SlackApi, given: dict[str, Json]) -> None:
    assert await client.write("blocks.validate", 0.0, **given) == Refused("invalid_arguments")
