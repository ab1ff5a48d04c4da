import asyncio
import json
import logging
import time

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from bot.domain.link import Link
from bot.guidance import for_code
from bot.playground.faults import Slow, Status
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.api import NoAnswer
from bot.wechat.push import Authorized, Ticket, Unauthorized
from tests.wechat.conftest import OTHER, OWNER
from tests.wechat.replicas import Replica, Replicas, endpoints, pushed, serving

NOT_AUTHORISED = NoAnswer(for_code(61003), link=Link.OWNER)


async def secrets_of(replica: Replica, name: str) -> tuple[str | None, str | None]:
    kept = await replica.kept(name)
    return kept.value, kept.refresh_token


async def granted(replica: Replica, wechat: LocalWeChat, owner: str, created: float) -> Authorized:
    """Let an owner authorise the platform, and the replica handle the push."""
    push = Authorized(created, owner, wechat.platform.authorize(owner))
    await replica.handler.handle(push)
    return push


async def test_only_a_newer_ticket_is_kept(replicas: Replicas) -> None:
    replica = replicas.make()
    await replica.handler.handle(Ticket(10.0, "first"))
    for created, ticket, kept in [
        (10.0, "replayed", "first"),
        (9.0, "older", "first"),
        (11.0, "newer", "newer"),
        (10.0, "first", "newer"),
    ]:
        await replica.handler.handle(Ticket(created, ticket))
        assert (await replica.kept("ticket")).value == kept
    assert len(replica.woken) == 2
    assert round((await replica.kept("ticket")).life) == 12 * 3600


async def test_a_replayed_ticket_does_not_live_longer(replicas: Replicas) -> None:
    replica = replicas.make()
    await replica.handler.handle(Ticket(10.0, "first"))
    replicas.later(3600, "ticket")
    before = replicas.row("ticket")
    await replica.handler.handle(Ticket(10.0, "first"))
    assert replicas.row("ticket") == before


async def test_a_code_is_exchanged_and_its_tokens_are_stored(
    replica: Replica, wechat: LocalWeChat
) -> None:
    await granted(replica, wechat, OTHER, 10.0)
    token, refresh_token = await secrets_of(replica, OTHER)
    assert refresh_token == wechat.platform.refresh_token(OTHER)
    assert await replica.chain.token(OTHER) == token
    assert endpoints(wechat) == ["component_token", "query_auth"]
    assert len(replica.woken) == 1


async def test_tokens_that_come_without_a_refresh_token_are_stored_beside_the_previous_one(
    replica: Replica, wechat: LocalWeChat
) -> None:
    await granted(replica, wechat, OTHER, 10.0)
    _, refresh_token = await secrets_of(replica, OTHER)
    info = {"authorizer_appid": OTHER, "authorizer_access_token": "new", "expires_in": 7200}
    body = json.dumps({"authorization_info": info}).encode()
    wechat.fail("api_query_auth", Status(200, body))
    await granted(replica, wechat, OTHER, 11.0)
    assert await secrets_of(replica, OTHER) == ("new", refresh_token)


