"""Evaluate the alerts on a bot's metrics with Prometheus's own tool."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

import bot

PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(
    not PROMTOOL,
    reason="there is no promtool on this machine: it is in Debian's package prometheus",
)
RULES = Path(bot.__file__).parent / "ops/alerts.yml"
_BEFORE, _AFTER = 2, 60  # minutes
_WHERE = 'job="share-env-bot",instance="bot"'

Scrape = dict[str, float]


def scrape(text: str) -> Scrape:
    """Return the bot's own series and their values, as Prometheus has them after a scrape."""
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    found: Scrape = {}
    for sample in samples:
        if sample.name.startswith("share_env_") and not sample.name.endswith("_created"):
            labels = [f'{name}="{value}"' for name, value in sorted(sample.labels.items())]
            found[f"{sample.name}{{{','.join([*labels, _WHERE])}}}"] = sample.value
    return found


def firing(
    before: Scrape,
    after: Scrape,
    folder: Path,
    grow: str = "",
    up: int | None = 1,
    minutes: int = 10,
) -> set[str]:
    """Return the alerts that fire so many minutes after the change between the two scrapes.

    Prometheus evaluates rules between two scrapes, where `increase` estimates more than was counted.

    A series whose name begins with `grow` keeps growing by one each second. `up` is whether Prometheus reached the bot; None if it
    does not know of any.
    """
    known = () if up is None else (up,)
    series = [{"series": f"up{{{_WHERE}}}", "values": f"{each}x{_AFTER}"} for each in known]
    for name, value in after.items():
        then = f"{value:g}+60x{_AFTER}" if grow and name.startswith(grow) else f"{value:g}x{_AFTER}"
        series.append({"series": name, "values": f"{before.get(name, 0.0):g}x{_BEFORE} {then}"})
    query = {
        "expr": 'ALERTS{alertstate="firing"}',
        "eval_time": f"{_BEFORE + minutes - 1}m30s",
        "exp_samples": [],
    }
    test = {"interval": "1m", "input_series": series, "promql_expr_test": [query]}
    path = folder / "alerts-test.yml"
    path.write_text(
        yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "30s", "tests": [test]}),
        encoding="utf-8",
    )
    done = subprocess.run(
        [str(PROMTOOL), "test", "rules", str(path)], check=False, capture_output=True, text=True
    )
    found = set(re.findall(r'alertname="(\w+)"', done.stdout + done.stderr))
    assert bool(found) is bool(done.returncode), done.stdout + done.stderr
    return found
