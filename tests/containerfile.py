"""Run a context's Containerfile in a folder, without a container engine: `python -m tests.containerfile CONTEXT FOLDER`.

The context is a clone, or that of a release, unpacked. The folder stands for the image's root, and the first `python` and `pip` on the PATH for those of the base image. Users,
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


def containerfile(context: Path = ROOT) -> str:
    """Return the Containerfile's text."""
    return (context / "bot/ops/Containerfile").read_text(encoding="utf-8")


def steps(context: Path = ROOT) -> list[tuple[str, str]]:
    """Return each instruction with its arguments."""
    lines = containerfile(context).replace("\\\n", " ").splitlines()
    pairs = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    return [(instruction, rest) for instruction, rest in pairs]


def only(instruction: str, context: Path = ROOT) -> str:
    """Return the arguments of an instruction that occurs once."""
    (rest,) = [rest for name, rest in steps(context) if name == instruction]
    return rest


def build(context: Path, root: Path, argument: str) -> None:
    """Run the steps that make files: COPY from the context, and RUN, with a value for the one build argument."""
    root.mkdir()
    environ = {**os.environ, only("ARG", context): argument}
    for instruction, rest in steps(context):
        if instruction == "RUN":
            shell = ["sh", "-euxc", _within(root, rest)]
            subprocess.run(shell, check=True, env=environ)
        elif instruction == "COPY" and not rest.startswith("--from="):
            *sources, target = rest.split()
            for source in sources:
                _copy(context / source, Path(_within(root, target)))


def run(context: Path, root: Path, *arguments: str) -> tuple[int, str]:
    """Run the image's program with exactly its environment; return the exit code and all that it said."""
    variables = dict(pair.split("=", 1) for pair in only("ENV", context).split())
    environ = {name: _within(root, value) for name, value in variables.items()}
    program = [_within(root, word) for word in json.loads(only("ENTRYPOINT", context))]
    done = subprocess.run(
        [*program, *arguments],
        cwd=_within(root, only("WORKDIR", context)),
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
    given, image = (Path(argument).resolve() for argument in sys.argv[1:])
    build(given, image, COMMIT)
    version, demo = run(given, image, "--version"), run(given, image, "demo")
    print(version[1], demo[1], sep="")  # noqa: T201  # the gate shows it
    assert (version[0], demo[0]) == (0, 2)
    assert f"({COMMIT[:10]})" in version[1]
