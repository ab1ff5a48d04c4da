"""Private replies that Slack carries out only after the bot gave up on them, at their real intervals."""

from dataclasses import replace

import pytest

from bot.playground.faults import Drop, Fault, Late
from bot.runtime.clock import Runtime
from bot.slack.api import RESPONSE_URL
from tests.conftest import RELEASES, calls_of
from tests.rig import APPROVE, SECOND, Rig

pytestmark = pytest.mark.slow

LATE = Late(25.0, Drop(silence=None))  # seconds; the bot gives up on a call after 15


@pytest.mark.parametrize("faults", [[LATE], [LATE, LATE]], ids=["once", "twice"])
async def test_a_reply_that_slack_carries_out_late_stands_twice_in_one_place(
    rig: Rig, faults: list[Fault]
) -> None:
    rig.runtime = replace(rig.runtime, sleep=Runtime().sleep)
    async with rig.bot(APPROVE):
        await rig.ask()
        await rig.question()
        rig.slack.fail(RESPONSE_URL, *faults)
        await rig.slack.click(SECOND, rig.slack.parents(RELEASES)[0], "cancel")
        await rig.slack.until(lambda _: len(rig.heard[SECOND]) == 2)
        await rig.slack.settled()
    first, second = rig.heard[SECOND]
    assert first == second
    assert [each.via for each in rig.slack.shown_to(SECOND)] == ["response_url"] * 2
    assert calls_of(rig.slack, "chat.postEphemeral") == 0
