"""What was measured -> tables, charts and the figures of the documents. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import cost, svg
from bench.results import Judged, Result, Results, judge, of, pick, ratio
from bench.scenarios import BEST_PEER, FLOOR, GOALS, OURS, SCENARIOS, USUAL, WARM, WORDS


@dataclass(frozen=True)
class Run:
    """A run of the bench. `results`: in the order of the scenarios."""

    date: str
    command: str
    machine: str
    versions: list[str]
    rounds: int
    fresh_rounds: int
    results: list[Result]


FIGURES = set("0123456789$")


@dataclass(frozen=True)
class Table:
    """The first column is words, the others mostly figures."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def text(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        return "\n".join(
            "  ".join(
                [line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))]
            )
            for line in lines
        )

    def markdown(self) -> str:
        figures = [any(cell[:1] in FIGURES for cell in column if cell) for column in zip(*self.rows, strict=True)]
        rule = ("---", *["---:" if figure else "---" for figure in figures[1:]])
        return "\n".join(f"| {' | '.join(line)} |" for line in (self.columns, rule, *self.rows))


def number(value: float) -> str:
    """Three digits that say something."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{1 if value >= 10 else 2 if value >= 1 else 3}f}"


def _spread(row: Result) -> str:
    return f"{number(min(row.cpu_ms))} to {number(max(row.cpu_ms))}"


def _where(value: float, text: str) -> str:
    return text if value else ""


# What a table says of a row, beside the row of ours; a column that says nothing of any row is left out.
COLUMNS: dict[str, Callable[[Result, Result | None], str]] = {
    "CPU ms": lambda row, _: number(row.figure("cpu_ms")),
    "least to most": lambda row, _: _spread(row),
    "wall ms": lambda row, _: number(row.figure("wall_ms")),
    "peak MB": lambda row, _: number(row.figure("peak_mb")) if row.peak_mb else "",
    "calls": lambda row, _: _where(row.calls, f"{row.calls:g}"),
    "KB read": lambda row, _: _where(row.read_bytes > 100, number(row.read_bytes / 1024)),
    "KB sent": lambda row, _: _where(row.sent, number(row.sent / 1024)),
    "read units": lambda row, _: _where(row.read_units, f"{row.read_units:g}"),
    "write units": lambda row, _: _where(row.write_units, f"{row.write_units:g}"),
    f"{OURS} takes": lambda row, ours: f"{ratio(ours, row):.3f} of it" if ours and ours is not row else "",
}


def figures(results: Results, scenario: str) -> Table:
    rows = of(results, scenario)
    ours = pick(results, scenario, OURS)
    cells = {name: [says(row, ours) for row in rows] for name, says in COLUMNS.items()}
    said = {name: column for name, column in cells.items() if any(column)}
    return Table(("", *said), [(row.contender, *line) for row, *line in zip(rows, *said.values(), strict=True)])


def _takes(ours: Result, other: Result | None) -> tuple[str, str]:
    return (f"{ratio(ours, other):.3f}", f"{number(other.figure('cpu_ms'))} ms") if other else ("", "")


def summary(results: Results) -> Table:
    """Ours beside the best peer, the usual handler and the floor."""
    rows = []
    for scenario in SCENARIOS:
        ours, best = pick(results, scenario, OURS), pick(results, scenario, BEST_PEER)
        if ours is None:
            continue
        of_best, best_ms = _takes(ours, best)
        of_usual, _ = _takes(ours, pick(results, scenario, USUAL))
        of_floor, _ = _takes(ours, pick(results, scenario, FLOOR))
        beside = f"{best.contender}, {best_ms}" if best else ""
        rows.append((scenario, f"{number(ours.figure('cpu_ms'))} ms", beside, of_best, of_usual, of_floor))
    return Table(("CPU", OURS, "best peer", "of the best peer's", f"of the {USUAL} handler's", "of the floor's"), rows)


_UNITS = {"cpu_ms": "CPU ms", "peak_mb": "MB resident", "read_units": "read units"}
_VERDICTS = {True: "met", False: "MISSED", None: "not measured"}


def goals(results: Results) -> Table:
    rows = []
    for judged in (judge(goal, results) for goal in GOALS):
        goal, value = judged.goal, ""
        if judged.value is not None:
            value = f"{judged.value:.3f}" if goal.than else number(judged.value)
        rows.append((f"{goal.scenario}: {_compared(judged)}", value, f"{goal.most:g}", _VERDICTS[judged.met]))
    return Table(("goal", "is", "at most", ""), rows)


def _compared(judged: Judged) -> str:
    """The figure, and what it is compared with."""
    goal, unit = judged.goal, _UNITS[judged.goal.figure]
    if goal.than is None:
        return unit
    chosen = "" if judged.than in ("", goal.than) else f" ({judged.than})"
    return f"{unit} beside {goal.than}{chosen}"


def all_met(results: Results) -> bool:
    return all(judge(goal, results).met is not False for goal in GOALS)


COSTED = ("one-item lookup", "page of 100", "page of 1 MB", "unchanged page, 304")
BATCHES = {scenario.name: scenario.ask for scenario in WARM if isinstance(scenario.ask, int)}


def work(row: Result) -> cost.Work:
    return cost.Work(row.figure("cpu_ms"), row.calls, row.read_units, row.write_units, row.sent)


def _fits(row: Result, memory: int) -> bool:
    return not row.peak_mb or max(row.peak_mb) <= memory


def request_costs(results: Results) -> Table:
    rows = []
    for scenario in COSTED:
        asked = [pick(results, scenario, who) for who in (USUAL, OURS)]
        for memory in cost.MEMORIES:
            cells = [
                says(work(row), memory) if row and _fits(row, memory) else "does not fit"
                for says in (_time, _dollars(cost.requests), _dollars(cost.requests_through_cloudfront))
                for row in asked
            ]
            rows.append((f"{scenario}, {memory} MB", *cells))
    columns = [f"{who}{what}" for what in (", ms", "", ", CloudFront") for who in (USUAL, OURS)]
    return Table(("a million requests", *columns), rows)


def _time(work: cost.Work, memory: int) -> str:
    return f"{cost.billed_ms(work, memory):,}"


def _dollars(price: Callable[[cost.Work, int], float]) -> Callable[[cost.Work, int], str]:
    return lambda work, memory: f"${price(work, memory):,.2f}"


def change_costs(results: Results) -> Table:
    rows = []
    for scenario, records in BATCHES.items():
        for memory in cost.MEMORIES:
            both = [pick(results, scenario, who) for who in (USUAL, OURS)]
            cells = [f"${cost.changes(work(row), records, memory):,.2f}" if row else "" for row in both]
            rows.append((f"{scenario}, {memory} MB", *cells))
    return Table(("a million changes", USUAL, OURS), rows)


def prices() -> Table:
    return Table((cost.PRICES_OF, "$"), [(name, f"{price:.10g}") for name, price in cost.PRICES.items()])


def contenders() -> Table:
    return Table(("contender", ""), [(f"`{name}`", words) for name, words in WORDS.items()])


def about(run: Run) -> str:
    return (
        f"{run.date}, {run.machine}: medians of {run.rounds} rounds, and of {run.fresh_rounds} fresh processes for "
        f"cold starts and memory."
    )


def terminal(run: Run) -> str:
    results = run.results
    parts = [about(run)]
    parts += [f"{name}\n{figures(results, name).text()}" for name in SCENARIOS if of(results, name)]
    parts += [table.text() for table in (summary(results), request_costs(results), change_costs(results))]
    parts.append(f"Prices are {cost.PRICES_OF}. {ASSUMED}")
    batch = pick(results, "batch of 1,000", OURS)
    if batch:
        parts.append(f"{1_000_000 / batch.figure('cpu_ms'):,.0f} changes are filed in a second of CPU.")
    parts.append(goals(results).text())
    return "\n\n".join(parts)


ASSUMED = (
    f"Assumed: a vCPU of Lambda's is a core of this machine, a call of DynamoDB takes {cost.CALL_MS:g} ms, and one in "
    f"{1 / cost.SHARE_THAT_MISSES:g} requests through CloudFront reaches the API."
)


def slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


_KINDS = {OURS: "ours", FLOOR: "floor"}


def _bar(row: Result, figure: str, unit: str) -> svg.Bar:
    kind = _KINDS.get(row.contender, "peer" if row.contender in WORDS else "ours")
    value = row.figure(figure)
    return svg.Bar(row.contender, value, f"{number(value)} {unit}", kind)


# figure -> what a chart of it is called, and its unit.
CHARTED = {"cpu_ms": ("CPU", "ms"), "peak_mb": ("peak memory, resident", "MB")}


def _charts(results: Results, scenario: str) -> dict[str, str]:
    """Title -> SVG, where there is something to compare."""
    drawn = {}
    for figure, (name, unit) in CHARTED.items():
        rows = [row for row in of(results, scenario) if getattr(row, figure)]
        if len(rows) > 1:
            title = f"{scenario}: {name}"
            drawn[title] = svg.bars(title, [_bar(row, figure, unit) for row in rows])
    return drawn


def charts(results: Results) -> dict[str, str]:
    """File name -> SVG."""
    drawn = [_charts(results, scenario) for scenario in SCENARIOS]
    return {f"{slug(title)}.svg": chart for of_one in drawn for title, chart in of_one.items()}


def _told(results: Results, scenario: str) -> str:
    shown = [f"![{title}]({CHARTS}/{slug(title)}.svg)" for title in _charts(results, scenario)]
    return "\n\n".join([f"### {scenario}", *shown, figures(results, scenario).markdown()])


def sections(run: Run) -> dict[str, str]:
    """What stands in the documents between their marks."""
    results = run.results
    return {
        "run": f"`{run.command}` on {about(run)} With {', '.join(run.versions)}.",
        "contenders": contenders().markdown(),
        "goals": goals(results).markdown(),
        "summary": summary(results).markdown(),
        "figures": "\n\n".join(_told(results, name) for name in SCENARIOS if of(results, name)),
        "costs": f"{request_costs(results).markdown()}\n\n{change_costs(results).markdown()}\n\n{ASSUMED}",
        "prices": prices().markdown(),
    }


CHARTS = "bench"  # Beside docs/performance.md.
MARKED = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def filled(document: str, parts: Mapping[str, str]) -> str:
    """`document` with each of `parts` between the marks of its name."""
    return MARKED.sub(lambda mark: f"{mark[1]}{parts[mark[2]]}\n{mark[3]}", document)


def as_json(run: Run) -> dict[str, Any]:
    return {**vars(run), "results": [vars(result) for result in run.results]}


def from_json(saved: Mapping[str, Any]) -> Run:
    return Run(**{**saved, "results": [Result(**result) for result in saved["results"]]})
