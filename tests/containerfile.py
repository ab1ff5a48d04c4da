"""Run the Containerfile's steps in a folder, without a container engine: `python -m tests.containerfile FOLDER`.

The folder stands for the image's root, and the first `python` and `pip` on the PATH for those of the base image. Users,
volumes and ports are left out. At the end the image's program says its version, with the commit that was given to the
build, and that it has no demo.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def containerfile() -> str:
    """Return the Containerfile's text."""
    return (ROOT / "bot/ops/Containerfile").read_text(encoding="utf-8")


def steps() -> list[tuple[str, str]]:
    """Return each instruction with its arguments."""
    lines = containerfile().replace("\\\n", " ").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return [(instruction, rest) for instruction, rest in pairs]


def only(instruction: str) -> str:
    """Return the arguments of an instruction that occurs once."""
    (rest,) = [rest for name, rest in steps() if name == instruction]
    return rest


def build(root: Path, argument: str) -> None:
    """Run the steps that make files: COPY from the repository, and RUN, with a value for the one build argument."""
    root.mkdir()
    environ = {**os.environ, only("ARG"): argument}
    for instruction, rest in steps():
        if instruction == "RUN":
            shell = ["sh", "-euxc", _within(root, rest)]
            subprocess.run(shell, check=True, env=environ)
        elif instruction == "COPY" and not rest.startswith("--from="):
            *sources, target = rest.split()
            for source in sources:
                _copy(ROOT / source, Path(_within(root, target)))


def run(root: Path, *arguments: str) -> tuple[int, str]:
    """Run the image's program with exactly its environment; return the exit code and all that it said."""
    variables = dict(pair.split("=", 1) for pair in only("ENV").split())
    environ = {name: _within(root, value) for name, value in variables.items()}
    program = [_within(root, word) for word in json.loads(only("ENTRYPOINT"))]
    done = subprocess.run(
        [*program, *arguments],
        cwd=_within(root, only("WORKDIR")),
        env={"PATH": os.defpath, **environ},
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    return done.returncode, done.stdout


def _within(root: Path, text: str) -> str:
    """Move absolute paths under the root."""
    return re.sub(r"(?<!\S)/", f"{root}/", text)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


if __name__ == "__main__":
    image = Path(sys.argv[1]).resolve()
    build(image, COMMIT)
    version, demo = run(image, "--version"), run(image, "demo")
    print(version[1], demo[1], sep="")  # noqa: T201  # the gate shows it
    assert (version[0], demo[0]) == (0, 2)
    assert f"({COMMIT[:10]})" in version[1]
