"""The dashboard for Grafana, as the tests read it: its panels, and its queries as Prometheus takes them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bot

DASHBOARD = Path(bot.__file__).parent / "ops/dashboard.json"
JOB = "share-env-bot"


@dataclass(frozen=True)
class Query:
    """One target of a panel; `label` is its series' name in the legend, with labels in braces."""

    expr: str
    label: str

    def with_values(self, window: str, whole: str) -> str:
        """Return it with Grafana's variables replaced: the window of a rate, and the dashboard's whole time."""
        values = {"$__rate_interval": window, "$__range": whole, "$job": JOB}
        expr = self.expr
        for variable, value in values.items():
            expr = expr.replace(variable, value)
        assert "$" not in expr, expr
        return expr

    def named(self, labels: Mapping[str, str]) -> str:
        """Return the name of a series in the legend."""
        name = self.label
        for label, value in labels.items():
            name = name.replace(f"{{{{{label}}}}}", value)
        return name


@dataclass(frozen=True)
class Panel:
    """A panel as the file has it, but a row's heading; `json` has the rest."""

    id: int
    kind: str
    title: str
    queries: tuple[Query, ...]
    json: Mapping[str, Any]

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Its left and top, its width and height, in units of Grafana's grid, which is 24 wide."""
        left, top, width, height = (self.json["gridPos"][each] for each in "xywh")
        return left, top, width, height

    @property
    def look(self) -> Mapping[str, Any]:
        """Its unit, thresholds and so on."""
        look: Mapping[str, Any] = self.json["fieldConfig"]["defaults"]
        return look

    @property
    def colours(self) -> dict[str, str]:
        """The colours that it has for certain names in its legend."""
        return {
            each["matcher"]["options"]: each["properties"][0]["value"]["fixedColor"]
            for each in self.json["fieldConfig"]["overrides"]
        }

    def mapped(self, value: float) -> dict[str, str]:
        """Return the text and the colour that it has for a value; empty if it has none."""
        found = dict[str, str]()
        for mapping in self.look.get("mappings", ()):
            found |= mapping["options"][f"{value:g}"]
        return found


def dashboard() -> dict[str, Any]:
    """Return the whole file."""
    found: dict[str, Any] = json.loads(DASHBOARD.read_text(encoding="utf-8"))
    return found


def panels() -> Iterator[Panel]:
    """Yield the panels and rows, in the order of the file."""
    for each in dashboard()["panels"]:
        targets = each.get("targets", ())
        queries = tuple(Query(target["expr"], target["legendFormat"]) for target in targets)
        yield Panel(each["id"], each["type"], each["title"], queries, each)
