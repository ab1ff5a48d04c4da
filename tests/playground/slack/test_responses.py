import hmac
import json
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from urllib.parse import parse_qs

import aiohttp
import pytest
from aiohttp import web

from bot.playground.faults import Code, Fault, RateLimited, Slow, Status
from bot.playground.loopback import Json, Loopback
from bot.playground.slack.server import LocalSlack
from tests.conftest import RELEASES, Clock


async def respond(http: aiohttp.ClientSession, url: str, body: Json) -> tuple[int, str]:
    async with http.post(url, json=body) as response:
        return response.status, await response.text()


async def test_a_response_url_can_be_used_five_times(
    slack: LocalSlack, http: aiohttp.ClientSession
) -> None:
    url = slack.response_url("U0REQUESTER", "C0SECRET")
    for _ in range(5):
        assert await respond(http, url, {"text": "hello"}) == (200, "ok")
    status, body = await respond(http, url, {"text": "hello"})
    assert (status, json.loads(body)["error"]) == (404, "used_url")
    assert [each.via for each in slack.shown_to("U0REQUESTER")] == ["response_url"] * 5


@pytest.mark.parametrize(
    ("fault", "status", "shown"),
    [
        (RateLimited(7), 429, 0),
        (Code("expired_url"), 404, 0),
        (Status(503), 503, 0),
        (Status(500, after_effect=True), 500, 1),
        (Status(200, b"hello", "text/html"), 200, 0),
        (Slow(0.05), 200, 1),
    ],
)
async def test_a_response_url_may_fail_for_one_person(
    slack: LocalSlack, http: aiohttp.ClientSession, fault: Fault, status: int, shown: int
) -> None:
    slack.fail("response_url", fault, user="U0REQUESTER")
    other = slack.response_url("U0SECOND", RELEASES)
    assert await respond(http, other, {"text": "hello"}) == (200, "ok")
    url = slack.response_url("U0REQUESTER", RELEASES)
    assert (await respond(http, url, {"text": "hello"}))[0] == status
    assert len(slack.shown_to("U0REQUESTER")) == shown
    assert await respond(http, url, {"text": "hello"}) == (200, "ok")


async def test_a_response_url_is_valid_for_thirty_minutes(
    slack: LocalSlack, http: aiohttp.ClientSession, clock: Clock
) -> None:
    url = slack.response_url("U0REQUESTER", RELEASES)
    clock.now += 30 * 60 - 1
    assert await respond(http, url, {"text": "hello"}) == (200, "ok")
    clock.now += 1
    status, body = await respond(http, url, {"text": "hello"})
    assert (status, json.loads(body)["error"]) == (404, "expired_url")


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "no_text"),
        ({"blocks": [{"type": "marquee"}]}, "invalid_blocks"),
        ([], "invalid_payload"),
    ],
)
async def test_a_response_url_refuses_invalid_messages(
    slack: LocalSlack, http: aiohttp.ClientSession, body: Json, error: str
) -> None:
    url = slack.response_url("U0REQUESTER", RELEASES)
    status, answer = await respond(http, url, body)
    assert (status, json.loads(answer)["error"]) == (400, error)
    assert slack.calls[-1].error == error


class Listener:
    """An app behind a request URL, with configurable answers."""

    def __init__(self) -> None:
        self.loopback = Loopback()
        self.answer: Callable[[], web.Response] = web.Response
        self.requests: list[tuple[dict[str, str], str]] = []

    async def take(self, request: web.BaseRequest) -> web.StreamResponse:
        """Record a request and answer it."""
        self.requests.append((dict(request.headers), await request.text()))
        return self.answer()


@pytest.fixture
async def listener(slack: LocalSlack) -> AsyncIterator[Listener]:
    listener = Listener()
    await listener.loopback.start(listener.take)
    slack.request_url = f"{listener.loopback.origin}/slack/events"
    yield listener
    await listener.loopback.stop()


async def test_a_request_url_gets_a_signed_form(
    slack: LocalSlack, listener: Listener, clock: Clock
) -> None:
    ack = await slack.command("U0REQUESTER", RELEASES, "wx1 prod-1")
    [(headers, body)] = listener.requests
    assert parse_qs(body)["text"] == ["wx1 prod-1"]
    assert headers["X-Slack-Request-Timestamp"] == str(int(clock.now))
    secret, signed = slack.world.signing_secret.encode(), f"v0:{int(clock.now)}:{body}".encode()
    assert headers["X-Slack-Signature"] == "v0=" + hmac.new(secret, signed, sha256).hexdigest()
    assert (ack.payload, ack.error) == (None, None)


async def test_clicks_and_events_have_their_own_formats(
    slack: LocalSlack, listener: Listener
) -> None:
    await slack.deliver("interactive", {"type": "block_actions"})
    await slack.deliver("events_api", {"type": "event_callback"})
    [(_, click), (headers, event)] = listener.requests
    assert json.loads(parse_qs(click)["payload"][0]) == {"type": "block_actions"}
    assert headers["Content-Type"] == "application/json"
    assert json.loads(event) == {"type": "event_callback"}


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        (lambda: web.json_response({"text": "hello"}), "hello"),
        (lambda: web.Response(text="hello"), "hello"),
        (lambda: web.Response(status=404), '/share-env failed with the error "http_client_error"'),
        (lambda: web.Response(status=500), '/share-env failed with the error "http_service_error"'),
    ],
)
async def test_the_response_to_a_request_is_the_ack(
    slack: LocalSlack, listener: Listener, answer: Callable[[], web.Response], shown: str
) -> None:
    listener.answer = answer
    await slack.command("U0REQUESTER", RELEASES, "")
    assert [each.text for each in slack.shown_to("U0REQUESTER")] == [shown]


@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
async def test_an_answer_that_is_neither_json_nor_plain_text_is_a_violation(
    slack: LocalSlack, listener: Listener, content_type: str
) -> None:
    listener.answer = lambda: web.Response(text="{", content_type=content_type)
    ack = await slack.command("U0REQUESTER", RELEASES, "")
    assert (ack.payload, len(slack.violations), slack.messages) == (None, 1, [])


async def test_a_click_takes_no_text_as_its_ack(slack: LocalSlack, listener: Listener) -> None:
    listener.answer = lambda: web.Response(text="hello")
    await slack.deliver("interactive", {"type": "block_actions"})
    assert len(slack.violations) == 1


async def test_a_request_url_without_a_listener_is_a_failed_dispatch(
    slack: LocalSlack, listener: Listener
) -> None:
    await listener.loopback.stop()
    assert (await slack.command("U0REQUESTER", RELEASES, "")).error == "dispatch_failed"
