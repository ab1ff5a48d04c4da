import shutil
from pathlib import Path

import pytest
from hatchling.metadata.core import ProjectMetadata
from hatchling.plugin.manager import PluginManager

import bot
from bot import __version__
from bot.runtime.release import numbered, release

ROOT = Path(bot.__file__).parents[1]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    ("files", "known"),
    [
        ({}, False),
        ({"HEAD": COMMIT}, True),
        ({"HEAD": "ref: refs/heads/main\n", "refs/heads/main": f"{COMMIT}\n"}, True),
        ({"HEAD": "ref: refs/heads/main\n", "packed-refs": f"{COMMIT} refs/heads/main\n"}, True),
        ({"HEAD": "ref: refs/heads/main\n", "packed-refs": f"{COMMIT} refs/heads/other\n"}, False),
        ({"HEAD": "ref: refs/heads/main\n"}, False),
        ({"HEAD": "something else"}, False),
    ],
    ids=["no clone", "detached", "a branch", "packed", "another's", "no commit yet", "odd"],
)
def test_the_version_includes_the_commit_if_it_is_known(
    tmp_path: Path, files: dict[str, str], known: bool
) -> None:
    for name, content in files.items():
        path = tmp_path / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="ascii")
    assert release(tmp_path) == (f"{__version__} ({COMMIT[:10]})" if known else __version__)
    assert numbered(tmp_path) == (f"{__version__}+g{COMMIT[:10]}" if known else __version__)


@pytest.mark.parametrize("kept", ["HEAD", "refs/heads/main"])
def test_a_worktree_knows_its_commit(tmp_path: Path, kept: str) -> None:
    git, worktree = tmp_path / "clone/.git", tmp_path / "worktree"
    own = git / "worktrees/one"
    for folder in (worktree, own, git / "refs/heads"):
        folder.mkdir(parents=True)
    (worktree / ".git").write_text(f"gitdir: {own}\n", encoding="utf-8")
    (own / "commondir").write_text("../..\n", encoding="ascii")
    (own / "HEAD").write_text("ref: refs/heads/main\n", encoding="ascii")
    (git / kept if "/" in kept else own / kept).write_text(f"{COMMIT}\n", encoding="ascii")
    assert release(worktree) == f"{__version__} ({COMMIT[:10]})"


def test_a_submodule_knows_its_commit(tmp_path: Path) -> None:
    (tmp_path / ".git/modules/bot").mkdir(parents=True)
    (tmp_path / ".git/modules/bot/HEAD").write_text(COMMIT, encoding="ascii")
    (tmp_path / "bot").mkdir()
    (tmp_path / "bot/.git").write_text("gitdir: ../.git/modules/bot\n", encoding="ascii")
    assert release(tmp_path / "bot") == f"{__version__} ({COMMIT[:10]})"


@pytest.mark.parametrize("clone", [True, False])
def test_an_installed_wheel_knows_the_commit_that_it_was_built_from(
    tmp_path: Path, clone: bool
) -> None:
    sources, installed = tmp_path / "sources", tmp_path / "installed"
    for name in ("pyproject.toml", "README.md", "bot/__init__.py", "bot/runtime/release.py"):
        (sources / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, sources / name)
    if clone:
        (sources / ".git").mkdir()
        (sources / ".git/HEAD").write_text(COMMIT, encoding="ascii")
    version = ProjectMetadata(str(sources), PluginManager()).version
    about = installed / f"share_env_bot-{version}.dist-info/METADATA"
    about.parent.mkdir(parents=True)
    about.write_text(f"Name: share-env-bot\nVersion: {version}\n", encoding="ascii")
    assert release(installed) == (f"{__version__} ({COMMIT[:10]})" if clone else __version__)
