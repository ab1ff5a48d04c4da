"""The dashboard asks for what the bot has, can be imported by Grafana, and shows something in each panel."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable
from itertools import product
from pathlib import Path

import aiohttp
import pytest
import yaml

from tests.databases import PostgreSQL
from tests.observe.alerting import RULES
from tests.observe.counted import exercised, own
from tests.ops.busy import busy_replicas
from tests.ops.dashboards import DASHBOARD, dashboard, panels
from tests.ops.picture import Curves, photograph

PICTURE = DASHBOARD.parent / "pictures/dashboard.png"
NOTE = PICTURE.with_name("taken-from.txt")
MOST_BYTES = 200_000
TAKE = (
    "The dashboard has other panels by now. Take a new picture of it: "
    ".venv/bin/python -m pytest tests/ops/test_dashboard.py -k shows_something --pictures"
)
OF_PROMETHEUS = {"job", "instance"}
"""The labels that Prometheus adds to each series."""


def known_labels() -> dict[str, dict[str, set[str]]]:
    """Return the labels of each name that queries use, with the values that the bot counts from its start on."""
    found: dict[str, dict[str, set[str]]] = {"up": {}}
    for metric in own(exercised()).values():
        for sample in metric.samples:
            labels = found.setdefault(sample.name, defaultdict(set))
            for label, value in sample.labels.items():
                labels[label].add(value)
    return found


def test_each_query_asks_for_metrics_labels_and_values_that_the_bot_has() -> None:
    known = known_labels()
    asked = [query for panel in panels() for query in panel.queries]
    for query in asked:
        found = re.findall(r"\b(share_env_\w+|up)\b(?:\{(.*?)\})", query.expr)
        assert found, query.expr
        (by,) = re.findall(r"\bby \((.*?)\)", query.expr) or [""]
        kept = set(re.findall(r"\w+", by))
        for name, matchers in found:
            assert name in known, name
            assert kept <= known[name].keys(), query.expr
            assert 'job="$job"' in matchers, query.expr
            for label, values in re.findall(r'(\w+)(?:=~|!~|!=|=)"(.*?)"', matchers):
                assert label in OF_PROMETHEUS or set(values.split("|")) <= known[name][label]
        assert set(re.findall(r"\{\{(\w+)\}\}", query.label)) == kept - {"le"}


def test_each_panel_says_what_is_normal_and_what_to_do_in_a_unit_and_in_a_place_of_its_own() -> (
    None
):
    all_panels = [*panels()]
    assert len({panel.id for panel in all_panels}) == len(all_panels)
    taken = list[tuple[int, int]]()
    for panel in all_panels:
        left, top, width, height = panel.place
        assert left + width <= 24
        taken += product(range(left, left + width), range(top, top + height))
        if panel.kind != "row":
            assert re.fullmatch(r"[A-Z].{40,}[.]", panel.json["description"]), panel.title
            assert panel.json["fieldConfig"]["defaults"]["unit"] in {"none", "short", "s"}
            assert panel.json["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            refs = [target["refId"] for target in panel.json["targets"]]
            assert len({*refs}) == len(refs) == len(panel.queries) > 0
    assert len({*taken}) == len(taken)


def test_grafana_can_import_it_with_any_prometheus() -> None:
    found = dashboard()
    assert found["title"] == found["uid"] == "share-env-bot"
    assert found["schemaVersion"] >= 39
    assert "id" not in found  # Grafana gives it one
    variables = {each["name"]: each for each in found["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == (
        *("datasource", "prometheus"),
    )
    assert variables["job"]["current"]["value"] == "share-env-bot"  # as the alerts have it


def test_each_alert_leads_to_a_panel() -> None:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    said = " ".join(panel.json.get("description", "") for panel in panels())
    assert {*re.findall(r"ShareEnv\w+", said)} == {rule["alert"] for rule in group["rules"]}


@pytest.mark.slow
async def test_every_query_shows_something_of_two_replicas_to_which_everything_happens(
    postgresql: PostgreSQL,
    tmp_path: Path,
    http: aiohttp.ClientSession,
    request: pytest.FixtureRequest,
) -> None:
    pictures = request.config.getoption("--pictures")
    pause = 8.0 if pictures else 0.5
    async with busy_replicas(postgresql.new(), tmp_path, http, pause) as busy:
        await busy.go_through_everything()
        shown = [
            (panel, [await busy.prometheus.curves(query) for query in panel.queries])
            for panel in panels()
        ]
    empty = [
        query.expr
        for panel, answers in shown
        for query, curves in zip(panel.queries, answers, strict=True)
        if not any(value for curve in curves.values() for _, value in curve)
    ]
    assert empty == []
    if pictures:
        await photograph([(panel, merged(answers)) for panel, answers in shown], PICTURE)
        NOTE.write_text(f"{hash_of_panels()}\n", encoding="utf-8")


def merged(answers: Iterable[Curves]) -> Curves:
    return {name: curve for each in answers for name, curve in each.items()}


def hash_of_panels() -> str:
    """Return a hash of what the picture shows of the file."""
    drawn = [(panel.kind, panel.title, panel.place, panel.queries) for panel in panels()]
    return hashlib.sha256(repr(drawn).encode()).hexdigest()


def test_the_rooms_readme_shows_a_picture_that_is_small_and_as_new_as_the_dashboard() -> None:
    readme = (DASHBOARD.parent / "README.md").read_text(encoding="utf-8")
    assert f'src="{PICTURE.relative_to(DASHBOARD.parent)}"' in readme
    assert PICTURE.stat().st_size <= MOST_BYTES
    assert NOTE.read_text(encoding="utf-8").strip() == hash_of_panels(), TAKE
