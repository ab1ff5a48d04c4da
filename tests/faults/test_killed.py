from pathlib import Path

import pytest

from tests.faults.kills import assert_survives_kills

pytestmark = pytest.mark.slow


@pytest.mark.timeout(900)
async def test_after_many_kills_nothing_is_lost_and_nothing_is_answered_twice(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    await assert_survives_kills(pytestconfig.getoption("--kills"), "sqlite:///ledger.db", tmp_path)
