"""A picture of the dashboard: its panels where Grafana puts them, drawn from what Prometheus answered."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html import escape
from itertools import chain, cycle
from math import ceil, floor, log10
from pathlib import Path

from playwright.async_api import async_playwright

from tests.ops.dashboards import Panel
from tests.ops.prometheus import STEP, Curve
from tests.playground.page.conftest import CHROMIUM, FLAGS

Curves = Mapping[str, Curve]
"""What a panel shows, by the names in its legend."""

_PAGE, _COLUMN, _ROW, _GAP = 1208, 42, 30, 8  # pixels; columns and rows are units of the grid
_TOP, _LINE, _TABLE = 36, 17, 160  # pixels: heights of the title and of a line, width of a table
_COLOURS = {
    "blue": "#5794f2",
    "yellow": "#f2cc0c",
    "purple": "#b877d9",
    "teal": "#4ec9b0",
    "pink": "#ff85c0",
    "orange": "#ff9830",
    "green": "#6abf69",
    "red": "#f2495c",
}
"""Those that the dashboard names; where it names none, they are taken in this order."""
_STYLE = f"""
body {{ margin: 0; padding: {_GAP}px; width: {_PAGE - 2 * _GAP}px; background: #111217; display: grid; gap: {_GAP}px;
  grid-template-columns: repeat(24, {_COLUMN}px); grid-auto-rows: {_ROW}px }}
