import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from hashlib import sha1
from xml.etree import ElementTree as ET

import pytest
from aiohttp import web

from bot.playground.wechat.pushes import PushKeys, Stamp, sealed, xml
from bot.wechat.push import aes_key, decrypt, signature
from tests.conftest import serving
from tests.playground.wechat.conftest import OTHER, OWNER, Body, Caller
from tests.token_server import TokenWeChat

STAMP = Stamp(1715943329, "1590219412", b"1205899eaf019bbd")


@dataclass
class Callback:
    """The platform's callback: it records pushes, and answers as configured."""

    came: list[tuple[dict[str, str], str, bytes]] = field(default_factory=list)
    status: int = 200
    text: str = "success"
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    answering: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Take one push."""
        self.came.append((dict(request.query), request.content_type, await request.read()))
        self.arrived.release()
        await self.answering.wait()
        return web.Response(status=self.status, text=self.text)

    def opened(self, encoding_aes_key: str, token: str) -> dict[str, str]:
        """Return the fields of the last push, whose signature and appids must be right."""
        query, kind, body = self.came[-1]
        assert kind == "text/xml"
        outer = fields_of(body)
        encrypted = outer["Encrypt"]
        expected = signature(token, query["timestamp"], query["nonce"], encrypted)
        assert query["msg_signature"] == expected
        key = aes_key(encoding_aes_key)
        assert key is not None
        inner = decrypt(key, encrypted)
        assert inner is not None
        fields = fields_of(inner.message)
        assert inner.appid == outer["AppId"] == fields["AppId"]
        return fields


def fields_of(body: bytes) -> dict[str, str]:
    return {each.tag: each.text or "" for each in ET.fromstring(body)}  # noqa: S314 - this test's own server wrote it


@pytest.fixture
async def callback(wechat: TokenWeChat) -> AsyncIterator[Callback]:
    callback = Callback()
    callback.answering.set()
    async with serving(callback.serve) as origin:
        wechat.platform.callback = f"{origin}/wechat/events"
        yield callback
        callback.answering.set()


def opened(callback: Callback, wechat: TokenWeChat) -> dict[str, str]:
    return callback.opened(wechat.platform.encoding_aes_key, wechat.platform.message_token)


async def test_a_pushed_ticket_brings_a_component_token(
    wechat: TokenWeChat, caller: Caller, callback: Callback
) -> None:
    before = int(time.time())
    assert await wechat.platform.push_ticket() == (200, "success")
    fields = opened(callback, wechat)
    assert fields.keys() == {"AppId", "CreateTime", "InfoType", "ComponentVerifyTicket"}
    assert fields["AppId"] == wechat.platform.component_appid
    assert fields["InfoType"] == "component_verify_ticket"
    assert before <= int(fields["CreateTime"]) <= time.time()
    pushed: Body = {"component_verify_ticket": fields["ComponentVerifyTicket"]}
    answer = await caller.call("api_component_token", caller.proof() | pushed)
    assert "component_access_token" in answer


async def test_a_push_has_two_signatures_of_which_one_does_not_cover_the_body(
    wechat: TokenWeChat, callback: Callback
) -> None:
    await wechat.platform.push_ticket()
    query = callback.came[-1][0]
    assert list(query) == ["signature", "timestamp", "nonce", "encrypt_type", "msg_signature"]
    assert query["encrypt_type"] == "aes"
    parts = sorted([wechat.platform.message_token, query["timestamp"], query["nonce"]])
    assert query["signature"] == sha1("".join(parts).encode(), usedforsecurity=False).hexdigest()
    assert query["signature"] != query["msg_signature"]


async def test_two_pushes_are_never_equal(wechat: TokenWeChat, callback: Callback) -> None:
    for _ in range(5):
        await wechat.platform.push_ticket()
    assert len({body for _, _, body in callback.came}) == 5
    assert len({query["nonce"] for query, _, _ in callback.came}) == 5


@pytest.mark.parametrize("info_type", ["authorized", "updateauthorized"])
async def test_an_authorisation_is_pushed_with_a_code_to_exchange(
    wechat: TokenWeChat, caller: Caller, callback: Callback, info_type: str
) -> None:
    platform = wechat.platform
    owner, push = {
        "authorized": (OTHER, platform.push_authorized),
        "updateauthorized": (OWNER, platform.push_updateauthorized),
    }[info_type]
    assert await push(owner) == (200, "success")
    fields = opened(callback, wechat)
    assert (fields["InfoType"], fields["AuthorizerAppid"]) == (info_type, owner)
    assert fields["PreAuthCode"]
    assert 3590 < int(fields["AuthorizationCodeExpiredTime"]) - time.time() <= 3600
    token = await caller.renew_component()
    answer = await caller.exchange(token, fields["AuthorizationCode"])
    assert "authorization_info" in answer
    assert owner in platform.authorized


async def test_a_new_authorisation_changes_the_refresh_token(
    wechat: TokenWeChat, callback: Callback
) -> None:
    before = wechat.platform.refresh_token(OWNER)
    await wechat.platform.push_updateauthorized(OWNER)
    assert wechat.platform.refresh_token(OWNER) != before
    assert len(callback.came) == 1


async def test_a_withdrawal_takes_effect_before_it_is_pushed(
    wechat: TokenWeChat, callback: Callback
) -> None:
    assert await wechat.platform.push_unauthorized(OWNER) == (200, "success")
    fields = opened(callback, wechat)
    assert (fields["InfoType"], fields["AuthorizerAppid"]) == ("unauthorized", OWNER)
    assert wechat.platform.authorized == {}


async def test_any_other_event_can_be_pushed(wechat: TokenWeChat, callback: Callback) -> None:
    assert await wechat.platform.push("notify_third_fasteregister") == (200, "success")
    assert opened(callback, wechat)["InfoType"] == "notify_third_fasteregister"


async def test_the_bots_answers_are_recorded_and_shown_without_the_ticket(
    wechat: TokenWeChat, callback: Callback
) -> None:
    callback.status, callback.text = 503, "not now"
    assert await wechat.platform.push_ticket() == (503, "not now")
    callback.status, callback.text = 302, ""
    assert await wechat.platform.push("x") == (302, "")
    pushes = [("component_verify_ticket", 503, "not now"), ("x", 302, "")]
    assert wechat.platform.pushes == pushes
    assert wechat.transcript() == "push component_verify_ticket: 503\npush x: 302"


async def test_a_late_or_missing_answer_has_status_0(
    wechat: TokenWeChat, callback: Callback, monkeypatch: pytest.MonkeyPatch
) -> None:
    callback.answering.clear()
    monkeypatch.setattr("bot.playground.wechat.pushes.TIMEOUT", 0.05)
    assert await wechat.platform.push("late") == (0, "TimeoutError")
    monkeypatch.undo()
    wechat.platform.callback = "http://127.0.0.1:1/nobody-listens"
    assert await wechat.platform.push("refused") == (0, "ClientConnectorError")
    assert [status for _, status, _ in wechat.platform.pushes] == [0, 0]


def test_a_push_is_signed_as_in_the_documents() -> None:
    # source: oplatform, message_push; the message there is no platform's event, so its other one differs
    seal = PushKeys("wx134c8103faa5a59e", "AAAAA", "A" * 43)
    push = sealed({"InfoType": "x"}, seal, STAMP)
    assert push.query["signature"] == "cc0c594499c1634947d5b502f158ee518947db27"
    assert push == sealed({"InfoType": "x"}, seal, STAMP)


def test_texts_are_in_cdata_and_numbers_are_not() -> None:
    written = xml({"AppId": "a<b&c", "CreateTime": 5})
    assert written == b"<xml>\n<AppId><![CDATA[a<b&c]]></AppId>\n<CreateTime>5</CreateTime>\n</xml>"


async def test_requested_tickets_are_pushed_at_once_and_then_regularly(
    wechat: TokenWeChat, caller: Caller, callback: Callback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.playground.wechat.platform.PUSH_INTERVAL", 0.01)
    assert await caller.start_push_ticket() == "ok"
    await wechat.until(lambda wechat: len(wechat.platform.pushes) >= 3)
    assert set(wechat.platform.pushes) == {("component_verify_ticket", 200, "success")}
    assert len({body for _, _, body in callback.came}) == len(callback.came)


async def test_another_request_pushes_another_ticket_at_once(
    wechat: TokenWeChat, caller: Caller, callback: Callback
) -> None:
    assert await caller.start_push_ticket() == "ok"
    await wechat.until(lambda wechat: len(wechat.platform.pushes) == 1)
    assert await caller.start_push_ticket() == "in a normal state"
    await wechat.until(lambda wechat: len(wechat.platform.pushes) == 2)
    assert len(callback.came) == 2


async def test_without_a_callback_a_request_for_tickets_succeeds_but_pushes_none(
    wechat: TokenWeChat, caller: Caller
) -> None:
    assert await caller.start_push_ticket() == "ok"
    assert wechat.platform.pushes == []
