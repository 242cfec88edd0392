"""Charts of CPU and memory, as SVG files beside docs/performance.md. Pure."""

from __future__ import annotations

import re

from bench import svg
from bench.layout import number
from bench.results import Result, Results, of_scenario
from bench.scenarios import DESCRIPTIONS, FLOOR, OURS, SCENARIOS

FOLDER = "bench"  # Beside docs/performance.md.

# figure -> its name in a title, and its unit
FIGURES = {"cpu_ms": ("CPU", "ms"), "peak_mb": ("peak memory, resident", "MB")}
_BAR_CLASSES = {OURS: "ours", FLOOR: "floor"}


def charts(results: Results) -> dict[str, str]:
    """Return file name -> SVG."""
    titled = [_charts(results, scenario) for scenario in SCENARIOS]
    return {_file_name(title): chart for by_title in titled for title, chart in by_title.items()}


def links(results: Results, scenario: str) -> list[str]:
    """Return Markdown that shows the charts of a scenario."""
    return [f"![{title}]({FOLDER}/{_file_name(title)})" for title in _charts(results, scenario)]


def _charts(results: Results, scenario: str) -> dict[str, str]:
    """Return title -> SVG of each figure that at least two contenders have."""
    drawn = {}
    for figure, (name, unit) in FIGURES.items():
        rows = [row for row in of_scenario(results, scenario) if getattr(row, figure)]
        if len(rows) > 1:
            title = f"{scenario}: {name}"
            drawn[title] = svg.bars(title, [_bar(row, figure, unit) for row in rows])
    return drawn


def _bar(row: Result, figure: str, unit: str) -> svg.Bar:
    style = _BAR_CLASSES.get(row.contender, "peer" if row.contender in DESCRIPTIONS else "ours")
    value = row.figure(figure)
    return svg.Bar(row.contender, value, f"{number(value)} {unit}", style)


def _file_name(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") + ".svg"
