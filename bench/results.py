"""Measured results, their ratios, and verdicts on the goals. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import truediv
from typing import Any

from bench.scenarios import BEST_PEER, FLOOR, LARGEST, OURS, SCENARIOS, SMALLEST, Goal


@dataclass(frozen=True)
class Result:
    """The results of one contender in one scenario.

    `cpu_ms`, `wall_ms`: milliseconds per request or batch, one value per round. `peak_mb`: resident memory, one value
    per fresh process. Per request: `sent` bytes of the response body, `calls` of DynamoDB, `read_bytes` of its answers,
    and its units.
    """

    scenario: str
    contender: str
    items: int
    sent: int
    calls: float
    read_bytes: float
    read_units: float
    write_units: float
    cpu_ms: list[float]
    wall_ms: list[float]
    peak_mb: list[float]

    def figure(self, name: str) -> float:
        """Return the field `name`, or the median of it if there is one value per round or process."""
        value = getattr(self, name)
        return statistics.median(value) if isinstance(value, list) else float(value)


Results = Sequence[Result]


def of_scenario(results: Results, scenario: str) -> list[Result]:
    """Return the rows of `scenario`."""
    return [result for result in results if result.scenario == scenario]


def _cpu(result: Result) -> float:
    return result.figure("cpu_ms")


def _best_peer(rows: list[Result]) -> Result | None:
    return min((row for row in rows if row.contender not in (OURS, FLOOR)), key=_cpu, default=None)


_CHOICES: dict[str, Callable[[list[Result]], Result | None]] = {
    BEST_PEER: _best_peer,
    SMALLEST: lambda rows: rows[0] if len(rows) > 1 else None,
    LARGEST: lambda rows: rows[-1] if len(rows) > 1 else None,
}


def pick(results: Results, scenario: str, contender: str) -> Result | None:
    """Return the row of `contender`, a name or a choice such as BEST_PEER, or None if it was not measured."""
    rows = of_scenario(results, scenario)
    if fallback := SCENARIOS[scenario].peer_scenario:
        rows += [row for row in of_scenario(results, fallback) if row.contender not in (OURS, FLOOR)]
    if contender in _CHOICES:
        return _CHOICES[contender](rows)
    return next((row for row in rows if row.contender == contender), None)


def ratio(row: Result, baseline: Result, figure: str = "cpu_ms") -> float:
    """Return the median of the ratios of each round: what slows the machine in a round slows both contenders."""
    values: Any = getattr(row, figure)
    baselines: Any = getattr(baseline, figure)
    if isinstance(values, list) and len(values) == len(baselines):
        return float(statistics.median(map(truediv, values, baselines)))
    return row.figure(figure) / baseline.figure(figure)


@dataclass(frozen=True)
class Verdict:
    """`value`: the figure that `goal` limits, or its ratio to the contender `baseline`. None: not measured."""

    goal: Goal
    value: float | None
    baseline: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.value is None else self.value <= self.goal.limit


def judge(goal: Goal, results: Results) -> Verdict:
    """Return whether `results` meet `goal`."""
    row = pick(results, goal.scenario, goal.contender)
    if row is None:
        return Verdict(goal, None)
    if goal.baseline is None:
        return Verdict(goal, row.figure(goal.figure))
    baseline = pick(results, goal.scenario, goal.baseline)
    return Verdict(goal, ratio(row, baseline, goal.figure), baseline.contender) if baseline else Verdict(goal, None)
