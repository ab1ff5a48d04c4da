"""Agreements between manifest, code, READMEs and .env.example."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from packaging.requirements import Requirement

from bot.command.grammar import FIRST_WORDS, OPTIONS, SHARE_HINT, SLASH_COMMAND, SUBCOMMANDS
from bot.guidance import CODES, all_guidance
from bot.observe.metrics import DENIALS
from bot.playground.slack.methods import METHODS
from bot.playground.slack.refusals import APP_SCOPE
from bot.playground.world import SCOPES as GRANTED
from bot.policy.kinds import Policy
from bot.runtime.observers import Observers
from bot.settings.access import SlackSettings, TokenSettings
from bot.settings.load import Settings, load
from bot.settings.table import NAMES
from bot.slack.preflight import SCOPES
from tests import settings_table
from tests.observe.counted import exercised, labels_of, own
from tests.ops.doctors import CHECKS
from tests.policy.reading import read_policy

ROOT = Path(__file__).parent.parent


def page(name: str = ".") -> str:
    """Return a room's README, or the page with that name."""
    path = ROOT / name
    return (path / "README.md" if path.is_dir() else path).read_text(encoding="utf-8")


README = page()
CHINESE = "bot/ops/README.zh-CN.md"
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "app-manifest.yml").read_text(encoding="utf-8"))
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_manifest_has_the_bots_command_with_a_hint_for_every_subcommand() -> None:
    commands = MANIFEST["features"]["slash_commands"]
    assert [command["command"] for command in commands] == [SLASH_COMMAND]
    hints = [SHARE_HINT, *sorted(row.hint for row in SUBCOMMANDS)]
    assert commands[0]["usage_hint"] == " | ".join(hints)


def test_the_manifest_is_within_slacks_limits() -> None:
    command = MANIFEST["features"]["slash_commands"][0]
    assert len(MANIFEST["display_information"]["name"]) <= 35
    assert len(MANIFEST["display_information"]["description"]) <= 140
    assert re.fullmatch(r"#[0-9a-f]{6}", MANIFEST["display_information"]["background_color"])
    assert len(MANIFEST["features"]["bot_user"]["display_name"]) <= 80
    assert len(command["command"]) <= 32
    assert len(command["usage_hint"]) <= 1000
    assert command["should_escape"] is False
    assert MANIFEST["settings"]["socket_mode_enabled"] is True
    assert set(MANIFEST) == {
        "_metadata",
        "display_information",
        "features",
        "oauth_config",
        "settings",
    }


SECOND_STEP = {"app_mention"}
"""Events that the manifest leaves out; the page on Slack tells how to add them."""


def test_the_manifest_enables_the_home_and_the_buttons() -> None:
    assert MANIFEST["features"]["app_home"]["home_tab_enabled"] is True
    assert MANIFEST["features"]["app_home"]["messages_tab_enabled"] is True  # for direct messages
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "bot/slack").glob("*.py")]
    heard = {event for source in sources for event in re.findall(r'app\.event\("(\w+)"', source)}
    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == heard - SECOND_STEP
    assert {*_code(page("bot/slack").split("## Mentions")[1].split("\n## ")[0])} >= SECOND_STEP


def test_the_manifest_has_exactly_the_scopes_that_the_calls_need() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "bot/slack").glob("*.py")]
    called = {m for source in sources for m in re.findall(r'"([a-z]+\.[a-zA-Z.]+)"', source)}
    called &= METHODS.keys()
    info = ("channels:read", "groups:read", "mpim:read")  # not used for direct messages
    history = ("channels:history", "groups:history", "im:history", "mpim:history")
    needed = {"commands"}
    for method in called:
        scope = METHODS[method].scope
        if method in {"conversations.history", "conversations.replies"}:
            needed |= set(history)
        elif method == "conversations.info":
            needed |= set(info)
        elif scope and METHODS[method].token == "bot":
            needed.add(scope)
    assert {"chat.postMessage", "chat.update", "users.info", "conversations.replies"} <= called
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == needed
    assert {scope.name for scope in SCOPES} == needed


def test_the_stand_in_grants_exactly_the_manifests_scopes() -> None:
    assert {*MANIFEST["oauth_config"]["scopes"]["bot"], APP_SCOPE} == GRANTED


def test_every_scope_is_explained() -> None:
    table = page("bot/slack").split("## Scopes, and why")[1].split("\n| Without ")[0]
    explained = {
        scope for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for scope in _code(row)
    }
    assert explained == set(MANIFEST["oauth_config"]["scopes"]["bot"])


