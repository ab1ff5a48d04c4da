"""The page in a browser, once, for the quick stage; all the rest of it is slow."""

import pytest

from bot.playground.world import APPID
from tests.playground.page.conftest import Sit

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_share_is_seen_as_it_happens_and_answered_in_a_thread(sit: Sit) -> None:
    seat = await sit()
    await seat.type(f"/share-env {APPID} prod-1")
    await seat.sees("On it: sharing prod-1")
    await seat.sees("@requester shared prod-1")
    await seat.sees("(edited)")
    await seat.click("1 reply")
    await seat.sees("must let the appid in", seat.pane)
