"""A release: the same to the byte wherever it is made, and told to operators first."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.release import (
    CONTEXT,
    LOCK,
    SBOM,
    ReleaseError,
    check,
    exported,
    head,
    main,
    make,
    version,
)
from tests.test_supply import ROOT

MOST_LINES = 10
CONFIG = ".renovaterc.json"


def newest() -> str:
    """Return the changelog's newest section, with its heading."""
    changes = (ROOT / "bot/CHANGELOG.md").read_text(encoding="utf-8")
    return "## " + changes.split("\n## ")[1]


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return two releases of one commit, from clones of different age, umask and time zone, one of them with changes."""
    folder = tmp_path_factory.mktemp("release")
    one, other = folder / "one", folder / "a" / "deeper" / "other"
    make(head(), one)
    clone = folder / "clone"
    cloning = ["git", "clone", "-q", "--no-hardlinks", str(ROOT), str(clone)]
    subprocess.run(cloning, check=True)
    for path in (clone / "bot").rglob("*.py"):
        os.utime(path, (1, 1))
    (clone / "bot/left_over.py").touch()
    (clone / "bot/ops/Containerfile").unlink()
    (clone / LOCK).unlink()
    call = f"from tests.release import *; make(head(), Path({str(other)!r}), Path({str(clone)!r}))"
    elsewhere = {**os.environ, "TZ": "Asia/Shanghai", "LC_ALL": "C", "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", f"import os; os.umask(0o077); {call}"]
    subprocess.run(command, cwd=ROOT, env=elsewhere, check=True)
    return one, other


@pytest.fixture(scope="module")
def lock() -> str:
    """Return the lock of the released commit."""
    with exported(head()) as source:
        return (source / LOCK).read_text(encoding="utf-8")


def test_two_builds_of_one_commit_are_equal_and_sha256sum_agrees(
    builds: tuple[Path, Path], lock: str
) -> None:
    one, other = builds
    check(one, other, lock)
    command = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    said = subprocess.run(command, cwd=one, check=True, capture_output=True, text=True).stdout
    assert said.count(": OK\n") == 3
    assert {path.name for path in one.iterdir()} >= {CONTEXT, SBOM}


def test_a_release_that_differs_or_misses_a_package_is_refused(
    builds: tuple[Path, Path], lock: str, tmp_path: Path
) -> None:
    one, _ = builds
    with pytest.raises(ReleaseError, match="two builds differ"):
        check(one, tmp_path, lock)
    with pytest.raises(ReleaseError, match="made-up"):
        check(one, one, f"{lock}made-up==1.0 \\\n    --hash=sha256:{'0' * 64}\n")
    (tmp_path / SBOM).write_text(json.dumps({"components": []}), encoding="utf-8")
    with pytest.raises(ReleaseError, match="schema"):
        check(tmp_path, tmp_path, lock)


def test_without_git_or_a_clone_there_is_no_release_and_a_sentence_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ReleaseError, match="bot is no clone"):  # the one around it is another
        head(ROOT / "bot")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ReleaseError, match="there is no git here"):
        main(tmp_path / "release")


def test_a_release_is_refused_while_the_changelog_begins_with_another_version(
    tmp_path: Path,
) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot/__init__.py").write_text('__version__ = "2.0.0"\n', encoding="utf-8")
    (tmp_path / "bot/CHANGELOG.md").write_text("# Changes\n\n## Unreleased\n", encoding="utf-8")
    with pytest.raises(ReleaseError, match=r"begins with Unreleased, but this is version 2\.0\.0"):
        version(tmp_path)


def test_the_newest_section_begins_with_what_to_know_before_an_upgrade() -> None:
    heading, first, rest = re.split(r"\n\n", newest(), maxsplit=2)
    assert heading.removeprefix("## ") in {version(ROOT), "Unreleased"}
    assert first == "### Before you upgrade"
    before, folded, _ = rest.partition("\n<details>\n")
    assert folded
    assert 0 < len(before.strip().splitlines()) <= MOST_LINES


def test_the_dependency_bots_configuration_is_valid() -> None:
    command = (sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.renovate")
    subprocess.run([*command, CONFIG], cwd=ROOT, check=True)