def test_the_readmes_table_of_settings_is_generated() -> None:
    section = README.split("## Settings")[1].split("\n## ")[0]
    assert section.rstrip().endswith(settings_table.readme().rstrip())


def test_the_example_file_is_generated_from_the_table_of_settings() -> None:
    assert settings_table.EXAMPLE.read_text(encoding="utf-8") == settings_table.example()


def test_the_table_of_settings_is_readable_in_a_terminal() -> None:
    assert [row for row in settings_table.readme().splitlines() if len(row) > 120] == []


def test_the_settings_read_exactly_the_listed_variables() -> None:
    asked = set()

    class Recording(dict[str, str]):
        def get(self, key: str, default: str = "") -> str:  # type: ignore[override]  # only this signature is used
            asked.add(key)
            return super().get(key, default)

    load(Recording(WECHAT_TOKEN_SERVER_URL="https://tokens.example"))
    load(Recording(WECHAT_COMPONENT_APPID="wxc0de00000000c0de"))
    assert asked == set(NAMES)


def test_every_setting_is_read_and_what_it_becomes_is_used() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in (ROOT / "bot").rglob("*.py")}
    read = {name for text in sources.values() for name in re.findall(r"\bTable\.(\w+)", text)}
    others = [text for path, text in sources.items() if path.parent != ROOT / "bot/settings"]
    used = {name for text in others for name in re.findall(r"settings\.(\w+)", text)}
    of_parts = {name for text in others for name in re.findall(r"\.(\w+)", text)}
    parts = (SlackSettings, *get_args(TokenSettings))
    assert [name for name in NAMES if name not in read] == []
    assert [each.name for each in fields(Settings) if each.name not in used] == []
    assert [each.name for part in parts for each in fields(part) if each.name not in of_parts] == []


@pytest.mark.parametrize(("name", "heading"), [("README.md", "Commands"), (CHINESE, "命令")])
def test_the_readme_lists_every_command_and_option(name: str, heading: str) -> None:
    table = page(name).split(f"\n## {heading}\n")[1].split("\n## ")[0]
    assert [word for word in FIRST_WORDS if f"`{SLASH_COMMAND} {word}" not in table] == []
    assert [option for option in OPTIONS if option not in table] == []


def test_words_that_a_test_finds_absent_are_the_bots() -> None:
    """Otherwise a rewording of the bot's would let that test pass whatever the bot says."""
    said = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "bot").rglob("*.py"))
    rooms = ("app", "end_to_end", "faults", "slack", "wechat", "workflow")
    tests = [path for room in rooms for path in (ROOT / "tests" / room).glob("*.py")]
    sources = [path.read_text(encoding="utf-8") for path in tests]
    absent = [
        each for text in sources for each in re.findall(r'"([A-Za-z]+ [A-Za-z ]+)" not in', text)
    ]
    assert len(absent) > 10
    assert [each for each in absent if each not in said] == []


def test_each_guidance_has_its_row() -> None:
    part = page("bot/guidance").split("<!-- guidance -->\n")[1].split("<!-- /guidance -->")[0]
    table = part.partition("|---|---|---|---|\n")[2].partition("\n\n")[0]
    assert f"{table}\n" == "".join(guidance_rows())


def guidance_rows() -> Iterator[str]:
    for row in all_guidance():
        codes = [str(code) for code, guidance in CODES.items() if guidance is row]
        doubt = "yes" if row.in_doubt else ""
        name = ", ".join(f"`{code}`" for code in codes or [row.key])
        yield f"| {name} | {row.title} | {row.fixer.value} | {doubt} |\n"


def test_every_check_of_the_doctor_is_listed() -> None:
    table = page("bot/ops").split("| Check | What is looked at |")[1].split("\n\n")[0]
    listed = [
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in _code(row)
    ]
    assert listed == list(CHECKS)


def test_every_metric_is_listed_with_its_type_and_labels() -> None:
    table = page("bot/ops").split("<!-- metrics -->\n")[1].split("<!-- /metrics -->")[0]
    found = re.findall(r"^\| `(\w+)` \| (\w+) \| (.*?) ?\| \w", table, re.MULTILINE)
    listed = [(name, kind, _code(labels)) for name, kind, labels in found]
    kinds = {"info": "gauge"}  # its type in Prometheus
    assert listed == sorted(
        (name, kinds.get(metric.type, metric.type), labels_of(metric))
        for name, metric in own(exercised()).items()
    )
    assert table.count("\n| `") == len(listed)


