"""What was measured, and what follows from it. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import truediv
from typing import Any

from bench.scenarios import BEST_PEER, FLOOR, LARGEST, OURS, SCENARIOS, SMALLEST, Goal


@dataclass(frozen=True)
class Result:
    """One row. `cpu_ms`, `wall_ms`: of a request or batch, in each round. `peak_mb`: resident, of each fresh process.
    `sent`: bytes of the answer's body. `calls` of DynamoDB, `read_bytes` of its answers and its units, of one
    request."""

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
        """`name`d figure: the median, where each round or process has one."""
        value = getattr(self, name)
        return statistics.median(value) if isinstance(value, list) else float(value)


Results = Sequence[Result]


def of(results: Results, scenario: str) -> list[Result]:
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


def pick(results: Results, scenario: str, who: str) -> Result | None:
    """The row of `who`, a contender or a choice of one, where there is one."""
    rows = of(results, scenario)
    if otherwise := SCENARIOS[scenario].otherwise:
        rows += [row for row in of(results, otherwise) if row.contender not in (OURS, FLOOR)]
    if who in _CHOICES:
        return _CHOICES[who](rows)
    return next((row for row in rows if row.contender == who), None)


def ratio(one: Result, other: Result, figure: str = "cpu_ms") -> float:
    """The median of what each round says: what slows one round slows both contenders in it."""
    ones: Any = getattr(one, figure)
    others: Any = getattr(other, figure)
    if isinstance(ones, list) and len(ones) == len(others):
        return float(statistics.median(map(truediv, ones, others)))
    return one.figure(figure) / other.figure(figure)


@dataclass(frozen=True)
class Judged:
    """`value`: what `goal` is about, against the contender `than`. None: that was not measured."""

    goal: Goal
    value: float | None
    than: str = ""

    @property
    def met(self) -> bool | None:
        return None if self.value is None else self.value <= self.goal.most


def judge(goal: Goal, results: Results) -> Judged:
    who = pick(results, goal.scenario, goal.who)
    if who is None:
        return Judged(goal, None)
    if goal.than is None:
        return Judged(goal, who.figure(goal.figure))
    than = pick(results, goal.scenario, goal.than)
    return Judged(goal, ratio(who, than, goal.figure), than.contender) if than else Judged(goal, None)
