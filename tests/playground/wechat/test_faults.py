from dataclasses import replace

import aiohttp
import pytest

from bot.playground.faults import Drop, Fault
from tests.cut_off import CUT_OFF
from tests.playground.wechat.conftest import OWNER, Caller
from tests.token_server import TokenWeChat


@pytest.mark.parametrize(
    ("fault", "shared"),
    [
        (Drop(), False),
        (Drop(after_effect=True), True),
        (Drop(silence=0.01), False),
        (CUT_OFF, True),
        (Drop(reset=True), False),
        (Drop(after_effect=True, reset=True), True),
        (replace(CUT_OFF, reset=True), True),
        (Drop(sent=b"HTTP/1.1 100 Continue\r\n\r\n"), False),
    ],
    ids=repr,
)
async def test_a_lost_answer_does_not_reveal_whether_the_env_was_shared(
    wechat: TokenWeChat, caller: Caller, fault: Fault, shared: bool
) -> None:
    token = wechat.issue(OWNER)
    wechat.fail("shareenv", fault)
    with pytest.raises(aiohttp.ClientError):
        await caller.share(token)
    assert bool(wechat.shared) is shared


async def test_a_reset_comes_at_once_and_as_a_reset(wechat: TokenWeChat, caller: Caller) -> None:
    wechat.fail("shareenv", Drop(after_effect=True, reset=True))
    with pytest.raises(aiohttp.ClientOSError, match="reset"):
        await caller.share(wechat.issue(OWNER))
