from pathlib import Path

import pytest

from bot.playground.wechat_faults import Answer, Status
from tests.faults.fire import fire
from tests.faults.table import Fault

FIRES: dict[Fault, tuple[Answer, ...]] = {
    Fault("WeChat", "HTTP 403", "Something between the bot and WeChat refused the call"): (
        Status(403),
    ),
}
FAULTS = tuple(FIRES)


@pytest.mark.parametrize("fault", FAULTS, ids=str)
async def test_whatever_wechat_does_the_requester_is_told_the_truth(
    fault: Fault, tmp_path: Path
) -> None:
    async with fire(tmp_path) as burning:
        burning.wechat.next(*FIRES[fault])
        assert fault.told in await burning.answer()
        await burning.stands()
