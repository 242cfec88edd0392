"""A run of the bench as text, as sections of the documents, and as JSON. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench import charts, cost, tables
from bench.results import Result, Results, of_scenario, pick
from bench.scenarios import OURS, SCENARIOS

MARKED = re.compile(r"(<!-- bench: (\w+) -->\n).*?(<!-- /bench -->)", re.DOTALL)

ASSUMPTIONS = (
    f"Assumptions: a vCPU of Lambda equals a core of this machine, a call of DynamoDB takes {cost.CALL_MS:g} ms, and "
    f"one in {1 / cost.MISS_SHARE:g} requests through CloudFront reaches the API."
)


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


def about(run: Run) -> str:
    """Return when and where the run was, and what its figures are."""
    return (
        f"{run.date}, {run.machine}: medians of {run.rounds} rounds, and of {run.fresh_rounds} fresh processes for "
        f"cold starts and memory."
    )


def terminal(run: Run) -> str:
    """Return all figures, costs and goals as text."""
    results = run.results
    parts = [about(run)]
    parts += [f"{name}\n{tables.figures(results, name).text()}" for name in _measured(results)]
    costs = (tables.request_costs(results), tables.change_costs(results))
    parts += [table.text() for table in (tables.summary(results), *costs)]
    parts.append(f"Prices are {cost.PRICES_OF}. {ASSUMPTIONS}")
    batch = pick(results, "batch of 1,000", OURS)
    if batch:
        parts.append(f"{1_000_000 / batch.figure('cpu_ms'):,.0f} changes are recorded per second of CPU.")
    parts.append(tables.goals(results).text())
    return "\n\n".join(parts)


def sections(run: Run) -> dict[str, str]:
    """Return name -> Markdown of the sections that the documents mark."""
    results = run.results
    costs = (tables.request_costs(results), tables.change_costs(results))
    return {
        "run": f"`{run.command}` on {about(run)} With {', '.join(run.versions)}.",
        "contenders": tables.contenders().markdown(),
        "goals": tables.goals(results).markdown(),
        "summary": tables.summary(results).markdown(),
        "figures": "\n\n".join(_scenario_section(results, name) for name in _measured(results)),
        "costs": "\n\n".join([*(table.markdown() for table in costs), ASSUMPTIONS]),
        "prices": tables.prices().markdown(),
    }


def _measured(results: Results) -> list[str]:
    return [name for name in SCENARIOS if of_scenario(results, name)]


def _scenario_section(results: Results, scenario: str) -> str:
    links = charts.links(results, scenario)
    return "\n\n".join([f"### {scenario}", *links, tables.figures(results, scenario).markdown()])


def fill(document: str, parts: Mapping[str, str]) -> str:
    """Return `document` with each of `parts` between the marks of its name."""
    return MARKED.sub(lambda mark: f"{mark[1]}{parts[mark[2]]}\n{mark[3]}", document)


def as_json(run: Run) -> dict[str, Any]:
    """Return the run as a JSON object."""
    return {**vars(run), "results": [vars(result) for result in run.results]}


def from_json(saved: Mapping[str, Any]) -> Run:
    """Return the run of which `as_json` made `saved`. Raise KeyError or TypeError if it is another object."""
    return Run(**{**saved, "results": [Result(**result) for result in saved["results"]]})
