"""What runs the bot in containers, without a container engine: `compose.yml` and `kubernetes.yml`."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml
from sqlalchemy import make_url

from bot import __version__
from bot.playground.loopback import free_port
from bot.playground.slack.server import LocalSlack
from bot.playground.world import APPID, OWNER
from bot.settings.files import with_files
from bot.settings.load import Settings, load
from tests.conftest import RELEASES, REQUESTER
from tests.containerfile import ROOT, only
from tests.databases import PostgreSQL
from tests.end_to_end.conftest import bot, finished
from tests.ops.prometheus import prometheus
from tests.token_server import TokenWeChat, environment

COMPOSE = ROOT / "bot/ops/compose.yml"
KUBERNETES = ROOT / "bot/ops/kubernetes.yml"
MOUNTED = "/etc/share-env-bot"
POLICY = '[[rule]]\nname = "platform"\ngroups = ["S0PLATFORM"]\neffect = "allow"\n'


def fleet() -> Any:  # a document that Compose's schema describes
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def manifests(*, postgresql: bool = False) -> list[Any]:  # as Kubernetes' schema describes
    """Return the documents as they are, or changed for PostgreSQL as the comment at the top says."""
    text = KUBERNETES.read_text(encoding="utf-8")
    if postgresql:
        text = re.sub(r"^.*# SQLite.*\n", "", text, flags=re.MULTILINE)
        text = text.replace("# PostgreSQL: ", "")
    return [*yaml.safe_load_all(text)]


def test_compose_finds_nothing_wrong() -> None:
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    subprocess.run([*check, str(COMPOSE)], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize(
    ("postgresql", "kinds", "replicas", "strategy"),
    [
        (False, "ConfigMap PersistentVolumeClaim Deployment Service", 1, {"type": "Recreate"}),
        (True, "ConfigMap Deployment Service", 2, None),
    ],
)
def test_kubernetes_finds_nothing_wrong_and_the_bot_can_read_its_settings(
    tmp_path: Path, *, postgresql: bool, kinds: str, replicas: int, strategy: object
) -> None:
    documents = manifests(postgresql=postgresql)
    for document in documents:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    assert [document["kind"] for document in documents] == kinds.split()
    policy, *_, deployment, service = documents
    spec = deployment["spec"]
    assert (spec["replicas"], spec.get("strategy")) == (replicas, strategy)
    (container,) = spec["template"]["spec"]["containers"]
    assert container["image"] == f"share-env-bot:{__version__}"
    assert f"{container['ports'][0]['containerPort']}" == image()["PORT"]
    assert service["spec"]["ports"][0]["targetPort"] == container["ports"][0]["name"]
    files = {
        "policy.toml": policy["data"]["policy.toml"],
        "slack-bot-token": "xoxb-made-up",
        "slack-app-token": "xapp-made-up",
        "database-url": "postgresql+psycopg://made-up@database/shareenv",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    # Each mounted folder, the ConfigMap's and the Secret's, is this folder here.
    folder = re.compile("^/etc/share-env-[a-z]+")
    given = {each["name"]: folder.sub(str(tmp_path), each["value"]) for each in container["env"]}
    settings = load(with_files(image() | given))
    assert isinstance(settings, Settings), settings
    assert settings.database_url.startswith("postgresql" if postgresql else "sqlite")
    assert settings.listener is not None


def image() -> dict[str, str]:
    """Return the image's environment."""
    return dict(pair.split("=", 1) for pair in only("ENV").split())


def commands() -> list[str]:
    """Return the commands that the room's README prints for a fleet on one machine."""
    page = (ROOT / "bot/ops/README.md").read_text(encoding="utf-8")
    _, section = page.split("### A fleet on one machine\n")
    return section.split("```")[1].removeprefix("sh\n").splitlines()


def run_without_engine(command: str, clone: Path) -> None:
    """Run those parts of a command that need no container engine."""
    parts = [part for part in command.split(" && ") if not part.startswith("docker ")]
    subprocess.run(["/bin/sh", "-euc", " && ".join(parts)], cwd=clone, check=True)


def set_in(clone: Path, settings: Mapping[str, str]) -> None:
    """Fill in settings in `.env`, as an operator does."""
    text = (clone / ".env").read_text(encoding="utf-8")
    for name, value in settings.items():
        text, found = re.subn(rf"^{name}=.*$", f"{name}={value}", text, flags=re.MULTILINE)
        assert found == 1
    (clone / ".env").write_text(text, encoding="utf-8")


