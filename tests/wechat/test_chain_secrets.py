"""No secret of the platform is in any log line, error or repr, whatever goes wrong."""

import asyncio
from dataclasses import replace

import pytest

from bot.playground.faults import Code, Drop, Fault, Status
from bot.playground.wechat.server import LocalWeChat
from bot.wechat.api import NoAnswer
from bot.wechat.upkeep import link_states
from tests.production_log import logging_as_in_production
from tests.wechat.conftest import OTHER, OWNER
from tests.wechat.replicas import KEY, Replica, Replicas, pushed, serving

FAILURES: list[Fault] = [
    Code(40001),
    Code(61023),
    Code(-1),
    Status(502),
    Drop(),
    Drop(silence=0.01),
]
FAILURES += [
    Status(302, headers={"Location": "http://127.0.0.1:1/"}),
    Status(200, b'{"component_access_token":"made-up"}'),
]


def secrets_of(wechat: LocalWeChat) -> list[str]:
    """Return the marker in all secrets of the playground's platform, and the ledger's key."""
    platform = wechat.platform
    return ["made-up", platform.encoding_aes_key, platform.message_token, KEY]


async def exercise(replica: Replica, replicas: Replicas, wechat: LocalWeChat) -> list[str]:
    """Make everything happen that can happen to the chain; return the repr of all results and objects."""
    platform, shown = wechat.platform, list[str]()
    async with serving(wechat, replica) as platform.callback:
        await platform.push_ticket()
        await platform.push_authorized(OTHER)
        token = await replica.token()
        for endpoint in ("api_component_token", "api_authorizer_token", "api_get_authorizer_info"):
            for failure in FAILURES:
                wechat.fail(endpoint, failure, failure)
                replicas.run_out("component", OWNER)
                replica.chain.invalidate("component")
                replica.chain.invalidate(OWNER)
                got = await replica.chain.token(OWNER)
                shown.append(repr(got) if isinstance(got, NoAnswer) else "a token")
        with replicas.full():
            replicas.run_out(OWNER)
            replica.chain.invalidate(OWNER)
            shown.append(repr(await replica.chain.token(OWNER)))
        with replicas.down():
            await platform.push_ticket()
            shown.append(repr(await replica.chain.token(OWNER, token)))
        genuine = pushed(wechat, "component_verify_ticket", 1.0, ComponentVerifyTicket="made-up")
        forged = replace(genuine, query={**genuine.query, "msg_signature": "made-up"})
        assert (await platform.deliver(forged))[0] == 403
        await platform.push_unauthorized(OTHER)
    kept = await replica.tokens.all()
    seeded = replicas.make(seeds={OWNER: "made-up"}).chain
    objects = [replica, *vars(replica).values(), seeded, kept, *kept.values(), replica.upkeep]
    return [*shown, *map(repr, objects), repr(link_states(kept, [OWNER]))]


@pytest.mark.parametrize("log_format", ["json", "text"])
async def test_no_secret_is_logged_or_shown_whatever_happens(
    replica: Replica,
    replicas: Replicas,
    wechat: LocalWeChat,
    capsys: pytest.CaptureFixture[str],
    log_format: str,
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)  # so that asyncio logs what it runs
    loop.slow_callback_duration = 60  # of a task that is slow it would log the result
    with logging_as_in_production(log_format=log_format):
        shown = await exercise(replica, replicas, wechat)
    logged = capsys.readouterr().err
    for secret in secrets_of(wechat):
        assert secret not in logged
        assert [each for each in shown if secret in each] == []
    for message in (
        "token renewed",
        "token not renewed",
        "store tokens",
        "authorisation withdrawn",
    ):
        assert message in logged