async def test_tokens_that_the_ledger_does_not_take_at_once_are_logged_and_stored_later(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, caplog: pytest.LogCaptureFixture
) -> None:
    await replica.token()  # so that only the grant is left to store
    engine, refused = replicas.database.opened[0].engine, list[str]()

    def refuse_once(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE tokens SET value") and not refused:
            refused.append(statement)
            raise OperationalError(statement, {}, Exception("the disk is full"))

    event.listen(engine, "before_cursor_execute", refuse_once)
    caplog.clear()
    await granted(replica, wechat, OTHER, 10.0)
    await replica.until_stored(OTHER)
    assert await replica.token(OTHER) == (await replica.kept(OTHER)).value
    assert endpoints(wechat).count("query_auth") == 1  # a code counts once
    (line,) = (each for each in caplog.records if each.levelno >= logging.ERROR)
    said = "the ledger can neither read nor store tokens"
    assert (line.getMessage(), vars(line)["reason"]) == (said, "the disk is full")


@pytest.mark.parametrize("earlier", [1.0, 3600.0])
async def test_a_repeated_authorisation_changes_nothing(
    replica: Replica,
    replicas: Replicas,
    wechat: LocalWeChat,
    caplog: pytest.LogCaptureFixture,
    earlier: float,
) -> None:
    push = await granted(replica, wechat, OTHER, 7200.0)
    before, calls = replicas.row(OTHER), len(wechat.platform.calls)
    await replica.handler.handle(push)
    await replica.handler.handle(Authorized(push.created - earlier, OTHER, "another code"))
    await replica.handler.handle(Unauthorized(push.created - earlier, OTHER))
    await replica.handler.handle(Authorized(push.created - earlier, OTHER, push.code))
    assert replicas.row(OTHER) == before
    assert (len(wechat.platform.calls), len(replica.woken)) == (calls, 1)
    assert "not used" not in caplog.text


async def test_pushes_of_the_same_second_are_each_handled_once(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat
) -> None:
    first = await granted(replica, wechat, OTHER, 10.0)
    before = await secrets_of(replica, OTHER)
    second = await granted(replica, wechat, OTHER, 10.0)
    assert not set(before) & set(await secrets_of(replica, OTHER))
    wechat.platform.revoke(OTHER)
    await replica.handler.handle(Unauthorized(10.0, OTHER))
    assert await secrets_of(replica, OTHER) == (None, None)
    gone, calls = replicas.row(OTHER), len(wechat.platform.calls)
    for push in (first, second):
        await replica.handler.handle(push)
    await replica.handler.handle(Unauthorized(10.0, OTHER))
    assert replicas.row(OTHER) == gone
    assert (len(wechat.platform.calls), len(replica.woken)) == (calls, 3)


async def test_a_new_authorisation_replaces_the_stored_tokens(
    replica: Replica, wechat: LocalWeChat
) -> None:
    await granted(replica, wechat, OTHER, 10.0)
    before = await secrets_of(replica, OTHER)
    await granted(replica, wechat, OTHER, 11.0)
    after = await secrets_of(replica, OTHER)
    assert not set(before) & set(after)
    assert await replica.chain.token(OTHER) == after[0]


async def test_a_withdrawal_removes_the_stored_and_the_cached_tokens(
    replica: Replica, wechat: LocalWeChat
) -> None:
    await granted(replica, wechat, OTHER, 10.0)
    await replica.token(OTHER)
    wechat.platform.revoke(OTHER)
    push = Unauthorized(11.0, OTHER)
    await replica.handler.handle(push)
    kept = await replica.kept(OTHER)
    assert (kept.value, kept.refresh_token, kept.error) == (None, None, "61003")
    assert await replica.chain.token(OTHER) == NOT_AUTHORISED


async def test_a_withdrawal_of_an_unknown_owner_is_accepted(
    replica: Replica, replicas: Replicas
) -> None:
    await replica.handler.handle(Unauthorized(11.0, OTHER))
    assert (replicas.row(OTHER)["value"], replicas.row(OTHER)["error"]) == (None, "61003")


async def test_an_owner_that_authorises_again_is_served_whatever_older_push_is_replayed(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat
) -> None:
    first = await granted(replica, wechat, OTHER, 10.0)
    wechat.platform.revoke(OTHER)
    await replica.handler.handle(Unauthorized(11.0, OTHER))
    assert await replica.chain.token(OTHER) == NOT_AUTHORISED
    await granted(replica, wechat, OTHER, 12.0)
    token = await replica.token(OTHER)
    before = replicas.row(OTHER)
    await replica.handler.handle(Unauthorized(11.0, OTHER))
    await replica.handler.handle(first)
    assert replicas.row(OTHER) == before
    assert await replica.chain.token(OTHER) == token


async def test_an_expired_platform_token_is_renewed_for_an_exchange(
    replica: Replica, wechat: LocalWeChat
) -> None:
    await replica.token()
    wechat.advance(7200)
    await granted(replica, wechat, OTHER, 10.0)
    assert endpoints(wechat)[-3:] == ["query_auth", "component_token", "query_auth"]
    assert OTHER in await replica.token(OTHER)


async def renewal_in_progress(
    replica: Replica, wechat: LocalWeChat
) -> "asyncio.Task[str | NoAnswer]":
    """Return a renewal of the owner's token that WeChat has carried out but not yet answered."""
    await replica.chain.with_platform_token(_just)
    wechat.fail("api_authorizer_token", Slow(after_effect=True))
    renewal = asyncio.create_task(replica.chain.token(OWNER))
    await wechat.until(lambda _: endpoints(wechat)[-1] == "authorizer_token")
    return renewal


async def _just(platform: str) -> str | NoAnswer:
    return platform


async def test_a_renewal_in_progress_does_not_overwrite_the_tokens_of_an_authorisation(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat
) -> None:
    renewal = await renewal_in_progress(replica, wechat)
    await granted(replica, wechat, OWNER, 10.0)
    assert not renewal.done()
    pushed_token, pushed_refresh_token = await secrets_of(replica, OWNER)
    before = replicas.row(OWNER)
    wechat.clear("api_authorizer_token")
    assert await renewal == pushed_token
    after = replicas.row(OWNER)
    assert (after["value"], after["refresh_token"]) == (before["value"], before["refresh_token"])
    assert pushed_refresh_token == wechat.platform.refresh_token(OWNER)


async def test_a_renewal_in_progress_does_not_restore_withdrawn_tokens(
    replica: Replica, wechat: LocalWeChat
) -> None:
    renewal = await renewal_in_progress(replica, wechat)
    wechat.platform.revoke(OWNER)
    await replica.handler.handle(Unauthorized(10.0, OWNER))
    assert not renewal.done()
    wechat.clear("api_authorizer_token")
    assert await renewal == NOT_AUTHORISED
    assert await secrets_of(replica, OWNER) == (None, None)


async def test_a_push_whose_commit_is_in_doubt_takes_effect_all_the_same(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.wechat.callback._IN_TIME", 60.0)  # each is handled before its answer
    platform, now = wechat.platform, time.time()
    ticket = platform.new_ticket()
    await replica.token()
    async with serving(wechat, replica) as platform.callback:
        replicas.break_after_commit()
        await platform.deliver(
            pushed(wechat, "component_verify_ticket", now, ComponentVerifyTicket=ticket)
        )
        assert (await replica.kept("ticket")).value == ticket
        assert len(replica.woken) == 1

        code = platform.authorize(OTHER)
        replicas.break_after_commit()
        await platform.deliver(
            pushed(wechat, "authorized", now, AuthorizerAppid=OTHER, AuthorizationCode=code)
        )
        assert OTHER in await replica.token(OTHER)
        assert endpoints(wechat)[-1] == "query_auth"

        platform.revoke(OTHER)
        replicas.break_after_commit()
        await platform.deliver(pushed(wechat, "unauthorized", now + 1, AuthorizerAppid=OTHER))
        assert await replica.chain.token(OTHER) == NOT_AUTHORISED


async def test_exact_repetitions_of_pushes_change_nothing(
    replica: Replica, replicas: Replicas, wechat: LocalWeChat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.wechat.callback._IN_TIME", 60.0)  # each is handled before its answer
    platform, now = wechat.platform, time.time()
    of_owner = {"AuthorizerAppid": OTHER}
    pushes = [
        pushed(wechat, "component_verify_ticket", now, ComponentVerifyTicket=platform.new_ticket()),
        pushed(wechat, "authorized", now, **of_owner, AuthorizationCode=platform.authorize(OTHER)),
        pushed(wechat, "unauthorized", now + 1, **of_owner),
        pushed(
            wechat,
            "updateauthorized",
            now + 2,
            **of_owner,
            AuthorizationCode=platform.authorize(OTHER),
        ),
    ]
    async with serving(wechat, replica) as platform.callback:
        for number, push in enumerate(pushes):
            assert await platform.deliver(push) == (200, "success")
            before = {name: replicas.row(name) for name in ("ticket", "component", OTHER)}
            calls = list(platform.calls)
            for again in pushes[: number + 1]:
                assert await platform.deliver(again) == (200, "success")
            assert {name: replicas.row(name) for name in before} == before
            assert platform.calls == calls
    assert OTHER in await replica.token(OTHER)
