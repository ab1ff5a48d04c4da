"""Faults of the connection to WeChat."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bot.guidance import Trouble
from bot.playground.faults import Code, Drop, Slow
from bot.playground.faults import Fault as Injected
from tests.cut_off import CUT_OFF, drip
from tests.faults.rig import start_rig
from tests.faults.table import Fault
from tests.faults.tls_proxy import State, break_during_renewal, tls_proxy
from tests.faults.wechat_faults import (
    MAYBE,
    NO,
    Case,
    assert_truthful,
    marks,
    plain,
    rig_with_owners,
    with_and_without_expiry,
)

pytestmark = pytest.mark.slow

WECHAT = "WeChat"
LOST = f"{MAYBE} {Trouble.LOST.value.title}"
LATE = f"{MAYBE} {Trouble.TIMEOUT.value.title}"
YES = "✅ Shared"

BROKEN: Mapping[Fault, Sequence[Injected]] = {
    Fault(WECHAT, "the connection closed or reset before the answer, done or not", LOST): (
        *(Drop(), Drop(after_effect=True), Drop(reset=True), Drop(after_effect=True, reset=True)),
    ),
    Fault(WECHAT, "the connection closed or reset within the body, which is done", LOST): (
        *(CUT_OFF, replace(CUT_OFF, reset=True)),
    ),
}
ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"errcode":0}'
WHOLE = {
    Fault(WECHAT, "the connection reset after the body", YES): (
        Drop(after_effect=True, sent=ANSWER, reset=True),
    ),
}
SLOW: Mapping[Fault, Sequence[Injected]] = {
    Fault(WECHAT, "accept and hang, done or not", LATE): (
        Drop(silence=60),
        Slow(60, after_effect=True),
    ),
    Fault(WECHAT, "a slow drip, which is done", LATE): (drip(0.1),),
}
AFTERWARDS = Fault(WECHAT, "one of these once, and a yes to the next try", YES)
UNTRUSTED = f"{NO} {Trouble.NOT_SENT_TLS.value.title}"
UNREACHED = f"{NO} {Trouble.NOT_SENT_CONNECT.value.title}"
PROXY_STATES: Mapping[Fault, tuple[State, State]] = {
    Fault(WECHAT, "a certificate that nobody trusts", UNTRUSTED): (State.TRUSTED, State.UNTRUSTED),
    Fault(WECHAT, "no TLS where the bot expects it", UNTRUSTED): (State.TRUSTED, State.PLAIN),
    Fault(WECHAT, "TLS where the bot does not expect it", LOST): (State.PLAIN, State.UNTRUSTED),
    Fault(WECHAT, "connection refused", UNREACHED): (State.TRUSTED, State.REFUSING),
    Fault(WECHAT, "a host that DNS does not know", UNREACHED): (State.PLAIN, State.NO_DNS),
}
EXPIRING = Fault(WECHAT, "any of the above in the call after a token has expired", "the same")
FAULTS = (*BROKEN, *WHOLE, *SLOW, AFTERWARDS, *PROXY_STATES, EXPIRING)


async def test_a_broken_connection_is_reported_as_unknown(
    tmp_path: Path, subtests: pytest.Subtests
) -> None:
    once = [*(each for answers in BROKEN.values() for each in answers), Code(-1), Code(-1000)]
    cases = with_and_without_expiry(BROKEN)
    cases += [
        Case(AFTERWARDS, len(cases) + 2 * number + expiring, (answer, Code(0)), expiring=expiring)
        for number, answer in enumerate(once)
        for expiring in (False, True)
    ]
    async with rig_with_owners(tmp_path) as rig:
        await assert_truthful(rig, cases, subtests)
        tries = [call.env for call in rig.wechat.calls]
        for case in cases:
            if case.fault is AFTERWARDS:
                assert tries.count(case.env) == len(case.answers) + case.expiring
        # Separately, since the next user of such a connection learns too late that it is closed.
        await assert_truthful(rig, with_and_without_expiry(WHOLE, first=len(cases)), subtests)


async def test_a_timeout_is_reported_as_unknown(tmp_path: Path, subtests: pytest.Subtests) -> None:
    async with rig_with_owners(tmp_path, WECHAT_TIMEOUT="1") as rig:
        await assert_truthful(rig, with_and_without_expiry(SLOW), subtests)


async def test_a_call_that_never_reached_wechat_is_reported_as_failed(
    tmp_path_factory: pytest.TempPathFactory, subtests: pytest.Subtests
) -> None:
    folders = [tmp_path_factory.mktemp("proxy") for _ in PROXY_STATES]
    told = await asyncio.gather(
        *(
            break_and_recover(*PROXY_STATES[f], d)
            for f, d in zip(PROXY_STATES, folders, strict=True)
        )
    )
    for fault, texts in zip(PROXY_STATES, told, strict=True):
        for text in texts:
            with subtests.test(str(fault)):
                assert fault.told in plain(text)
                assert marks(text) == {fault.told[0]}


async def break_and_recover(usual: State, then: State, folder: Path) -> list[str]:
    """Break the connection to WeChat, check that the bot works afterwards, and return what was told."""
    async with (
        tls_proxy(folder, usual) as proxy,
        start_rig(folder, WECHAT_API_URL=proxy.url, **proxy.settings) as rig,
    ):
        told = await break_during_renewal(rig, proxy, then)
        await rig.check_healthy()
        return told
