import json
from collections.abc import AsyncIterator
from io import BytesIO
from time import time
from urllib.parse import urlencode

import aiohttp
import pytest
from slack_sdk.signature import SignatureVerifier

from bot.playground.loopback import JsonObject, free_port
from bot.playground.slack.delivery import signed_request
from bot.playground.slack.server import LocalSlack
from bot.playground.wechat.server import LocalWeChat
from bot.playground.world import APPID
from bot.slack.events import BODY_LIMIT, PATH
from tests.conftest import (
    ASK,
    RELEASES,
    REQUESTER,
    Start,
    address_at,
    calls_of,
    ended,
    over_http,
    soon,
)
from tests.said import BROKEN

FORM = "application/x-www-form-urlencoded"
ONCE_A_MINUTE = {"delivery refused"}


@pytest.fixture
async def url(slack: LocalSlack, start: Start) -> AsyncIterator[str]:
    """Run the bot in HTTP mode; the value is its request URL."""
    port = free_port()
    async with start(**over_http(port)) as line:
        assert line.endswith(f"playground as share-env, at http://127.0.0.1:{port}.")
        slack.request_url = address_at(port)
        yield slack.request_url


class Sender:
    """Posts requests to the bot, signed as Slack's or not."""

    def __init__(self, slack: LocalSlack, http: aiohttp.ClientSession, url: str) -> None:
        self._slack = slack
        self._http = http
        self._url = url

    def command(self, text: str = ASK, **more: str) -> JsonObject:
        """Return a command's payload."""
        payload: JsonObject = {
            "team_id": self._slack.world.team_id,
            "channel_id": RELEASES,
            "channel_name": "releases",
            "user_id": REQUESTER,
            "command": "/share-env",
            "text": text,
            "response_url": self._slack.response_url(REQUESTER, RELEASES),
            "trigger_id": self._slack.next_trigger(),
        }
        return payload | more

    def signed(self, body: str, content_type: str = FORM) -> dict[str, str]:
        """Return the headers of a signed body."""
        now = str(int(time()))
        verifier = SignatureVerifier(self._slack.world.signing_secret)
        return {
            "Content-Type": content_type,
            "X-Slack-Request-Timestamp": now,
            "X-Slack-Signature": str(verifier.generate_signature(timestamp=now, body=body)),
        }

    async def post(self, body: str | bytes | BytesIO, headers: dict[str, str]) -> tuple[int, str]:
        """Return the status and the text of the answer."""
        async with self._http.post(self._url, data=body, headers=headers) as response:
            return response.status, await response.text()

    async def post_signed(self, body: str, content_type: str = FORM) -> tuple[int, str]:
        """Post a body with a valid signature; return the response."""
        return await self.post(body, self.signed(body, content_type))


@pytest.fixture
def sender(slack: LocalSlack, http: aiohttp.ClientSession, url: str) -> Sender:
    return Sender(slack, http, url)


@pytest.mark.usefixtures("url")
async def test_a_signed_command_is_accepted_and_answered(
    slack: LocalSlack, wechat: LocalWeChat
) -> None:
    ack = await slack.command(REQUESTER, RELEASES, ASK)
    assert ack.payload is not None
    assert str(ack.payload["text"]).startswith("On it")
    await slack.until(ended)
    assert len(wechat.shared) == 1
    assert slack.violations == []


async def test_a_command_that_opens_the_form_is_answered_with_nothing(
    slack: LocalSlack, sender: Sender
) -> None:
    assert await sender.post_signed(urlencode(sender.command(""))) == (200, "")
    await soon(lambda: calls_of(slack, "views.open") == 1)


@pytest.mark.usefixtures("url")
@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{APPID} payload-1", id="in the env"),
        pytest.param(f'{APPID} prod-1 --reason "payload={{}}&payload=1"', id="in the reason"),
    ],
)
async def test_a_command_may_contain_the_word_payload(
    slack: LocalSlack, wechat: LocalWeChat, text: str
) -> None:
    ack = await slack.command(REQUESTER, RELEASES, text)
    assert ack.error is None
    await slack.until(ended)
    assert len(wechat.shared) == 1


