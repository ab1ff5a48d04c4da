"""Faults of the token sources: a token server, or the platform's own chain."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bot.guidance import Trouble
from bot.playground.faults import Code, Drop, Status
from bot.playground.faults import Fault as Injected
from tests.cut_off import CUT_OFF, drip
from tests.faults.rig import start_rig
from tests.faults.table import Fault
from tests.faults.tls_proxy import State, tls_proxy
from tests.faults.token_chain import chain_rig, expire_all_tokens, push_ticket, wait_for_renewals
from tests.faults.wechat_faults import (
    NO,
    YES,
    Case,
    assert_truthful,
    marks,
    plain,
    plan_and_repeat_last,
    rig_with_owners,
    token_response,
    with_and_without_expiry,
)
from tests.gzip_bomb import GZIP_BOMB

pytestmark = pytest.mark.slow

SERVER, CHAIN = "Token server", "Token chain"
DOWN = f"{NO} {Trouble.TOKEN_SERVER_DOWN.value.title}"
UNUSABLE = f"{NO} {Trouble.TOKEN_SERVER_ANSWER.value.title}"
NO_TOKEN = f"{NO} {Trouble.NO_TOKEN_ANSWER.value.title}"


def json(content: str) -> Status:
    return Status(200, content.encode(), "application/json")


NOWHERE = Status(302, headers={"Location": "http://127.0.0.1:1/"})
OF_SERVER: Mapping[Fault, Sequence[Injected]] = {
    Fault(SERVER, "HTTP 401 or 403", f"{NO} {Trouble.TOKEN_SERVER_REFUSED.value.title}"): (
        *(Status(401), Status(403)),
    ),
    Fault(SERVER, "any other HTTP status, or a redirect, which is not followed", UNUSABLE): (
        *(Status(204, b""), Status(404), Status(429), Status(500), Status(503), NOWHERE),
        Drop(sent=b"HTTP/1.1 101 Switching Protocols\r\nConnection: close\r\n\r\n"),
    ),
    Fault(SERVER, "a web page, truncated JSON, or JSON without a token", UNUSABLE): (
        *(Status(200), json(""), json('{"access_token":"made-up'), json("[]"), json("NaN")),
        *(json("{}"), json('{"access_token":17}'), json('{"access_token":"秘密"}')),
        *(json('{"access_token":["a"],"expires_in":7200}'), json("[" * 60_000)),
    ),
    Fault(SERVER, "a gzip bomb, or a body of 100 MB", UNUSABLE): (
        GZIP_BOMB,
        Status(200, bytes(100_000_000)),
    ),
    Fault(SERVER, "the connection closed or reset, before or within the body", DOWN): (
        *(
            Drop(),
            Drop(reset=True),
            replace(CUT_OFF, reset=True),
            CUT_OFF,
            Drop(sent=b"220 mail.example.org\r\n"),
        ),
    ),
    Fault(
        SERVER,
        "accept and hang, or a slow drip",
        f"{NO} {Trouble.TOKEN_SERVER_SLOW.value.title}",
    ): (*(Drop(silence=60), drip(0.3)),),
}
STALE = Fault(
    SERVER,
    "a dead token again and again",
    f"{NO} {Trouble.TOKEN_SERVER_STALE.value.title}",
)
NOT_THERE = Fault(SERVER, "connection refused, no TLS, or a host that DNS does not know", DOWN)
ABSENT = (
    (State.TRUSTED, State.REFUSING),
    (State.TRUSTED, State.PLAIN),
    (State.PLAIN, State.NO_DNS),
)

OF_CHAIN: Mapping[Fault, Sequence[Injected]] = {
    Fault(CHAIN, "HTTP 403 or 407", f"{NO} {Trouble.GATEWAY_CLOSED.value.title}"): (
        *(Status(403), Status(407)),
    ),
    Fault(
        CHAIN,
        "a redirect, which is not followed",
        f"{NO} {Trouble.REDIRECTED.value.title}",
    ): (NOWHERE,),
    Fault(CHAIN, "HTTP 204 or 5xx, a web page, wrong JSON, a gzip bomb, 100 MB", NO_TOKEN): (
        *(
            Status(502),
            GZIP_BOMB,
            json('{"errcode":null}'),
            Status(200, bytes(100_000_000)),
            Status(204, b""),
        ),
        *(Status(500), Status(200), json(""), json("[]"), json("{}"), json("[" * 60_000)),
        json('{"authorizer_access_token":7,"expires_in":9}'),
    ),
    Fault(CHAIN, "the connection closed or reset, before or within the body", NO_TOKEN): (
        *(
            Drop(),
            Drop(after_effect=True),
            Drop(reset=True),
            Drop(after_effect=True, reset=True),
            replace(CUT_OFF, reset=True),
        ),
        CUT_OFF,
    ),
    Fault(CHAIN, "accept and hang, or a slow drip", NO_TOKEN): (Drop(silence=60), drip(0.3)),
    Fault(CHAIN, "WeChat is too busy (-1)", NO_TOKEN): (Code(-1),),
    Fault(
        CHAIN,
        "the bot's address is not on the platform's list (61004)",
        f"{NO} The bot's IP address is not on the platform's list",
    ): (Code(61004),),
}
OF_OWNER: Mapping[Fault, Sequence[Injected]] = {
    Fault(
        CHAIN,
        "an owner that authorised no platform (40013)",
        f"{NO} The owner has not authorised the platform",
    ): (Code(40013),),
}
FAULTS = (*OF_SERVER, STALE, NOT_THERE, *OF_CHAIN, *OF_OWNER)


async def test_whatever_the_token_server_does_nothing_is_shared_and_people_are_told(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    cases = with_and_without_expiry(OF_SERVER, of_tokens=True)
    never_issued = token_response("made-up-token-that-nobody-issued")
    cases.append(Case(STALE, len(cases), token_answers=(never_issued,)))
    async with rig_with_owners(tmp_path) as rig:
        await assert_truthful(rig, cases, subtests)


async def test_an_unreachable_token_server_is_reported(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    folders = [tmp_path_factory.mktemp("proxy") for _ in ABSENT]
    told = await asyncio.gather(
        *(_without_a_token_server(*absent, d) for absent, d in zip(ABSENT, folders, strict=True))
    )
    for (_, absent), texts in zip(ABSENT, told, strict=True):
        for text in texts:
            with subtests.test(str(absent)):
                assert NOT_THERE.told in plain(text)
                assert marks(text) == {NO}


async def _without_a_token_server(usual: State, then: State, folder: Path) -> list[str]:
    """Return what is told before the first token and after its expiry; once the server runs, commands must work."""
    async with tls_proxy(folder, usual) as proxy:
        settings = {"WECHAT_TOKEN_SERVER_URL": f"{proxy.url}/token/{{appid}}", **proxy.settings}
        async with start_rig(folder, **settings) as rig:
            proxy.target = rig.wechat.url
            await proxy.switch(then)
            told = [await rig.answer()]
            await proxy.switch(usual)
            await rig.check_healthy()
            rig.wechat.expire(rig.wechat.calls[-1].token)
            await proxy.switch(then)
            told += await rig.answers([rig.command(), rig.command()])
            await proxy.switch(usual)
            await rig.check_healthy()
            return told


async def test_whatever_wechat_does_when_an_owners_token_is_renewed_nothing_is_shared_and_people_are_told(
    tmp_path: Path, subtests: pytest.Subtests, unused_tcp_port: int
) -> None:
    cases = [case for case in with_and_without_expiry({**OF_CHAIN, **OF_OWNER}) if case.expiring]
    owners = max(case.number for case in cases) + 1
    async with chain_rig(tmp_path, unused_tcp_port, owners, WECHAT_TIMEOUT="2") as rig:
        await wait_for_renewals(rig, owners)
        for case in cases:
            plan_and_repeat_last(
                partial(rig.wechat.fail, "api_authorizer_token", authorizer_appid=case.owner),
                case.answers,
            )
        expire_all_tokens(rig)
        told = await rig.answers([case.command() for case in cases])
        assert rig.wechat.shared == []
        for case in cases:
            rig.wechat.clear("api_authorizer_token", authorizer_appid=case.owner)
        await push_ticket(rig)
        afterwards = await rig.answers([case.command(2) for case in cases])
        for case, text, after in zip(cases, told, afterwards, strict=True):
            with subtests.test(str(case)):
                assert case.fault.told in plain(text), text
                assert (marks(text), marks(after)) == ({NO}, {YES})
        await rig.check_healthy()
