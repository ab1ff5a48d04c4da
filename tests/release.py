"""Make a release from the checked-out commit, and check it: `python -m tests.release FOLDER`.

The folder gets the wheel, the image's context, an SBOM and SHA256SUMS, all equal to the byte wherever and whenever the
commit is built: everything is made twice, in different folders, and compared. Then the wheel is installed on the
packages of the lock, and says its version. Everything is read from what git holds of the commit, never from the clone's
files; changes that are not committed are named.
"""

import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL
from packaging.requirements import Requirement

from tests.containerfile import ROOT, steps

LOCK = ".requirements.run.lock"
SBOM = "share-env-bot.cdx.json"
CONTEXT = "share-env-bot-context.tar"
SUMS = "SHA256SUMS"
_VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)


class ReleaseError(Exception):
    """The release must not go out; the text says why."""


@dataclass(frozen=True)
class Commit:
    """What is released: the commit's hash, and its time in seconds since 1970."""

    sha: str
    time: int


def head(root: Path = ROOT) -> Commit:
    """Return the checked-out commit of a clone; raises `ReleaseError` without git, or for a folder that is no clone."""
    sha, time = _git(root, "log", "-1", "--format=%H %ct").decode().split()
    return Commit(sha, int(time))


def uncommitted(root: Path = ROOT) -> str:
    """Return what a clone has beside its commit, a line for each file, as `git status --short` does."""
    return _git(root, "status", "--short").decode()


@contextmanager
def exported(commit: Commit, root: Path = ROOT) -> Iterator[Path]:
    """Give a folder with what git holds of the commit, and nothing else."""
    with TemporaryDirectory() as folder:
        archive = io.BytesIO(_git(root, "archive", "--format=tar", commit.sha))
        with tarfile.open(fileobj=archive) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def make(commit: Commit, target: Path, root: Path = ROOT) -> None:
    """Write the release's files into an empty or new folder."""
    target.mkdir(parents=True, exist_ok=True)
    with exported(commit, root) as source:
        _write_context(commit, source, target / CONTEXT)
        (target / SBOM).write_text(sbom(commit, source), encoding="utf-8")
        # The wheel comes last: its hook imports the bot, and that may leave bytecode.
        _write_wheel(commit, source, target)
    (target / SUMS).write_text(sums(target), encoding="utf-8")


def sums(folder: Path) -> str:
    """Return a line for each file, as `sha256sum --check` reads them."""
    files = sorted(path for path in folder.iterdir() if path.name != SUMS)
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files
    )