h2 {{ margin: 0; align-self: end; color: #d8dae0; font: bold 15px "DejaVu Sans", sans-serif }}
svg {{ background: #1a1c21; outline: 1px solid #2b2e35 }}
rect {{ shape-rendering: crispEdges }}
text {{ fill: #b4b7c0; font: condensed 12.5px "DejaVu Sans", sans-serif }}
.title {{ fill: #e4e5ea; font-weight: bold }}
.value {{ fill: #fff; font-size: 26px; font-weight: bold }}
.grid {{ stroke: #2f323a }}
.curve {{ fill: none; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round }}
"""


@dataclass(frozen=True)
class _Plot:
    """Where points lie in a panel: times in Unix seconds, values up to `most`, the rest in pixels."""

    began: float
    ended: float
    right: float
    bottom: float
    left: float = 52
    most: float = 1

    def x(self, at: float) -> float:
        return self.left + (at - self.began) * (self.right - self.left) / (self.ended - self.began)

    def y(self, value: float) -> float:
        return self.bottom - value * (self.bottom - _TOP) / self.most

    def bar(self, at: float, low: float, high: float, colour: str, fill: float = 0.85) -> str:
        """Return a bar for what was between the last point and this one."""
        width = (self.x(at) - self.x(at - STEP)) * fill
        return _box(self.x(at - STEP), self.y(high), width, self.y(low) - self.y(high), colour)

    def clock(self) -> Iterator[str]:
        """Yield the times below it, at full minutes where there is little room."""
        apart = 20 if self.right - self.left > 400 else 30 if self.right - self.left > 200 else 60
        for at in range(ceil(self.began / apart) * apart, floor(self.ended), apart):
            yield _text(
                self.x(at), self.bottom + _LINE, f"{datetime.fromtimestamp(at, UTC):%T}", "middle"
            )


async def photograph(shown: Sequence[tuple[Panel, Curves]], path: Path) -> None:
    """Draw the panels and write the picture as PNG."""
    times = [at for _, curves in shown for curve in curves.values() for at, _ in curve]
    drawn = [_panel(panel, curves, min(times) - STEP, max(times)) for panel, curves in shown]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS])
        tab = await browser.new_page(viewport={"width": _PAGE, "height": 100})
        await tab.set_content(f"<style>{_STYLE}</style>{''.join(drawn)}")
        await tab.screenshot(path=path, full_page=True)
        await browser.close()


def _panel(panel: Panel, curves: Curves, began: float, ended: float) -> str:
    left, top, columns, rows = panel.place
    area = f'style="grid-area: {top + 1} / {left + 1} / span {rows} / span {columns}"'
    if panel.kind == "row":
        return f"<h2 {area}>{escape(panel.title)}</h2>"
    width, height = columns * (_COLUMN + _GAP) - _GAP, rows * (_ROW + _GAP) - _GAP
    plot = _Plot(began, ended, right=width - 12, bottom=height - 1.5 * _LINE)
    draw = {"stat": _stat, "state-timeline": _states, "timeseries": _series}[panel.kind]
    inside = "".join(draw(panel, curves, plot))
    title = _text(12, 21, panel.title, kind="title")
    return f'<svg {area} width="{width}" height="{height}">{inside}{title}</svg>'


def _stat(panel: Panel, curves: Curves, plot: _Plot) -> Iterator[str]:
    ((*_, (_, value)),) = curves.values()
    steps = panel.look["thresholds"]["steps"]
    reached = [step["color"] for step in steps if step["value"] is None or step["value"] <= value]
    said = panel.mapped(value).get("text") or _told(round(value), panel.look["unit"])
    yield _box(0, 0, plot.right + 12, 200, _COLOURS[reached[-1]], 0.5)
    yield _text(plot.right / 2, plot.bottom + 5, said, "middle", "value")


def _states(panel: Panel, curves: Curves, plot: _Plot) -> Iterator[str]:
    plot = replace(plot, left=90, most=len(curves))
    for lane, (name, curve) in enumerate(reversed([*curves.items()])):
        yield _text(plot.left - 8, plot.y(lane + 0.4), name, "end")
        for at, value in curve:
            colour = _COLOURS[panel.mapped(value)["color"]]
            yield plot.bar(at, lane + 0.06, lane + 0.94, colour, 1.05)
    yield from plot.clock()


def _series(panel: Panel, curves: Curves, plot: _Plot) -> Iterator[str]:
    by_most = sorted(curves.items(), key=lambda named: _most(named[1]), reverse=True)
    shown = {name: curve for name, curve in by_most if _most(curve)}
    free = cycle(each for each in _COLOURS if each not in panel.colours.values())
    colours = {name: _COLOURS[panel.colours.get(name) or next(free)] for name in shown}
    draw = _bars if panel.look.get("custom", {}).get("drawStyle") == "bars" else _lines
    return draw(shown, colours, plot, panel.look["unit"])


def _bars(shown: Curves, colours: Mapping[str, str], plot: _Plot, unit: str) -> Iterator[str]:
    """Yield bars, one upon the other, and a table with the highest value of each name."""
    tops = defaultdict[float, float](float)
    for at, value in chain(*shown.values()):
        tops[at] += value
    plot = replace(plot, right=plot.right - _TABLE, most=_round_up(max(tops.values()), unit))
    yield from _axis(plot, unit)
    for name, curve in reversed([*shown.items()]):  # the most frequent at the bottom
        for at, value in curve:
            yield plot.bar(at, tops[at] - value, tops[at], colours[name])
            tops[at] -= value
    for line, (name, curve) in enumerate(shown.items()):
        y = _TOP + 8 + line * _LINE
        yield from _key(plot.right + 14, y, name, colours[name])
        yield _text(plot.right + _TABLE, y, f"{_most(curve):.0f}", "end")


def _lines(shown: Curves, colours: Mapping[str, str], plot: _Plot, unit: str) -> Iterator[str]:
    """Yield lines, which have gaps where there are no points, and their names below."""
    highest = max(map(_most, shown.values()))
    plot = replace(plot, bottom=plot.bottom - _LINE, most=_round_up(highest, unit))
    yield from _axis(plot, unit)
    x = 12.0
    for name, curve in shown.items():
        path, before = "", 0.0
        for at, value in curve:
            path += "M" if at - before > 1.5 * STEP else "L"
            path += f"{plot.x(at):.1f} {plot.y(value):.1f}"
            before = at
        yield f'<path class="curve" stroke="{colours[name]}" d="{path}"/>'
        yield from _key(x, plot.bottom + 2 * _LINE + 3, name, colours[name])
        x += 32 + 6 * len(name)


def _most(curve: Curve) -> float:
    return max((value for _, value in curve), default=0.0)


def _key(x: float, y: float, name: str, colour: str) -> Iterator[str]:
    yield _box(x, y - 6, 12, 4, colour)
    yield _text(x + 18, y, name)


def _axis(plot: _Plot, unit: str) -> Iterator[str]:
    for part in range(3):
        value = plot.most * part / 2
        y = plot.y(value)
        yield f'<path class="grid" d="M{plot.left} {y:.0f}.5H{plot.right}"/>'
        yield _text(plot.left - 6, y + 4, _told(value, unit), "end")
    yield from plot.clock()


def _box(x: float, y: float, width: float, height: float, colour: str, opacity: float = 1) -> str:
    size = f'width="{width:.1f}" height="{height:.1f}"'
    return f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{colour}" opacity="{opacity}"/>'


def _text(x: float, y: float, text: str, anchor: str = "start", kind: str = "") -> str:
    where = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text class="{kind}" {where}>{escape(text)}</text>'


def _round_up(value: float, unit: str = "") -> float:
    """Return the next number for the top of an axis: 1, 2, 4, 5 or 10 with any number of zeros, in hours if it is long."""
    size = 3600 if unit == "s" and value > 3600 else 1
    power = size * 10.0 ** floor(log10(value / size))
    return next(top * power for top in (1, 2, 4, 5, 10) if value <= top * power)


def _told(value: float, unit: str) -> str:
    """Return a value with the unit that suits it."""
    if unit != "s":
        return f"{value:g}"
    fitting = ((3600, "h"), (60, "min"), (1, "s"), (0.001, "ms"))
    size, name = next((each for each in fitting if value >= each[0]), (1, "s"))
    return f"{value / size:.3g} {name}"
