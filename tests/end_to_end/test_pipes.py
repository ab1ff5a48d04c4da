import os
import shutil
from pathlib import Path

import pytest

from tests.end_to_end.conftest import spawn


@pytest.mark.parametrize(
    "command",
    [("policy",), ("policy", "--json"), ("audit", "--format", "csv"), ("demo", "--script")],
    ids=" ".join,
)
async def test_a_closed_output_pipe_causes_no_traceback(
    command: tuple[str, ...], tmp_path: Path, empty_ledger: Path
) -> None:
    (tmp_path / "policy.toml").write_text('[[rule]]\nusers = ["*"]\neffect = "allow"\n')
    shutil.copyfile(empty_ledger, tmp_path / "share-env.db")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        process = await spawn({}, tmp_path, *command, stdout=writer)
    finally:
        os.close(writer)
    _, err = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in err
