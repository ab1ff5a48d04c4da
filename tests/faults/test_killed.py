from pathlib import Path

import pytest

from tests.faults.kills import survive

KILLS = 200


@pytest.mark.timeout(900)
async def test_after_200_kills_nothing_is_lost_and_nothing_is_answered_twice(
    tmp_path: Path,
) -> None:
    await survive(KILLS, "sqlite:///ledger.db", tmp_path)