async def test_a_body_with_a_payload_field_is_an_interaction_not_a_command(sender: Sender) -> None:
    for payload in ('{"type": "block_actions"}', "{}"):
        status, body = await sender.post_signed(urlencode(sender.command(payload=payload)))
        assert (status, body) == (200, "")


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X-Slack-Signature": "v0=" + "0" * 64}, id="forged"),
        pytest.param({"X-Slack-Signature": ""}, id="no signature"),
        pytest.param({"X-Slack-Signature": "v0=é"}, id="not ASCII"),
        pytest.param({"X-Slack-Request-Timestamp": ""}, id="no timestamp"),
        pytest.param({"X-Slack-Request-Timestamp": "today"}, id="a word as timestamp"),
        pytest.param({"X-Slack-Request-Timestamp": "-1"}, id="a negative timestamp"),
        pytest.param({"X-Slack-Request-Timestamp": "٣"}, id="a digit that is not ASCII"),
        pytest.param({"X-Slack-Request-Timestamp": "9" * 5000}, id="an endless timestamp"),
        pytest.param({"X-Slack-Request-Timestamp": "1700000000"}, id="another time's signature"),
    ],
)
async def test_a_request_without_slacks_signature_is_refused_without_a_log_line_each(
    sender: Sender,
    wechat: LocalWeChat,
    headers: dict[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    body = urlencode(sender.command())
    status, _ = await sender.post(body, sender.signed(body) | headers)
    assert status == 401
    assert wechat.calls == []
    assert set(caplog.messages) <= ONCE_A_MINUTE


async def test_a_signature_is_valid_for_five_minutes(slack: LocalSlack, sender: Sender) -> None:
    for age, status in ((290, 200), (310, 401), (-310, 401)):
        then = int(time()) - age
        payload = sender.command("help")
        body, headers = signed_request("slash_commands", payload, slack.world.signing_secret, then)
        assert (await sender.post(body, headers))[0] == status


async def test_a_changed_body_is_refused(sender: Sender) -> None:
    body = urlencode(sender.command())
    headers = sender.signed(body)
    assert (await sender.post(body.replace("prod-1", "prod-2"), headers))[0] == 401


async def test_the_same_signed_body_sent_again_runs_once(
    slack: LocalSlack, sender: Sender, wechat: LocalWeChat
) -> None:
    body = urlencode(sender.command())
    headers = sender.signed(body)
    answers = [await sender.post(body, headers) for _ in range(3)]
    assert answers[0][0] == 200
    assert set(answers) == {answers[0]}
    await slack.until(ended)
    assert len(wechat.calls) == 1


async def test_a_body_over_the_limit_is_not_read(sender: Sender) -> None:
    body = urlencode(sender.command("x" * BODY_LIMIT))
    assert (await sender.post(BytesIO(body.encode()), sender.signed(body)))[0] == 413


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        pytest.param(b'{"type": ', "application/json", id="broken JSON"),
        pytest.param(b"[1]", "application/json", id="a list"),
        pytest.param(b'"word"', "application/json", id="a word"),
        pytest.param(b"", "application/json", id="nothing"),
        pytest.param(b"[" * 100_000, "application/json; charset=utf-8", id="a deep list"),
        pytest.param(b"payload=%7B", FORM, id="broken JSON in a form"),
        pytest.param(b"payload=1", FORM, id="a number in a form"),
        pytest.param(b"payload=", FORM, id="nothing in a form"),
        pytest.param(b"\xff\xfe", FORM, id="not UTF-8"),
    ],
)
async def test_a_signed_body_that_slack_would_not_send_is_refused_without_a_log_line_each(
    sender: Sender, body: bytes, content_type: str, caplog: pytest.LogCaptureFixture
) -> None:
    headers = sender.signed(body.decode(errors="replace"), content_type)
    assert await sender.post(body, headers) == (400, "the body is not what Slack sends")
    assert set(caplog.messages) <= ONCE_A_MINUTE


async def test_slacks_ssl_check_is_answered(sender: Sender, wechat: LocalWeChat) -> None:
    assert await sender.post_signed(urlencode({"ssl_check": "1", "token": "t"})) == (200, "")
    assert wechat.calls == []


async def test_the_url_verification_is_answered_with_its_challenge(sender: Sender) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "made-up"})
    status, text = await sender.post_signed(body, "application/json")
    assert (status, json.loads(text)) == (200, {"challenge": "made-up"})


async def test_an_unknown_command_is_answered_and_its_response_url_is_not_logged(
    sender: Sender, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    payload = sender.command(command="/another")
    status, said = await sender.post_signed(urlencode(payload))
    assert status == 200
    assert "in Slack my command is set up as `/another`" in said
    assert wechat.calls == []
    assert str(payload["response_url"]) not in caplog.text


async def test_a_command_without_a_required_field_gets_an_apology(sender: Sender) -> None:
    payload = sender.command()
    del payload["trigger_id"]
    status, text = await sender.post_signed(urlencode(payload))
    assert status == 200
    assert BROKEN in text


async def test_other_methods_and_paths_are_refused(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(url) as response:
        assert response.status == 405
    async with http.post(url.replace(PATH, "/")) as response:
        assert response.status == 404
