from pathlib import Path

import pytest

from bot import __version__
from bot.runtime.release import release

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
def test_the_version_has_the_commit_where_that_is_known(
    tmp_path: Path, files: dict[str, str], known: bool
) -> None:
    for name, content in files.items():
        path = tmp_path / ".git" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="ascii")
    assert release(tmp_path) == (f"{__version__} ({COMMIT[:10]})" if known else __version__)
