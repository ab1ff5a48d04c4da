"""The doctor's findings by the names of its checks."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot.domain.finding import Finding, Level
from bot.ledger.database import open_database
from bot.ops.doctor.findings import Printed, by_cause
from bot.ops.doctor.run import examine
from bot.runtime.clock import Runtime

A, B = "wx0123456789abcdef", "wx5fe6bb43205e9e70"

CHECKS = (
    *(
        "settings",
        "environment",
        "slack-bot",
        "slack-scopes",
        "slack-app",
        "slack-connections",
        "slack-workspaces",
        "slack-groups",
    ),
    *(
        "slack-people",
        "slack-channels",
        "policy-tests",
        "policy-reach",
        "policy-approvers",
        "policy-owners",
        "policy-freezes",
    ),
    *("ledger", "ledger-write", "bot", "owed", "disk", "deliveries"),
    *("callback", "ticket"),
    *(
        "platform-token",
        "owner-token",
        "encryption",
        "wechat",
        "wechat-envs",
        "permissions",
        "listener",
        "collector",
        "clock",
    ),
    "proxies",
)
"""The names of findings, in the order in which they are printed; programs rely on them."""

ALLOW = """
[[rule]]
name = "{name}"
users = ["{user}"]
envs = ["{env}"]
effect = "allow"
"""


async def findings_of(
    environ: Mapping[str, str], name: str, runtime: Runtime | None = None
) -> list[Finding]:
    """Return the findings of the checks with this name."""
    return [finding for finding in await examine(environ, runtime) if finding.name == name]


@contextmanager
def locked_by_a_bot(ledger: Path) -> Iterator[None]:
    """Hold a ledger as a bot does that runs."""
    opened = open_database(f"sqlite:///{ledger}", Runtime())
    yield
    opened.engine.dispose()
    opened.release()


async def finding_of(
    environ: Mapping[str, str], name: str, runtime: Runtime | None = None
) -> Finding:
    """Return the finding of the only check with this name, which must have a fix unless it is fine."""
    (finding,) = await findings_of(environ, name, runtime)
    assert (finding.level == "ok") == (finding.fix is None)
    return finding


async def judged(
    environ: Mapping[str, str], name: str, runtime: Runtime | None = None
) -> tuple[Level, str]:
    """Return how the only check with this name judges, and what it found."""
    finding = await finding_of(environ, name, runtime)
    return finding.level, finding.found


def complaints(findings: Sequence[Finding]) -> list[Printed]:
    """Return what the doctor prints about everything that is not fine, by cause, except that no bot runs."""
    others = [finding for finding in findings if finding.name != "bot"]
    return [each for each in by_cause(others) if each.finding.level != "ok"]


async def level_of(environ: Mapping[str, str], name: str) -> Level:
    return (await finding_of(environ, name)).level


def with_policy(environ: Mapping[str, str], folder: Path, text: str) -> dict[str, str]:
    """Return the environment with a policy file instead of the SHARE_ENV_ALLOWED settings."""
    path = folder / "policy.toml"
    path.write_text(text, encoding="utf-8")
    others = {k: v for k, v in environ.items() if not k.startswith("SHARE_ENV_ALLOWED")}
    return {**others, "POLICY_FILE": str(path)}


def rule(name: str = "r", user: str = "U0REQUESTER", env: str = "prod-1") -> str:
    return ALLOW.format(name=name, user=user, env=env)


def contents(folder: Path) -> dict[str, bytes]:
    """Return the content of each file in a folder, without SQLite's shared memory, which has no data."""
    return {
        path.name: path.read_bytes()
        for path in sorted(folder.iterdir())
        if not path.name.endswith("-shm")
    }
