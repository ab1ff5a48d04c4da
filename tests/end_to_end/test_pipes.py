import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import ROOT


@pytest.mark.parametrize(
    "command",
    [("policy",), ("policy", "--json"), ("audit", "--format", "csv"), ("demo", "--script")],
    ids=" ".join,
)
def test_who_reads_no_further_gets_no_traceback(
    command: tuple[str, ...], tmp_path: Path, empty_ledger: Path
) -> None:
    (tmp_path / "policy.toml").write_text('[[rule]]\nusers = ["*"]\neffect = "allow"\n')
    shutil.copyfile(empty_ledger, tmp_path / "share-env.db")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bot", *command],
            cwd=tmp_path,
            env=environ,
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
        )
    finally:
        os.close(writer)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr
