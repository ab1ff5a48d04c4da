"""The bot's dependencies: two locks, wheels only, each checked by its hashes."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import cast
from zipfile import ZipFile

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
GATE = (ROOT / ".ci/run").read_text(encoding="utf-8")
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, BUILT_WITH = PYPROJECT["project"], PYPROJECT["build-system"]["requires"]
EXTRAS = PROJECT["optional-dependencies"]
TO_RUN = [*PROJECT["dependencies"], *EXTRAS["postgres"], *EXTRAS["uvloop"]]
LOCKS = (".requirements.lock", ".requirements.run.lock")
ASKED = [*zip(LOCKS, ([*TO_RUN, *EXTRAS["dev"], *BUILT_WITH], TO_RUN), strict=True)]
MACHINES = (
    {"sys_platform": "linux", "os_name": "posix", "platform_system": "Linux"},
    {"sys_platform": "darwin", "os_name": "posix", "platform_system": "Darwin"},
    {"sys_platform": "win32", "os_name": "nt", "platform_system": "Windows"},
)
PYTHONS = ("3.11", "3.12", "3.13", "3.14")


def entries(lock: str) -> dict[str, str]:
    """Return each package's complete entry: version, marker and hashes."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    found = re.findall(r"^\S+==.*(?:\n    .*)*", text, re.MULTILINE)
    return {canonicalize_name(re.split(r"\[|==", entry)[0]): entry for entry in found}


def locked(lock: str, environment: Mapping[str, str]) -> set[str]:
    """Return the packages that a lock installs in an environment."""
    lines = {name: entry.partition("\\")[0] for name, entry in entries(lock).items()}
    markers = {name: Requirement(line).marker for name, line in lines.items()}
    return {name for name, marker in markers.items() if holds(marker, environment)}


def needed(lines: Iterable[str], environment: Mapping[str, str]) -> set[tuple[str, str]]:
    """Return the packages and extras that requirements resolve to in an environment, using the installed packages."""
    found: set[tuple[str, str]] = set()
    ahead = [*wanted(lines, "", environment)]
    while ahead:
        package = ahead.pop()
        if package not in found:
            found.add(package)
            ahead += wanted(requires(package[0]), package[1], environment)
    return found


def wanted(
    lines: Iterable[str], extra: str, environment: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield each package required in an environment, once without an extra and once with each extra."""
    for requirement in map(Requirement, lines):
        if holds(requirement.marker, {**environment, "extra": extra}):
            for asked in {"", *requirement.extras}:
                yield canonicalize_name(requirement.name), asked


def requires(name: str) -> list[str]:
    try:
        return metadata.requires(name) or []
    except (
        metadata.PackageNotFoundError
    ):  # a package for other platforms, without further dependencies
        return []


def holds(marker: Marker | None, environment: Mapping[str, str]) -> bool:
    return marker is None or marker.evaluate({"extra": "", **environment})


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: str(machine["sys_platform"]))
@pytest.mark.parametrize("python", PYTHONS)
def test_the_run_lock_has_exactly_the_bots_dependencies_and_extras(
    machine: dict[str, str], python: str
) -> None:
    here = cast("dict[str, str]", default_environment())
    there = {**here, **machine, "python_version": python, "python_full_version": f"{python}.0"}
    assert locked(".requirements.run.lock", there) == {name for name, _ in needed(TO_RUN, there)}


@pytest.mark.parametrize(("lock", "asked"), ASKED)
def test_a_lock_has_a_suitable_version_of_every_requirement(lock: str, asked: list[str]) -> None:
    versions = {name: entry.split()[0].split("==")[1] for name, entry in entries(lock).items()}
    for requirement in map(Requirement, asked):
        version = versions[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement}: {version} is locked"


@pytest.mark.parametrize(("lock", "asked"), ASKED)
def test_a_lock_names_the_extras_too_or_an_older_pip_takes_their_newest_version(
    lock: str, asked: list[str]
) -> None:
    here = cast("dict[str, str]", default_environment())
    with_extra = [(name, extra) for name, extra in needed(asked, here) if extra]
    assert with_extra
    for name, extra in with_extra:
        assert extra in Requirement(entries(lock)[name].split()[0]).extras


def test_the_run_lock_is_a_subset_of_the_full_lock_including_hashes() -> None:
    whole, run = (entries(lock) for lock in LOCKS)
    assert len(run) < len(whole)
    assert run.items() <= whole.items()


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_hashes_for_each_package_and_no_index_url(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries(lock).values())


@pytest.mark.parametrize("lock", LOCKS)
def test_the_readme_of_the_house_has_the_command_that_made_each_lock(lock: str) -> None:
    (command,) = re.findall(r"^#    (.*)", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE)
    assert "--only-binary :all:" in command
    assert "--generate-hashes" in command
    assert command in (ROOT / "bot/README.md").read_text(encoding="utf-8")


def test_every_installation_of_a_lock_uses_wheels_and_checks_hashes() -> None:
    image = (ROOT / "bot/ops/Containerfile").read_text(encoding="utf-8")
    chinese = (ROOT / "bot/ops/README.zh-CN.md").read_text(encoding="utf-8")
    said = f"{README}\n{chinese}\n{image}\n{GATE}"
    installs = re.findall(r"^.*install.*-r \S*\.requirements.*$", said, re.MULTILINE)
    assert len(installs) == 5  # README's tests and host, the latter in Chinese too; image; gate
    for line in installs:
        assert "--require-hashes --only-binary :all: " in line
        wanted = ["forbiddenfruit"] if ".requirements.lock" in line else []  # it has no wheel
        assert re.findall(r"--no-binary (\S+)", line) == wanted


def test_the_extra_for_postgresql_has_the_tested_driver() -> None:
    (driver,) = EXTRAS["postgres"]
    assert Requirement(driver).name == "psycopg"
    assert driver in EXTRAS["dev"]
    assert "psycopg-binary" in entries(".requirements.run.lock")


def test_what_the_extras_install_is_what_the_tests_use() -> None:
    assert set(EXTRAS) == {"demo", "dev", "postgres", "uvloop"}
    assert all(set(lines) <= set(EXTRAS["dev"]) for lines in EXTRAS.values())


def test_only_the_playground_imports_what_the_demo_installs() -> None:
    product = [path for path in (ROOT / "bot").rglob("*.py") if "playground" not in path.parts]
    text = "\n".join(path.read_text(encoding="utf-8") for path in product)
    for line in EXTRAS["demo"]:
        module = Requirement(line).name.replace("-", "_")
        assert not re.search(rf"^\s*(from|import) {module}\b", text, re.MULTILINE)


def test_a_wheel_holds_neither_the_playground_nor_what_is_only_for_a_clone(tmp_path: Path) -> None:
    build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    subprocess.run(build, cwd=ROOT, check=True)
    (wheel,) = tmp_path.iterdir()
    names = ZipFile(wheel).namelist()
    assert "bot/app/process.py" in names
    only_in_a_clone = "bot/playground/", "bot/ops/build_hook.py", "tests/"
    assert not [name for name in names if name.startswith(only_in_a_clone)]
    kinds = {Path(name).suffix for name in names if name.startswith("bot/")}
    assert kinds <= {".mo", ".po", ".py", ".txt"}


def test_the_build_dependencies_are_locked_too() -> None:
    assert [Requirement(line).name for line in BUILT_WITH] == ["hatchling"]
    assert "hatchling" in entries(".requirements.lock")
    assert "--no-build-isolation" in GATE
