import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from zipfile import ZipFile

import pytest

import bot
from bot import __version__
from bot.runtime.release import release

ROOT = Path(bot.__file__).parents[1]
COMMIT = "0123456789abcdef0123456789abcdef01234567"
GIT = "git", "-c", "user.name=Nobody", "-c", "user.email=nobody@example.com"


def run(folder: Path, *command: str, **more: str) -> str:
    environ = {"PATH": os.environ["PATH"], **more}
    return subprocess.run(
        command, cwd=folder, env=environ, check=True, stdout=subprocess.PIPE, text=True
    ).stdout


def commit(folder: Path) -> str:
    """Make a clone of a folder, and return the version with its commit."""
    run(folder, "git", "init", "-q")
    run(folder, *GIT, "commit", "-q", "--allow-empty", "-m", "made up")
    return f"{__version__} ({run(folder, 'git', 'rev-parse', 'HEAD')[:10]})"


def built(sources: Path, kinds: Sequence[str] = ("wheel",), **environ: str) -> Path:
    """Build each kind, each from the one before, and return the last."""
    for kind in kinds:
        run(sources, sys.executable, "-m", "hatchling", "build", "-t", kind, **environ)
        (archive,) = (sources / "dist").iterdir()
        if kind == "sdist":
            shutil.unpack_archive(archive, sources / "unpacked", filter="data")
            (sources,) = (sources / "unpacked").iterdir()
    return archive


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Return a copy of what makes the smallest wheel."""
    sources = tmp_path / "sources"
    for name in (
        *("pyproject.toml", "README.md", "bot/__init__.py"),
        *("bot/runtime/release.py", "bot/ops/build_hook.py"),
    ):
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, sources / name)
    return sources


def installed(wheel: Path) -> str:
    """Return the version that an installed wheel says."""
    place = wheel.parent / "installed"
    ZipFile(wheel).extractall(place)
    return release(place)


def test_a_clone_has_its_commit_in_the_version(tmp_path: Path) -> None:
    version = commit(tmp_path)
    assert release(tmp_path) == version
    run(tmp_path, "git", "worktree", "add", "-q", "another")
    assert release(tmp_path / "another") == version


def test_without_a_clone_of_its_own_the_version_has_no_commit(tmp_path: Path) -> None:
    commit(tmp_path)
    within = tmp_path / "within"  # such as what is installed in a clone's environment
    within.mkdir()
    assert release(within) == __version__
    (within / ".git").mkdir()  # what git does not know as a clone
    assert release(within) == __version__


def test_a_clone_of_which_git_says_nothing_has_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, "git", "init", "-q")
    assert release(tmp_path) == __version__  # no commit yet
    monkeypatch.setenv("PATH", str(tmp_path))
    assert release(tmp_path) == __version__  # no git
    fails = tmp_path / "git"
    fails.write_text(f"#!/bin/sh\necho {COMMIT}\nexit 128\n")
    fails.chmod(0o755)
    assert release(tmp_path) == __version__  # a git that fails


def test_a_clone_is_not_given_the_commit_of_another_that_a_variable_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    another = tmp_path / "another"
    another.mkdir()
    commit(another)
    run(tmp_path, "git", "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(another / ".git"))  # as in a hook of git's
    assert release(tmp_path) == __version__  # no commit yet


@pytest.mark.parametrize("kinds", [["wheel"], ["sdist", "wheel"]], ids="-".join)
def test_a_wheel_knows_the_commit_that_it_was_built_from(
    sources: Path, kinds: Sequence[str]
) -> None:
    assert release(sources) == __version__
    version = commit(sources)
    assert installed(built(sources, kinds, SOURCE_COMMIT=COMMIT)) == version


@pytest.mark.parametrize(
    ("environ", "version"),
    [({}, __version__), ({"SOURCE_COMMIT": COMMIT}, f"{__version__} ({COMMIT[:10]})")],
    ids=["without", "with"],
)
def test_without_a_clone_a_wheel_has_the_commit_that_a_variable_names(
    sources: Path, environ: dict[str, str], version: str
) -> None:
    assert installed(built(sources, **environ)) == version


def test_two_builds_of_one_commit_are_the_same(sources: Path) -> None:
    commit(sources)
    first = built(sources).read_bytes()
    shutil.rmtree(sources / "dist")
    assert built(sources).read_bytes() == first
