"""The tables of a report: figures, summary, goals, costs. Pure."""

from __future__ import annotations

from collections.abc import Callable

from bench import cost
from bench.layout import Table, number
from bench.results import Result, Results, Verdict, judge, of_scenario, pick, ratio
from bench.scenarios import BEST_PEER, DESCRIPTIONS, FLOOR, GOALS, OURS, SCENARIOS, USUAL, WARM


def _range(row: Result) -> str:
    return f"{number(min(row.cpu_ms))} to {number(max(row.cpu_ms))}"


def _unless_zero(value: float, text: str) -> str:
    return text if value else ""


# name -> cell of a row, given that row and the row of ours. A column that is empty in all rows is left out.
COLUMNS: dict[str, Callable[[Result, Result | None], str]] = {
    "CPU ms": lambda row, _: number(row.figure("cpu_ms")),
    "range": lambda row, _: _range(row),
    "wall ms": lambda row, _: number(row.figure("wall_ms")),
    "peak MB": lambda row, _: number(row.figure("peak_mb")) if row.peak_mb else "",
    "calls": lambda row, _: _unless_zero(row.calls, f"{row.calls:g}"),
    "KB read": lambda row, _: _unless_zero(row.read_bytes > 100, number(row.read_bytes / 1024)),
    "KB sent": lambda row, _: _unless_zero(row.sent, number(row.sent / 1024)),
    "read units": lambda row, _: _unless_zero(row.read_units, f"{row.read_units:g}"),
    "write units": lambda row, _: _unless_zero(row.write_units, f"{row.write_units:g}"),
    f"ratio of {OURS}": lambda row, ours: f"{ratio(ours, row):.3f}" if ours and ours is not row else "",
}


def figures(results: Results, scenario: str) -> Table:
    """Return all figures of one scenario, a row per contender."""
    rows = of_scenario(results, scenario)
    ours = pick(results, scenario, OURS)
    columns = {name: [cell(row, ours) for row in rows] for name, cell in COLUMNS.items()}
    filled = {name: column for name, column in columns.items() if any(column)}
    return Table(("", *filled), [(row.contender, *line) for row, *line in zip(rows, *filled.values(), strict=True)])


def _compare(ours: Result, other: Result | None) -> tuple[str, str]:
    return (f"{ratio(ours, other):.3f}", f"{number(other.figure('cpu_ms'))} ms") if other else ("", "")


def summary(results: Results) -> Table:
    """Return the CPU of ours in each scenario, with its ratios to the best peer, the usual handler and the floor."""
    rows = []
    for scenario in SCENARIOS:
        ours, best = pick(results, scenario, OURS), pick(results, scenario, BEST_PEER)
        if ours is None:
            continue
        to_best, best_ms = _compare(ours, best)
        to_usual, _ = _compare(ours, pick(results, scenario, USUAL))
        to_floor, _ = _compare(ours, pick(results, scenario, FLOOR))
        peer = f"{best.contender}, {best_ms}" if best else ""
        rows.append((scenario, f"{number(ours.figure('cpu_ms'))} ms", peer, to_best, to_usual, to_floor))
    return Table(("CPU", OURS, "best peer", "ratio to it", f"ratio to {USUAL}", "ratio to the floor"), rows)


_UNITS = {"cpu_ms": "CPU ms", "peak_mb": "MB resident", "read_units": "read units"}
_VERDICTS = {True: "met", False: "MISSED", None: "not measured"}


def goals(results: Results) -> Table:
    """Return each goal with what was measured."""
    rows = []
    for verdict in (judge(goal, results) for goal in GOALS):
        goal, value = verdict.goal, ""
        if verdict.value is not None:
            value = f"{verdict.value:.3f}" if goal.baseline else number(verdict.value)
        rows.append((f"{goal.scenario}: {_subject(verdict)}", value, f"{goal.limit:g}", _VERDICTS[verdict.met]))
    return Table(("goal", "measured", "limit", ""), rows)


def _subject(verdict: Verdict) -> str:
    """Return the figure of a goal and what it is compared with."""
    goal, unit = verdict.goal, _UNITS[verdict.goal.figure]
    if goal.baseline is None:
        return unit
    chosen = "" if verdict.baseline in ("", goal.baseline) else f" ({verdict.baseline})"
    return f"{unit}, ratio to {goal.baseline}{chosen}"


def all_met(results: Results) -> bool:
    """Return whether no goal is missed. One that was not measured counts as met."""
    return all(judge(goal, results).met is not False for goal in GOALS)


COSTED = ("one-item lookup", "page of 100", "page of 1 MB", "unchanged page, 304")
BATCHES = {scenario.name: scenario.request for scenario in WARM if isinstance(scenario.request, int)}


def work(row: Result) -> cost.Work:
    """Return what one request or batch of `row` takes."""
    return cost.Work(row.figure("cpu_ms"), row.calls, row.read_units, row.write_units, row.sent)


def _fits(row: Result, memory: int) -> bool:
    return not row.peak_mb or max(row.peak_mb) <= memory


def request_costs(results: Results) -> Table:
    """Return time and dollars of the usual handler and of ours, for functions of each memory size."""
    rows = []
    for scenario in COSTED:
        compared = [pick(results, scenario, contender) for contender in (USUAL, OURS)]
        for memory in cost.MEMORIES:
            cells = [
                cell(work(row), memory) if row and _fits(row, memory) else "does not fit"
                for cell in (_time, _dollars(cost.requests), _dollars(cost.requests_through_cloudfront))
                for row in compared
            ]
            rows.append((f"{scenario}, {memory} MB", *cells))
    columns = [f"{contender}{suffix}" for suffix in (", ms", "", ", CloudFront") for contender in (USUAL, OURS)]
    return Table(("a million requests", *columns), rows)


def _time(work: cost.Work, memory: int) -> str:
    return f"{cost.billed_ms(work, memory):,}"


def _dollars(price: Callable[[cost.Work, int], float]) -> Callable[[cost.Work, int], str]:
    return lambda work, memory: f"${price(work, memory):,.2f}"


def change_costs(results: Results) -> Table:
    """Return dollars for a million changes, by the size of their batches."""
    rows = []
    for scenario, records in BATCHES.items():
        for memory in cost.MEMORIES:
            compared = [pick(results, scenario, contender) for contender in (USUAL, OURS)]
            cells = [f"${cost.changes(work(row), records, memory):,.2f}" if row else "" for row in compared]
            rows.append((f"{scenario}, {memory} MB", *cells))
    return Table(("a million changes", USUAL, OURS), rows)


def prices() -> Table:
    return Table((cost.PRICES_OF, "$"), [(name, f"{price:.10g}") for name, price in cost.PRICES.items()])


def contenders() -> Table:
    return Table(("contender", ""), [(f"`{name}`", text) for name, text in DESCRIPTIONS.items()])