def version(source: Path) -> str:
    """Return the version of the bot in a folder, which the newest section of its changelog must have too."""
    (found,) = _VERSION.findall((source / "bot/__init__.py").read_text(encoding="utf-8"))
    changes = (source / "bot/CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.findall(r"^## (.+)$", changes, re.MULTILINE)[0]
    if newest != found:
        raise ReleaseError(f"bot/CHANGELOG.md begins with {newest}, but this is version {found}")
    return str(found)


def sbom(commit: Commit, source: Path) -> str:
    """Return the bot and its locked packages, with the hashes in the lock, as CycloneDX JSON."""
    bot = _component("share-env-bot", version(source), ComponentType.APPLICATION)
    packages = [
        _component(name, number, ComponentType.LIBRARY, hashes)
        for name, number, hashes in locked((source / LOCK).read_text(encoding="utf-8"))
    ]
    serial = uuid5(NAMESPACE_URL, f"share-env-bot@{commit.sha}")
    bom = Bom(components=packages, serial_number=serial)
    bom.metadata.component = bot
    bom.metadata.timestamp = datetime.fromtimestamp(commit.time, UTC)
    bom.register_dependency(bot, packages)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def locked(lock: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield the name, the version and the SHA-256 hashes of each package in the text of a lock."""
    for entry in re.findall(r"^[^#\s].*(?:\n    .*)*", lock, re.MULTILINE):
        requirement = Requirement(entry.partition("\\")[0])
        (pin,) = requirement.specifier
        yield requirement.name, pin.version, re.findall(r"sha256:([0-9a-f]{64})", entry)


def check(made: Path, again: Path, lock: str) -> None:
    """Compare two builds, and the SBOM with its schema and the lock; raises `ReleaseError`."""
    if (first := sums(made)) != (second := sums(again)):
        raise ReleaseError(f"two builds differ:\n{first}{second}")
    text = (made / SBOM).read_text(encoding="utf-8")
    if JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        raise ReleaseError(f"{SBOM} breaks CycloneDX's schema")
    held = {(part["name"], part["version"]) for part in json.loads(text)["components"]}
    wanted = {(name, number) for name, number, _ in locked(lock)}
    if held != wanted:
        raise ReleaseError(f"{SBOM} and {LOCK} differ in {sorted(held ^ wanted)}")


def install(made: Path, lock: Path, scratch: Path, commit: Commit) -> None:
    """Install the wheel on the lock's packages, in an environment of its own; raises `ReleaseError`."""
    (wheel,) = made.glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", scratch], check=True)
    pip = (scratch / "bin/pip", "install", "-q", "--no-compile")
    locks = ("--require-hashes", "--only-binary", ":all:", "-r", lock)
    subprocess.run([*pip, *locks], check=True)
    subprocess.run([*pip, "--no-deps", wheel], check=True)
    program = (scratch / "bin/share-env-bot", "--version")
    said = subprocess.run(program, cwd=scratch, check=True, capture_output=True, text=True).stdout
    if f"{wheel.name.split('-')[1]} ({commit.sha[:10]})" not in said:
        raise ReleaseError(f"{wheel.name} says that it is {said}")


def _git(root: Path, *arguments: str) -> bytes:
    # Else git takes a clone around the folder for it.
    command = ["git", f"--git-dir={root / '.git'}", *arguments]
    try:
        return subprocess.run(command, cwd=root, check=True, capture_output=True).stdout
    except FileNotFoundError as error:
        raise ReleaseError("A release is made from a commit, and there is no git here.") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode().strip()
        raise ReleaseError(
            f"A release is made from a commit, and {root} is no clone: {said}"
        ) from error


def _write_wheel(commit: Commit, source: Path, target: Path) -> None:
    environ = {**os.environ, "SOURCE_DATE_EPOCH": str(commit.time), "SOURCE_COMMIT": commit.sha}
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target.resolve())]
    subprocess.run(build, cwd=source, check=True, env=environ)


def _write_context(commit: Commit, source: Path, target: Path) -> None:
    """Write what the Containerfile copies, itself included, with one owner, one time and one mode."""
    with tarfile.open(target, "w", format=tarfile.USTAR_FORMAT) as tar:
        for path in sorted(copied(source)):
            entry = tarfile.TarInfo(path.relative_to(source).as_posix())
            body = path.read_bytes()
            entry.size, entry.mtime = len(body), commit.time
            entry.mode = 0o644
            tar.addfile(entry, io.BytesIO(body))


def copied(source: Path) -> Iterator[Path]:
    """Yield each file that the Containerfile copies from the repository."""
    for instruction, rest in steps(source):
        if instruction == "COPY" and not rest.startswith("--from="):
            for path in (source / name for name in rest.split()[:-1]):
                yield from filter(Path.is_file, path.rglob("*") if path.is_dir() else [path])


def _component(
    name: str, number: str, kind: ComponentType, hashes: list[str] | None = None
) -> Component:
    url = PackageURL("pypi", name=name, version=number) if kind is ComponentType.LIBRARY else None
    found = [HashType(alg=HashAlgorithm.SHA_256, content=content) for content in hashes or []]
    return Component(
        name=name, version=number, type=kind, bom_ref=f"{name}@{number}", purl=url, hashes=found
    )


def main(target: Path) -> None:
    """Make the release and check it; raises `ReleaseError`."""
    commit = head()
    if left_out := uncommitted():
        print(f"Not in the release, since it is not committed:\n{left_out}", file=sys.stderr)  # noqa: T201  # it is a program
    with TemporaryDirectory() as scratch, exported(commit) as source:
        again, lock = Path(scratch, "again"), source / LOCK
        make(commit, target)
        make(commit, again)
        check(target, again, lock.read_text(encoding="utf-8"))
        install(target, lock, Path(scratch, "venv"), commit)
    print((target / SUMS).read_text(encoding="utf-8"), end="")  # noqa: T201  # it is a program


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except ReleaseError as why:
        sys.exit(str(why))
