"""What the bench computes. Its measurements are not tested."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from bench import cost, report, svg, tables, units
from bench.__main__ import DOCUMENTS, Sizes, main
from bench.charts import charts
from bench.packages import PEERS
from bench.results import Result, judge, pick, ratio
from bench.scenarios import (
    BEST_PEER,
    CONTENDERS,
    DESCRIPTIONS,
    FLOOR,
    GOALS,
    LARGEST,
    OURS,
    SCENARIOS,
    SMALLEST,
    USUAL,
    Goal,
)


def row(scenario: str, contender: str, *cpu_ms: float, **more: Any) -> Result:
    figures: dict[str, Any] = {"items": 1, "sent": 0, "calls": 1, "read_bytes": 0, "read_units": 1, "write_units": 0}
    return Result(
        scenario, contender, **{"cpu_ms": list(cpu_ms), "wall_ms": list(cpu_ms), "peak_mb": [], **figures, **more}
    )


LOOKUP, PAGE, UNCHANGED, SIZED = "one-item lookup", "page of 1 MB", "unchanged page, 304", "page of 100, by size"
RESULTS = [
    row(LOOKUP, OURS, 1.0, 3.0, 1.2),
    row(LOOKUP, USUAL, 4.0, 12.0, 4.0),
    row(LOOKUP, "aiodynamo", 2.0, 6.0, 2.0),
    row(LOOKUP, FLOOR, 0.1, 0.3, 0.1),
    row(PAGE, OURS, 20.0, 20.0, 20.0, peak_mb=[60.0, 62.0, 61.0], sent=2**20, read_units=256.0),
    row(PAGE, USUAL, 100.0, 100.0, 100.0, peak_mb=[150.0], sent=2**20, read_units=128.0),
    row(UNCHANGED, OURS, 0.5, 0.5, 0.4),
    row(SIZED, "1,000 items", 1.0, 1.0, 1.0),
    row(SIZED, "100,000 items", 1.1, 1.05, 1.05),
]
RUN = report.Run("2026-11-24", "python -m bench", "a <machine>", ["boto3 1"], 3, 1, RESULTS)


def test_goals_and_scenarios_name_existing_contenders_and_figures() -> None:
    choices = {BEST_PEER, LARGEST, SMALLEST}
    figures = {field.name for field in dataclasses.fields(Result)}
    for goal in GOALS:
        assert goal.scenario in SCENARIOS
        assert {goal.contender, goal.baseline or goal.contender} <= DESCRIPTIONS.keys() | choices
        assert goal.figure in figures
    for scenario in SCENARIOS.values():
        assert set(scenario.contenders) <= CONTENDERS.keys()
        assert (scenario.peer_scenario or scenario.name) in SCENARIOS
    assert set(tables.COSTED) <= SCENARIOS.keys()
    for contender in CONTENDERS.values():
        assert contender.name in DESCRIPTIONS
        assert contender.name == OURS or (PEERS / f"{contender.module}.py").exists()


def test_ratio_is_the_median_of_the_ratios_of_rounds() -> None:
    ours, usual = RESULTS[:2]
    assert ratio(ours, usual) == 0.25
    assert ratio(ours, dataclasses.replace(usual, cpu_ms=[6.0])) == pytest.approx(0.2)


def test_best_peer_is_neither_ours_nor_the_floor() -> None:
    best = pick(RESULTS, LOOKUP, BEST_PEER)
    assert best
    assert best.contender == "aiodynamo"
    assert pick(RESULTS, "cold start", BEST_PEER) is None


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [
        (Goal(LOOKUP, "cpu_ms", 0.5, BEST_PEER), 0.5, True),
        (Goal(LOOKUP, "cpu_ms", 0.2, USUAL), 0.25, False),
        (Goal(UNCHANGED, "cpu_ms", 0.01, BEST_PEER), 0.005, True),
        (Goal(PAGE, "peak_mb", 90.0), 61.0, True),
        (Goal(SIZED, "cpu_ms", 1.1, SMALLEST, contender=LARGEST), 1.05, True),
        (Goal("cold start", "cpu_ms", 0.5, "chalice"), None, None),
    ],
)
def test_goal_is_met_or_missed_or_not_measured(goal: Goal, value: float | None, met: bool | None) -> None:
    verdict = judge(goal, RESULTS)
    assert verdict.value == (value if value is None else pytest.approx(value))
    assert verdict.met is met


def test_function_is_billed_by_its_share_of_a_core() -> None:
    work = cost.Work(cpu_ms=10.0, calls=2)
    assert [cost.billed_ms(work, memory) for memory in (128, 1769)] == [149, 20]
    # 1,000 ms at 1,024 MB, a million times: a million GB-seconds.
    second = cost.Work(cpu_ms=(1000 - cost.CALL_MS) * 1024 / cost.VCPU_MB - 1e-9, calls=1)
    assert cost.function(second, 1024) == pytest.approx(0.20 + 16.6667)


def test_requests_cost_the_sum_of_all_services() -> None:
    nothing = cost.Work(cpu_ms=0.0, calls=0)
    assert cost.requests(nothing, 128) == pytest.approx(0.20 + 3.50)
    page = dataclasses.replace(nothing, read_units=256.0, sent=2**30 / 1000)
    assert cost.requests(page, 128) == pytest.approx(0.20 + 3.50 + 256 * 0.125 + 1000 * 0.09)
    assert cost.requests_through_cloudfront(page, 128) == pytest.approx(
        1.00 + 1000 * 0.085 + 0.1 * (0.20 + 3.50 + 256 * 0.125)
    )


def test_changes_share_the_cost_of_their_batch() -> None:
    batch = cost.Work(cpu_ms=0.0, calls=0, write_units=312.0)
    assert cost.changes(batch, 1000, 128) == pytest.approx((0.20 + 312 * 0.625) / 1000)


def test_page_that_exceeds_the_memory_has_no_price() -> None:
    lines = {line[0]: line for line in tables.request_costs(RESULTS).rows}
    assert lines["page of 1 MB, 128 MB"][1] == "does not fit"
    assert lines["page of 1 MB, 256 MB"][1] == f"{cost.billed_ms(tables.work(RESULTS[5]), 256):,}"


@pytest.mark.parametrize(
    ("attribute", "size"),
    [
        ({"S": "é"}, 2),
        ({"N": "-12.50"}, 4),
        ({"N": "1000"}, 2),
        ({"N": "0"}, 1),
        ({"B": "AAE="}, 2),
        ({"BOOL": True}, 1),
        ({"NULL": True}, 1),
        ({"SS": ["a", "bc"]}, 3),
        ({"NS": ["1", "2"]}, 4),
        ({"BS": ["AAE=", "AA=="]}, 3),
        ({"L": [{"S": "ab"}]}, 6),
        ({"M": {"k": {"S": "ab"}}}, 7),
    ],
)
def test_item_size_is_what_dynamodb_counts(attribute: dict[str, Any], size: int) -> None:
    assert units.item_size({"name": attribute}) == 4 + size


def test_units_are_rounded_up_to_whole_blocks() -> None:
    assert [units.read_units(size, True) for size in (0, 1, 4096, 4097)] == [1, 1, 1, 2]
    assert units.read_units(4097, False) == 1.0
    item = {"k": {"S": "x" * 1024}}
    assert [units.write_units([item, item]), units.write_units([item], transaction=True)] == [4, 4]


def test_chart_is_xml_with_title_and_description() -> None:
    chart = svg.bars("a < b", [svg.Bar("one & two", 2.0, "2 ms", "ours"), svg.Bar("none", 0.0, "0 ms", "peer")])
    root = ElementTree.fromstring(chart)
    space = "{http://www.w3.org/2000/svg}"
    assert [root.findtext(f"{space}{part}") for part in ("title", "desc")] == ["a < b", "one & two 2 ms; none 0 ms"]
    widths = [float(bar.attrib["width"]) for bar in root.iter(f"{space}rect")]
    assert widths == [svg.WIDTH - svg.LABEL - svg.TEXT, 1.0]
    assert "prefers-color-scheme: dark" in chart


def test_every_chart_is_linked() -> None:
    shown = report.sections(RUN)["figures"]
    drawn = charts(RESULTS)
    assert len(drawn) == 4
    for name, chart in drawn.items():
        ElementTree.fromstring(chart)
        assert f"(bench/{name})" in shown


def test_fill_replaces_only_text_between_marks() -> None:
    document = "a\n<!-- bench: one -->\n<!-- /bench -->\nb\n<!-- bench: two -->\nold\n\nold\n<!-- /bench -->\n"
    parts = {"one": "| 1 |", "two": "| 2 |"}
    filled = report.fill(document, parts)
    assert filled == (
        "a\n<!-- bench: one -->\n| 1 |\n<!-- /bench -->\nb\n<!-- bench: two -->\n| 2 |\n<!-- /bench -->\n"
    )
    assert report.fill(filled, parts) == filled


def test_documents_have_a_mark_for_each_section() -> None:
    marks = [mark[2] for path in DOCUMENTS for mark in report.MARKED.finditer(path.read_text())]
    assert set(marks) == report.sections(RUN).keys()


def test_saved_run_is_reported_again(tmp_path: pathlib.Path) -> None:
    run, again = tmp_path / "run.json", tmp_path / "again.json"
    run.write_text(json.dumps(report.as_json(RUN)))
    result = CliRunner().invoke(main, ["--from", str(run), "--json", str(again)])
    assert result.output.strip() == report.terminal(RUN).strip()
    assert again.read_text() == json.dumps(report.as_json(RUN), indent=1)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--sizes", "many"], "'many' is not a list of numbers. Write one such as 1000,100000."),
        (["--sizes", "10"], "'10' contains a size below 1,000. Write sizes of at least that."),
        (["--from", __file__], "was not written by --json"),
        (["--json", "/nowhere/to.json"], "/nowhere/to.json: No such file or directory"),
        (["--json", "."], "'--json': .: Is a directory. Name a file that can be written."),
    ],
)
def test_invalid_option_is_reported_in_one_line(options: list[str], line: str) -> None:
    result = CliRunner().invoke(main, options)
    assert result.exit_code != 0
    assert line in result.output


def test_repeated_size_is_measured_once() -> None:
    assert Sizes().convert("2000,1000,2000", None, None) == (2000, 1000)