def replica(clone: Path, port: int) -> dict[str, str]:
    """Return a replica's environment: the image's, `.env` as Compose reads it, and the service's own."""
    service = fleet()["services"]["bot"]
    assert (service["env_file"], service["volumes"]) == (
        "../../.env",
        [f"../../.fleet:{MOUNTED}:ro"],
    )
    lines = (clone / ".env").read_text(encoding="utf-8").splitlines()
    given = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    whole = image() | given | service["environment"]
    assert {name: whole[name] for name in ("HOST", "PORT")}.items() <= image().items()
    here = {name: value.replace(MOUNTED, str(clone / ".fleet")) for name, value in whole.items()}
    return here | {"HOST": "127.0.0.1", "PORT": str(port)}


def database(clone: Path, postgresql: PostgreSQL) -> None:
    """Do what the database's container does, and put this machine's address into the bot's URL of it."""
    service = fleet()["services"]["database"]["environment"]
    secret = fleet()["secrets"][Path(service["POSTGRES_PASSWORD_FILE"]).name]
    assert secret["file"] == "../../.fleet/database-password"
    password = (clone / ".fleet/database-password").read_text(encoding="utf-8").strip()
    file = clone / ".fleet/database-url"
    url = make_url(file.read_text(encoding="utf-8").strip())
    user, base = service["POSTGRES_USER"], service["POSTGRES_DB"]
    assert (url.username, url.password, url.database) == (user, password, base)
    assert url.host in fleet()["services"]
    role = f"CREATE ROLE {user} LOGIN PASSWORD '{password}'"
    postgresql.execute(postgresql.url("postgres"), role, f"CREATE DATABASE {base} OWNER {user}")
    there = make_url(postgresql.url(base)).set(username=user, password=password)
    file.write_text(there.render_as_string(hide_password=False), encoding="utf-8")


def watched(ports: list[int]) -> Any:  # as Prometheus reads it
    """Return Prometheus's configuration, with the replicas' addresses on this machine in place of their name."""
    found = yaml.safe_load(fleet()["configs"]["prometheus"]["content"])
    (job,) = found["scrape_configs"]
    assert job.pop("dns_sd_configs") == [{"names": ["bot"], "type": "A", "port": 3000}]
    job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in ports]}]
    job["scrape_interval"] = "1s"
    mount, _ = fleet()["services"]["prometheus"]["volumes"]
    assert mount == f"./alerts.yml:{found['rule_files'][0]}:ro"
    return found | {"rule_files": [str(COMPOSE.with_name("alerts.yml"))]}


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="the README's commands are for root")
async def test_the_readmes_four_commands_lead_from_a_clone_to_two_watched_replicas(
    tmp_path: Path, slack: LocalSlack, wechat: TokenWeChat, postgresql: PostgreSQL
) -> None:
    (tmp_path / ".env.example").write_bytes((ROOT / ".env.example").read_bytes())
    settings, secrets = environment(slack, wechat), tmp_path / ".fleet"
    first, second, third, doctor = commands()
    for command in (first, second):
        run_without_engine(command, tmp_path)
    (secrets / "slack-bot-token").write_text(settings.pop("SLACK_BOT_TOKEN"), encoding="utf-8")
    (secrets / "slack-app-token").write_text(settings.pop("SLACK_APP_TOKEN"), encoding="utf-8")
    (secrets / "policy.toml").write_text(POLICY, encoding="utf-8")
    set_in(tmp_path, settings | {"WECHAT_AUTHORIZER_APPID": OWNER})
    run_without_engine(third, tmp_path)
    owner = only("USER").partition(":")[0]
    assert {f"{file.stat().st_uid}" for file in (secrets, *secrets.iterdir())} == {owner}
    engine = f"docker compose -f {COMPOSE.relative_to(ROOT)} "
    assert third.endswith(f" && {engine}up --build --detach --wait")
    assert doctor == f"{engine}exec bot {json.loads(only('ENTRYPOINT'))[0]} doctor"

    database(tmp_path, postgresql)
    ports = [free_port() for _ in range(fleet()["services"]["bot"]["deploy"]["replicas"])]
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        for port in ports:
            await stack.enter_async_context(bot(replica(tmp_path, port), tmp_path))
        watch = prometheus(http, tmp_path, watched(ports))
        server = await stack.enter_async_context(watch)
        await slack.command(REQUESTER, RELEASES, f"{APPID} prod-1")
        await server.until('sum(share_env_requests_total{outcome="shared"}) == 1')
        await server.until('sum(up{job="share-env-bot"}) == 2 and sum(share_env_ready) == 2')
        async with http.get(f"{server.origin}/api/v1/rules") as answer:
            groups = (await answer.json())["data"]["groups"]
        assert [group["name"] for group in groups] == ["share-env-bot"]
        code, said, _ = await finished(replica(tmp_path, ports[0]), tmp_path, "doctor")
        assert (code, "❌" in said) == (0, False), said