def test_every_observer_has_a_room_that_calls_it() -> None:
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "bot").rglob("*.py")]
    called = {name for source in sources for name in re.findall(r"\b_?observers\.(\w+)", source)}
    assert [each.name for each in fields(Observers) if each.name not in called] == []


def test_every_reason_of_a_denial_is_explained() -> None:
    table = page("bot/ops").split("| Reason | What it says |")[1].split("\n\n")[0]
    assert tuple(re.findall(r"^\| `(\w+)` \| \w", table, re.MULTILINE)) == DENIALS


def test_the_alerts_use_existing_metrics_and_labels() -> None:
    alerts = yaml.safe_load((ROOT / "bot/ops/alerts.yml").read_text(encoding="utf-8"))
    (group,) = alerts["groups"]
    rules = group["rules"]
    families = own(exercised()).values()
    samples = {sample.name: sample.labels for family in families for sample in family.samples}
    handled = page("bot/ops").split("| Alert | What to do |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", handled, re.MULTILINE) == [rule["alert"] for rule in rules]
    for rule in rules:
        asked = re.findall(r"(share_env_\w+)(?:\{(.*?)\})?", rule["expr"])
        assert asked
        for name, matchers in asked:
            assert name in samples
            assert set(re.findall(r"(\w+)!?=", matchers)) <= samples[name].keys()


@pytest.mark.parametrize("room", [".", "bot/policy"])
def test_every_policy_in_a_page_is_valid(room: str) -> None:
    (sample,) = re.findall(r"```toml\n(.*?)```", page(room), re.DOTALL)
    assert isinstance(read_policy(sample, None), Policy)


def test_each_dependency_has_its_purpose() -> None:
    table = page("bot").split("| Dependency | What for |")[1].split("\n\n")[0]
    named = [
        name for row in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in _code(row)
    ]
    project = PYPROJECT["project"]
    extras = project["optional-dependencies"]
    needed = [*project["dependencies"], *extras["demo"], *extras["uvloop"]]
    assert sorted(named) == sorted(Requirement(line).name for line in needed)


def _code(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


PAGES = [
    path.relative_to(ROOT).as_posix()
    for pattern in ("README.md", "bot/**/README*.md", "tests/**/README.md")
    for path in sorted(ROOT.glob(pattern))
]


@pytest.mark.parametrize("name", ["README.md", CHINESE])
def test_the_readme_is_short_enough_for_one_sitting(name: str) -> None:
    lines = page(name).splitlines()
    assert len(lines) <= 300
    assert [line for line in lines if columns(line) > 120] == []


def columns(line: str) -> int:
    """Return a line's width, where Chinese letters and punctuation are twice as wide as others."""
    return len(re.sub(r"[\u3000-\uffef]", "甲乙", line))


@pytest.mark.parametrize("name", PAGES)
def test_every_link_in_a_page_has_a_target(name: str) -> None:
    lost = [link for link in links_in(page(name)) if not is_there(name, link)]
    assert lost == []


@pytest.mark.parametrize("name", PAGES)
def test_every_module_named_in_a_page_exists(name: str) -> None:
    named = re.findall(r"`(?:bot/|tests/)?([\w.]+(?:/[\w.]+)*\.py)`", page(name))
    tops = (ROOT / "bot", ROOT / "tests")
    modules = [path.as_posix() for top in tops for path in top.rglob("*.py")]
    lost = [path for path in named if not any(each.endswith(f"/{path}") for each in modules)]
    assert lost == []


def links_in(text: str) -> list[str]:
    """Return the targets of a page's links to files and headings of this repository."""
    prose = re.sub(r"^\s*```.*?^\s*```|`[^`\n]*`(?!\]\()", "", text, flags=re.DOTALL | re.MULTILINE)
    links = re.findall(r"\]\(([^)\s]+)\)", prose)
    return [link for link in links if "://" not in link]


def is_there(name: str, link: str) -> bool:
    path, _, heading = link.partition("#")
    target = (ROOT / name).parent / path if path else ROOT / name
    if not heading:
        return target.exists()
    return target.is_file() and heading in _anchors(target.read_text(encoding="utf-8"))


def _anchors(text: str) -> set[str]:
    """Return a heading's anchor, as GitHub makes it."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}
